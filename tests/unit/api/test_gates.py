"""Freezes and the gate's policy over the API; the audit trail; what is stale; who is asking."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from groundswell.access.principal import Role
from groundswell.audit import entries
from groundswell.errors import ConflictError, TemporaryError
from tests.support.world import BASE, World, ref, registration
from tests.unit.api.conftest import Api, token

NIGHTS = {
    "zone": "Europe/Berlin",
    "days": ["mon-fri"],
    "from": "18:00",
    "until": "06:00",
    "why": "nobody is on call",
}
FREEZE, POLICY = "/freezes/nights", "/policy?reason=we%20decided"


def trail(world: World, action: str) -> list[Any]:
    return [entry for entry in entries(world.app.store) if entry["action"] == action]


def test_a_freeze_from_its_beginning_to_its_end(api: Api, world: World) -> None:
    made = api.put(FREEZE, json=NIGHTS, headers={"If-None-Match": "*"})
    assert (made.status_code, made.headers["location"]) == (201, "/api/v1/freezes/nights")
    assert made.json() == {
        "name": "nights",
        "environment": "*",
        **NIGHTS,
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "in_force": False,
        "ends_at": None,
    }
    shown = api.get(FREEZE)
    assert (shown.json(), shown.headers["etag"]) == (made.json(), made.headers["etag"])
    tag = {"If-Match": shown.headers["etag"]}
    assert api.get(FREEZE, headers={"If-None-Match": shown.headers["etag"]}).status_code == 304
    assert api.get("/freezes").json()["freezes"] == [made.json()]
    same = api.put(FREEZE, json=NIGHTS)
    assert (same.status_code, same.headers["etag"]) == (200, shown.headers["etag"])
    changed = api.put(FREEZE, json={**NIGHTS, "environment": "prod-*"}, headers=tag)
    assert (changed.status_code, changed.json()["environment"]) == (200, "prod-*")
    assert api.put(FREEZE, json=NIGHTS, headers=tag).status_code == 412
    assert api.put(FREEZE, json=NIGHTS, headers={"If-None-Match": "*"}).status_code == 412
    assert api.delete(f"{FREEZE}?reason=x", headers=tag).status_code == 412
    now = {"If-Match": changed.headers["etag"]}
    assert api.delete(f"{FREEZE}?reason=over", headers=now).status_code == 204
    assert api.delete(f"{FREEZE}?reason=over").status_code == 404
    assert api.get(FREEZE).status_code == 404
    assert [entry["who"] for entry in trail(world, "freeze") + trail(world, "unfreeze")] == [api.who] * 3


def test_a_freeze_that_is_in_force(api: Api, world: World) -> None:
    begin, end = (datetime.fromtimestamp(world.time + at, UTC).strftime("%Y-%m-%dT%H:%M") for at in (-60, 3600))
    sent = {"zone": "UTC", "from": begin, "until": end, "why": "the fair"}
    shown = api.put("/freezes/fair", json=sent).json()
    assert (shown["in_force"], shown["ends_at"], shown["days"]) == (True, "2027-01-15T09:00:00.000Z", None)
    assert api.delete("/freezes/fair?reason=x").status_code == 204


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"zone": "Nowhere/Here"}, "#/zone"),
        ({"zone": "../etc/passwd"}, "#/zone"),
        ({"days": ["someday"]}, "#/days/0"),
        ({"days": []}, "#/days"),
        ({"from": "soon"}, "#/from"),
        ({"until": "25:00"}, "#/until"),
        ({"environment": "a b"}, "#/environment"),
        ({"why": " "}, "#/why"),
        ({"days": None, "from": "2026-02-30T10:00", "until": "2026-03-01T10:00"}, "#/from"),
        ({"days": None, "from": "2026-03-02T10:00", "until": "2026-03-01T10:00"}, "#/until"),
    ],
)
def test_the_place_at_fault_in_a_freeze(api: Api, changes: dict[str, Any], pointer: str) -> None:
    answer = api.put(FREEZE, json={**NIGHTS, **changes})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert api.get("/freezes").json()["freezes"] == []


def test_somebody_is_faster_with_a_freeze(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.put(FREEZE, json=NIGHTS).status_code == 201

    def late(*_: object, **__: object) -> None:
        raise ConflictError("it is not as you saw it")

    monkeypatch.setattr(world.app.freezes, "put", late)
    monkeypatch.setattr(world.app.freezes, "remove", late)
    assert api.put(FREEZE, json=NIGHTS, headers={"If-Match": "*"}).status_code == 412
    assert api.delete(f"{FREEZE}?reason=x", headers={"If-Match": "*"}).status_code == 412


VEX = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex",
    "author": "ann",
    "timestamp": "2026-11-25T00:00:00Z",
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": "CVE-2026-1"},
            "products": [{"@id": "pkg:deb/debian/openssl"}],
            "status": "not_affected",
            "justification": "component_not_present",
        }
    ],
}


def test_a_policy_is_set_seen_and_merged(api: Api, world: World) -> None:
    empty = api.get("/policy")
    assert empty.json() == {"version": 1, "global": {}, "teams": {}, "vex": []}
    assert api.get("/policy", headers={"If-None-Match": empty.headers["etag"]}).status_code == 304
    sent = {
        "version": 1,
        "global": {"severity": "HIGH"},
        "vex": [{"file": "vex.json", "expires": "2027-12-31", "document": VEX}],
    }
    answer = api.put(POLICY, json=sent, headers={"If-Match": empty.headers["etag"]})
    assert (answer.status_code, answer.json()) == (200, {**sent, "teams": {}})
    assert api.get("/policy").headers["etag"] == answer.headers["etag"]
    assert api.put(POLICY, json=sent, headers={"If-Match": empty.headers["etag"]}).status_code == 412
    assert api.put(POLICY, json=sent, headers={"If-Match": answer.headers["etag"]}).status_code == 200
    assert [(entry["who"], entry["why"]) for entry in trail(world, "policy")] == [(api.who, "we decided")]
    world.register(registration("top", BASE, gate={"severity": "CRITICAL"}))
    gate = api.get("/policy/images/top").json()["gate"]
    assert gate["severity"] == {"value": "CRITICAL", "from": ["image top"]}
    assert "default" in [source for row in gate.values() for source in row["from"]]
    assert api.get("/policy/images/none").status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"version": 2}, "#/version"),
        ({"global": {"severity": "BAD"}}, "#/global/severity"),
        ({"teams": {"shop": {"nonsense": 1}}}, "#/teams/shop/nonsense"),
        ({"vex": [{"file": "a", "expires": "2027-12-31"}]}, "#/vex/0"),
        ({"vex": [{"file": "a", "expires": "2027-02-31", "document": VEX}]}, "#/vex/0/expires"),
        (
            {
                "vex": [
                    {"file": "a", "expires": "2027-12-31", "document": VEX},
                    {"file": "b", "expires": "2027-12-31", "document": {"statements": 7}},
                ]
            },
            "#/vex/1/document",
        ),
    ],
)
def test_the_place_at_fault_in_a_policy(api: Api, changes: dict[str, Any], pointer: str) -> None:
    answer = api.put(POLICY, json={"version": 1, **changes})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_policy_that_cannot_be_stored(api: Api, world: World) -> None:
    noise = [random.Random(n).randbytes(400_000).hex() for n in range(4)]
    vex = [
        {"file": f"v{n}", "expires": "2027-12-31", "document": {**VEX, "x": text}} for n, text in enumerate(noise)
    ]
    answer = api.put(POLICY, json={"version": 1, "vex": vex})
    assert (answer.status_code, "too large to store" in answer.json()["detail"]) == (413, True)
    assert trail(world, "policy") == []


def test_somebody_is_faster_with_a_policy(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise ConflictError("it is not as you saw it")

    monkeypatch.setattr(world.app.policies, "set", late)
    assert api.put(POLICY, json={"version": 1}, headers={"If-Match": "*"}).status_code == 412
    assert api.put(POLICY, json={"version": 1}).status_code == 409


def test_the_audit_trail(api: Api, world: World) -> None:
    for number in range(5):
        world.time += 1
        api.put(f"/freezes/f{number}", json=NIGHTS)
    everything = api.get("/audit").json()
    assert everything["next_cursor"] is None
    found, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/audit?limit=2&cursor={cursor}").json()
        found += page["entries"]
        cursor = page["next_cursor"]
    assert found == everything["entries"]
    assert found[0]["at"] == "2027-01-15T08:00:05.000Z"
    assert [
        entry["subject"] for entry in api.get("/audit?action=freeze&subject=freeze%20f1").json()["entries"]
    ] == ["freeze f1"]
    assert len(api.get("/audit?who=tests").json()["entries"]) == 5
    assert api.get("/audit?who=nobody").json()["entries"] == []


def test_a_filter_that_fits_little_comes_in_short_pages(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundswell.api.paging.MOST", 2)
    for number in range(5):
        world.time += 1
        api.put(f"/freezes/f{number}", json=NIGHTS)
    found, cursor, count = [], "", 0
    while cursor is not None:
        page = api.get(f"/audit?subject=freeze%20f1&cursor={cursor}").json()
        found += page["entries"]
        cursor, count = page["next_cursor"], count + 1
    assert [entry["subject"] for entry in found] == ["freeze f1"]
    assert count == 3


def test_what_is_stale(api: Api, world: World) -> None:
    world.register(
        registration("top", BASE, owner="shop"),
        registration("app", ref("top"), owner="bank"),
        registration("x", None),
    )
    world.drive()
    world.broken = {"top"}
    world.push_base()
    world.drive()
    told = api.get("/stale").json()
    assert [(item["image"], item["why"]) for item in told["images"]] == [("app", "blocked"), ("top", "failed")]
    assert told["images"][1]["since"].startswith("2027-01-15T08:")
    assert [item["image"] for item in api.get("/stale?owner=shop").json()["images"]] == ["top"]


def test_who_is_asking(api: Api, world: World) -> None:
    text = token(world, Role.REGISTRAR, Role.OPERATOR, teams=["shop"], name="ci")
    assert api.get("/me", token=text).json() == {
        "id": f"token:{text.split('_')[1]}",
        "name": "ci",
        "roles": ["operator", "registrar"],
        "teams": ["shop"],
    }


def test_health_asks_nobody(api: Api, world: World) -> None:
    answer = api.get("/health", token=None)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    def away(*_: object) -> None:
        raise TemporaryError("the table is away")

    vars(world.app.store)["get"] = away
    assert api.get("/health", token=None).status_code == 503
