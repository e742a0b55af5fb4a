"""Distribution's notifications: of all that it sends, the tags that were pushed."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.push import Push
from groundswell.webhooks.distribution import parse
from groundswell.webhooks.events import FieldError

DIGEST = "sha256:" + "a" * 64
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TARGET: dict[str, Any] = {
    "mediaType": MANIFEST,
    "size": 708,
    "digest": DIGEST,
    "length": 708,
    "repository": "library/debian",
    "url": f"https://registry.example.com:5000/v2/library/debian/manifests/{DIGEST}",
    "tag": "12",
}
EVENT: dict[str, Any] = {
    "id": "n1",
    "timestamp": "2026-11-24T12:22:07.006165037Z",
    "action": "push",
    "target": TARGET,
    "request": {"id": "r1", "addr": "10.0.0.1:1", "host": "registry.example.com:5000", "method": "PUT"},
    "actor": {"name": "ci"},
    "source": {"addr": "hostname:5000", "instanceID": "i"},
}
PUSH = Push(
    id="n1",
    registry="registry.example.com:5000",
    repository="library/debian",
    tag="12",
    digest=DIGEST,
    source="notification",
)


def read(*events: Any, registry: str | None = None) -> Any:
    return parse(json.dumps({"events": list(events)}).encode(), registry=registry)


def target(**changes: Any) -> dict[str, Any]:
    return {**EVENT, "target": {**TARGET, **changes}}


@pytest.mark.parametrize(
    "kind",
    [
        MANIFEST,
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ],
)
def test_a_push(kind: str) -> None:
    assert read(target(mediaType=kind)).pushes == (PUSH,)


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT, "action": "pull"},
        {**EVENT, "action": "mount"},
        {**EVENT, "action": "delete", "target": {"digest": DIGEST, "repository": "library/debian"}},
        {**EVENT, "action": None},
        {**EVENT, "target": None},
        target(mediaType="application/vnd.docker.image.rootfs.diff.tar.gzip"),
        target(mediaType="application/octet-stream"),
        target(mediaType=["x"]),
        target(tag=""),
        target(tag=None),
        {},
    ],
)
def test_the_rest_asks_nothing_of_us(event: dict[str, Any]) -> None:
    found = read(event, EVENT)
    assert (found.pushes, found.ignored, found.refused) == ((PUSH,), 1, ())


def test_the_registry_is_that_of_the_address_that_was_pushed_to() -> None:
    (push,) = read({**target(), "request": {"host": "10.0.0.7:5000"}}, registry="other").pushes
    assert push.registry == "10.0.0.7:5000"
    for event in ({**EVENT, "request": None}, {**EVENT, "request": {}}):
        assert read(event, registry="other").pushes == (PUSH,)
    for url in (None, "", "nowhere", "http://[", 7):
        (push,) = read({**target(url=url), "request": None}, registry="reg.example.com").pushes
        assert push.registry == "reg.example.com"
        (error,) = read({**target(url=url), "request": None}).refused
        assert error.field == "events[0].request.host"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (7, "events[0]"),
        ({**EVENT, "id": None}, "events[0].id"),
        (target(repository="UPPER"), "events[0].target.repository"),
        (target(tag="a b"), "events[0].target.tag"),
        (target(digest="x"), "events[0].target.digest"),
        ({**EVENT, "request": []}, "events[0].request"),
        ({**EVENT, "timestamp": 7}, "events[0].timestamp"),
    ],
)
def test_what_is_wrong_is_told_and_the_others_are_taken(event: Any, field: str) -> None:
    found = read(event, EVENT)
    assert found.pushes == (PUSH,)
    assert [error.field for error in found.refused] == [field]


@pytest.mark.parametrize("body", [b"", b"nope", b"[]", b"{}", b'{"events": {}}', b"7", b'{"a":' * 50_000])
def test_what_is_no_envelope(body: bytes) -> None:
    with pytest.raises(FieldError):
        parse(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_is_read_or_refused(value: object) -> None:
    for event in (
        value,
        {**EVENT, "target": value},
        {**EVENT, "request": value},
        target(url=value, mediaType=value),
    ):
        with contextlib.suppress(FieldError):
            parse(json.dumps({"events": [event]}).encode())
