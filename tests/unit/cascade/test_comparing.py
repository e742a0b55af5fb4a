"""A rebuild beside the last good one of its image: what changed, and what cannot be known is said."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.attest.sbom import bill
from groundswell.cascade.comparing import TAIL, Side, compared, timeless, versions
from groundswell.errors import NotFoundError
from groundswell.scan.port import Package, Report
from tests.support.world import BASE, HOST, World, commit_of, ref, registration
from tests.unit.cascade.test_retention import DAY, retention

type MakeWorld = Callable[..., World]

PARTS = ("source", "settings", "build_args", "bases", "packages", "findings", "log")
SPEC: Mapping[str, Any] = {
    "source": {"location": "https://git.example.com/a.git", "ref": "main", "path": ""},
    "dockerfile": "Dockerfile",
    "target": None,
    "platforms": ("linux/amd64",),
    "build_args": {"A": "1", "B": "2"},
}


def test_settings_and_arguments_as_they_changed() -> None:
    now = {**SPEC, "target": "app", "platforms": ["linux/amd64"], "build_args": {"A": "1", "B": "3", "C": "4"}}
    told = compared(Side(spec=now), Side(spec=SPEC))
    assert told["settings"] == {
        "known": True,
        "why": "",
        "changed": [{"setting": "target", "now": "app", "good": None}],
    }
    assert told["build_args"]["changed"] == [
        {"argument": "B", "now": "3", "good": "2"},
        {"argument": "C", "now": "4", "good": None},
    ]


def base(now: str, good: str, platforms: tuple[str, ...]) -> list[Any]:
    sides = [Side(spec={**SPEC, "platforms": platforms}, inputs={"bases": {"b": at}}) for at in (now, good)]
    return [
        (each["platform"], each["now"], each["good"], each["changed"])
        for each in compared(*sides)["bases"]["bases"]
    ]


def test_bases_by_platform() -> None:
    two = ("linux/amd64", "linux/arm64")
    assert base("x,y", "x,z", two) == [("linux/amd64", "x", "x", False), ("linux/arm64", "y", "z", True)]
    assert base("x", "y,z", two) == [("", "x", "y", True), ("", None, "z", True)]
    only = compared(Side(spec=SPEC, inputs={"bases": {"new": "x"}}), Side(inputs={"bases": {"old": "y"}}))
    assert [(each["base"], each["now"], each["good"]) for each in only["bases"]["bases"]] == [
        ("new", "x", None),
        ("old", None, "y"),
    ]


def test_packages_and_findings() -> None:
    now = Side(
        packages={"a": ("1",), "b": ("2", "3"), "c": ("1",)}, findings=frozenset({("CVE-1", "a"), ("CVE-2", "b")})
    )
    good = Side(packages={"a": ("1",), "b": ("2",), "d": ("1",)}, findings=frozenset({("CVE-1", "a")}))
    told = compared(now, good)
    assert told["packages"]["new"] == [{"package": "c", "versions": ["1"]}]
    assert told["packages"]["gone"] == [{"package": "d", "versions": ["1"]}]
    assert told["packages"]["changed"] == [{"package": "b", "now": ["2", "3"], "good": ["2"]}]
    assert told["findings"]["new"] == [{"id": "CVE-2", "package": "b"}]
    assert told["findings"]["gone"] == []


def test_packages_of_a_bill_of_materials() -> None:
    subject = Reference(registry=HOST, repository="a", tag=None, digest="sha256:" + "1" * 64)
    packages = (Package(name="p", version="1"), Package(name="p", version="2"), Package(name="q", version=""))
    document = bill(subject, [Report(scanner="s", digest="d", os="debian 12", findings=(), packages=packages)])
    assert document is not None
    assert versions(json.loads(json.dumps(document))["components"]) == {"p": ("1", "2"), "q": ("",)}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_not_known_is_said(part: str) -> None:
    missing = {name: f"no {name}" for name in PARTS} | {"build_args": "no settings"}
    said = "settings" if part == "build_args" else part
    told = compared(Side(missing=missing), Side(missing=missing))[part]
    assert told["known"] is False
    assert told["why"] == f"this one: no {said}; the good one: no {said}"
    lists = [value for name, value in told.items() if isinstance(value, list)]
    assert not any(lists)


TIMES = [
    "2026-11-25T03:54:20.123456Z",
    "2026/11/25 03:54:20",
    "2026-11-25 03:54:20 +0000",
    "03:54:20",
    "1m31.2s",
    "0.4s",
    "12 ms",
    "31.5 seconds",
]


@pytest.mark.parametrize("time", TIMES)
def test_times_make_no_difference(time: str) -> None:
    assert timeless(f"step 4 at {time} done") == "step 4 at … done"


def test_what_only_looks_like_a_time_stays() -> None:
    for line in ("libssl3 3.0.2-1s", "python3.13", "FROM debian:12", "#12 DONE", "exit code: 137"):
        assert timeless(line) == line
    assert timeless("#12 0.345 fetch") == timeless("#12 7.1 fetch")


def test_the_ends_of_two_logs() -> None:
    good = "\n".join([*(f"line {number}" for number in range(1000)), "2026-11-25T03:54:20Z ok", "done in 3s"])
    now = good.replace("03:54:20", "07:00:00").replace("done in 3s", "E: no package")
    told = compared(Side(log=now), Side(log=good))["log"]
    assert told["known"]
    assert len(told["tail"]) == TAIL
    assert told["tail"][-1] == "E: no package"
    changed = [line for line in told["diff"][2:] if line[0] in "+-"]
    assert changed == ["-done in …", "+E: no package"]
    assert compared(Side(log=good), Side(log=good))["log"]["diff"] == []
    alone = compared(Side(log="x"), Side(missing={"log": "gone"}))["log"]
    assert (alone["known"], alone["tail"], alone["why"]) == (False, ["x"], "the good one: gone")


@given(st.dictionaries(st.text(), st.text()), st.dictionaries(st.text(), st.text()))
def test_nothing_is_different_from_itself_and_both_ways_are_told(
    one: dict[str, str], other: dict[str, str]
) -> None:
    sides = [Side(packages={name: (version,) for name, version in each.items()}) for each in (one, other)]
    same, there, back = compared(sides[0], sides[0]), compared(*sides), compared(*reversed(sides))
    assert not any(same["packages"][name] for name in ("new", "gone", "changed"))
    assert there["packages"]["new"] == back["packages"]["gone"]


# The last good one.


def look(world: World, image: str = "top", cascade: str = "") -> dict[str, Any]:
    return world.app.comparer.compare(cascade or world.cascade, image, world.builder.log)


def twice(make_world: MakeWorld, **rest: Any) -> World:
    """A world in which `top` was built well once, and then, of another commit, badly."""
    world = make_world(registration("top", BASE, **rest), registration("other", BASE))
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    world.broken, world.sources["top"] = {"top"}, "2"
    world.push_base("sha256:base2")
    world.drive()
    return world


def test_it_is_compared_with_the_last_good_one(make_world: MakeWorld) -> None:
    world = twice(make_world)
    newer, older = world.cascades
    good = world.states(older)["top"]
    told = look(world)
    assert told["good"] == {"cascade": older, "digest": good.promoted, "at": good.updated_at, "run": good.run}
    assert (told["status"], told["run"], told["why"]) == ("failed", world.states(newer)["top"].run, "")
    assert told["source"]["revision"] == commit_of("top", "2")
    assert told["source"]["good_revision"] == commit_of("top", "1")
    assert told["source"]["changed"] is True
    (only,) = told["bases"]["bases"]
    assert (only["base"], only["platform"], only["changed"]) == (BASE, "linux/amd64", True)
    assert told["settings"] == {"known": True, "why": "", "changed": []}
    assert told["log"]["tail"] == ["step 1", "boom"]
    assert told["log"]["diff"] == []
    assert told["findings"]["why"] == "this one: it was not scanned"
    assert "no bill of materials" in told["packages"]["why"]


def test_a_later_good_one_is_not_the_last_before_it(make_world: MakeWorld) -> None:
    world = twice(make_world)
    failed, older = world.cascades
    world.broken = set()
    world.push_base("sha256:base3")
    world.drive()
    assert world.statuses()["top"] == "done"
    assert look(world, cascade=failed)["good"]["cascade"] == older


def test_without_a_good_one(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken = {"top"}
    world.push_base()
    world.drive()
    told = look(world)
    assert told["good"] is None
    assert "no good rebuild of top" in told["why"]
    assert told["log"]["tail"] == ["step 1", "boom"]
    assert "the good one: no good rebuild" in told["source"]["why"]
    with pytest.raises(NotFoundError):
        look(world, "nobody")


def test_of_an_archived_one_the_inputs_are_known_and_the_settings_are_not(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    for number in (1, 2):
        world.push_base(f"sha256:base{number}")
        world.drive()
    world.app.sweep.cascades()
    older = world.cascades[1]
    world.app.operator.replay(world.cascade, "top", force=True, who="ann", why="x")
    world.broken = {"top"}
    world.drive()
    world.time += 91 * DAY
    retention(world).run()
    assert world.app.engine.records.has(older) is False
    told = look(world)
    assert told["good"]["cascade"] in (older, world.cascade)
    assert told["source"]["known"] is True
    assert told["settings"]["known"] is False
    assert told["settings"]["why"].startswith("the good one: ")


def test_of_one_that_only_the_book_of_good_builds_knows(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    world.broken = {"top"}
    world.app.operator.replay(world.cascade, "top", force=True, who="ann", why="x")
    world.drive()
    told = look(world)
    assert told["good"]["cascade"] == world.cascade
    assert told["good"]["run"] == ""
    assert (told["source"]["known"], told["source"]["changed"], told["bases"]["known"]) == (True, False, True)
    assert "only the entry in the book of good builds is left" in told["log"]["why"]


def test_the_record_of_a_good_one_that_was_replayed_and_failed_since_is_not_taken_for_it(
    make_world: MakeWorld,
) -> None:
    world = twice(make_world)
    newer, older = world.cascades
    good = world.states(older)["top"]
    world.app.operator.replay(older, "top", force=True, who="ann", why="x")
    world.drive()
    assert world.statuses(older)["top"] == "failed"
    told = look(world, cascade=newer)
    assert told["good"] == {"cascade": older, "digest": good.promoted, "at": told["good"]["at"], "run": ""}
    assert told["source"]["good_revision"] == commit_of("top", "1")


def test_a_log_that_cannot_be_read(make_world: MakeWorld) -> None:
    world = twice(make_world)
    run = world.states(world.cascades[1])["top"].run
    del world.builder.runs[run]
    told = look(world)["log"]
    assert told["known"] is False
    assert told["why"] == f"the good one: the log of run {run} cannot be read: no run {run}"
    assert told["tail"] == ["step 1", "boom"]


def test_a_rejected_one_is_told_by_its_findings(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    world.vulnerable = {"top"}
    world.push_base("sha256:base2")
    world.drive()
    assert world.statuses()["top"] == "rejected"
    told = look(world)["findings"]
    assert told == {"known": True, "why": "", "new": [{"id": "CVE-1", "package": "p"}], "gone": []}


def test_what_was_not_built_in_its_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.broken = {"top"}
    world.push_base()
    world.drive()
    told = look(world, "app")
    assert told["status"] == "blocked"
    assert "this one: it has no build run" in told["log"]["why"]
    assert "this one: it was not built" in told["source"]["why"]
