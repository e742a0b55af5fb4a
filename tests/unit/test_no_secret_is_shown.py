"""What leaves by the other ways holds none of the planted secrets: pages, notices and what is kept of those that
did not arrive, spans, metrics and exported records of the log, and what the doctor finds.

The secrets are planted as in `test_no_secret_leaves`; services fail with them in their words.
"""

import json
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.resources import Resource

from groundswell import channels
from groundswell.access.principal import Role
from groundswell.cascade.observing import observe_with
from groundswell.dashboard.app import create as dashboard
from groundswell.doctor.doctor import Doctor
from groundswell.errors import GroundswellError
from groundswell.settings import Cluster, GitHost, parse
from groundswell.settings import ExternalRegistry as Login
from groundswell.telemetry import setup
from groundswell.telemetry.prometheus import Prometheus
from groundswell.telemetry.setup import start
from groundswell.wiring import App
from tests.support import leaks
from tests.support.leaks import SECRETS, STATUSES, Credential, Echo, Output, forms
from tests.support.notices import deliver
from tests.support.pages import Browser
from tests.support.world import BASE, World, ref, registration, workload
from tests.unit.api.conftest import Api
from tests.unit.telemetry.conftest import watch

output, server = leaks.output, leaks.server

SIGNING = "whsec_cGxhbnRlZC1zaWduaW5nLWtleS1vZi1hLXdlYmhvb2s="
LOGIN = f"Authorization: Bearer {SECRETS['entra']}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Its settings are full of secrets, and things go wrong in it."""
    world = World(
        tmp_path,
        registration("top", BASE, owner="shop"),
        registration("web", ref("top"), owner="shop", deployments=[workload("web")]),
    )
    world.app.settings = replace(
        world.app.settings,
        webhook_secret=SECRETS["webhook"],
        external={"r.example": Login(username="ann", password=SECRETS["registry"])},
        git={"github.com": GitHost(kind="github", token=SECRETS["git"])},
        clusters={"c": Cluster(server="https://c.example", token=SECRETS["cluster"])},
    )
    yield world
    world.close()


def go_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cascade that ends badly, and workers that die with a login in their last words."""
    world.broken.add("top")
    world.push_base()
    world.drive()

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(LOGIN)

    with monkeypatch.context() as patch:
        patch.setattr(world.registry, "image", fails)
        patch.setattr(world.registry, "digest", fails)
        world.push_base("sha256:again")
        died = 0
        for message in world.app.store.receive("pushes", limit=32, lease=1):
            try:
                world.deliver("pushes", message.body)
            except RuntimeError:
                died += 1
                logging.getLogger("groundswell.tests").exception("a worker failed")
        assert died


def kept(folder: Path, output: Output) -> None:
    """Every byte of the store."""
    for file in folder.rglob("*"):
        if file.is_file() and "certs" not in file.parts:
            output.add(file.read_bytes().decode("latin-1"))


# The dashboard.


def addresses(world: World) -> list[str]:
    """Every page, each parameter of an address filled in."""
    values = {"cascade": world.cascade, "image:path": "top", "name": "groundswell.css"}
    found = []
    for route in dashboard(world.app).routes:
        path: str = route.path  # type: ignore[attr-defined]  # all are Routes
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        if "GET" in (route.methods or ()):  # type: ignore[attr-defined]  # as above
            found.append(path)
    return found


def test_no_page_shows_one(world: World, output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_wrong(world, monkeypatch)
    typed = "planted-typed-33d0"
    reader, admin, stranger = Browser(world), Browser(world), Browser(world)
    reader.sign_in(Role.READER)
    admin.sign_in(Role.ADMIN)
    stranger.get("/ui/sign-in")
    seen: dict[int, int] = {}

    def shown(answer: Any) -> None:
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        headers = {name: text for name, text in answer.headers.items() if name != "set-cookie"}
        output.add(f"{answer.status_code} {headers} {answer.text}")

    pages = addresses(world)
    for path in pages:
        for browser in (reader, admin, stranger):
            shown(browser.get(path))
    shown(stranger.send("/ui/sign-in", token=f"gs_0000_{SECRETS['webhook']}", next="/ui/"))

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(LOGIN)

    with monkeypatch.context() as patch:
        for name in ("header", "recent", "listed", "rebuilds"):
            patch.setattr(world.app.engine.records, name, fails, raising=False)
        patch.setattr(world.app.builder, "log", fails)
        for path in pages:
            shown(admin.get(path))
    assert {200, 303, 404, 500} <= set(seen), seen
    secret = "; ".join(f"{name}={value}" for name, value in admin.cookies.items()).partition("=")[2]
    # A form that is refused shows who sent it what was typed; nobody else gets to see it.
    for path, fields in (
        ("/ui/register", {"git": f"https://ann:{typed}@git.example/x.git", "name": "shop/x", "do": "save"}),
        ("/ui/register/file", {"text": f'source: {{git: "https://ann:{typed}@g/x.git"}}', "do": "save"}),
    ):
        assert admin.send(path, **fields).status_code == 422
    kept(tmp_path, output)
    output.clean(typed, secret, *(browser.token.split("_", 2)[2] for browser in (reader, admin)))


# Notices.


def test_no_notice_holds_one_nor_what_is_kept_of_it(
    world: World,
    output: Output,
    server: tuple[Echo, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each channel's address is its secret; the receiver hands it back, whatever it answers."""
    echo, host = server
    places = {name: f"planted-address-of-{name}-91b7" for name in ("webhook", "teams", "slack")}
    entries = {
        name: {"kind": name, "url": f"https://{host}/hook/{place}?sig={place}", "private": True}
        for name, place in places.items()
    }
    entries["webhook"]["secret"] = SIGNING
    told = channels.read(entries, {}, setting="GROUNDSWELL_NOTIFY")
    world.app.settings = replace(world.app.settings, notify=told, notify_delay=0.0)
    output.add(world.app.settings)
    for name, entry in entries.items():
        for wrong in ({**entry, "url": str(entry["url"]) + "#x"}, {**entry, "secret": 1}, {**entry, "kinds": "x"}):
            try:
                channels.read({name: wrong}, {}, setting="GROUNDSWELL_NOTIFY")
            except GroundswellError as exc:
                output.failed(exc)
    world.app.watch.run()
    go_wrong(world, monkeypatch)
    echo.statuses = cycle([status for status in STATUSES if status != 200])
    for _ in range(6):
        world.time += 4 * 3600.0
        world.app.watch.run()
        deliver(world.app)
    states = {delivery.state.value for _, delivery in world.app.notices.listed()}
    assert {"waiting", "dead"} <= states | {"waiting"}, states
    for row, delivery in world.app.notices.listed():
        output.add(f"{row} {delivery!r}")
        assert delivery.error
    assert len(echo.asked) > 6
    for asked, body in zip(echo.asked, echo.bodies, strict=True):
        output.add(f"{asked}\n{body}")
    api = Api(world)
    output.add(api.get("/notices").text)
    output.add(repr(Doctor(world.app, lambda: 0.0, {}).examine()))
    kept(tmp_path, output)
    assert all(any(place in path for path in echo.paths) for place in places.values())
    output.clean(*places.values(), SIGNING, SIGNING.removeprefix("whsec_"), "planted-signing-key")


# Telemetry.


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    factory = logging.getLogRecordFactory()
    loggers = [logging.getLogger(name) for name in setup.OURS]
    before = [(list(each.handlers), each.level, each.propagate) for each in loggers]
    yield
    logging.setLogRecordFactory(factory)
    for each, (handlers, level, propagate) in zip(loggers, before, strict=True):
        each.handlers[:], each.propagate = handlers, propagate
        each.setLevel(level)
    observe_with(None)


@pytest.mark.usefixtures("logging_as_before")
def test_no_span_no_metric_and_no_exported_record_holds_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`exported` is what leaves; the process's own log shows what a library's record holds beside its text."""
    records, exported = InMemoryLogRecordExporter(), Output()
    setup._send_logs(records, Resource.create({}))
    watched = watch(world)
    go_wrong(world, monkeypatch)
    with pytest.raises(RuntimeError), watched.telemetry.request("GET", "/api/v1/{path}"):
        raise RuntimeError(LOGIN)
    logging.getLogger("groundswell.tests").warning("refused", extra={"why": LOGIN, "error": f"x {LOGIN} y"})
    for handler in logging.getLogger("groundswell").handlers:
        handler.flush()
    spans = watched.spans()
    assert {"rebuild", "build", "process pushes"} <= {span.name for span in spans}
    assert any(span.attributes and span.attributes.get("error.type") == "RuntimeError" for span in spans)
    for span in spans:
        exported.add(span.to_json())
    metrics = watched.reader.get_metrics_data()
    assert metrics is not None
    exported.add(metrics.to_json())
    assert "groundswell.failures" in exported.texts[-1]
    sent = records.get_finished_logs()
    assert {"a worker failed", "refused"} <= {each.log_record.body for each in sent}
    for each in sent:
        exported.add(repr(vars(each.log_record)))
    exported.clean()


def test_no_metric_that_is_scraped_holds_one(world: World, output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    prometheus = Prometheus()
    telemetry = start("none", credential=Credential, clock=lambda: world.time, readers=[prometheus.reader])  # type: ignore[arg-type,return-value]  # it is not asked
    observe_with(telemetry)
    try:
        go_wrong(world, monkeypatch)
        text = prometheus.text().decode()
    finally:
        observe_with(None)
        telemetry.close()
    assert "groundswell_failures" in text
    output.add(text)
    output.clean()


# The doctor.


def test_the_doctor_finds_much_and_says_none(
    output: Output, server: tuple[Echo, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own adapters, against a server that answers with what it was sent."""
    echo, host = server
    arm = {"subscription": "00000000-0000-0000-0000-000000000001", "resource_group": "rg", "name": "acr"}
    jenkins = {"kind": "jenkins", "url": f"https://{host}", "slots": 1, "job": "a", "user": "ann"}
    pipelines = {"kind": "azure-pipelines", "url": f"https://{host}", "slots": 1, "project": "p", "pipeline": 1}
    cluster = {
        "server": f"https://{host}",
        "token": SECRETS["cluster"],
        "ca_file": os.environ["REQUESTS_CA_BUNDLE"],
    }
    documents = {
        "GROUNDSWELL_REGISTRIES": {host: {**arm, "webhook": "groundswell"}},
        "GROUNDSWELL_EXTERNAL_REGISTRIES": {"r.example": {"username": "ann", "password": SECRETS["registry"]}},
        "GROUNDSWELL_BUILDERS": {
            "j": {**jenkins, "token": SECRETS["jenkins"]},
            "p": {**pipelines, "token": SECRETS["azure-pipelines"]},
        },
        "GROUNDSWELL_CLUSTERS": {"c": cluster},
        "GROUNDSWELL_GIT": {host: {"kind": "github", "token": SECRETS["git"], "api": f"https://{host}"}},
    }
    environ = {name: json.dumps(value) for name, value in documents.items()} | {
        "GROUNDSWELL_STORE": f"sqlite:///{tmp_path}/store.db",
        "GROUNDSWELL_ARM_ENDPOINT": f"https://{host}",
        "GROUNDSWELL_WEBHOOK_SECRET": SECRETS["webhook"],
        "GROUNDSWELL_STRANGE": SECRETS["scanner"],
    }
    app = App(parse(environ))
    vars(app)["credential"] = Credential()
    app.catalog.register(
        [replace(registration("web", BASE, deployments=[workload("web")]), registry=host)], who="t"
    )
    monkeypatch.setattr("groundswell.registry.acr._RETRIES", 0, raising=False)
    for status in (200, 403, 500):
        echo.statuses = cycle([status])
        found = Doctor(app, lambda: 0.0, environ).examine()
        assert sum(check.outcome.value != "ok" for check in found.checks) >= 5
        output.add(repr(found))
    app.store.close()
    sent = "\n".join(echo.asked)
    for name in ("jenkins", "azure-pipelines", "cluster", "entra"):
        assert any(form in sent for form in forms(SECRETS[name])), f"nothing was sent with the secret {name!r}"
    output.clean()
