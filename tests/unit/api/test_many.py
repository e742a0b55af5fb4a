"""Several images in one request: all or none are taken, by whom they belong to; and the graph of what is there."""

import itertools
from typing import Any

import pytest

from groundswell.access.principal import Role
from groundswell.api import many
from groundswell.audit import entries
from groundswell.errors import ConflictError
from tests.support.world import BASE, World, ref, registration
from tests.unit.api.conftest import Api, sent, token

ADDRESS = "/lineage/register"


def image(name: str, base: str = BASE, **changes: Any) -> dict[str, Any]:
    return {"name": name, **sent(dockerfile_content=f"FROM {base}\n", **changes)}


def names(world: World) -> list[str]:
    return [item.name for item in world.app.catalog.registrations()]


def test_they_are_registered_together(api: Api, world: World) -> None:
    body = {"images": [image("app", ref("top")), image("top")], "reason": " first "}
    dry = api.post(ADDRESS, json={**body, "dry_run": True}).json()
    assert names(world) == []
    done = api.post(ADDRESS, json=body).json()
    assert dry == {**done, "dry_run": True}
    assert (done["images"], done["bases_not_read"]) == (2, [])
    assert [(each["image"], each["new"], each["action"]) for each in done["changes"]] == [
        ("app", True, "registered"),
        ("top", True, "registered"),
    ]
    assert names(world) == ["app", "top"]
    (entry,) = (each for each in entries(world.app.store) if each["action"] == "register")
    assert (entry["who"], entry["why"], entry["subject"]) == (api.who, "first", "app, top")
    changed = {**body, "images": [image("app", ref("top"), owner="shop"), image("top")]}
    (change,) = api.post(ADDRESS, json=changed).json()["changes"]
    assert (change["image"], change["fields"]) == ("app", {"owner": {"before": "", "after": "shop"}})
    assert api.post(ADDRESS, json=changed).json()["changes"] == []


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        (image("bad", tags=[]), "#/images/1/tags"),
        (image("BAD"), "#/images/1/name"),
        (image("good"), "#/images/1/name"),
        ({**image("bad"), "colour": "red"}, "#/images/1/colour"),
        (image("bad", target="nope"), "#/images/1/dockerfile_content"),
        (image("bad", dockerfile="../Dockerfile"), "#/images/1/dockerfile"),
        (image("bad", source={"git": "https://git.example.com/x.git", "path": ".."}), "#/images/1/source/path"),
        ({"name": "bad"}, "#/images/1"),
    ],
)
def test_one_that_is_wrong_refuses_all(api: Api, world: World, wrong: dict[str, Any], pointer: str) -> None:
    answer = api.post(ADDRESS, json={"images": [image("good"), wrong]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert names(world) == []


def test_a_circle_refuses_all(api: Api, world: World) -> None:
    circle = [image("a", ref("b")), image("b", ref("a")), image("c")]
    for dry_run in (True, False):
        answer = api.post(ADDRESS, json={"images": circle, "dry_run": dry_run})
        assert answer.status_code == 409
        assert answer.json()["type"].endswith("contradiction")
    assert names(world) == []


def test_a_registrar_registers_all_or_none(api: Api, world: World) -> None:
    text = token(world, Role.REGISTRAR, teams=["shop"])
    own, theirs = image("own", owner="shop"), image("theirs", owner="bank")
    assert api.post(ADDRESS, token=text, json={"images": [own, theirs]}).status_code == 403
    loose = image("loose", owner="shop", gate={"os": "none"})
    for dry_run in (True, False):
        refused = api.post(ADDRESS, token=text, json={"images": [own, loose], "dry_run": dry_run})
        assert refused.status_code == 403
        assert "loose" in refused.json()["detail"]
    assert names(world) == []
    assert api.post(ADDRESS, json={"images": [theirs]}).status_code == 200
    taken = image("own", owner="shop", repository="theirs", tags=["9"])
    assert api.post(ADDRESS, token=text, json={"images": [taken]}).status_code == 403
    assert api.post(ADDRESS, token=text, json={"images": [image("theirs", owner="shop")]}).status_code == 403
    assert api.post(ADDRESS, token=text, json={"images": [own, image("more", owner="shop")]}).status_code == 200
    assert names(world) == ["more", "own", "theirs"]
    for wanted, status in ((["own", "theirs"], 403), (["own", "nobody"], 404), (["own", "more"], 200)):
        answer = api.post("/lineage/unregister", token=text, json={"images": wanted, "reason": "old"})
        assert answer.status_code == status
    assert names(world) == ["theirs"]


def test_whose_it_is_may_not_change_meanwhile(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    text = token(world, Role.REGISTRAR, teams=["shop"])
    own = image("own", owner="shop")
    assert api.post(ADDRESS, token=text, json={"images": [own]}).status_code == 200
    catalog, real = world.app.catalog, world.app.catalog.register

    def slow(*args: Any, **rest: Any) -> Any:
        monkeypatch.setattr(catalog, "register", real)
        api.post(ADDRESS, json={"images": [image("own", owner="bank")]})
        return real(*args, **rest)

    monkeypatch.setattr(catalog, "register", slow)
    assert api.post(ADDRESS, token=text, json={"images": [{**own, "tags": ["2"]}]}).status_code == 409
    assert catalog.registration("own").owner == "bank"


def test_an_admin_is_the_last_one(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tries = world.app.catalog.register, itertools.count()

    def busy(*args: Any, **rest: Any) -> Any:
        if next(tries) == 0:
            raise ConflictError("somebody was faster")
        return real(*args, **rest)

    monkeypatch.setattr(world.app.catalog, "register", busy)
    assert api.post(ADDRESS, json={"images": [image("top")]}).status_code == 200


def test_sent_again_it_is_told_the_same(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    body, once = {"images": [image("top"), image("app")]}, {"Idempotency-Key": "a"}
    first = api.post(ADDRESS, json=body, headers=once)
    again = api.post(ADDRESS, json=body, headers=once)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    monkeypatch.setattr(many, "_KEPT", 10)
    body, once = {"images": [image("other")]}, {"Idempotency-Key": "b"}
    (change,) = api.post(ADDRESS, json=body, headers=once).json()["changes"]
    assert change["fields"]
    assert api.post(ADDRESS, json=body, headers=once).json()["changes"] == [{**change, "fields": {}}]


def test_they_are_unregistered_together(api: Api, world: World) -> None:
    world.register(registration("top", BASE), registration("mid", ref("top")), registration("app", ref("mid")))
    body = {"images": ["top", "mid"], "reason": " retired "}
    assert api.post("/lineage/unregister", json=body).json() == {
        "unregistered": ["mid", "top"],
        "left_standing": {"top": [], "mid": ["app"]},
    }
    assert names(world) == ["app"]
    entry = next(each for each in entries(world.app.store) if each["action"] == "unregister")
    assert (entry["who"], entry["why"]) == (api.who, "retired")


def test_the_graph(api: Api, world: World) -> None:
    world.register(
        registration("top", BASE, owner="bank"),
        registration("app", ref("top"), owner="shop", labels={"tier": "gold"}),
    )
    everything = {
        "nodes": [BASE, "app", "top"],
        "edges": [
            {"base": BASE, "image": "top", "kind": "runtime", "pinned": False},
            {"base": "top", "image": "app", "kind": "runtime", "pinned": False},
        ],
    }
    assert api.get("/lineage/graph").json() == everything
    one = {"nodes": ["app", "top"], "edges": everything["edges"][1:]}
    for query in ("owner=shop", "label=tier%3Dgold", "image=app"):
        assert api.get(f"/lineage/graph?{query}").json() == one
    assert api.get("/lineage/graph?image=nobody").status_code == 404
    assert api.get("/lineage/graph?label=x").status_code == 422


def test_with_more_slots_a_cascade_is_over_sooner(api: Api, world: World) -> None:
    world.register(*(registration(f"app{number}", BASE) for number in range(8)))
    seconds = [
        api.get(f"/impact?reference={BASE}&slots={slots}").json()["estimated_makespan_seconds"] for slots in (1, 8)
    ]
    assert seconds[0] == 8 * seconds[1] > 0
