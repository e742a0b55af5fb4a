"""The three triggers: who gets in, and with which status each is answered."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions import webhooks
from groundswell.errors import TemporaryError
from tests.support.world import World
from tests.unit.webhooks.test_distribution import EVENT
from tests.unit.webhooks.test_event_grid import CLOUD, GRID, validation

SECRET = {"Authorization": "s"}
HANDSHAKE = {"aeg-event-type": "SubscriptionValidation"}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(webhooks, "app", lambda: world.app)
    yield world
    world.close()


def send(
    to: str,
    document: Any = None,
    headers: Mapping[str, str] = SECRET,
    *,
    body: bytes | None = None,
    method: str = "POST",
    **params: str,
) -> func.HttpResponse:
    sent = json.dumps(document).encode() if body is None else body
    request = func.HttpRequest(method=method, url=f"https://x/{to}", headers=headers, params=params, body=sent)
    function: Any = getattr(webhooks, to)
    answer: func.HttpResponse = function._function.get_user_function()(request)
    return answer


def told(answer: func.HttpResponse) -> tuple[int, Any]:
    return answer.status_code, json.loads(answer.get_body())


def queued(world: World) -> int:
    return world.app.store.depth("pushes")


@pytest.mark.parametrize(
    ("to", "document"),
    [("acr_webhook", GRID["data"]), ("event_grid_webhook", GRID), ("distribution_webhook", {"events": [EVENT]})],
)
def test_each_of_them(world: World, to: str, document: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": "wrong"}):
        assert send(to, document, headers).status_code == 401
    assert send(to, document, {}, secret="wrong").status_code == 401
    assert send(to, body=b" " * (4 * 1024 * 1024 + 1)).status_code == 413
    assert send(to, body=b"{").status_code == 400
    assert queued(world) == 0
    assert send(to, document).status_code in (200, 202)
    assert queued(world) == 1

    def away(*_: object) -> None:
        raise TemporaryError("the queue is away")

    monkeypatch.setattr(world.app, "receive", away)
    assert send(to, document).status_code == 503


@pytest.mark.parametrize("to", ["acr_webhook", "event_grid_webhook", "distribution_webhook"])
def test_without_a_secret_of_ours_nobody_is_told_that_his_is_wrong(world: World, to: str) -> None:
    """Event Grid gives up what is answered 401; that a vault could not be read passes."""
    world.app.settings = replace(world.app.settings, webhook_secret="")
    for headers in ({}, {"Authorization": ""}, SECRET):
        assert send(to, GRID["data"], headers).status_code == 503
    assert queued(world) == 0


def test_event_grid_delivers_one_or_several(world: World) -> None:
    assert told(send("event_grid_webhook", [GRID, CLOUD, {**GRID, "eventType": "ImageDeleted"}])) == (
        200,
        {"queued": 2, "ignored": 1},
    )
    assert queued(world) == 2


def test_event_grid_gives_the_secret_in_the_address(world: World) -> None:
    assert send("event_grid_webhook", GRID, {}, secret="s").status_code == 200
    assert send("acr_webhook", GRID["data"], {}, secret="s").status_code == 401
    assert queued(world) == 1


def test_of_event_grids_events_the_good_ones_are_taken(world: World) -> None:
    status, answer = told(send("event_grid_webhook", [{**GRID, "data": 7}, GRID]))
    assert (status, answer["field"], answer["queued"]) == (400, "[0].data", 1)
    assert queued(world) == 1


def test_event_grids_validation(world: World) -> None:
    code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
    to, body = "event_grid_webhook", validation()
    assert told(send(to, body=body, headers={**SECRET, **HANDSHAKE})) == (200, {"validationResponse": code})
    assert send(to, body=body, headers=HANDSHAKE).status_code == 401  # of no registry in the settings
    assert send(to, body=b"[]", headers={**SECRET, **HANDSHAKE}).status_code == 400
    assert send(to, [GRID], headers=HANDSHAKE).status_code == 401
    assert queued(world) == 0


def test_event_grids_protection_from_abuse(world: World) -> None:
    asked = {"WebHook-Request-Origin": "eventgrid.azure.net", "WebHook-Request-Rate": "120"}
    answer = send("event_grid_webhook", headers=asked, method="OPTIONS", body=b"")
    assert answer.status_code == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert answer.headers["WebHook-Allowed-Rate"] == "*"
    refused = send("event_grid_webhook", headers={"WebHook-Request-Origin": "evil.com"}, method="OPTIONS", body=b"")
    assert refused.status_code == 403
    assert "WebHook-Allowed-Origin" not in refused.headers


def test_a_registry_is_told_what_is_wrong_and_goes_on(world: World) -> None:
    answer = send("distribution_webhook", {"events": [{**EVENT, "id": 7}, EVENT, {**EVENT, "action": "pull"}]})
    assert told(answer) == (
        202,
        {"queued": 1, "ignored": 1, "refused": ["events[0].id: must be a text of 1 to 128 printable characters"]},
    )
    assert queued(world) == 1


def test_acr_announces_other_things_too(world: World) -> None:
    assert told(send("acr_webhook", {"action": "ping"})) == (200, {"action": "ping", "queued": False})
    assert told(send("acr_webhook", {"action": "delete"})) == (202, {"action": "delete", "queued": False})
    assert queued(world) == 0
