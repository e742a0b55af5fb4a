"""The body of an ACR webhook: what is legal, what is at fault."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.push import Push
from groundswell.webhooks.acr import Ignored, parse
from groundswell.webhooks.events import FieldError, authentic

DIGEST = "sha256:" + "a" * 64
EVENT = {
    "id": "e1",
    "timestamp": "2026-11-24T12:22:07.0958813Z",
    "action": "push",
    "target": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "size": 524,
        "digest": DIGEST,
        "length": 524,
        "repository": "mirror/debian",
        "tag": "12",
    },
    "request": {"id": "r1", "host": "contoso.azurecr.io", "method": "PUT", "useragent": "docker/27"},
}


def body(**changes: object) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


def target(**changes: object) -> dict[str, object]:
    return {**EVENT["target"], **changes}  # type: ignore[dict-item]


def test_a_push() -> None:
    push = Push(
        id="e1",
        registry="contoso.azurecr.io",
        repository="mirror/debian",
        tag="12",
        digest=DIGEST,
        source="webhook",
    )
    assert parse(body()) == push
    assert parse(body(timestamp="2026-11-24T12:22:07.095881312Z")) == push
    assert parse(body(timestamp=None)) == push


def test_a_child_of_a_multi_arch_push_has_no_tag() -> None:
    for tag in ("", None):
        event = parse(body(target=target(tag=tag)))
        assert isinstance(event, Push)
        assert event.tag == ""


def test_a_missing_request_is_legal_where_the_registry_is_known() -> None:
    event = json.loads(body())
    assert parse(body(request=None), registry="only.azurecr.io") == parse(
        body(request={}), registry="only.azurecr.io"
    )
    del event["request"]
    push = parse(json.dumps(event).encode(), registry="only.azurecr.io")
    assert isinstance(push, Push)
    assert push.registry == "only.azurecr.io"
    with pytest.raises(FieldError, match=r"request.host"):
        parse(json.dumps(event).encode())


@pytest.mark.parametrize("action", ["ping", "delete", "chart_push", "quarantine", "something new"])
def test_other_actions_are_not_pushes(action: str) -> None:
    assert parse(json.dumps({"action": action}).encode()) == Ignored(action=action)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"action": None}, "action"),
        ({"action": 7}, "action"),
        ({"id": ""}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"target": None}, "target"),
        ({"target": []}, "target"),
        ({"target": target(repository=None)}, "target.repository"),
        ({"target": target(repository="UPPER")}, "target.repository"),
        ({"target": target(repository="../../etc")}, "target.repository"),
        ({"target": target(tag="a b")}, "target.tag"),
        ({"target": target(tag=["x"])}, "target.tag"),
        ({"target": target(digest="sha256:short")}, "target.digest"),
        ({"request": "x"}, "request"),
        ({"request": []}, "request"),
        ({"request": 0}, "request"),
        ({"request": False}, "request"),
        ({"request": ""}, "request"),
        ({"request": {"host": 0}}, "request.host"),
        ({"request": {"host": "http://evil/"}}, "request.host"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 20261124}, "timestamp"),
        ({"timestamp": ["2026-11-24"]}, "timestamp"),
    ],
)
def test_the_field_at_fault_is_named(changes: dict[str, object], field: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse(body(**changes))
    assert caught.value.field == field


@pytest.mark.parametrize("text", [b"", b"nope", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_event_is_refused(text: bytes) -> None:
    with pytest.raises(FieldError, match="body"):
        parse(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_is_read_or_refused(value: object) -> None:
    for event in (value, {**EVENT, "target": value}, {**EVENT, "request": value}):
        with contextlib.suppress(FieldError):
            parse(json.dumps(event).encode())


def test_the_secret() -> None:
    assert authentic("s3cret", "s3cret")
    assert not authentic("other", "s3cret")
    assert not authentic(None, "s3cret")
    assert not authentic("ünïcode", "s3cret")
    assert not authentic("\udcff", "s3cret")  # a byte that is no UTF-8, as servers hand it on
    assert not authentic("", "")  # no secret set: nobody gets in
