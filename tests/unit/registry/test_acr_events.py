"""ACR's record of deliveries, in the shapes of Microsoft's REST reference."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.registry import acr_events
from groundswell.registry.acr_events import AcrEvents
from groundswell.settings import AcrRegistry
from tests.support.acr import Credential

HOST = "contoso.azurecr.io"
IDS = AcrRegistry(subscription="sub", resource_group="a group", name="contoso", webhook="groundswell")
PATH = (
    "/subscriptions/sub/resourceGroups/a%20group/providers/Microsoft.ContainerRegistry/registries/contoso"
    "/webhooks/groundswell/listEvents"
)
DIGEST = "sha256:" + "a" * 64


def event(
    number: int,
    status: str | None,
    *,
    action: str = "push",
    timestamp: str = "2026-06-01T12:22:07.0958813Z",
    **target: Any,
) -> dict[str, Any]:
    about = {"mediaType": "m", "size": 708, "digest": DIGEST, "repository": "team/base", "tag": "1", **target}
    content = {"id": f"event-{number}", "timestamp": timestamp, "action": action, "target": about}
    found: dict[str, Any] = {
        "id": f"record-{number}",
        "eventRequestMessage": {
            "content": content,
            "headers": {"Authorization": "******"},
            "method": "POST",
            "requestUri": "https://groundswell.example/webhooks/acr",
            "version": "1.1",
        },
    }
    if status is not None:
        found["eventResponseMessage"] = {"content": "", "headers": {}, "reasonPhrase": "", "statusCode": status}
    return found


class Azure:
    """Answers listEvents with pages, or whatever else it is told."""

    def __init__(self) -> None:
        self.pages: list[Any] = [{"value": []}]
        self.status = 200
        self.headers: dict[str, str] = {}
        self.link = ""
        self.asked: list[tuple[str, str, str]] = []

    async def handle(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").partition(" ")[0]
        self.asked.append((request.method, request.raw_path, token))
        page = int(request.query.get("page", "0"))
        document = self.pages[page]
        if page + 1 < len(self.pages):
            link = self.link or f"https://{request.host}{request.rel_url.update_query({'page': str(page + 1)})}"
            document = {**document, "nextLink": link}
        return web.Response(status=self.status, headers=self.headers, text=json.dumps(document))


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Azure, AcrEvents]]:
    files, made = certificates(tmp_path), Azure()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.ca))

    def app() -> web.Application:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", made.handle)
        return application

    with Servers(files) as servers:
        endpoint = f"https://localhost:{servers.serve(app)}"
        registries = {HOST: IDS, "other.azurecr.io": AcrRegistry(subscription="s", resource_group="g", name="n")}
        with closing(AcrEvents(Credential(Identity()), endpoint + "/", registries)) as events:
            yield made, events


def test_only_those_with_a_webhook_are_read(azure: tuple[Azure, AcrEvents]) -> None:
    assert azure[1].registries() == (HOST,)


def test_what_got_no_success_is_found_on_every_page(azure: tuple[Azure, AcrEvents]) -> None:
    server, events = azure
    server.pages = [
        {"value": [event(1, "202"), event(2, "504"), event(3, None)]},
        {"value": [event(4, "401", tag="2"), event(5, "200")]},
    ]
    found = events.failed(HOST)
    assert [(one.id, str(one.reference)) for one in found] == [
        ("event-2", f"{HOST}/team/base:1"),
        ("event-3", f"{HOST}/team/base:1"),
        ("event-4", f"{HOST}/team/base:2"),
    ]
    assert (found[0].digest, found[0].at) == (DIGEST, 1780316527.095881)
    assert server.asked == [
        ("POST", f"{PATH}?api-version={acr_events.API_VERSION}", "Bearer"),
        ("GET", f"{PATH}?api-version={acr_events.API_VERSION}&page=1", "Bearer"),
    ]


@pytest.mark.parametrize(
    "odd",
    [
        event(1, "504", action="delete"),
        event(1, "504", action="ping"),
        event(1, "504", tag=""),
        event(1, "504", tag="../x"),
        event(1, "504", repository="Not/Possible"),
        event(1, "504", repository=None),
        event(1, "504", timestamp="soon"),
        {"id": "x"},
        {"eventRequestMessage": {"content": {"action": "push", "id": 5, "timestamp": "2026-06-01T12:22:07Z"}}},
        {"eventRequestMessage": {"content": {"action": "push", "id": "x" * 200}}},
        {"eventRequestMessage": []},
        "an event",
    ],
)
def test_what_is_no_tagged_push_is_passed_over(azure: tuple[Azure, AcrEvents], odd: Any) -> None:
    server, events = azure
    server.pages = [{"value": [odd, event(2, "504")]}]
    assert [one.id for one in events.failed(HOST)] == ["event-2"]


def test_a_time_without_a_zone_and_no_digest(azure: tuple[Azure, AcrEvents]) -> None:
    server, events = azure
    server.pages = [{"value": [event(1, "504", timestamp="2026-06-01T12:22:07", digest=None)]}]
    (found,) = events.failed(HOST)
    assert (found.at, found.digest) == (1780316527.0, "")


@pytest.mark.parametrize(
    ("status", "headers", "error", "said", "delay"),
    [
        (429, {"Retry-After": "17"}, TemporaryError, "answered 429", 17.0),
        (503, {}, TemporaryError, "answered 503", 5.0),
        (404, {}, PermanentError, "see `webhook` and the ids in GROUNDSWELL_REGISTRIES", None),
        (403, {}, PermanentError, "webhooks/listEvents/action", None),
        (302, {"Location": "https://evil.example/"}, PermanentError, "answered 302", None),
    ],
)
def test_refusals(
    azure: tuple[Azure, AcrEvents],
    status: int,
    headers: dict[str, str],
    error: type[Exception],
    said: str,
    delay: float | None,
) -> None:
    server, events = azure
    server.status, server.headers = status, headers
    with pytest.raises(error, match=said) as caught:
        events.failed(HOST)
    assert getattr(caught.value, "delay", None) == delay
    assert len(server.asked) == 1


def test_a_token_goes_to_no_other_host(azure: tuple[Azure, AcrEvents]) -> None:
    server, events = azure
    server.pages, server.link = [{"value": []}, {"value": []}], "https://evil.example/next"
    with pytest.raises(PermanentError, match="its next page is on another host"):
        events.failed(HOST)


def test_pages_without_an_end(azure: tuple[Azure, AcrEvents], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acr_events, "MAX_PAGES", 2)
    server, events = azure
    server.pages = [{"value": [event(number, "504")]} for number in range(9)]
    assert [one.id for one in events.failed(HOST)] == ["event-0", "event-1"]


@pytest.mark.parametrize("document", [{"value": 5}, {}, []])
def test_an_answer_that_is_no_list(azure: tuple[Azure, AcrEvents], document: Any) -> None:
    server, events = azure
    server.pages = [document]
    with pytest.raises(PermanentError, match=r"holds no list|not an object"):
        events.failed(HOST)


def test_nobody_listens() -> None:
    with (
        closing(AcrEvents(Credential(Identity()), "https://localhost:1", {HOST: IDS})) as events,
        pytest.raises(TemporaryError, match="Azure did not answer"),
    ):
        events.failed(HOST)
