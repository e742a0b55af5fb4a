"""The policy document: its mistakes by line, what is kept of it, and what it comes to for an image."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell import audit
from groundswell.errors import ConflictError, InputError
from groundswell.lineage.policies import Policies
from groundswell.lineage.policy_document import parse, schema
from groundswell.scan.policy import Mode
from groundswell.scan.port import Severity
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, registration

GOOD = """\
version: 1
global:
  severity: HIGH
  scanners: [trivy]
  allow:
    - {id: CVE-2026-1, package: "zlib*", reason: behind a proxy, expires: 2026-12-31}
teams:
  shop-team:
    mode: no-worse
    never:
      - {package: "*log4j-core", versions: ["2.1?.*"], reason: log4shell}
vex:
  - {file: vex/zlib.json, expires: 2027-06-30}
"""
VEX = json.dumps(
    {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "timestamp": "2026-11-01T00:00:00Z",
        "statements": [
            {"vulnerability": {"name": "CVE-2026-2"}, "products": [{"@id": "pkg:oci/web"}], "status": "fixed"}
        ],
    }
)


def read(text: str, vex: str = VEX) -> Any:
    return parse(text, "policy.yaml", lambda _: vex)


@pytest.fixture
def policies(tmp_path: Path) -> Iterator[Policies]:
    store = SqliteStore(tmp_path / "store.db", clock=lambda: 1.0)
    yield Policies(store, itertools.count(1.0).__next__)
    store.close()


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("version: 1", "version: 1\nrings: [{environment: a, bake: soon}]", 2, "must be seconds, minutes, hours"),
        ("version: 1", "version: 2", 1, "version"),
        ("severity: HIGH", "severity: SOME", 3, "'SOME' is not one of"),
        ("severity: HIGH", "severities: HIGH", 3, "severities"),
        ("[trivy]", "[Trivy]", 4, "does not match"),
        (", reason: behind a proxy", "", 6, "'reason' is a required property"),
        ("reason: behind a proxy", 'reason: " "', 6, "must say why"),
        (", expires: 2026-12-31}", "}", 6, "'expires' is a required property"),
        ("2026-12-31", "2026-02-31", 6, "'2026-02-31' is no day, such as 2026-12-31"),
        ("2026-12-31", "never", 6, "does not match"),
        ("2026-12-31", "2026", 6, "not of type 'string'"),
        ("mode: no-worse", "mode: dirty", 9, "dirty"),
        ("mode: no-worse", "max_scan_age: 1w", 9, "does not match"),
        ("mode: no-worse", "vex: []", 9, "vex"),
        ("mode: no-worse", "unknown_as: LOW", 9, "'LOW' is not one of"),
        ('versions: ["2.1?.*"]', "versions: []", 11, "versions"),
        ("expires: 2027-06-30", "expire: 2027-06-30", 13, "expire"),
    ],
)
def test_complaints_name_the_line(old: str, new: str, line: int, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        read(GOOD.replace(old, new))
    assert any(one.startswith(f"policy.yaml:{line}:") for one in str(caught.value).splitlines()), caught.value
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("vex", "says"),
    [
        ("{", "vex/zlib.json: not JSON"),
        ("[]", "vex/zlib.json: not an OpenVEX document"),
        ("{}", "vex/zlib.json: not an OpenVEX document: its @context"),
        ("[" * 100_000, "vex/zlib.json: not JSON"),
        (" " * 1024 * 1024 + "{}", "larger than 1 MiB"),
    ],
)
def test_openvex_files_are_checked_too(vex: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        read(GOOD, vex)
    assert str(caught.value).startswith("policy.yaml:13: ")
    assert says in str(caught.value)


def test_json_is_a_policy_too() -> None:
    document = {"version": 1, "global": {"severity": "LOW"}}
    assert read(json.dumps(document)) == {**document, "teams": {}, "vex": []}


def test_the_schema_stands_on_its_own() -> None:
    text = json.dumps(schema())
    assert all(f'"{name}": {{' in text for name in schema()["$defs"])
    assert {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]} <= set(schema()["$defs"])


def test_global_then_team_then_image(policies: Policies) -> None:
    policies.set(read(GOOD), who="ann", why="first")
    web = registration("web", BASE, owner="shop-team", gate={"severity": "CRITICAL", "scanners": ["aqua"]})
    merged = policies.merged(web)
    assert merged.sources == {
        "severity": ("image web",),
        "scanners": ("global", "image web"),
        "allow": ("global",),
        "vex": ("global",),
        "mode": ("team shop-team",),
        "never": ("team shop-team",),
    }
    held_to = policies.policy(web)
    assert (held_to.threshold, held_to.mode, held_to.scanners) == (
        Severity.CRITICAL,
        Mode.NO_WORSE,
        ("trivy", "aqua"),
    )
    assert [(each.why, each.expires) for each in held_to.vex] == [("fixed", 1_814_400_000.0)]
    other = policies.policy(registration("api", BASE, owner="others"))
    assert (other.threshold, other.mode, other.never) == (Severity.HIGH, Mode.CLEAN, ())


def test_without_a_policy_the_image_s_own_gate_is_all_there_is(policies: Policies) -> None:
    web = registration("web", BASE, gate={"severity": "LOW"})
    assert policies.policy(web) == web.policy


def test_rings_of_everybody_and_of_an_image(policies: Policies) -> None:
    mine = ({"environment": "dev"},)
    assert policies.rings(registration("app", BASE)) == ()
    policies.set(read(GOOD), who="ann", why="x")
    assert policies.rings(registration("app", BASE)) == ()
    policies.set(read(GOOD + "rings: [{environment: test, bake: 1h}]\n"), who="ann", why="carefully")
    assert policies.rings(registration("app", BASE)) == [{"environment": "test", "bake": "1h"}]
    assert policies.rings(registration("app", BASE, rings=mine)) == mine


def test_every_change_is_audited_and_the_same_again_is_none(policies: Policies) -> None:
    assert policies.set(read(GOOD), who="ann", why="first")
    assert not policies.set(read(GOOD), who="bob", why="again")
    assert policies.set(read("version: 1\n"), who="bob", why="all of it off")
    last, first = audit.entries(policies._store)
    assert (first["who"], first["action"], first["why"], first["before"]) == ("ann", "policy", "first", {})
    assert first["after"]["vex"] == [{"file": "vex/zlib.json", "expires": "2027-06-30", "statements": 1}]
    assert (last["before"]["global"]["severity"], last["after"]["global"]) == ("HIGH", {})


def test_a_change_needs_a_reason(policies: Policies) -> None:
    with pytest.raises(InputError, match="needs a reason"):
        policies.set(read(GOOD), who="ann", why=" ")
    assert policies.stored()["global"] == {}


def test_two_at_once(policies: Policies, monkeypatch: pytest.MonkeyPatch) -> None:
    store, commit = policies._store, policies._store.commit

    def race(table: str, *arguments: Any) -> list[str]:
        if table != "policies":
            return commit(table, *arguments)
        monkeypatch.setattr(store, "commit", commit)
        Policies(store, lambda: 1.0).set(read("version: 1\nglobal: {severity: LOW}\n"), who="bob", why="faster")
        return commit(table, *arguments)

    monkeypatch.setattr(store, "commit", race)
    with pytest.raises(ConflictError, match="somebody else set a policy meanwhile"):
        policies.set(read(GOOD), who="ann", why="slower")
    assert policies.stored()["global"] == {"severity": "LOW"}


def test_a_policy_of_some_age_will_do_where_the_caller_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    time = [100.0]
    mine, other = Policies(store, lambda: time[0]), Policies(store, lambda: time[0])
    image = registration("app", BASE)

    def severity(age: float) -> Severity:
        return mine.policy(image, age=age).threshold

    def put(name: str, who: Policies) -> None:
        who.set(read(f"version: 1\nglobal: {{severity: {name}}}\n"), who="o", why="w")

    put("LOW", other)
    assert severity(30.0) is Severity.LOW
    put("HIGH", other)
    time[0] += 29.0
    assert (severity(30.0), severity(0.0)) == (Severity.LOW, Severity.HIGH)
    put("MEDIUM", other)
    time[0] += 30.0
    assert severity(30.0) is Severity.MEDIUM
    time[0] -= 500.0  # a clock that is put back makes nothing last
    put("LOW", other)
    assert severity(30.0) is Severity.LOW
    put("CRITICAL", mine)  # what this process changed, it sees at once
    assert severity(30.0) is Severity.CRITICAL
    store.close()


def test_a_policy_is_set_on_what_was_seen(policies: Policies) -> None:
    assert policies.seen()[1] is None
    with pytest.raises(ConflictError):
        policies.set(read("version: 1\n"), who="ann", why="x", etag="seen")
    assert policies.set(read("version: 1\n"), who="ann", why="x", etag=None)
    _, etag = policies.seen()
    with pytest.raises(ConflictError):
        policies.set(read("version: 1\nglobal: {severity: LOW}\n"), who="ann", why="x", etag=None)
    assert policies.set(read("version: 1\nglobal: {severity: LOW}\n"), who="ann", why="x", etag=etag)
