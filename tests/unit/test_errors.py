"""What is said of an SDK's error: the reason at its bottom, and no secret."""

import ssl
import urllib.error

import pytest
import requests
import urllib3
from azure.core.exceptions import ServiceRequestError, ServiceResponseError

from groundswell.errors import cause

POOL = urllib3.HTTPSConnectionPool("localhost", 5443)
URL = "https://user:s3cret@localhost:5443/blob?sig=s3cret&x=1"


def through_requests(reason: Exception) -> Exception:
    """As requests and azure-core wrap what urllib3 raises."""
    wrapped = requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(POOL, URL, reason))
    return ServiceRequestError(str(wrapped), error=wrapped)


def test_the_reason_is_found_under_its_wrapping() -> None:
    words = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"
    reason = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1, words))
    said = cause(through_requests(reason))
    assert said.startswith("SSLCertVerificationError: ")
    assert "unable to get local issuer certificate" in said


def test_who_did_not_answer_is_named() -> None:
    said = cause(through_requests(urllib3.exceptions.NameResolutionError("nowhere", None, OSError("no such name"))))  # type: ignore[arg-type]
    assert said.startswith("NameResolutionError: ")
    assert "nowhere" in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceResponseError("Connection aborted."), "ServiceResponseError: Connection aborted."),
        (ValueError(), "ValueError"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (urllib.error.URLError(TimeoutError("timed out")), "TimeoutError: timed out"),
        (ValueError(f"GET {URL} failed"), "ValueError: GET https://localhost:5443/blob?… failed"),
    ],
)
def test_what_is_said(error: Exception, said: str) -> None:
    assert cause(error) == said


def test_it_is_cut_and_a_ring_has_an_end() -> None:
    assert len(cause(ValueError("x" * 9000))) == len("ValueError: ") + 200
    one, two = ServiceRequestError("one"), ServiceRequestError("two")
    one.inner_exception, two.inner_exception = two, one
    assert cause(one) == "ServiceRequestError: two"
