"""Stand-ins for the messages of FunctionRpc.

azure-functions-runtime is handed the module that holds them, so plain classes with the same fields do, and neither
protobuf nor grpc is needed. Only what the worker touches is here; `tests/e2e/test_host_canary.py` checks that.
"""

from collections.abc import Callable, Mapping
from typing import Any

_ONE_OF = {
    "data": (
        "string",
        "json",
        "bytes",
        "http",
        "int",
        "double",
        "collection_bytes",
        "collection_string",
        "collection_double",
        "collection_sint64",
        "model_binding_data",
        "collection_model_binding_data",
    ),
    "rpc_data": ("data", "rpc_shared_memory"),
}


class _Message:
    """A message whose fields were given by `_message`."""

    _defaults: Mapping[str, Callable[[], Any]] = {}

    def __init__(self, **values: Any) -> None:
        for name, make in self._defaults.items():
            setattr(self, name, make())
        for name, value in values.items():
            if name not in self._defaults:
                raise ValueError(f"{type(self).__name__} has no field {name}")
            if value is not None:
                setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:  # for the type checker: fields are made at run time
        raise AttributeError(f"{type(self).__name__} has no field {name}")

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802  # protobuf's own name
        return next((name for name in _ONE_OF[group] if self.__dict__.get(name) is not None), None)


def _message(
    name: str,
    fields: str = "",
    *,
    maps: str = "",
    lists: str = "",
    texts: str = "",
    numbers: str = "",
    messages: Mapping[str, Callable[[], Any]] | None = None,
    constants: Mapping[str, Any] | None = None,
) -> type[_Message]:
    defaults: dict[str, Callable[[], Any]] = dict.fromkeys(fields.split(), lambda: None)
    defaults |= dict.fromkeys(maps.split(), dict) | dict.fromkeys(lists.split(), list)
    defaults |= dict.fromkeys(texts.split(), str) | dict.fromkeys(numbers.split(), int)
    defaults |= dict(messages or {})
    return type(name, (_Message,), {"_defaults": defaults, **(constants or {})})


TypedData = _message("TypedData", " ".join(_ONE_OF["data"]))
RpcHttp = _message(
    "RpcHttp",
    "method url status_code enable_content_negotiation rawBody",
    maps="headers params query",
    lists="cookies identities",
    messages={"body": TypedData},
)
RpcHttpCookie = _message(
    "RpcHttpCookie",
    "name value domain path expires secure http_only same_site max_age",
    constants={"SameSite": type("SameSite", (), {"None": 0, "Lax": 1, "Strict": 2, "ExplicitNone": 3})},
)
NullableString = _message("NullableString", "value")
NullableBool = _message("NullableBool", "value")
NullableDouble = _message("NullableDouble", "value")
NullableTimestamp = _message("NullableTimestamp", "value")
Timestamp = _message("Timestamp", numbers="seconds nanos")
BindingInfo = _message(
    "BindingInfo",
    "type data_type direction",
    maps="properties",
    constants={"in": 0, "out": 1, "inout": 2, "undefined": 0, "string": 1, "binary": 2, "stream": 3},
)
ParameterBinding = _message("ParameterBinding", "name data rpc_shared_memory")
RpcException = _message("RpcException", "source stack_trace message is_user_exception type")
SUCCESS = 1
StatusResult = _message(
    "StatusResult",
    "status result exception",
    lists="logs",
    constants={"Failure": 0, "Success": SUCCESS, "Cancelled": 2},
)
RpcTraceContext = _message("RpcTraceContext", maps="attributes", texts="trace_parent trace_state")
RetryContext = _message("RetryContext", numbers="retry_count max_retry_count", messages={"exception": RpcException})
RpcRetryOptions = _message(
    "RpcRetryOptions",
    "max_retry_count delay_interval minimum_interval maximum_interval retry_strategy",
    constants={"exponential_backoff": 0, "fixed_delay": 1},
)
RpcFunctionMetadata = _message(
    "RpcFunctionMetadata",
    "name directory script_file entry_point is_proxy status language retry_options function_id "
    "managed_dependency_enabled",
    maps="bindings properties",
    lists="raw_bindings",
)
WorkerMetadata = _message(
    "WorkerMetadata", "runtime_name runtime_version worker_version worker_bitness", maps="custom_properties"
)
WorkerInitRequest = _message(
    "WorkerInitRequest",
    "host_version worker_directory function_app_directory",
    maps="capabilities log_categories",
)
WorkerInitResponse = _message("WorkerInitResponse", "worker_version result worker_metadata", maps="capabilities")
FunctionsMetadataRequest = _message("FunctionsMetadataRequest", "function_app_directory")
FunctionMetadataResponse = _message(
    "FunctionMetadataResponse", "result use_default_metadata_indexing", lists="function_metadata_results"
)
FunctionLoadRequest = _message("FunctionLoadRequest", "function_id metadata managed_dependency_enabled")
FunctionLoadResponse = _message("FunctionLoadResponse", "function_id result is_dependency_downloaded")
InvocationRequest = _message(
    "InvocationRequest",
    "invocation_id function_id",
    maps="trigger_metadata",
    lists="input_data",
    messages={"trace_context": RpcTraceContext, "retry_context": RetryContext},
)
InvocationResponse = _message("InvocationResponse", "invocation_id return_value result", lists="output_data")
StreamingMessage = _message(
    "StreamingMessage",
    "request_id worker_init_request functions_metadata_request function_load_request invocation_request",
)
