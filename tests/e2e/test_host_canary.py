"""What the local host uses of azure-functions-runtime, a library that promises nothing: this fails when it changes.

When it does, read the library's changes beside groundswell/local/host/worker.py and protos.py, then bring these
expectations up to date, and the pinned version in pyproject.toml with them.
"""

import ast
import inspect
import re
from importlib.metadata import requires, version
from pathlib import Path

import azure_functions_runtime as runtime
import pytest

from groundswell.local.host import protos

LIBRARY = Path(runtime.__file__).parent
NOT_NEEDED = {"FunctionEnvironmentReloadResponse"}  # only for Linux Consumption's placeholders


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("azure-functions-runtime") == "1.3.0"
    assert 'azure-functions-runtime==1.3.0; extra == "local"' in (requires("groundswell") or [])


@pytest.mark.parametrize(
    "name",
    ["worker_init_request", "functions_metadata_request", "function_load_request", "invocation_request"],
)
def test_the_requests_that_the_worker_makes(name: str) -> None:
    request = getattr(runtime, name)
    assert inspect.iscoroutinefunction(request)
    assert list(inspect.signature(request).parameters) == ["request"]


def test_the_thread_pool() -> None:
    for name in ("start_threadpool_executor", "stop_threadpool_executor"):
        assert list(inspect.signature(getattr(runtime, name)).parameters) == []


def calls() -> list[ast.Call]:
    """Every call of a message class in the library: `protos.NAME(...)`."""
    found = []
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "protos":
                    found.append(node)
    return found


def test_every_message_that_the_library_makes_is_there_with_its_fields() -> None:
    made = [call for call in calls() if isinstance(call.func, ast.Attribute) and call.func.attr not in NOT_NEEDED]
    assert len(made) > 30  # or the library calls it otherwise now, and this test sees nothing
    for call in made:
        assert isinstance(call.func, ast.Attribute)
        assert call.args == [], f"protos.{call.func.attr} is given positional arguments"
        message = getattr(protos, call.func.attr)
        message(**{word.arg: None for word in call.keywords if word.arg})  # ValueError for a field it has not


def test_every_name_that_the_library_takes_is_there() -> None:
    text = "\n".join(path.read_text() for path in LIBRARY.rglob("*.py"))
    names = set(re.findall(r"\bprotos\.([A-Z]\w*)", text)) | set(re.findall(r'getattr\(protos, "(\w+)"', text))
    assert {name for name in names if not hasattr(protos, name)} == NOT_NEEDED


def test_the_constants_that_the_library_reads() -> None:
    assert (protos.StatusResult.Failure, protos.StatusResult.Success) == (0, protos.SUCCESS)
    same_site = protos.RpcHttpCookie.SameSite
    assert [getattr(same_site, name) for name in ("None", "Lax", "Strict", "ExplicitNone")] == [0, 1, 2, 3]


def test_a_field_that_a_message_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="TypedData has no field text"):
        protos.TypedData(text="x")
    with pytest.raises(AttributeError, match="TypedData has no field text"):
        _ = protos.TypedData().text
