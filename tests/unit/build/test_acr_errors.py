"""How answers of Azure Resource Manager become our errors."""

import json
from types import SimpleNamespace

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseTimeoutError,
)

from groundswell.build.acr_errors import translated
from groundswell.errors import GroundswellError, NotFoundError, PermanentError, TemporaryError


def answer(status: int, body: object = None, **headers: str) -> HttpResponseError:
    """What the SDK raises for such an answer."""
    text = json.dumps(body if body is not None else {"error": {"code": "Code", "message": "what is wrong"}})
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    response = SimpleNamespace(
        status_code=status, reason="Reason", headers=names, text=lambda _encoding=None: text, body=text.encode
    )
    return HttpResponseError(response=response)  # type: ignore[arg-type]  # what an error reads of a response


def raised(exc: AzureError | OSError) -> GroundswellError:
    with pytest.raises(GroundswellError) as caught, translated("starting build x"):
        raise exc
    assert caught.value.__cause__ is exc
    return caught.value


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_temporary(status: int) -> None:
    error = raised(answer(status))
    assert isinstance(error, TemporaryError)
    assert error.delay == 5
    assert str(error) == f"starting build x: ACR Tasks answered {status} Code: what is wrong"


@pytest.mark.parametrize(
    ("header", "delay"), [("7", 7), ("0", 1), ("100000", 600), ("Wed, 21 Oct 2026 07:28:00 GMT", 5), ("-1", 5)]
)
def test_the_delay_is_the_one_asked_for(header: str, delay: float) -> None:
    error = raised(answer(429, Retry_After=header))
    assert isinstance(error, TemporaryError)
    assert error.delay == delay


@pytest.mark.parametrize(("status", "kind"), [(400, PermanentError), (404, NotFoundError), (409, PermanentError)])
def test_a_refusal_is_permanent_with_the_reason(status: int, kind: type[GroundswellError]) -> None:
    error = raised(answer(status))
    assert type(error) is kind
    assert "what is wrong" in str(error)


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_permission_says_what_to_do(status: int) -> None:
    error = raised(answer(status))
    assert type(error) is PermanentError
    assert "Container Registry Tasks Contributor" in str(error)


def test_a_long_reason_is_cut_and_none_is_fine() -> None:
    assert len(str(raised(answer(400, {"error": {"code": "C", "message": "m" * 9000}})))) < 600
    assert str(raised(answer(400, ["nothing"]))).endswith("answered 400")


@pytest.mark.parametrize(
    "exc",
    [
        ServiceRequestError("connection refused"),
        ServiceResponseTimeoutError("read timed out"),
        ClientAuthenticationError("no managed identity endpoint"),
        OSError("Could not find a suitable TLS CA certificate bundle"),
    ],
)
def test_no_answer_is_temporary_and_says_why(exc: AzureError | OSError) -> None:
    error = raised(exc)
    assert isinstance(error, TemporaryError)
    assert f"{type(exc).__name__}: {exc}" in str(error)


def test_our_own_errors_pass_through() -> None:
    with pytest.raises(NotFoundError, match="as it was"), translated("x"):
        raise NotFoundError("as it was")
