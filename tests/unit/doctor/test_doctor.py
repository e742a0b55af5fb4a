"""All checks together: side by side, within their time, never raising, and saying no secret."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from groundswell.doctor.check import Check, Outcome, ok, worst
from groundswell.doctor.doctor import KEPT, Doctor, probes
from groundswell.doctor.runner import Probe, Runner
from groundswell.errors import PermanentError, TemporaryError
from groundswell.lineage.model import git_workload
from groundswell.scanners import Kind as ScannerKind
from groundswell.scanners import ScannerSettings
from groundswell.settings import AcrRegistry, BuildServer, Cluster, ExternalRegistry
from tests.support.world import BASE, HOST, World, registration, workload

IDS = AcrRegistry(subscription="s", resource_group="g", name="acr", webhook="groundswell")
PLANTED = "planted-secret-5f1c"
ENVIRON = {"GROUNDSWELL_STORE": "sqlite:///x", "GROUNDSWELL_WEBHOOK_SECRET": PLANTED}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    git = git_workload({"repository": "https://git/x", "branch": "main", "path": "a.yaml", "image": "x"})
    world = World(tmp_path, registration("top", BASE, deployments=[workload("web"), git]))
    image = f"{HOST}/tools/trivy@sha256:{'1' * 64}"
    world.app.settings = replace(
        world.app.settings,
        registries={HOST: IDS},
        clusters={"c": Cluster(server="https://c.example", token=PLANTED)},
        external={"r.example": ExternalRegistry(username="ann", password=PLANTED)},
        scanners={"trivy": ScannerSettings(kind=ScannerKind.TRIVY, image=image)},
        webhook_secret=PLANTED,
    )
    for name in ("sweep", "reconcile"):
        world.app.timers.ran(name)
    world.deployer.running[str(git)] = "x"
    yield world
    world.close()


def look(world: World) -> dict[str, Check]:
    """By name; of several of one name the worst."""
    found: dict[str, Check] = {}
    for check in Doctor(world.app, lambda: 0.0, ENVIRON).examine().checks:
        if check.name not in found or worst([check]) is Outcome.BAD:
            found[check.name] = check
    return found


def test_all_is_well(world: World) -> None:
    found = look(world)
    assert {check.name for check in found.values() if check.outcome is Outcome.BAD} == set()
    assert {f"registry {HOST}", f"webhook {HOST}", f"builds in {HOST}", "scanner trivy", "cluster c"} <= set(found)


def test_all_is_broken_and_each_says_so(world: World) -> None:
    world.rights.down = PermanentError("it answered 403")
    world.builder.down = TemporaryError("ACR Tasks did not answer")
    world.registry.down = TemporaryError("the registry did not answer")
    world.permissions.denied = ("patch deployments",)
    world.deployer.running.clear()
    world.dates.offset = 999.0
    world.time += 9000.0
    found = look(world)
    expected = ("timers", "clock", f"registry {HOST}", f"builds in {HOST}", "scanner trivy", "cluster c", "git")
    for name in expected:
        assert (found[name].outcome, bool(found[name].fix)) == (Outcome.BAD, True), name


def test_no_secret_is_said_whatever_breaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError(f"Authorization: Bearer {PLANTED}")

    for part in (world.rights, world.permissions):
        for name in ("missing", "may"):
            monkeypatch.setattr(part, name, breaks, raising=False)
    monkeypatch.setattr(world.builder, "named", breaks)
    found = look(world)
    assert "the check itself failed (RuntimeError)" in found[f"registry {HOST}"].says
    assert PLANTED not in repr(found)


def test_what_is_set_up_is_what_is_checked(world: World) -> None:
    server = BuildServer(kind="jenkins", url="https://j.example", slots=1, job="a", user="ann", token=PLANTED)
    slow = Cluster(
        aks=f"/subscriptions/{'0' * 8}-{'0' * 4}-{'0' * 4}-{'0' * 4}-{'0' * 12}/resourceGroups/g"
        "/providers/Microsoft.ContainerService/managedClusters/k",
        via="run-command",
    )
    world.app.settings = replace(world.app.settings, builders={"j": server}, clusters={"k": slow}, registries={})
    vars(world.app).pop("pipelines", None)
    named = [probe.name for probe in probes(world.app, ENVIRON)]
    assert len(named) == len(set(named))
    assert {"builder j", "cluster k", "registry"} <= set(named)


def test_what_was_found_is_told_again_for_a_while(world: World) -> None:
    clock = [0.0]
    doctor = Doctor(world.app, lambda: clock[0], ENVIRON)
    first = doctor.examine()
    clock[0] = KEPT - 0.1
    assert doctor.examine() is first
    clock[0] = KEPT
    assert doctor.examine() is not first


def test_a_check_that_hangs_is_begun_once() -> None:
    go, begun = threading.Event(), []

    def hang() -> Iterator[Check]:
        begun.append(1)
        yield ok("slow", "so far so good")
        go.wait()

    slow = Probe(name="slow", look=hang, fix="wait", seconds=0.05)
    quick = Probe(name="quick", look=lambda: iter([ok("quick", "done")]), fix="")
    runner = Runner()
    found = runner.run([slow, quick])
    assert [(check.name, check.outcome.value) for check in found] == [
        ("slow", "ok"),
        ("slow", "bad"),
        ("quick", "ok"),
    ]
    assert found[1].says == "no answer within 0.05 s"
    again = runner.run([slow, quick])
    assert [check.says for check in again] == ["an earlier look has not come back yet", "done"]
    assert begun == [1]
    go.set()
    runner._hanging["slow"].thread.join(5)
    assert [check.outcome.value for check in runner.run([replace(slow, seconds=5)])] == ["ok"]


def test_what_was_found_before_a_failure_counts() -> None:
    def fails() -> Iterator[Check]:
        yield ok("a", "fine")
        raise TemporaryError("gone")

    found = Runner().run([Probe(name="a", look=fails, fix="mend it")])
    assert [(check.outcome.value, check.says, check.fix) for check in found] == [
        ("ok", "fine", ""),
        ("bad", "gone", "mend it"),
    ]
