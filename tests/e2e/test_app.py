"""The Function app on the local host: what the worker indexes, what the webhook answers to good and bad input."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from groundswell.access.principal import Role
from groundswell.access.tokens import TokenBook
from groundswell.build.port import Source
from groundswell.cascade.push import Result
from groundswell.clock import now
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration
from groundswell.local.paths import ROOT
from groundswell.store.sqlite import SqliteStore
from tests.support import acr as support
from tests.support.hosts import HostProcess
from tests.support.oci import image

pytestmark = pytest.mark.stack

SECRET = "a webhook secret"
EXPECTED = {
    "api": ("httpTrigger", "api/{*path}"),
    "dashboard": ("httpTrigger", "ui/{*path}"),
    "acr_webhook": ("httpTrigger", "webhooks/acr"),
    "event_grid": ("httpTrigger", "webhooks/event-grid"),
    "distribution": ("httpTrigger", "webhooks/distribution"),
    "healthz": ("httpTrigger", "healthz"),
    "metrics": ("httpTrigger", "metrics"),
    "pushes": ("queueTrigger", "pushes"),
    "rebuilds": ("queueTrigger", "rebuilds"),
    "scans": ("queueTrigger", "scans"),
    "rollouts": ("queueTrigger", "rollouts"),
    "notices": ("queueTrigger", "notices"),
    "pushes_poison": ("queueTrigger", "pushes-poison"),
    "rebuilds_poison": ("queueTrigger", "rebuilds-poison"),
    "scans_poison": ("queueTrigger", "scans-poison"),
    "rollouts_poison": ("queueTrigger", "rollouts-poison"),
    "notices_poison": ("queueTrigger", "notices-poison"),
    "sweep": ("timerTrigger", "0 * * * * *"),
    "watch": ("timerTrigger", "15 * * * * *"),
    "reconcile": ("timerTrigger", "30 */5 * * * *"),
    "orphans": ("timerTrigger", "45 7 * * * *"),
    "retention": ("timerTrigger", "0 30 2 * * *"),
    "stock": ("timerTrigger", "15 22 * * * *"),
    "rescan": ("timerTrigger", "20 */5 * * * *"),
    "cleanup": ("timerTrigger", "0 0 3 * * *"),
}
"""Every function, its trigger, and its route, queue or schedule."""


def test_the_worker_library_indexes_every_function() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "groundswell.local.host", str(ROOT), "--index"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=60,
    ).stdout
    found = {}
    for line in output.splitlines():
        function = json.loads(line)
        trigger = function["trigger"]
        place = trigger.get("route") or trigger.get("queueName") or trigger.get("schedule")
        found[function["name"]] = (trigger["type"], place)
        if trigger["type"] == "queueTrigger":
            assert trigger["connection"] == "GROUNDSWELL_STORE"
        if function["name"] in ("api", "dashboard"):
            assert str(trigger["authLevel"]).lower() == "anonymous"
    assert found == EXPECTED


class App:
    """The running app, its registry, and its store."""

    def __init__(self, host: HostProcess, acr: support.Acr, store: SqliteStore) -> None:
        self.host = host
        self.acr = acr
        self.store = store
        self.token = TokenBook(store, now).create(
            "tests", roles=[Role.ADMIN], seconds=3600, who="test", why="test"
        )[1]

    def post(self, body: bytes | dict[str, object], secret: str | None = SECRET) -> requests.Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"X-Secret": secret} if secret is not None else {})
        return requests.post(f"{self.host.address}/webhooks/acr", data=data, headers=headers, timeout=10)

    def api(self, method: str, path: str, *, token: str | None = "", **rest: Any) -> requests.Response:
        """`token` None sends none, "" a good one."""
        given = self.token if token == "" else token
        headers = {**rest.pop("headers", {}), **({"Authorization": f"Bearer {given}"} if given else {})}
        url = f"{self.host.address}/api/v1{path}"
        return requests.request(method, url, headers=headers, timeout=30, **rest)

    def event(self, repository: str, tag: str = "12", **changes: object) -> dict[str, object]:
        return {
            "id": "3f9c",
            "timestamp": "2026-11-24T12:22:07.0958813Z",
            "action": "push",
            "target": {
                "repository": repository,
                "tag": tag,
                "digest": "sha256:" + "a" * 64,
                "size": 1,
                "length": 1,
            },
            "request": {"id": "r", "host": self.acr.registry.login_server, "method": "PUT"},
            **changes,
        }

    def results(self) -> list[str]:
        return [record.value["result"] for record in self.store.scan("pushes", "pushes")]

    def until(self, look: Callable[[], bool], seconds: float = 60.0) -> bool:
        end = time.monotonic() + seconds
        while not look() and time.monotonic() < end:
            time.sleep(0.05)
        return look()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    store = SqliteStore(folder / "store.db")
    with support.running(folder) as acr, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(acr.certificates.ca))
        identity = acr.identity
        port = acr.servers.serve(identity.app, tls=False)
        values = {
            "GROUNDSWELL_STORE": f"sqlite:///{folder / 'store.db'}",
            "GROUNDSWELL_REGISTRIES": json.dumps(
                {acr.registry.login_server: {"subscription": "s", "resource_group": "g", "name": "acr"}}
            ),
            "GROUNDSWELL_SETTLE_SECONDS": "0",
            "GROUNDSWELL_WEBHOOK_HEADER": "X-Secret",
            "GROUNDSWELL_WEBHOOK_SECRET": SECRET,
            "GROUNDSWELL_ARM_ENDPOINT": "https://localhost:1",
            "IDENTITY_ENDPOINT": f"http://127.0.0.1:{port}/msi/token",
            "IDENTITY_HEADER": identity.header,
            "REQUESTS_CA_BUNDLE": str(acr.certificates.ca),
        }
        with HostProcess(folder, values) as host:
            running = App(host, acr, store)
            yield running
        assert SECRET not in host.log
        assert running.token not in host.log
    store.close()


def test_health(app: App) -> None:
    answer = requests.get(f"{app.host.address}/healthz", timeout=10)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x"])
def test_without_the_secret_nobody_gets_in(app: App, secret: str | None) -> None:
    answer = app.post(app.event("mirror/debian"), secret)
    assert answer.status_code == 401
    assert "X-Secret" in answer.json()["error"]


def test_malformed_json_is_named(app: App) -> None:
    answer = app.post(b'{"action": "push"')
    assert (answer.status_code, answer.json()["field"]) == (400, "body")


def test_the_field_at_fault_is_named(app: App) -> None:
    answer = app.post(app.event("UPPER"))
    assert (answer.status_code, answer.json()["field"]) == (400, "target.repository")


def test_two_megabytes_are_too_much(app: App) -> None:
    answer = app.post(b" " * 2_000_000)
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


def test_only_posts_are_taken(app: App) -> None:
    assert requests.get(f"{app.host.address}/webhooks/acr", timeout=10).status_code == 404


def test_a_ping_is_answered_and_other_actions_are_accepted(app: App) -> None:
    assert app.post({"id": "p", "action": "ping"}).status_code == 200
    answer = app.post({"id": "d", "action": "delete", "target": {}})
    assert (answer.status_code, answer.json()) == (202, {"action": "delete", "queued": False})


def test_an_image_over_the_api(app: App) -> None:
    path, reference = "/lineage/images/shop/web", str(app.acr.reference("mirror/alpine:3"))
    app.acr.client.push(image(b"alpine"), "mirror/alpine", "3")
    body = {
        "registry": app.acr.registry.login_server,
        "source": {"git": "https://git.example.com/shop.git", "path": "apps/web"},
        "tags": ["1"],
        "labels": {"tier": "gold", "zone": "a"},
        "dockerfile_content": f"FROM {reference}\n",
    }
    for token in (None, "wrong", app.token + "x"):
        assert app.api("GET", path, token=token).status_code == 401
        assert app.api("PUT", path, token=token, json=body).status_code == 401
    missing = app.api("GET", path)
    assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")

    new = app.api("PUT", path, json=body, headers={"If-None-Match": "*"})
    assert (new.status_code, new.json()["bases_not_read"]) == (201, [])
    assert new.headers["Location"] == f"/api/v1{path}"
    shown = app.api("GET", path)
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "application/json")
    assert (shown.json()["runtime"], shown.headers["ETag"]) == (reference, new.headers["ETag"])
    seen = app.api("GET", path, headers={"If-None-Match": shown.headers["ETag"]})
    assert (seen.status_code, seen.content) == (304, b"")

    listed = app.api("GET", "/lineage/images?label=tier%3Dgold&label=zone%3Da").json()
    assert [item["name"] for item in listed["images"]] == ["shop/web"]
    assert app.api("GET", "/lineage/images?label=tier%3Dgold&label=zone%3Db").json()["images"] == []
    impact = app.api("GET", "/impact", params={"reference": reference}).json()
    assert [item["image"] for item in impact["images"]] == ["shop/web"]

    tag = {"If-Match": shown.headers["ETag"]}
    assert app.api("PUT", path, json=body | {"owner": "ann"}, headers=tag).status_code == 200
    late = app.api("PUT", path, json=body | {"owner": "bob"}, headers=tag)
    assert (late.status_code, late.headers["Content-Type"]) == (412, "application/problem+json")
    assert app.api("DELETE", f"{path}?reason=retired", headers=tag).status_code == 412
    gone = app.api("DELETE", path, params={"reason": "retired"}, headers={"If-Match": "*"})
    assert (gone.status_code, gone.content) == (204, b"")
    past = app.api("GET", f"{path}/history").json()["history"]
    assert [line["action"] for line in past] == ["unregistered", "changed", "registered"]


def test_what_the_api_is_asked_wrongly_is_never_our_fault(app: App) -> None:
    assert app.api("PUT", "/lineage/images/a", data=b" " * 2_000_000).status_code == 413
    assert app.api("PUT", "/lineage/images/a", data=b"{").status_code == 400
    assert app.api("PATCH", "/lineage/images/a").headers["Allow"] == "DELETE, GET, PUT"
    assert app.api("GET", "/lineage/images/%ff").status_code == 400
    assert app.api("GET", "/lineage/images/a%2Fb").status_code == 404
    assert app.api("GET", "/openapi.json").json()["openapi"].startswith("3.1")
    assert "Traceback" not in app.host.log


def test_a_repository_that_nobody_knows(app: App) -> None:
    before = app.results().count(Result.UNKNOWN)
    answer = app.post(app.event("nobody/knows"))
    assert (answer.status_code, answer.json()) == (202, {"id": "3f9c", "queued": True})
    assert app.until(lambda: app.results().count(Result.UNKNOWN) == before + 1)


def register(app: App, repository: str) -> None:
    image_on_it = Registration(
        name=f"on-{repository.replace('/', '-')}",
        registry=app.acr.registry.login_server,
        repository=f"team/{repository.replace('/', '-')}",
        tags=("1",),
        source=Source(location="https://git.example.com/x.git", ref="main"),
        runtime=str(app.acr.reference(f"{repository}:12")),
    )
    Catalog(app.store, now).register([image_on_it], who="test")


def test_a_digest_that_the_registry_does_not_have(app: App) -> None:
    register(app, "mirror/gone")
    assert app.post(app.event("mirror/gone")).status_code == 202
    assert app.until(lambda: Result.MISSING in app.results())


def test_the_same_push_a_hundred_times_is_one_cascade(app: App) -> None:
    register(app, "mirror/debian")
    app.acr.client.push(image(b"base"), "mirror/debian", "12")
    before = len(app.results())
    assert {app.post(app.event("mirror/debian", id=f"e{n}")).status_code for n in range(100)} == {202}
    assert app.until(lambda: len(app.results()) >= before + 100, 60)
    assert app.results().count(Result.CASCADE) == 1
    assert app.results().count(Result.KNOWN) == 99
    cascades = list(app.store.scan("index", "cascades"))
    assert len(cascades) == 1


def test_it_drains_on_sigterm(tmp_path: Path) -> None:
    host = HostProcess(tmp_path, {"GROUNDSWELL_STORE": f"sqlite:///{tmp_path / 's.db'}"})
    with host:
        assert requests.get(f"{host.address}/healthz", timeout=10).ok
        assert host.stop() == 0


def test_event_grid_and_a_distribution_registry(app: App) -> None:
    address, secret = f"{app.host.address}/webhooks", {"X-Secret": SECRET}
    asked = requests.options(
        f"{address}/event-grid", headers={"WebHook-Request-Origin": "eventgrid.azure.net"}, timeout=10
    )
    assert (asked.status_code, asked.headers["WebHook-Allowed-Origin"]) == (200, "eventgrid.azure.net")
    data = app.event("nobody/grid")
    cloud = {"specversion": "1.0", "id": "c", "source": "/x", "type": "ImagePushed", "data": data}
    headers = {**secret, "Content-Type": "application/cloudevents+json"}
    sent = requests.post(f"{address}/event-grid", data=json.dumps(cloud), headers=headers, timeout=10)
    assert (sent.status_code, sent.json()) == (200, {"queued": 1, "ignored": 0})
    code = {"validationCode": "512d38b6"}
    topic = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerRegistry/registries/acr"
    kind = "Microsoft.EventGrid.SubscriptionValidationEvent"
    valid = requests.post(
        f"{address}/event-grid",
        json=[{"id": "v", "topic": topic, "eventType": kind, "data": code}],
        headers={"aeg-event-type": "SubscriptionValidation"},
        timeout=10,
    )
    assert (valid.status_code, valid.json()) == (200, {"validationResponse": "512d38b6"})
    target = {**data["target"], "mediaType": "application/vnd.oci.image.manifest.v1+json"}  # type: ignore[dict-item]
    noted = requests.post(
        f"{address}/distribution",
        json={"events": [{**data, "id": "3f9d", "target": target}]},
        headers=secret,
        timeout=10,
    )
    assert (noted.status_code, noted.json()) == (202, {"queued": 1, "ignored": 0, "refused": []})
    assert app.until(
        lambda: (
            {"event grid", "notification"}
            <= {record.value["source"] for record in app.store.scan("pushes", "pushes")}
        )
    )


def test_an_act_over_the_api_is_done_once(app: App) -> None:
    body = {"reference": str(app.acr.reference("nobody/asked:1")), "reason": "its webhook was lost"}
    key = {"Idempotency-Key": "e2e"}
    first = app.api("POST", "/pushes", json=body, headers=key)
    again = app.api("POST", "/pushes", json=body, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
