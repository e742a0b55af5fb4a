"""Tokens over the API: shown once, kept nowhere, made and ended by an admin alone."""

import json
import logging
from typing import Any

import pytest

from groundswell.access.principal import Role
from groundswell.audit import entries
from tests.support.world import World
from tests.unit.api.conftest import Api, token

BODY = {"name": "pipeline", "roles": ["registrar"], "teams": ["shop"], "days": 7, "reason": " registers "}
DAY = 86_400.0


def everything(world: World) -> str:
    """All that the store holds of what a request leaves behind."""
    tables = ("answers", "audit", "tokens")
    return json.dumps([record.value for name in tables for record in world.app.store.scan(name, name)])


def test_it_is_shown_once_and_works(api: Api, world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = api.post("/tokens", json=BODY, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 201
    made = answer.json()
    secret = made["token"]
    assert api.get("/me", token=secret).json() == {
        "id": f"token:{made['id']}",
        "name": "pipeline",
        "roles": ["registrar"],
        "teams": ["shop"],
    }
    again = api.post("/tokens", json=BODY, headers={"Idempotency-Key": "k"})
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == {**made, "token": None}
    assert len(list(world.app.tokens.each())) == 2  # the tests' own, and this one
    kept = everything(world)
    assert made["id"] in kept
    assert secret not in kept
    assert secret.split("_", 2)[2] not in kept + caplog.text
    (entry,) = (each for each in entries(world.app.store) if made["id"] in each["subject"])
    assert (entry["action"], entry["who"], entry["why"]) == ("token", api.who, "registers")


def test_they_are_listed_without_their_secret(api: Api, world: World) -> None:
    for number in range(3):
        token(world, Role.READER, name=f"n{number}")
    seen, cursor = [], ""
    while cursor is not None:
        answer = api.get(f"/tokens?limit=2&cursor={cursor}").json()
        seen += answer["tokens"]
        cursor = answer["next_cursor"]
    assert {each["name"] for each in seen} == {"tests", "n0", "n1", "n2"}
    assert all(each["state"] == "valid" and "token" not in each and "sha256" not in each for each in seen)
    world.time += 8 * DAY
    assert api.post("/tokens", json={**BODY, "days": 1}).status_code == 201
    world.time += 2 * DAY
    assert sorted(each["state"] for each in api.get("/tokens").json()["tokens"]) == ["expired", *["valid"] * 4]


def test_one_is_revoked_at_once(api: Api, world: World) -> None:
    made = api.post("/tokens", json=BODY).json()
    assert api.delete(f"/tokens/{made['id']}").status_code == 422
    ended = api.delete(f"/tokens/{made['id']}?reason=gone")
    assert ended.json()["state"] == "revoked"
    assert api.get("/me", token=made["token"]).status_code == 401
    assert api.delete(f"/tokens/{made['id']}?reason=again").json() == ended.json()
    (entry,) = (each for each in entries(world.app.store) if each["action"] == "revoke")
    assert (entry["who"], entry["why"]) == (api.who, "gone")
    assert api.delete("/tokens/000000000000?reason=x").status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "#/name"),
        ({"name": "x\n"}, "#/name"),
        ({"roles": []}, "#/roles"),
        ({"roles": ["god"]}, "#/roles/0"),
        ({"roles": ["reader"]}, "#"),  # a team is a registrar's
        ({"teams": []}, "#"),
        ({"teams": [" "]}, "#/teams/0"),
        ({"days": 0}, "#/days"),
        ({"days": 367}, "#/days"),
        ({"reason": " "}, "#/reason"),
    ],
)
def test_what_does_not_do(api: Api, world: World, changes: dict[str, Any], pointer: str) -> None:
    answer = api.post("/tokens", json={**BODY, **changes})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert len(list(world.app.tokens.each())) == 1
