"""`groundswell cascades`: one image of a cascade, and what only the archive has."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, main
from groundswell.cli.rebuild import proof
from groundswell.errors import InputError, NotFoundError
from tests.support.world import BASE, HOST, World, ref, registration, workload

YEAR = 365 * 86_400.0


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(
        tmp_path,
        registration("top", BASE, deployments=[workload("web")]),
        registration("app", ref("top"), build=[BASE]),
    )
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, ["cascades", *args])


def test_one_image_is_told_with_all_that_proves_it(world: World) -> None:
    pushed = world.push_base()
    world.drive()
    top, app = world.states()["top"], world.states()["app"]
    shown = run(world.cascade, "top").output
    lines = [line.strip() for line in shown.splitlines()]
    assert lines[0] == f"top is done in cascade {world.cascade}, attempt 1: rolled out to 1 workload"
    assert f"proof      run {top.run} built {top.promoted}" in lines
    assert f"on {BASE}@{pushed}, linux/amd64: begins with its layers (1)" in lines
    assert f"scan       scan of {top.promoted} by fake (debian 12): no findings" in lines
    assert lines[lines.index(f"scan       scan of {top.promoted} by fake (debian 12): no findings") + 1] == "passed"
    assert f"tags       candidate {top.candidate_tag} is {top.candidate}" in lines
    assert f"stable tags were at {top.previous}" in lines
    assert f"promoted {top.promoted}" in lines
    assert f"rollouts   {workload('web')}: {HOST}/old@sha256:old -> {HOST}/top@{top.promoted}: healthy" in lines
    assert sum(" building " in line for line in lines) == 1
    built_with = f"built with {BASE}@{pushed}: not proven by layers; its tag led there before the build began"
    assert built_with in run(world.cascade, "app").output
    told = json.loads(run(world.cascade, "app", "--json").output)
    assert (told["image"], told["run"], told["proof"]["runtime"]["base"]) == ("app", app.run, ref("top"))


def test_one_that_was_rejected_tells_every_reason(world: World) -> None:
    world.vulnerable.add("top")
    world.push_base()
    world.drive()
    shown = run(world.cascade, "top").output
    assert "1 CRITICAL\n" in shown
    assert "rejected\n" in shown
    assert "CVE-1 (CRITICAL) in p 1: fixed in 2" in shown
    assert "blocked by top" in run(world.cascade, "app").output


def test_a_base_that_is_not_beneath_is_told_by_platform() -> None:
    layers = {
        "proven": False,
        "reasons": ["a", "b"],
        "platforms": [
            {"platform": "linux/amd64", "proven": True, "layers": 2, "reason": ""},
            {"platform": "linux/arm64", "proven": False, "layers": 0, "reason": "the base has no linux/arm64"},
        ],
    }
    found = {"run": "r0", "digest": "sha256:n", "base": "a:1@sha256:b", "base_digest": "sha256:b", "layers": layers}
    assert list(proof(found))[1:] == [
        "on a:1@sha256:b, linux/amd64: begins with its layers (2)",
        "on a:1@sha256:b, linux/arm64: the base has no linux/arm64",
    ]
    nothing = {**layers, "reasons": ["the image has no platform"], "platforms": []}
    assert list(proof({**found, "layers": nothing}))[1:] == ["on a:1@sha256:b: the image has no platform"]
    unknown = {"base": "x:1", "digest": "", "basis": "not proven"}
    assert list(proof({"run": "r0", "digest": "d", "build": [unknown]}))[1:] == ["built with x:1: not proven"]


def test_what_is_not_there_is_said_in_a_line(world: World) -> None:
    assert isinstance(run("nope", "top").exception, NotFoundError)
    assert "no cascade nope" in str(run("nope", "top").exception)
    world.push_base()
    world.drive()
    assert "no image nope in cascade" in str(run(world.cascade, "nope").exception)
    for words in ([world.cascade, "top", "--watch"], [world.cascade, "--archived"]):
        assert isinstance(run(*words).exception, InputError)


def test_the_archive_is_listed_and_shown_where_the_records_are_gone(world: World) -> None:
    assert "the archive is empty" in run("--archived").output
    assert json.loads(run("--archived", "--json").output) == []
    for number in (1, 2):
        world.push_base(f"sha256:base{number}")
        world.drive()
    newer, older = world.cascades
    top = world.states(older)["top"]
    live = json.loads(run(older, "--json").output)
    assert live.pop("archived") is False
    world.app.sweep.cascades()
    world.time += YEAR
    assert world.app.retention.run().cascades == 1
    assert [each["cascade"] for each in json.loads(run("--json").output)] == [newer]
    assert [each["cascade"] for each in json.loads(run("--archived", "--json").output)] == [older]
    assert older in run("--archived").output
    kept = json.loads(run(older, "--json").output)
    assert kept.pop("archived") is True
    assert kept == live
    for words in ([older], [older, "--watch"]):
        shown = run(*words).output
        assert "rolled out to 1 workload" in shown
        assert "from the archive: nothing more can be done to it" in shown
    assert f"promoted {top.promoted}" in run(older, "top").output
    assert json.loads(run(older, "top", "--json").output)["proof"]["run"] == top.run
    assert "as the archive keeps it" in str(run(older, "nope").exception)
    refused = CliRunner().invoke(main.app, ["why", "top", older]).exception
    assert f"cascade {older} is in the archive" in str(refused)
