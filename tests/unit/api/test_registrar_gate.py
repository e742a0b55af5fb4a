"""A registrar tightens the gate of an own image, and loosens it no further than policy or admin let it be."""

from typing import Any

import pytest

from groundswell.access.principal import Role
from tests.support.world import World
from tests.unit.api.conftest import Api, sent, token

WEB = "/lineage/images/shop/web"
ALLOW = {"id": "CVE-1", "package": "libc6", "reason": "not reachable", "expires": "2027-06-30"}


@pytest.fixture
def registrar(world: World) -> str:
    return token(world, Role.REGISTRAR, teams=["shop", "lax"])


def policy(api: Api, **levels: Any) -> None:
    body = {"version": 1, "global": levels.get("everybody", {}), "teams": levels.get("teams", {}), "vex": []}
    assert api.put("/policy?reason=x", json=body).status_code == 200


def put(api: Api, text: str, gate: dict[str, Any], owner: str = "shop") -> Any:
    return api.put(WEB, token=text, json=sent(owner=owner, gate=gate))


@pytest.mark.parametrize(
    ("everybody", "gate", "key"),
    [
        ({"severity": "HIGH"}, {"severity": "CRITICAL"}, "severity"),
        ({"fixable_only": False}, {"fixable_only": True}, "fixable_only"),
        ({}, {"unknown_as": "MEDIUM"}, "unknown_as"),
        ({}, {"mode": "no-worse"}, "mode"),
        ({}, {"os": "none"}, "os"),
        ({"os": "none"}, {"os": "unsaid"}, "os"),
        ({}, {"scanners": ["weak"]}, "scanners"),
        ({}, {"max_scan_age": "25h"}, "max_scan_age"),
        ({"max_database_age": "7d"}, {"max_database_age": "8d"}, "max_database_age"),
        ({}, {"allow": [ALLOW]}, "allow"),
        ({"allow": [ALLOW]}, {"allow": [{**ALLOW, "expires": "2027-07-01"}]}, "allow"),
        ({"allow": [ALLOW]}, {"allow": [{**ALLOW, "package": "*"}]}, "allow"),
    ],
)
def test_a_looser_gate_is_an_admins(
    api: Api, world: World, registrar: str, everybody: dict[str, Any], gate: dict[str, Any], key: str
) -> None:
    policy(api, everybody=everybody)
    answer = put(api, registrar, gate)
    assert answer.status_code == 403
    assert f"looser than it is held to in {key};" in answer.json()["detail"]
    dry = api.put(f"{WEB}?dry_run=true", token=registrar, json=sent(owner="shop", gate=gate))
    assert dry.status_code == 403
    assert world.app.catalog.registrations() == ()
    assert put(api, api.token, gate).status_code == 201


@pytest.mark.parametrize(
    ("everybody", "gate"),
    [
        ({}, {"severity": "HIGH", "fixable_only": False, "max_scan_age": "1h", "max_database_age": "1d"}),
        ({"severity": "HIGH"}, {"severity": "HIGH"}),
        ({"unknown_as": "MEDIUM"}, {"unknown_as": "HIGH"}),
        ({"mode": "no-worse"}, {"mode": "clean"}),
        ({"scanners": ["a"]}, {"scanners": ["b"]}),  # they add up
        ({"allow": [ALLOW]}, {"allow": [{**ALLOW, "reason": "another", "expires": "2027-01-01"}]}),
        ({}, {"never": [{"package": "x"}]}),
        ({}, {"on_new_finding": "rebuild"}),
    ],
)
def test_a_stricter_one_is_the_teams_own(
    api: Api, registrar: str, everybody: dict[str, Any], gate: dict[str, Any]
) -> None:
    policy(api, everybody=everybody)
    assert put(api, registrar, gate).status_code == 201


def test_what_was_tightened_is_taken_back(api: Api, registrar: str) -> None:
    assert put(api, registrar, {"severity": "LOW", "never": [{"package": "x"}]}).status_code == 201
    assert put(api, registrar, {}).status_code == 200
    assert put(api, registrar, {"mode": "no-worse"}).status_code == 403


def test_what_an_admin_let_be_stays(api: Api, registrar: str) -> None:
    assert put(api, api.token, {"allow": [ALLOW]}).status_code == 201
    assert put(api, registrar, {"allow": [ALLOW], "severity": "HIGH"}).status_code == 200
    assert put(api, registrar, {"allow": [ALLOW, {**ALLOW, "id": "CVE-2"}]}).status_code == 403
    assert put(api, registrar, {}).status_code == 200
    assert put(api, registrar, {"allow": [ALLOW]}).status_code == 403


def test_no_way_round_by_another_of_the_own_teams(api: Api, registrar: str) -> None:
    policy(api, everybody={"severity": "HIGH"}, teams={"lax": {"severity": "CRITICAL"}})
    assert put(api, registrar, {}).status_code == 201
    answer = put(api, registrar, {}, owner="lax")
    assert answer.status_code == 403
    assert "severity" in answer.json()["detail"]
    assert put(api, registrar, {"severity": "HIGH"}, owner="lax").status_code == 200
