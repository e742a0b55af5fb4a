"""Drives azure-functions-runtime, the library inside Azure's own Python worker: index, load, invoke.

The library keeps its registry in module globals, so a process has one worker. Its interface is half private, so its
version is pinned in pyproject.toml, and tests/e2e/test_host_canary.py says what of it is used.
"""

import importlib
import json
import logging
import os
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from groundswell.errors import PermanentError
from groundswell.local.host import protos

logger = logging.getLogger("groundswell.host")

_TRACE = 4000  # characters of a stack trace in the log, the last ones
_SERVED = ("httpTrigger", "queueTrigger", "timerTrigger")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function as the worker indexed it. `trigger` is its trigger binding, as in a function.json."""

    id: str
    name: str
    trigger: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.trigger["type"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an invocation came to; `value` is the returned TypedData where there was one."""

    ok: bool
    value: Any = None


class Invoke(Protocol):
    """Runs a function once. `trace` is a W3C traceparent; without one the invocation begins a trace of its own."""

    async def __call__(
        self, function: Function, data: Any, metadata: dict[str, Any], *, trace: str = ""
    ) -> Outcome: ...


class Worker:
    def __init__(self, app_dir: Path) -> None:
        self._app_dir = app_dir.resolve()
        self._runtime: Any = None
        self.functions: dict[str, Function] = {}

    async def start(self) -> None:
        """Index and load the app. Raises PermanentError with the worker's own words when it refuses."""
        if not (self._app_dir / "function_app.py").is_file():
            raise PermanentError(f"{self._app_dir} is not a Functions app: it has no function_app.py")
        sys.path.insert(0, str(self._app_dir))
        os.chdir(self._app_dir)
        self._runtime = importlib.import_module("azure_functions_runtime")
        self._runtime.start_threadpool_executor()
        directory = str(self._app_dir)
        init = protos.WorkerInitRequest(host_version="4.1042.0", function_app_directory=directory)
        self._check(await self._call("worker_init_request", init), "indexing function_app.py")
        request = protos.FunctionsMetadataRequest(function_app_directory=directory)
        answer = await self._call("functions_metadata_request", request)
        self._check(answer, "listing the functions")
        for metadata in answer.function_metadata_results or ():
            load = protos.FunctionLoadRequest(function_id=metadata.function_id, metadata=metadata)
            self._check(await self._call("function_load_request", load), f"loading {metadata.name}")
            self.functions[metadata.name] = _function(metadata)

    def stop(self) -> None:
        """Wait for the worker's threads to end; those of functions that timed out may still be at work."""
        if self._runtime is not None:
            self._runtime.stop_threadpool_executor()

    async def invoke(self, function: Function, data: Any, metadata: dict[str, Any], *, trace: str = "") -> Outcome:
        """Run a function once with the trigger's `data`, and log how it ended: what it raised, never its input."""
        invocation = str(uuid.uuid4())
        method = {"MethodName": function.name, "RandGuid": str(uuid.uuid4())}
        trace = trace or f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
        request = protos.InvocationRequest(
            invocation_id=invocation,
            function_id=function.id,
            trigger_metadata={**metadata, "sys": protos.TypedData(json=json.dumps(method))},
            input_data=[protos.ParameterBinding(name=function.trigger["name"], data=data)],
            trace_context=protos.RpcTraceContext(trace_parent=trace),
        )
        started = time.perf_counter()
        answer = await self._call("invocation_request", request)
        fields = {
            "function": function.name,
            "invocation": invocation,
            "milliseconds": round((time.perf_counter() - started) * 1000, 1),
        }
        if answer.result.status != protos.SUCCESS:
            exception = answer.result.exception
            trace = (exception.stack_trace or "")[-_TRACE:]
            logger.error("function failed", extra={**fields, "why": exception.message, "trace": trace})
            return Outcome(ok=False)
        logger.info("function succeeded", extra=fields)
        value = answer.return_value
        return Outcome(ok=True, value=value if value is not None and value.WhichOneof("data") else None)

    async def _call(self, kind: str, message: Any) -> Any:
        request = SimpleNamespace(
            request=protos.StreamingMessage(**{kind: message}), properties={"protos": protos, "host": "127.0.0.1"}
        )
        return await getattr(self._runtime, kind)(request)

    @staticmethod
    def _check(answer: Any, what: str) -> None:
        if answer.result.status != protos.SUCCESS:
            exception = answer.result.exception
            raise PermanentError(f"{what} failed: {exception.message}\n{exception.stack_trace or ''}".rstrip())


def _function(metadata: Any) -> Function:
    """The function that the worker's `metadata` describe.

    Raises PermanentError for what this host would leave undone unseen: output bindings and retry policies.
    """
    bindings = [json.loads(binding) for binding in metadata.raw_bindings]
    trigger = next(binding for binding in bindings if binding["type"].lower().endswith("trigger"))
    for binding in bindings:
        if binding is not trigger and binding["type"] != "http":
            raise PermanentError(
                f"function {metadata.name}: this host serves no {binding['type']} binding; use the SDK instead"
            )
    if metadata.retry_options is not None:
        raise PermanentError(f"function {metadata.name}: this host heeds no retry policy; use host.json's settings")
    if trigger["type"] not in _SERVED:
        logger.warning("trigger not served", extra={"function": metadata.name, "trigger": trigger["type"]})
    return Function(id=metadata.function_id, name=metadata.name, trigger=trigger)
