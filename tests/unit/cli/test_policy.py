"""`groundswell policy`, and a verdict in `groundswell cascades ID IMAGE`, as a person meets them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cli import common, findings, main
from groundswell.errors import InputError, NotFoundError
from groundswell.scan.port import Finding, Severity
from tests.support.world import BASE, World, registration

POLICY = """\
version: 1
global: {scanners: [fake]}
teams:
  platform: {severity: HIGH, allow: [{id: CVE-9, reason: r, expires: 2030-01-01}]}
vex: [{file: a.json, expires: 2030-01-01}]
"""
BEFORE = {"passed": True, "digest": "d", "scanner": "s", "os": "o", "reasons": [], "counts": {"LOW": 1}}
VEX = {"@context": "https://openvex.dev/ns", "timestamp": "2026-11-01T00:00:00Z", "statements": []}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE, owner="platform", gate={"mode": "no-worse"}))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    (tmp_path / "a.json").write_text(json.dumps(VEX))
    return file


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_a_policy_is_put_in_force_and_shown(world: World, policy: Path) -> None:
    assert "no policy is set" in run("policy", "show").output
    world.time += 1.0
    assert "in force within half a minute" in run("policy", "set", str(policy), "--reason", "first").output
    assert "nothing to change" in run("policy", "set", str(policy), "--reason", "again").output
    shown = run("policy", "show").output
    assert "  platform:\n    severity: HIGH\n" in shown
    assert "- file: a.json\n  expires: '2030-01-01'\n" in shown
    assert json.loads(run("policy", "show", "--json").output)["vex"][0]["document"] == VEX
    (entry,) = json.loads(run("audit", "--json").output)[:1]
    assert (entry["who"], entry["action"], entry["why"]) == ("ann", "policy", "first")


def test_what_an_image_is_held_to_and_where_that_is_said(world: World, policy: Path) -> None:
    run("policy", "set", str(policy), "--reason", "first")
    rows = [line.split() for line in run("policy", "show", "--image", "top").output.splitlines()]
    assert ["severity", "HIGH", "team", "platform"] in rows
    assert ["mode", "no-worse", "image", "top"] in rows
    assert ["fixable_only", "true", "default"] in rows
    assert ["vex", "a.json", "until", "2030-01-01", "global"] in rows
    document = json.loads(run("policy", "show", "--image", "top", "--json").output)
    assert document["gate"]["scanners"] == {"value": ["fake"], "from": ["global"]}
    assert isinstance(run("policy", "show", "--image", "nope").exception, NotFoundError)


def test_what_is_wrong_with_a_policy_is_said(world: World, policy: Path, tmp_path: Path) -> None:
    def said(text: str) -> str:
        policy.write_text(text)
        result = run("policy", "set", str(policy), "--reason", "x")
        assert isinstance(result.exception, InputError)
        return str(result.exception)

    assert said("version: 3\n").startswith(f"{policy}:1: version")
    assert said(POLICY.replace("a.json", "gone.json")).endswith(
        "gone.json cannot be read: No such file or directory"
    )
    assert said(POLICY.replace("a.json", "../a.json")).endswith("../a.json leads out of the policy's folder")
    (tmp_path / "a.json").write_bytes(b"\xff")
    assert said(POLICY).endswith("a.json cannot be read: not UTF-8")


def test_the_schema_is_printed(world: World) -> None:
    assert json.loads(run("policy", "schema").output)["title"] == "Groundswell policy"


def test_a_verdict_finding_by_finding(world: World) -> None:
    world.vulnerable.add("top")
    world.app.catalog.register(
        [registration("top", BASE, gate={"allow": [{"id": "CVE-1", "reason": "old", "expires": "2020-01-01"}]})],
        who="ann",
    )
    world.push_base()
    world.drive()
    shown = run("cascades", world.cascade, "top").output
    assert "held to clean: no fixable CRITICAL" in shown
    assert "which production runs: 0 new, 1 carried, 0 fixed" in shown
    assert "refused carried CVE-1 CRITICAL in p 1, fixed in 2; fake CRITICAL" in shown
    assert "the allowance of CVE-1 expired on 2020-01-01 (old)" in shown
    document = json.loads(run("cascades", world.cascade, "top", "--json").output)
    assert (document["scan"]["passed"], document["scan"]["findings"][0]["state"]) == (False, "carried")


def test_a_verdict_that_passed_and_what_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = world.scanner.scan

    def many(reference: object) -> object:
        from dataclasses import replace

        found = [
            Finding(id=f"CVE-{number:03}", package="p", installed="", fixed="", severity=Severity.LOW)
            for number in range(103)
        ]
        return replace(scan(reference), findings=tuple(found))  # type: ignore[arg-type]

    monkeypatch.setattr(world.scanner, "scan", many)
    allow = [{"id": "CVE-000", "reason": "r", "expires": "2030-01-01"}]
    world.app.catalog.register([registration("top", BASE, gate={"allow": allow})], who="ann")
    world.push_base()
    world.drive()
    shown = run("cascades", world.cascade, "top").output
    assert "compared with" not in shown
    assert "allowed         CVE-000 LOW in p; fake LOW (until 2030-01-01: r)" in shown
    assert "and 3 more findings, not kept" in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "never", "why": "banned"}, "never LOW in p 1; banned"),
        ({"blame": "base"}, ", from its base;"),
        ({"blame": "image"}, ", from its own layers;"),
        ({"blame": "both"}, ", from its base and its own layers;"),
        ({"state": "fixed"}, "        fixed   CVE-1 LOW"),
    ],
)
def test_a_finding_in_a_line(changes: dict[str, Any], said: str) -> None:
    fields = {"id": "CVE-1", "package": "p", "installed": "1", "fixed": "", "severity": "LOW", **changes}
    verdict = {**BEFORE, "findings": [fields], "compared": "c", "tally": {"new": 0, "carried": 0, "fixed": 0}}
    assert said in list(findings.lines(verdict))[-1]


def test_a_verdict_of_before_has_no_more_to_say() -> None:
    assert list(findings.lines(BEFORE)) == []
