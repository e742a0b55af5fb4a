"""Each check, well and not well."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import functions.timers
from graph.reference import Reference
from groundswell import audit
from groundswell.cascade.push import Push
from groundswell.cascade.timerbook import Run
from groundswell.cascade.unreadable import record
from groundswell.channels import Kind as NoticeKind
from groundswell.deploy.port import Kind, Workload
from groundswell.doctor import (
    backlog,
    building,
    channels,
    clocks,
    clusters,
    names,
    registries,
    scanners,
    signing,
    storage,
    timers,
    webhooks,
)
from groundswell.doctor.check import Check, Outcome, lasted, worst
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.local.host.ncrontab import Schedule
from groundswell.notify.delivery import Delivery, State
from groundswell.notify.notice import Notice
from groundswell.registry.deliveries import Delivery as Announced
from groundswell.registry.port import NotAllowedError
from groundswell.scan.port import NotYetError
from groundswell.settings import parse
from groundswell.sign.key_file import KeyFileSigner, create
from groundswell.store.port import Put
from tests.support.outside import FakeDates, FakePermissions, FakeRights
from tests.support.world import BASE, HOST, World, registration, workload

STORE = {"GROUNDSWELL_STORE": "sqlite:///x"}
SECRET = {"GROUNDSWELL_WEBHOOK_SECRET": "s"}
UNRESOLVED = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/webhook)"
NOW = 1_800_000_000.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE))
    yield world
    world.close()


def told(checks: Iterator[Check] | list[Check]) -> list[tuple[str, str]]:
    return [(check.outcome.value, check.says) for check in checks]


def one(checks: Iterator[Check] | list[Check]) -> Check:
    (check,) = list(checks)
    assert bool(check.fix) or check.outcome in (Outcome.OK, Outcome.SKIPPED)
    return check


def test_the_worst_is_the_whole() -> None:
    checks = [Check(name="a", outcome=outcome, says="") for outcome in Outcome]
    assert worst(checks) is Outcome.BAD
    assert worst(checks[:3]) is Outcome.WARN
    assert worst(checks[:2]) is Outcome.OK
    assert worst([]) is Outcome.OK


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0, "0 s"), (-1, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 days"), (1e6, "12 days")],
)
def test_times_are_told_as_people_do(seconds: float, says: str) -> None:
    assert lasted(seconds) == says


@pytest.mark.parametrize(
    ("values", "outcome", "says", "fix"),
    [
        ({**STORE, **SECRET}, "ok", "all are understood", ""),
        (STORE, "warn", "every webhook is put off", "long random text"),
        ({**STORE, "GROUNDSWELL_WEBHOOK_SECRET": UNRESOLVED}, "bad", "was not resolved", "restart the app"),
        (
            {**STORE, **SECRET, "GROUNDSWELL_SLOT": "4"},
            "warn",
            "nothing reads GROUNDSWELL_SLOT",
            "GROUNDSWELL_SLOTS?",
        ),
        ({**STORE, **SECRET, "GROUNDSWELL_XYZZYPLUGH": "4"}, "warn", "nothing reads", "remove it"),
        ({**STORE, **SECRET, "GROUNDSWELL_SLOTS": "many"}, "bad", "GROUNDSWELL_SLOTS must be a number", "mend"),
        ({**STORE, **SECRET, "GROUNDSWELL_URL": "x", "PATH": "y", "GROUNDSWELL_HOME": "z"}, "ok", "", ""),
        (
            {
                **STORE,
                **SECRET,
                "GROUNDSWELL_NOTIFY": json.dumps({"a": {"kind": "slack", "url": "env:GROUNDSWELL_HOOK"}}),
                "GROUNDSWELL_HOOK": "https://hooks.example/x",
            },
            "ok",
            "",
            "",
        ),
    ],
    ids=["fine", "no secret", "unresolved", "a slip", "a stranger", "wrong", "of others", "named by another"],
)
def test_settings(values: dict[str, str], outcome: str, says: str, fix: str) -> None:
    parsed = parse({**STORE, **{key: value for key, value in values.items() if key in SECRET}})
    check = one(names.look(values, parsed))
    assert check.outcome == outcome
    assert says in check.says
    assert fix in check.fix
    assert "hooks.example" not in repr(check)


def test_every_setting_of_the_example_is_known() -> None:
    file = Path(__file__).parents[3] / "local.settings.example.json"
    values: dict[str, str] = json.loads(file.read_text())["Values"]
    assert one(names.look(values, parse(values))).outcome is Outcome.OK


def test_the_store(world: World) -> None:
    assert one(storage.look(world.app.store)).outcome is Outcome.OK
    assert list(world.app.store.every("doctor")) == []


class Forgetful:
    def commit(self, *_: Any) -> list[str]:
        return []

    def get(self, *_: Any) -> None:
        return None


def test_a_store_that_keeps_nothing() -> None:
    assert one(storage.look(Forgetful())).outcome is Outcome.BAD  # type: ignore[arg-type]  # as much as is asked


def test_what_is_newer_than_this_program(world: World) -> None:
    assert "is newer than this program" in one(storage.versions(world.app.store)).says
    world.app.store.commit("later", "p", [Put(row="r", value={"v": 9}, etag=None)])
    check = one(storage.versions(world.app.store))
    assert (check.outcome, "schema version 9" in check.says) == (Outcome.BAD, True)


@pytest.mark.parametrize(("waits", "outcome"), [(0, "ok"), (599, "ok"), (601, "warn"), (3601, "bad")])
def test_queues(world: World, waits: float, outcome: str) -> None:
    world.app.store.send("scans", "x")
    world.time += waits
    check = one(backlog.look(world.app.store, world.app.clock))
    assert check.outcome == outcome
    assert check.name == ("queues" if outcome == "ok" else "queue scans")


def test_poison_messages(world: World) -> None:
    assert one(backlog.poison(world.app.store, world.app.clock)).outcome is Outcome.OK
    world.app.store.send("rebuilds-poison", "x")
    record(world.app.store, "x", what="a push", why=ValueError("no"), clock=world.app.clock)
    found = list(backlog.poison(world.app.store, world.app.clock))
    assert [each.outcome for each in found] == [Outcome.BAD, Outcome.WARN]
    world.time += 86_401.0
    assert [each.outcome for each in backlog.poison(world.app.store, world.app.clock)] == [Outcome.BAD]
    assert any(True for _ in audit.entries(world.app.store))


def test_the_periods_are_those_of_the_timers() -> None:
    import datetime as dt

    found = {}
    for function in functions.timers.blueprint._function_builders:
        built = function._function
        at = dt.datetime(2026, 11, 30, tzinfo=dt.UTC)
        schedule = Schedule(str(built.get_trigger().schedule))
        first = schedule.next(at)
        found[built.get_function_name()] = (schedule.next(first) - first).total_seconds()
    assert found == timers.PERIODS


def every(ago: float, first: float = NOW - 1e6, **other: float) -> dict[str, Run]:
    return {name: Run(at=NOW - other.get(name, ago), first=first) for name in timers.PERIODS}


@pytest.mark.parametrize(
    ("runs", "outcomes"),
    [
        ({}, ["bad"]),
        (every(30), ["ok"]),
        (every(30, sweep=781), ["bad"]),
        (every(30, reconcile=1501), ["bad"]),
        (every(30, watch=781, orphans=12_000), ["warn", "warn"]),
        ({"sweep": Run(at=NOW - 10, first=NOW - 100)}, ["skipped"]),
        ({"sweep": Run(at=NOW - 10, first=NOW - 1600)}, ["warn", "bad", "warn"]),
    ],
    ids=["never", "fine", "sweep", "reconcile", "others", "new", "one alone"],
)
def test_timers(runs: dict[str, Run], outcomes: list[str]) -> None:
    assert [each.outcome.value for each in timers.look(runs, NOW)] == outcomes


def test_the_book_of_timers(world: World) -> None:
    world.app.timers.ran("sweep")
    world.time += 60.0
    world.app.timers.ran("sweep")
    assert world.app.timers.all() == {"sweep": Run(at=world.time, first=world.time - 60.0)}


@pytest.mark.parametrize(
    ("offset", "outcome", "says"),
    [(0, "ok", ""), (29, "ok", ""), (31, "warn", "31 s ahead of"), (-31, "warn", "behind"), (301, "bad", "5 min")],
)
def test_the_clock(offset: float, outcome: str, says: str) -> None:
    check = one(clocks.look(["https://a/v2/"], FakeDates(lambda: NOW, offset), lambda: NOW))
    assert check.outcome == outcome
    assert says in check.says


def test_one_clock_that_is_wrong_is_not_believed() -> None:
    def dates(url: str) -> float:
        return NOW - 9e9 if "wrong" in url else NOW

    assert one(clocks.look(["https://wrong", "https://a", "https://b"], dates, lambda: NOW)).outcome is Outcome.OK


def test_nobody_tells_the_time() -> None:
    silent = FakeDates(lambda: NOW, down=TemporaryError("no"))
    assert one(clocks.look([], silent, lambda: NOW)).outcome is Outcome.SKIPPED
    assert one(clocks.look(["https://a"], silent, lambda: NOW)).outcome is Outcome.SKIPPED


def line(source: str, ago: float, registry: str = HOST) -> dict[str, Any]:
    push = Push(id="1", registry=registry, repository="a", tag="1", digest="", source=source)
    return {"registry": push.registry, "source": source, "at": NOW - ago}


@pytest.mark.parametrize(
    ("log", "outcome", "says"),
    [
        ([], "skipped", "no push of it"),
        ([line("by hand", 1), line("webhook", 1, "other.example")], "skipped", ""),
        ([line("webhook", 60)], "ok", "60 s ago, of 1 in a week"),
        ([line("event grid", 60), line("reconcile", 90)], "ok", "found by reconcile: 1"),
        ([line("reconcile", 60), line("webhook", 300)], "warn", "5 min ago; found by reconcile since: 1"),
        ([line("reconcile", 60)], "warn", "no webhook came within a week; found by reconcile since: 1"),
        ([line("reconcile", 8 * 86_400)], "skipped", ""),
    ],
)
def test_webhooks(log: list[dict[str, Any]], outcome: str, says: str) -> None:
    check = one(webhooks.look(HOST, log, now=NOW, header="X-Secret"))
    assert check.outcome == outcome
    assert says in check.says
    assert outcome != "warn" or "X-Secret" in check.fix


def test_webhooks_by_the_record_of_the_registry() -> None:
    def lost(ago: float) -> Announced:
        return Announced(id="1", reference=Reference.parse(BASE), digest="", at=NOW - ago)

    assert list(webhooks.failed(HOST, [lost(30), lost(90_000)], now=NOW, header="h")) == []
    assert "1 in vain" in one(webhooks.failed(HOST, [lost(100)], now=NOW, header="h")).says


@pytest.mark.parametrize(
    ("denied", "deletes", "outcome", "fix"),
    [
        ((), True, "ok", ""),
        (("delete",), False, "ok", ""),
        (("delete",), True, "bad", "AcrDelete on it, or set GROUNDSWELL_KEEP_CANDIDATES_DAYS=0"),
        (("push", "delete"), True, "bad", "AcrDelete and AcrPush"),
    ],
)
def test_registries(denied: tuple[str, ...], deletes: bool, outcome: str, fix: str) -> None:
    rights = FakeRights(denied=denied)
    check = one(registries.look(HOST, ["shop/web"], rights, deletes=deletes))
    assert check.outcome == outcome
    assert fix in check.fix
    assert rights.asked == [(HOST, "shop/web")]


class Elsewhere:
    def digest(self, reference: Reference) -> str | None:
        match reference.registry:
            case "down.example":
                raise TemporaryError("down.example does not answer")
            case "secret.example":
                raise NotAllowedError("not asked")
            case "empty.example":
                return None
        return "sha256:1"


def test_registries_of_others() -> None:
    hosts = ("docker.io/library", "down.example", "secret.example", "empty.example", HOST)
    found = list(registries.elsewhere([f"{host}/a:1" for host in hosts], [HOST], Elsewhere()))  # type: ignore[arg-type]  # digests only
    assert {each.name.removeprefix("bases on "): each.outcome.value for each in found} == {
        "docker.io": "ok",
        "down.example": "bad",
        "secret.example": "bad",
        "empty.example": "bad",
    }
    assert one(registries.elsewhere([BASE], [HOST], Elsewhere())).outcome is Outcome.SKIPPED  # type: ignore[arg-type]  # as above


def test_builders(world: World) -> None:
    assert one(building.tasks(HOST, world.builder)).outcome is Outcome.OK
    world.builder.down = PermanentError("refused")
    with pytest.raises(PermanentError):  # which the runner tells
        list(building.tasks(HOST, world.builder))


def test_the_scanner_beside_the_app(tmp_path: Path) -> None:
    check = one(scanners.binary("no-such-program", "", lambda: NOW))
    assert (check.outcome, "GROUNDSWELL_TRIVY" in check.fix) == (Outcome.BAD, True)
    with pytest.raises(PermanentError, match="cannot be read"):
        list(scanners.binary("/bin/sh", str(tmp_path), lambda: NOW))


class Asked:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def scan(self, reference: Reference) -> None:
        if self.error:
            raise self.error

    digest = scan


def test_scanners_elsewhere() -> None:
    image = f"{HOST}/tools/trivy@sha256:{'1' * 64}"
    there: Any = Elsewhere()
    assert one(scanners.in_a_run("scanner a", image, there)).outcome is Outcome.OK
    gone = image.replace(HOST, "empty.example")
    assert one(scanners.in_a_run("scanner a", gone, there)).outcome is Outcome.BAD
    closed = image.replace(HOST, "secret.example")
    assert one(scanners.in_a_run("scanner a", closed, there)).outcome is Outcome.SKIPPED
    asked: Any = Asked(NotYetError("not yet"))
    assert one(scanners.defender("defender", asked, HOST)).outcome is Outcome.OK
    asked.error = PermanentError("403")
    with pytest.raises(PermanentError, match="403"):
        list(scanners.defender("defender", asked, HOST))


@pytest.mark.parametrize(
    ("kinds", "discover", "denied", "outcome"),
    [
        ((Kind.DEPLOYMENT,), False, (), "ok"),
        ((Kind.DEPLOYMENT,), False, ("delete pods",), "ok"),
        ((Kind.STATEFUL_SET,), False, ("delete pods",), "bad"),
        ((Kind.DEPLOYMENT,), False, ("patch deployments",), "bad"),
        ((), False, ("get deployments",), "ok"),
        ((), True, ("list cronjobs",), "bad"),
    ],
)
def test_clusters(kinds: tuple[Kind, ...], discover: bool, denied: tuple[str, ...], outcome: str) -> None:
    found = [replace(workload("web"), kind=kind) for kind in kinds]
    check = one(clusters.look("c", found, FakePermissions(denied), discover=discover))
    assert check.outcome == outcome
    assert outcome == "ok" or denied[0] in check.says


def test_clusters_that_are_read(world: World) -> None:
    assert one(clusters.slowly("c", [], world.deployer)).outcome is Outcome.SKIPPED
    assert one(clusters.repositories([], world.deployer)).outcome is Outcome.SKIPPED
    web = workload("web")
    with pytest.raises(NotFoundError):
        list(clusters.slowly("c", [web], world.deployer))
    world.deployer.running[str(web)] = "x"
    assert one(clusters.slowly("c", [web], world.deployer)).outcome is Outcome.OK
    file = Workload(cluster="https://git/x", namespace="main", kind=Kind.GIT, name="a.yaml", container="images")
    world.deployer.running[str(file)] = "x"
    assert one(clusters.repositories([file, file], world.deployer)).name == "git https://git/x"


def test_the_signing_key(tmp_path: Path) -> None:
    assert one(signing.look(None)).outcome is Outcome.SKIPPED
    for name in ("a", "b"):
        create(tmp_path / name)
    signer, other = KeyFileSigner(tmp_path / "a"), KeyFileSigner(tmp_path / "b")
    assert one(signing.look(signer)).outcome is Outcome.OK
    mixed = type("Mixed", (), {"sign": signer.sign, "public_key": other.public_key})()
    assert one(signing.look(mixed)).outcome is Outcome.BAD


def delivery(state: State, ago: float) -> Delivery:
    notice = Notice(id="n", kind=NoticeKind.TEST, title="t", text="t", at=NOW, since=NOW, subjects=(), count=1)
    return Delivery(notice=notice, channel="on-call", due=NOW, changed_at=NOW - ago, state=state)


@pytest.mark.parametrize(
    ("names", "deliveries", "outcome"),
    [
        ((), [], "skipped"),
        (("on-call",), [delivery(State.SENT, 1)], "ok"),
        (("on-call",), [delivery(State.DEAD, 8 * 86_400)], "ok"),
        (("on-call",), [delivery(State.DEAD, 1)], "warn"),
    ],
)
def test_notices(names: tuple[str, ...], deliveries: list[Delivery], outcome: str) -> None:
    assert one(channels.look(names, deliveries, NOW)).outcome == outcome
