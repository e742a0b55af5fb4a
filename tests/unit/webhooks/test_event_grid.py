"""Event Grid's deliveries: both schemas, one event or several, what is passed over, what is at fault."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.push import Push
from groundswell.settings import AcrRegistry
from groundswell.webhooks.event_grid import allowed_origin, handshake, parse
from groundswell.webhooks.events import FieldError

DIGEST = "sha256:" + "a" * 64
TOPIC = "/subscriptions/S1/resourceGroups/g1/providers/Microsoft.ContainerRegistry/registries/contoso"
REGISTRIES = {
    "other.azurecr.io": AcrRegistry(subscription="s1", resource_group="g1", name="other"),
    "contoso-ab12.azurecr.io": AcrRegistry(subscription="s1", resource_group="G1", name="Contoso"),
}
DATA: dict[str, Any] = {
    "id": "d1",
    "timestamp": "2026-11-24T12:22:07.0958813Z",
    "action": "push",
    "target": {
        "mediaType": "m",
        "size": 1,
        "digest": DIGEST,
        "length": 1,
        "repository": "mirror/debian",
        "tag": "12",
    },
    "request": {"id": "r1", "host": "contoso.azurecr.io", "method": "PUT", "useragent": "docker/27"},
}
GRID: dict[str, Any] = {
    "id": "e1",
    "topic": TOPIC,
    "subject": "mirror/debian:12",
    "eventType": "Microsoft.ContainerRegistry.ImagePushed",
    "eventTime": "2026-11-24T12:22:08Z",
    "data": DATA,
    "dataVersion": "1.0",
    "metadataVersion": "1",
}
CLOUD: dict[str, Any] = {
    "id": "e1",
    "source": TOPIC,
    "subject": "mirror/debian:12",
    "type": "Microsoft.ContainerRegistry.ImagePushed",
    "time": "2026-11-24T12:22:08Z",
    "specversion": "1.0",
    "data": DATA,
}
PUSH = Push(
    id="d1", registry="contoso.azurecr.io", repository="mirror/debian", tag="12", digest=DIGEST, source="event grid"
)


def read(document: Any) -> Any:
    return parse(json.dumps(document).encode(), REGISTRIES)


@pytest.mark.parametrize("event", [GRID, CLOUD])
@pytest.mark.parametrize("kind", ["Microsoft.ContainerRegistry.ImagePushed", "ImagePushed", "imagepushed"])
def test_a_push(event: dict[str, Any], kind: str) -> None:
    typed = {**event, "eventType" if event is GRID else "type": kind}
    assert read(typed).pushes == read([typed]).pushes == (PUSH,)
    assert read([typed, typed]).pushes == (PUSH, PUSH)


@pytest.mark.parametrize(
    "kind", ["ImageDeleted", "Microsoft.ContainerRegistry.ChartPushed", "Microsoft.Storage.BlobCreated", "x"]
)
def test_other_events_ask_nothing_of_us(kind: str) -> None:
    found = read([{**GRID, "eventType": kind, "data": None}, GRID])
    assert (found.pushes, found.ignored, found.refused) == ((PUSH,), 1, ())


def test_a_registry_that_is_not_named_is_found_by_the_resource() -> None:
    for event in ({**GRID, "topic": TOPIC.lower()}, CLOUD):
        (push,) = read({**event, "data": {**DATA, "request": None}}).pushes
        assert push.registry == "contoso-ab12.azurecr.io"
    for topic in (TOPIC + "x", "/subscriptions/x", "", 7, None, TOPIC.replace("S1", "S2")):
        (error,) = read({**GRID, "topic": topic, "data": {**DATA, "request": {}}}).refused
        assert error.field == "data.request.host"


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (7, "body"),
        ({}, "eventType"),
        ({**GRID, "eventType": 7}, "eventType"),
        ({**GRID, "data": None}, "data"),
        ({**GRID, "data": []}, "data"),
        ({**GRID, "data": {**DATA, "id": ""}}, "data.id"),
        ({**GRID, "data": {**DATA, "target": None}}, "data.target"),
        ({**GRID, "data": {**DATA, "target": {"repository": "UPPER"}}}, "data.target.repository"),
        ({**GRID, "data": {**DATA, "timestamp": "soon"}}, "data.timestamp"),
        ({**GRID, "data": {**DATA, "request": 7}}, "data.request"),
    ],
)
def test_the_field_at_fault_is_named_and_the_others_are_taken(event: Any, field: str) -> None:
    (error,) = read(event).refused
    assert error.field == field
    found = read([GRID, event, CLOUD])
    assert found.pushes == (PUSH, PUSH)
    assert [error.field for error in found.refused] == ["[1]" if field == "body" else f"[1].{field}"]


@pytest.mark.parametrize("body", [b"", b"nope", b"\xff", b"[" * 100_000, b"[" + b"{}," * 6000 + b"{}]"])
def test_what_is_no_delivery(body: bytes) -> None:
    with pytest.raises(FieldError, match="body"):
        parse(body, REGISTRIES)


def validation(**changes: Any) -> bytes:
    event = {
        "id": "v1",
        "topic": TOPIC,
        "subject": "",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://x:553/y"},
    }
    return json.dumps([{**event, **changes}]).encode()


def test_a_subscription_is_validated() -> None:
    assert handshake(validation(), REGISTRIES, trusted=False) == "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
    assert handshake(validation(topic="/subscriptions/x"), REGISTRIES, trusted=True)
    assert handshake(validation(topic="/subscriptions/x"), REGISTRIES, trusted=False) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"[]",
        b"[7]",
        validation()[:-1] + b"," + validation()[1:],
        validation(eventType="ImagePushed"),
        validation(eventType=None),
        validation(data=None),
        validation(data={"validationCode": 7}),
        validation(data={"validationCode": "<script>"}),
        validation(data={"validationCode": "x" * 129}),
        validation(subject="x" * 70_000),
    ],
)
def test_what_is_no_validation(body: bytes) -> None:
    assert handshake(body, REGISTRIES, trusted=True) is None


def test_who_may_ask_whether_it_may_send() -> None:
    for origin in ("eventgrid.azure.net", "eus.eventgrid.azure.net", "EventGrid.azure.us"):
        assert allowed_origin(origin) == origin
    for origin in (None, "", "evil.example.com", "eventgrid.azure.net.evil.com", "xeventgrid.azure.net\r\nX: y"):
        assert allowed_origin(origin) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_anything_is_read_or_refused(value: object) -> None:
    for event in (value, [value, {**GRID, "data": value}, {**CLOUD, "data": {**DATA, "target": value}}]):
        with contextlib.suppress(FieldError):
            parse(json.dumps(event).encode(), REGISTRIES)
        handshake(json.dumps(event).encode(), REGISTRIES, trusted=True)
