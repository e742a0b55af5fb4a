"""The client of the API: which answer is which error, what is asked again, and how pages become one list."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from groundswell.access.principal import ForbiddenError, ThrottledError, UnauthenticatedError
from groundswell.cli.client import LONG, PATIENCE, Client, segment
from groundswell.cli.main import exit_code
from groundswell.cli.over_http import HttpTransport
from groundswell.cli.transport import Reply, UnreachableError
from groundswell.errors import (
    ConflictError,
    GroundswellError,
    InputError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)

TYPES = "https://groundswell.dev/problems/"


class Script:
    """Gives the answers in turn, and keeps what was asked."""

    place = "https://g.example.com"

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers: Iterator[Reply | Exception] = iter(answers)
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.pauses: list[float] = []
        self.patience: list[float] = []

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, patience: float) -> Reply:
        self.asked.append((method, target, headers, body))
        self.patience.append(patience)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self) -> Client:
        return Client(self, sleep=self.pauses.append)


def reply(status: int, document: Any = None, **headers: str) -> Reply:
    body = b"" if document is None else json.dumps(document).encode()
    return Reply(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=body)


def problem(status: int, kind: str, **more: Any) -> Reply:
    return reply(status, {"type": TYPES + kind, "title": "t", "status": status, "detail": "why", **more})


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (problem(400, "not-json"), InputError, 2),
        (problem(413, "too-large"), InputError, 2),
        (problem(422, "invalid"), InputError, 2),
        (problem(409, "refused"), InputError, 2),
        (problem(409, "contradiction"), InputError, 2),
        (problem(404, "not-found"), NotFoundError, 3),
        (problem(409, "conflict"), ConflictError, 4),
        (problem(412, "precondition"), ConflictError, 4),
        (problem(401, "unauthenticated"), UnauthenticatedError, 8),
        (problem(403, "forbidden"), ForbiddenError, 8),
        (problem(500, "internal", instance="urn:uuid:1"), PermanentError, 1),
        (reply(404, {"type": "about:blank", "status": 404, "title": "Not Found"}), PermanentError, 1),
        (Reply(status=404, headers={}, body=b"<html>"), PermanentError, 1),
        (Reply(status=418, headers={}, body=b"<html>"), PermanentError, 1),
    ],
)
def test_an_answer_is_an_error_with_its_exit_code(answer: Reply, error: type[GroundswellError], code: int) -> None:
    script = Script(answer)
    with pytest.raises(error) as caught:
        script.client().get("/x")
    assert (type(caught.value), exit_code(caught.value), script.pauses) == (error, code, [])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (problem(429, "throttled"), ThrottledError),
        (problem(503, "unavailable"), TemporaryError),
        (reply(502), TemporaryError),
    ],
)
def test_what_passes_is_asked_again_and_told_in_the_end(answer: Reply, error: type[GroundswellError]) -> None:
    script = Script(*[answer] * 4)
    with pytest.raises(error) as caught:
        script.client().get("/x")
    assert (exit_code(caught.value), len(script.asked), script.pauses) == (5, 4, [0.5, 1.0, 2.0])


def test_it_waits_as_long_as_it_is_told_to_but_not_for_ever() -> None:
    script = Script(reply(503, None, retry_after="7"), reply(200, {"a": 1}))
    assert script.client().get("/x") == {"a": 1}
    assert script.pauses == [7.0]
    late = Script(reply(429, None, retry_after="3600"))
    with pytest.raises(ThrottledError):
        late.client().get("/x")
    assert late.pauses == []


def test_a_post_is_sent_again_under_the_same_key() -> None:
    lost = UnreachableError("gone", sent=True)
    script = Script(lost, problem(409, "under-way"), reply(200, {"done": []}))
    assert script.client().post("/x", {"reason": "r"}) == {"done": []}
    keys = {headers["Idempotency-Key"] for _, _, headers, _ in script.asked}
    assert (len(script.asked), len(keys)) == (3, 1)
    other = Script(reply(200, {}))
    other.client().post("/x", {"reason": "r"})
    assert other.asked[0][2]["Idempotency-Key"] not in keys


def test_a_removal_that_may_have_been_done_is_not_sent_again() -> None:
    script = Script(UnreachableError("gone", sent=True))
    with pytest.raises(UnreachableError):
        script.client().delete("/x")
    never = Script(UnreachableError("refused", sent=False), reply(204))
    never.client().delete("/x", reason="r&d")
    assert never.asked[-1][1] == "/api/v1/x?reason=r%26d"


def test_pages_are_one_list_and_no_more_is_asked_for_than_needed() -> None:
    def page(*items: int, after: str | None) -> Reply:
        return reply(200, {"items": [{"n": n} for n in items], "next_cursor": after})

    script = Script(page(1, 2, after="c1"), page(after="c2"), page(3, after=None))
    assert [each["n"] for each in script.client().pages("/x", "items", owner="")] == [1, 2, 3]
    assert [target for _, target, _, _ in script.asked] == [
        "/api/v1/x?limit=200",
        "/api/v1/x?limit=200&cursor=c1",
        "/api/v1/x?limit=200&cursor=c2",
    ]
    some = Script(page(1, 2, after="c1"), page(3, after="c2"))
    assert len(list(some.client().pages("/x", "items", limit=3))) == 3
    assert [target.partition("?")[2] for _, target, _, _ in some.asked] == ["limit=3", "limit=1&cursor=c1"]


def test_pages_are_one_document() -> None:
    def page(images: list[int], workloads: list[int], after: str | None) -> Reply:
        return reply(200, {"images": images, "workloads": workloads, "more": 1, "next_cursor": after})

    script = Script(page([1], [], "c1"), page([], [], "c2"), page([2], [3], None))
    assert script.client().whole("/x", "images", "workloads") == {"images": [1, 2], "workloads": [3]}
    assert [target.partition("?")[2] for _, target, _, _ in script.asked] == [
        "limit=200",
        "limit=200&cursor=c1",
        "limit=200&cursor=c2",
    ]


def test_what_takes_long_is_waited_for_and_not_begun_again() -> None:
    lost = UnreachableError("no answer in time", sent=True)
    script = Script(lost)
    with pytest.raises(UnreachableError):
        script.client().patient().get("/x")
    script = Script(lost, UnreachableError("refused", sent=False), reply(200, {"a": 1}))
    assert script.client().patient().post("/x", {}) == {"a": 1}  # done once, by its key
    assert script.patience == [LONG] * 3
    script = Script(lost, reply(200, {"a": 1}))
    assert script.client().get("/x") == {"a": 1}
    assert script.patience == [PATIENCE] * 2


def test_every_complaint_is_told_at_its_place() -> None:
    errors = [{"pointer": "#/zone", "detail": "no zone"}, {"parameter": "limit", "detail": "too much"}]
    with pytest.raises(InputError, match=r"^zone: no zone; limit: too much$"):
        Script(problem(422, "invalid", errors=errors)).client().get("/x")


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"null", b"1", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_object_is_no_stack_trace(body: bytes) -> None:
    """A proxy or a portal in between, or another service at the address."""
    with pytest.raises(PermanentError, match="does not answer as Groundswell does: no JSON object"):
        Script(Reply(status=200, headers={}, body=body)).client().get("/x")


@pytest.mark.parametrize("document", [{}, {"items": None, "next_cursor": None}, {"items": []}])
def test_a_page_that_is_none_is_no_stack_trace(document: Any) -> None:
    with pytest.raises(PermanentError, match="does not answer as Groundswell does: no page of items"):
        list(Script(reply(200, document)).client().pages("/x", "items"))
    with pytest.raises(PermanentError, match="does not answer as Groundswell does: no page of items"):
        Script(reply(200, document)).client().whole("/x", "items")


@pytest.mark.parametrize("errors", ["boom", None, {"name": ["wrong"]}, [1], [{"x": 1}]])
def test_what_another_service_says_of_errors_is_passed_over(errors: Any) -> None:
    with pytest.raises(InputError, match=r"^why$"):
        Script(problem(400, "odd", errors=errors)).client().get("/x")


@pytest.mark.parametrize(
    "document", [[1], 5, {"items": 5, "next_cursor": None}, {"next_cursor": None}, {"items": []}, {"error": "x"}]
)
def test_an_answer_of_something_else_is_no_stack_trace(document: Any) -> None:
    with pytest.raises(PermanentError, match="does not answer as Groundswell does"):
        list(Script(reply(200, document)).client().pages("/x", "items"))
    with pytest.raises(PermanentError, match="does not answer as Groundswell does"):
        Script(reply(200, document)).client().whole("/x", "items")


def test_a_complaint_of_the_whole_stands_alone() -> None:
    errors = [{"pointer": "#", "detail": "one of both"}, {"detail": "no more"}]
    with pytest.raises(InputError, match=r"^one of both; no more$"):
        Script(problem(422, "invalid", errors=errors)).client().get("/x")


def test_a_name_is_one_part_of_a_path() -> None:
    assert segment("shop/web?x#y") == "shop/web%3Fx%23y"


@pytest.mark.parametrize("name", ["", ".", "..", "../images/shop/web", "shop/../web", "shop//web", "/etc", "shop/"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    """The server takes dots for steps: `token revoke ../lineage/images/NAME` would remove an image."""
    with pytest.raises(InputError, match="is no name"):
        segment(name)


@pytest.mark.parametrize("token", ["gs_secret\nX: y", "gs_sec ret", "gs_secreté", "gs_secret\x00"])
def test_what_is_no_token_is_not_sent_and_not_shown(token: str) -> None:
    with pytest.raises(InputError, match="that is no token") as caught:
        HttpTransport("http://127.0.0.1:1", token=token)
    assert "secret" not in str(caught.value)
