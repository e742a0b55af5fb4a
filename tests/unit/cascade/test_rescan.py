"""What runs is scanned again: alerts come and go, and rebuilds are begun by policy, each once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.audit import entries
from groundswell.cascade import rescan
from groundswell.cascade.alerts import KEPT, Alert, Kind
from groundswell.cascade.planning import ANEW
from groundswell.cascade.status import Status
from groundswell.errors import ConflictError, InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.scan.port import Finding, NotYetError, Report, Severity
from tests.support.world import BASE, HOST, World, digest_of, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]
DAY = 86_400.0
REBUILD = {"on_new_finding": "rebuild"}


class Advisories:
    """Finds the flaw of each layer that has one; of other layers nothing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.flawed: dict[str, str] = {}
        self.fails: dict[str, Exception] = {}
        self.scanned: list[str] = []

    def scan(self, reference: Reference) -> Report:
        assert reference.digest
        if reference.repository in self.fails:
            raise self.fails[reference.repository]
        self.scanned.append(reference.digest)
        layers = self.world.registry.images[reference.digest].platforms[0].diff_ids
        found = tuple(
            Finding(id=flaw, package="p", installed="1", fixed="2", severity=Severity.CRITICAL, layer=layer)
            for layer, flaw in self.flawed.items()
            if layer in layers
        )
        return Report(
            scanner="fake", digest=reference.digest, os="debian 12", findings=found, scanned_at=self.world.time
        )


def company(make_world: MakeWorld, *images: Registration) -> tuple[World, Advisories]:
    """A company whose workloads run what the stable tags lead to."""
    world = make_world(*images)
    for image in images:
        for target in image.deployments:
            world.deployer.running[str(target)] = f"{HOST}/{image.name}@{world.registry.tags[ref(image.name)]}"
    advisories = Advisories(world)
    vars(world.app)["scanner"] = advisories
    return world, advisories


def top(gate: Any = None, **rest: Any) -> Registration:
    return registration("top", BASE, deployments=[workload("web")], gate=gate or {}, **rest)


def rounds(world: World, days: float = 1.0) -> None:
    """The timers, some time later."""
    world.time += days * DAY
    world.app.rescan.take_stock()
    world.app.rescan.scan()


def kept(world: World) -> list[Alert]:
    return [alert for alert, _ in world.app.alerts.all()]


def only(world: World) -> Alert:
    (alert,) = kept(world)
    return alert


def own(image: str) -> str:
    return digest_of(image, "1")


def test_a_new_advisory_against_what_runs_is_an_alert_until_it_runs_no_more(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world, advisories = company(make_world, top())
    rounds(world)
    assert (only(world).kind, only(world).workloads) == (Kind.CLEAN, (str(workload("web")),))
    advisories.flawed[own("top")] = "CVE-9"
    world.app.rescan.scan()
    assert only(world).kind is Kind.CLEAN  # its day is not over
    rounds(world)
    alert = only(world)
    assert (alert.kind, alert.findings[0].id, alert.findings[0].blame) == (Kind.REFUSED, "CVE-9", "image")
    assert (alert.remedy.image, alert.begun, world.cascades) == ("top", False, [])
    (warned,) = [record for record in caplog.records if record.msg == "what runs is not good"]
    assert vars(warned)["findings"] == ["CVE-9 in p"]
    new = image_of(["sha256:new"])
    world.registry.images[new.digest] = new
    world.deployer.running[str(workload("web"))] = f"{HOST}/top@{new.digest}"
    rounds(world)
    states = {each.digest: (each.kind, each.open) for each in kept(world)}
    assert states == {alert.digest: (Kind.REFUSED, False), new.digest: (Kind.CLEAN, False)}
    world.time += KEPT
    rounds(world)
    assert only(world).digest == new.digest


def test_no_worse_is_no_excuse_for_what_runs_but_an_allowance_is(make_world: MakeWorld) -> None:
    world, advisories = company(make_world, top({"mode": "no-worse"}))
    advisories.flawed[own("top")] = "CVE-9"
    rounds(world)
    assert only(world).open
    gate = {"allow": [{"id": "CVE-9", "reason": "unreachable", "expires": "2099-01-01"}]}
    world.app.catalog.register([top(gate)], who="ann")
    rounds(world)
    assert not only(world).open


@pytest.mark.parametrize("error", [TemporaryError("database away"), PermanentError("no such system")])
def test_a_scan_that_fails_is_an_alert_and_tried_again(make_world: MakeWorld, error: Exception) -> None:
    world, advisories = company(make_world, top(REBUILD))
    advisories.fails["top"] = error
    rounds(world)
    assert (only(world).kind, only(world).trouble, world.cascades) == (Kind.UNSCANNABLE, str(error), [])
    advisories.fails.clear()
    rounds(world, days=0.05)
    assert not only(world).open


def test_a_report_that_is_awaited_is_looked_for_in_the_next_round(make_world: MakeWorld) -> None:
    world, advisories = company(make_world, top())
    advisories.fails["top"] = NotYetError("at work")
    rounds(world)
    waits = only(world)
    assert (waits.kind, waits.awaited) == (Kind.UNSEEN, world.time)
    rounds(world, days=0)
    assert only(world) == waits
    advisories.fails.clear()
    rounds(world, days=0)
    assert only(world).kind is Kind.CLEAN


def test_a_rebuild_begun_by_policy_goes_past_every_cache_and_only_once(make_world: MakeWorld) -> None:
    world, advisories = company(make_world, top(REBUILD), registration("app", ref("top")))
    advisories.flawed[own("top")] = "CVE-9"
    rounds(world)
    alert = only(world)
    assert (alert.begun, alert.wanted, alert.cascade) == (True, "top", world.cascade)
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    assert (header.source, header.urgent, header.base, header.total) == (ANEW, True, ref("top"), 2)
    request = world.builder.requests[0]
    assert (request.repository, request.no_cache) == ("top", True)
    trail = next(entry for entry in entries(world.app.store) if entry["action"] == "rebuild")
    assert (trail["who"], trail["subject"], trail["why"].split(" ")[0]) == ("groundswell", "top", "CVE-9")
    assert world.states()["top"].status is Status.UNCHANGED  # the fix is not to be had yet
    rounds(world)
    assert (only(world).open, len(world.cascades)) == (True, 1)
    advisories.flawed["sha256:base0"] = "CVE-8"
    rounds(world)
    assert len(world.cascades) == 2


def test_the_lowest_base_of_ours_that_has_the_flaw_is_rebuilt_and_once_for_all(make_world: MakeWorld) -> None:
    images = (
        registration("low", BASE),
        registration("mid", ref("low")),
        registration("app", ref("mid"), deployments=[workload("a")], gate=REBUILD),
        registration("ui", ref("mid"), deployments=[workload("u")], gate=REBUILD),
    )
    world, advisories = company(make_world, *images)
    advisories.flawed[own("low")] = "CVE-9"
    rounds(world)
    assert {(each.remedy.image, each.findings[0].blame) for each in kept(world)} == {("low", "base")}
    assert [each.begun for each in kept(world)] == [True, False]
    world.sources["low"] = "2"  # its packages are newer by now
    world.drive()
    assert world.statuses() == dict.fromkeys(("low", "mid", "app", "ui"), "done")
    rounds(world)
    assert [each.open for each in kept(world)] == [False] * 4
    advisories.flawed[own("mid")] = "CVE-7"
    rounds(world)
    assert {each.remedy.image for each in kept(world) if each.open} == {"mid"}


def test_what_was_built_on_an_older_base_is_itself_rebuilt(make_world: MakeWorld) -> None:
    world, advisories = company(make_world, registration("low", BASE), registration("app", ref("low")))
    app = registration("app", ref("low"), deployments=[workload("a")])
    world.push_base()
    world.drive()
    world.app.catalog.register([app], who="ann")
    stable = world.registry.tags[ref("app")]
    world.deployer.running[str(workload("a"))] = f"{HOST}/app@{stable}"
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(ref("low"), image_of(["sha256:newer"]))
    advisories.flawed["sha256:base1"] = "CVE-9"
    rounds(world)
    assert (only(world).remedy.image, only(world).findings[0].blame) == ("app", "base")
    world.registry.put(ref("app"), image_of(["sha256:newer", "sha256:x"]))
    rounds(world)
    assert (only(world).remedy.image, "moved on" in only(world).remedy.why) == ("", True)


def test_what_the_registry_does_not_tell_leaves_the_blame_open(make_world: MakeWorld) -> None:
    alone = registration("alone", None, deployments=[workload("s")])
    world, advisories = company(make_world, top(), alone)
    advisories.flawed |= {own("top"): "CVE-9", own("alone"): "CVE-8"}
    world.registry.put(BASE, image_of(["sha256:other"]))
    rounds(world)
    assert {each.image: each.findings[0].blame for each in kept(world)} == {"alone": "image", "top": ""}
    del world.registry.images[world.registry.tags[ref("alone")]]
    rounds(world, days=0)
    world.app.rescan.take_stock()
    world.time += DAY
    world.registry.down = TemporaryError("away")
    vars(world.app)["scanner"].scanned.clear()
    advisories.fails["alone"] = PermanentError("gone")
    world.app.rescan.scan()
    states = {each.image: (each.kind, each.remedy.image, each.trouble) for each in kept(world)}
    assert states["top"] == (Kind.REFUSED, "top", "")
    assert states["alone"] == (Kind.REFUSED, "alone", "gone")


def test_what_cannot_be_seen_resolves_nothing(make_world: MakeWorld) -> None:
    world, advisories = company(make_world, top())
    advisories.flawed[own("top")] = "CVE-9"
    rounds(world)
    runs = world.deployer.running[str(workload("web"))]
    for unreadable in ("Not A Reference", f"{HOST}/top:gone"):
        world.deployer.running[str(workload("web"))] = unreadable
        rounds(world)
        assert only(world).open

    class Away:
        def observe(self, _: object) -> None:
            raise TemporaryError("cluster away")

    vars(world.app.rescan)["_deployer"] = Away
    rounds(world)
    assert only(world).open
    vars(world.app.rescan)["_deployer"] = lambda: world.app.deployer
    world.deployer.running[str(workload("web"))] = runs

    class Blind:
        searches = True

        def following(self) -> None:
            raise TemporaryError("cluster away")

    del world.deployer.running[str(workload("web"))]
    vars(world.app.rescan)["_finder"] = Blind
    rounds(world)
    assert only(world).open
    vars(world.app.rescan)["_finder"] = lambda: world.app.finder
    rounds(world)
    assert not only(world).open


def test_who_asks_to_follow_an_image_is_looked_at_too(make_world: MakeWorld) -> None:
    world, _ = company(make_world, registration("top", BASE), registration("app", ref("top")))
    by_tag, by_digest, foreign, garbled, lost = map(workload, ("t", "d", "f", "g", "l"))
    digest = world.registry.tags[ref("app")]
    world.finder.asking += [by_tag, by_digest, foreign, garbled, lost]
    world.deployer.running |= {
        str(by_tag): ref("top"),
        str(by_digest): f"{HOST}/app@{digest}",
        str(foreign): f"{HOST}/nobody@{digest}",
        str(garbled): "Not A Reference",
        str(lost): f"{HOST}/app:gone",
    }
    rounds(world)
    assert {each.image: each.workloads for each in kept(world)} == {
        "app": (str(by_digest),),
        "top": (str(by_tag),),
    }


def test_a_round_is_bounded_and_the_longest_unscanned_comes_first(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [registration(name, BASE, deployments=[workload(name)]) for name in ("a", "b", "c")]
    world, advisories = company(make_world, *images)
    monkeypatch.setattr(rescan, "MOST", 2)
    rounds(world)
    assert len(advisories.scanned) == 2
    world.time += 1
    assert world.app.rescan.scan().looked_at == 1
    assert len(set(advisories.scanned)) == 3
    monkeypatch.setattr(rescan, "SECONDS", 0.0)
    world.time += DAY
    assert world.app.rescan.scan().looked_at == 0
    world.app.rescan.take_stock()  # sees nothing, and so forgets nothing
    assert len(kept(world)) == 3


def test_a_crash_after_the_decision_begins_the_same_cascade(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, advisories = company(make_world, top(REBUILD))
    advisories.flawed[own("top")] = "CVE-9"
    begin = world.app.anew.begin

    def dies(*args: Any, **kwargs: Any) -> str:
        begin(*args, **kwargs)
        raise TemporaryError("lost")

    monkeypatch.setattr(world.app.anew, "begin", dies)
    rounds(world)
    assert (only(world).begun, only(world).cascade) == (False, world.cascade)
    monkeypatch.setattr(world.app.anew, "begin", begin)
    world.drive()
    world.app.rescan.scan()
    assert (only(world).begun, world.cascades) == (True, [only(world).cascade])


def test_what_is_not_registered_any_more(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world, advisories = company(make_world, top(REBUILD))
    advisories.flawed[own("top")] = "CVE-9"

    def gone(*_: Any, **__: Any) -> str:
        raise NotFoundError("no image")

    monkeypatch.setattr(world.app.anew, "begin", gone)
    rounds(world)
    assert (only(world).open, only(world).wanted, only(world).cascade) == (True, "", "")
    world.app.catalog.unregister(["top"], who="ann", why="old")
    world.time += DAY
    assert world.app.rescan.scan().looked_at == 1
    rounds(world)
    assert not only(world).open


def test_who_is_late_leaves_what_another_wrote(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = company(make_world, top())

    def taken(*_: Any) -> str:
        raise ConflictError("somebody was faster")

    put = world.app.alerts.put
    monkeypatch.setattr(world.app.alerts, "put", taken)
    rounds(world)
    assert kept(world) == []
    monkeypatch.setattr(world.app.alerts, "put", put)
    world.app.rescan.take_stock()
    monkeypatch.setattr(world.app.alerts, "put", taken)
    assert world.app.rescan.scan().looked_at == 0
    monkeypatch.setattr(world.app.alerts, "drop", taken)
    world.deployer.running.clear()
    world.app.rescan.take_stock()
    assert only(world).kind is Kind.UNSEEN


def test_a_person_begins_a_rebuild_with_a_reason(make_world: MakeWorld) -> None:
    world, _ = company(make_world, top(), registration("app", ref("top")))
    with pytest.raises(InputError, match="needs a reason"):
        world.app.anew.begin("top", who="ann", why=" ")
    with pytest.raises(NotFoundError):
        world.app.anew.begin("nope", who="ann", why="x")
    world.sources["top"] = "2"
    cascade = world.app.anew.begin("top", who="ann", why="CVE-9 has a fix")
    world.drive()
    assert world.statuses(cascade) == {"top": "done", "app": "done"}
    assert [request.no_cache for request in world.builder.requests] == [True, False]
    world.registry.put(ref("top"), replace(image_of(["sha256:base0", "sha256:by-hand"])))
    world.drive()
    assert world.statuses(world.cascade) == {"app": "done"}
    assert world.cascade != cascade


def test_a_rebuild_waits_for_what_is_under_way(make_world: MakeWorld) -> None:
    world, _ = company(make_world, top())
    world.push_base()
    for push in world.app.store.receive("pushes"):
        world.app.intake.handle(push.body)
    (older,) = world.cascades
    cascade = world.app.anew.begin("top", who="ann", why="CVE-9 has a fix")
    assert world.states(cascade)["top"].status is Status.WAITING
    world.app.sweep.run()
    world.drive()
    assert (world.statuses(older), world.statuses(cascade)) == ({"top": "done"}, {"top": "unchanged"})
    assert [request.no_cache for request in world.builder.requests] == [False, True]


def test_an_image_that_is_gone_from_its_registry_is_refused_all_the_same(make_world: MakeWorld) -> None:
    world = make_world(top())
    digest = world.registry.tags[ref("top")]
    world.deployer.running[str(workload("web"))] = f"{HOST}/top@{digest}"
    world.vulnerable.add("top")
    del world.registry.images[digest]
    rounds(world)
    assert (only(world).kind, only(world).remedy.image) == (Kind.REFUSED, "top")
