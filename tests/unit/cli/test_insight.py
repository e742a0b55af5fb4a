"""`groundswell failures`, `compare` and `statistics`, told from the API's own examples, and from a world."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.api.openapi import shapes
from groundswell.cli import chosen, common, main
from groundswell.cli.compare import lines
from tests.support.world import BASE, World, ref, registration


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("bad", BASE, owner="shop"), registration("late", ref("bad")))
    world.broken.add("bad")
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    world.push_base()
    world.drive()
    yield world
    world.close()


@pytest.fixture(params=[60, 80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(common.console, "width", request.param)
    found: int = request.param
    return found


class Told:
    """A client whose every answer is the API's example."""

    def __init__(self, document: Any) -> None:
        self.document = document

    def patient(self) -> "Told":
        return self

    def get(self, path: str, **query: Any) -> Any:
        del path, query
        return json.loads(json.dumps(self.document))

    def pages(self, path: str, key: str, **query: Any) -> Iterator[Any]:
        yield from self.get(path, **query)[key]


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_a_failure_is_told_with_its_command(world: World, width: int) -> None:
    shown = run("failures").output
    assert "1 image since " in shown
    assert "; of shop\n" in shown
    assert "blocks 1 image: late\n" in shown
    assert f"    groundswell replay {world.cascade} " in shown
    assert any(line.split()[:2] == ["bad", world.cascade] for line in shown.splitlines())
    (group,) = json.loads(run("failures", "--json").output)
    assert (group["count"], group["first_seen"]) == (1, group["images"][0]["at"])
    assert isinstance(group["first_seen"], float)
    assert run("failures", "-o", "name").output == f"{group['cause']}\n"
    world.broken.clear()
    run("replay", world.cascade, "bad", "--from", "build", "--reason", "r")
    world.drive()
    assert run("failures").output == "no failures: whatever failed was healed since\n"


def test_many_are_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    document = json.loads(json.dumps(shapes()["Failures"].example))
    (group,) = document["groups"]
    blocked = [f"shop/{number}" for number in range(50)]
    group.update(count=9, blocks=70, blocked=blocked, replay={**group["replay"], "commands": ["a", "b", "c", "d"]})
    monkeypatch.setattr(chosen, "client", lambda: Told(document))
    monkeypatch.setattr(common.console, "width", 200)
    shown = run("failures").output
    assert "blocks 70 images: shop/0, shop/1, shop/2, and 67 more\n" in shown
    assert "  and 8 more\n" in shown
    assert "    c\n    and 1 more\n" in shown


def test_a_comparison_tells_what_is_different_and_what_is_not_known() -> None:
    found = json.loads(json.dumps(shapes()["Comparison"].example))
    found["good"]["at"] = 0.0
    told = "\n".join(lines(found))
    assert told.splitlines()[0] == "shop/web in 0k3v9xab2c: failed, attempt 1, run cf4"
    for line in (
        "target: app, was not set",
        "CHANNEL: edge, was stable",
        "(linux/amd64): 3a3a3a3a3a3a, was 070707070707",
        "not known: this one: it was not scanned",
        "+E: Unable to locate package libfolio2",
    ):
        assert line in told, line
    assert "no difference" in told  # of the source
    found["packages"] = {
        "known": True,
        "why": "",
        "new": [{"package": "x", "versions": ["1", "2"]}],
        "gone": [],
        "changed": [{"package": "libc", "now": ["2.1"], "good": ["2.0"]}],
    }
    found["findings"] = {"known": True, "why": "", "new": [], "gone": [{"id": "CVE-1", "package": "p"}]}
    told = "\n".join(lines(found))
    assert "new: x 1, 2" in told
    assert "libc: 2.1, was 2.0" in told
    assert "gone: CVE-1 in p" in told


def test_what_never_went_well_has_nothing_to_compare_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.console, "width", 200)
    shown = run("compare", world.cascade, "bad").output
    assert "nothing to compare with: " in shown
    assert json.loads(run("compare", world.cascade, "bad", "--json").output)["good"] is None


def test_statistics_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr(chosen, "client", lambda: Told(shapes()["Statistics"].example))
    shown = run("statistics").output.splitlines()
    assert width < 80 or shown[1].split() == ["2026-11", "4", "48", "93.8%", "3", "min", "19", "min", "1", "9"]
    assert all(len(line) <= width for line in shown[:-2])
    assert shown[-1] == "slowest builds in 2026-11: platform/toolchain (7 min)"
    assert run("statistics", "-o", "name").output == "2026-11\n"


def test_before_a_cascade_has_ended_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "client", lambda: Told({"months": []}))
    assert run("statistics").output == "no statistics: no cascade has ended in these months\n"
    assert run("statistics", "--months", "61").exit_code == 2
