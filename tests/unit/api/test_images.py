"""Images over the API: registered, shown, listed, unregistered, and what is told of it."""

import json
from pathlib import Path
from typing import Any

from groundswell.audit import entries
from groundswell.errors import TemporaryError
from groundswell.lineage.checkout import read
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload
from tests.unit.api.conftest import Api, sent

WEB = "/lineage/images/shop/web"
DEPLOYMENT = {"cluster": "c", "namespace": "n", "kind": "Deployment", "name": "web", "container": "app"}


def put(api: Api, name: str, *, query: str = "", **changes: Any) -> Any:
    answer = api.put(f"/lineage/images/{name}{query}", json=sent(**changes))
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def registered(world: World) -> list[Any]:
    """The audit trail's entries of registrations."""
    return [entry for entry in entries(world.app.store) if entry["action"] == "register"]


def test_a_pipeline_has_no_agent_pool(api: Api, world: World) -> None:
    """As in a lineage file, whose schema says so."""
    both = sent(builder="team", agent_pool="fast")
    fault = {"detail": "only ACR Tasks has agent pools; take out agent_pool, or builder"}
    one = api.put(WEB, json=both)
    assert (one.status_code, one.json()["errors"]) == (422, [{"pointer": "#/agent_pool", **fault}])
    many = api.post("/lineage/register", json={"images": [{"name": "shop/web", **both}]})
    assert (many.status_code, many.json()["errors"]) == (422, [{"pointer": "#/images/0/agent_pool", **fault}])
    assert registered(world) == []
    for changes in ({"builder": "team", "agent_pool": None}, {"builder": None, "agent_pool": "fast"}):
        shown = put(api, "shop/web", **changes)["image"]
        assert {name: shown[name] for name in changes} == changes


def test_a_new_image(api: Api, world: World) -> None:
    answer = api.put(f"{WEB}?reason=new", json=sent(owner="shop", labels={"tier": "gold"}))
    assert (answer.status_code, answer.headers["location"]) == (201, "/api/v1/lineage/images/shop/web")
    shown = api.get(WEB)
    assert shown.json() == answer.json()["image"]
    assert shown.headers["etag"] == answer.headers["etag"]
    assert shown.headers["cache-control"] == "private, no-cache"
    assert shown.json() == {
        "name": "shop/web",
        "registry": HOST,
        "repository": "shop/web",
        "tags": ["1"],
        "tag_patterns": [],
        "source": {"git": "https://git.example.com/shop.git", "ref": "main", "path": "."},
        "dockerfile": "Dockerfile",
        "target": None,
        "build_args": {},
        "platforms": ["linux/amd64"],
        "owner": "shop",
        "labels": {"tier": "gold"},
        "gate": {},
        "deployments": [],
        "runtime": BASE,
        "build": [],
        "frontend": None,
        "agent_pool": None,
        "builder": None,
        "approval": None,
        "rings": [],
        "strategy": "rebuild",
    }
    (entry,) = registered(world)
    assert (entry["who"], entry["why"]) == (api.who, "new")
    assert (entry["action"], entry["subject"]) == ("register", "shop/web")


def test_a_client_does_not_choose_who_it_is(api: Api, world: World) -> None:
    forged = {"X-MS-CLIENT-PRINCIPAL-NAME": "ann", "X-MS-CLIENT-PRINCIPAL": "e30=", "X-Forwarded-User": "ann"}
    api.put(WEB, json=sent(), headers=forged)
    assert [entry["who"] for entry in registered(world)] == [api.who]


def test_it_is_what_registration_by_file_makes_of_it(api: Api, world: World, tmp_path: Path) -> None:
    dockerfile = (
        f"# syntax=docker/dockerfile:1\nARG V=0\nFROM alpine AS t\nFROM {HOST}/top:$V\nCOPY --from=t /a /b\n"
    )
    image: dict[str, Any] = {
        "tags": ["1", "latest"],
        "tag_patterns": ["1.*"],
        "repository": "team/web",
        "dockerfile": "docker/Dockerfile",
        "build_args": {"V": "1"},
        "platforms": ["linux/arm64"],
        "owner": "shop",
        "labels": {"tier": "gold"},
        "gate": {"severity": "HIGH", "fixable_only": False},
        "deployments": [DEPLOYMENT],
    }
    folder = tmp_path / "checkout"
    (folder / "apps/web/docker").mkdir(parents=True)
    (folder / "apps/web/docker/Dockerfile").write_text(dockerfile)
    source = {"git": "https://git.example.com/shop.git", "ref": "v1"}
    document = {"name": "shop/web", "path": "apps/web", "registry": HOST, "source": source, **image}
    (folder / "lineage.yaml").write_text(json.dumps({"version": 1, "images": [document]}))
    put(api, "shop/web", source={**source, "path": "apps/web"}, dockerfile_content=dockerfile, **image)
    by_file = read(folder)
    assert by_file == (world.app.catalog.registration("shop/web"),)
    assert (by_file[0].runtime, by_file[0].build) == (f"{HOST}/top:1", ("docker.io/library/alpine:latest",))
    assert world.app.catalog.changes(by_file) == ()


def test_the_same_again_changes_nothing(api: Api, world: World) -> None:
    first = api.put(WEB, json=sent())
    again = api.put(WEB, json=sent())
    assert (again.status_code, again.json()["action"], again.json()["fields"]) == (200, "unchanged", {})
    assert "location" not in again.headers
    assert again.headers["etag"] == first.headers["etag"]
    assert len(list(world.app.catalog.history("shop/web"))) == 1


def test_a_change(api: Api) -> None:
    first = api.put(WEB, json=sent(owner="shop"))
    answer = api.put(WEB, json=sent(source={"git": "https://git.example.com/shop.git", "path": "apps/web"}))
    assert (answer.status_code, answer.json()["action"]) == (200, "changed")
    git = {"git": "https://git.example.com/shop.git", "ref": "main"}
    assert answer.json()["fields"] == {
        "owner": {"before": "shop", "after": ""},  # what is left out takes its default
        "source": {"before": {**git, "path": "."}, "after": {**git, "path": "apps/web"}},
    }
    assert answer.headers["etag"] != first.headers["etag"]
    assert api.get(WEB).json()["source"]["path"] == "apps/web"


def test_a_dry_run_tells_and_does_nothing(api: Api, world: World) -> None:
    told = put(api, "shop/web", query="?dry_run=true", owner="shop")
    assert (told["dry_run"], told["action"], told["image"]["runtime"]) == (True, "registered", BASE)
    assert world.app.catalog.registrations() == ()
    put(api, "shop/web", owner="shop")
    told = put(api, "shop/web", query="?dry_run=true", owner="other")
    assert (told["action"], told["fields"]) == ("changed", {"owner": {"before": "shop", "after": "other"}})
    assert world.app.catalog.registration("shop/web").owner == "shop"


def test_new_bases_are_entered(api: Api, world: World) -> None:
    told = put(api, "shop/web", dockerfile_content=f"FROM {BASE}\nCOPY --from={HOST}/tool:1 /a /b\n")
    assert told["bases_not_read"] == []
    known = world.app.bases.get(BASE)
    assert known is not None
    assert known.digest == world.registry.tags[BASE]
    world.registry.put(BASE, image_of(["sha256:new"]))  # its webhook finds something to compare with
    world.drive()
    assert list(world.states()) == ["shop/web"]


def test_a_base_that_cannot_be_read_is_told_of(api: Api, world: World) -> None:
    world.registry.down = TemporaryError("the registry is away")
    assert put(api, "shop/web")["bases_not_read"] == [f"{BASE}: the registry is away"]
    assert api.get(WEB).status_code == 200


def test_unregistering(api: Api, world: World) -> None:
    put(api, "shop/web")
    world.time += 1
    answer = api.delete(f"{WEB}?reason=retired")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.get(WEB).status_code == 404
    gone = api.delete(f"{WEB}?reason=retired")
    assert (gone.status_code, gone.json()["type"]) == (404, "https://groundswell.dev/problems/not-found")
    newest = next(entry for entry in entries(world.app.store) if entry["action"] == "unregister")
    assert (newest["action"], newest["who"], newest["why"]) == ("unregister", api.who, "retired")


def test_history(api: Api, world: World) -> None:
    world.time = 1_800_000_000.25
    put(api, "shop/web", query="?reason=new")
    put(api, "shop/web", query="?reason=ours", owner="shop")
    api.delete(f"{WEB}?reason=retired")
    lines = api.get(f"{WEB}/history").json()["history"]
    assert [(line["action"], line["who"], line["why"]) for line in lines] == [
        ("unregistered", api.who, "retired"),
        ("changed", api.who, "ours"),
        ("registered", api.who, "new"),
    ]
    assert lines[1]["at"] == "2027-01-15T08:00:00.250Z"
    assert lines[1]["fields"] == {"owner": {"before": "", "after": "shop"}}
    assert lines[2]["fields"]["source"]["after"]["git"] == "https://git.example.com/shop.git"
    assert api.get(f"{WEB}/history?limit=1").json()["history"] == lines[:1]
    assert api.get("/lineage/images/shop/history").status_code == 404


def test_an_image_that_is_called_history(api: Api) -> None:
    put(api, "orders")
    assert "history" in api.get("/lineage/images/orders/history").json()
    put(api, "orders/history")
    image = api.get("/lineage/images/orders/history")
    assert image.json()["name"] == "orders/history"
    assert (
        api.get("/lineage/images/orders/history", headers={"If-None-Match": image.headers["etag"]}).status_code
        == 304
    )
    assert [line["action"] for line in api.get("/lineage/images/orders/history/history").json()["history"]] == [
        "registered"
    ]
    assert api.delete("/lineage/images/orders/history?reason=retired").status_code == 204
    assert "history" in api.get("/lineage/images/orders/history").json()


def names(api: Api, **query: Any) -> list[str]:
    """Every page of a list."""
    found: list[str] = []
    cursor = ""
    while True:
        page = api.get("/lineage/images", params={**query, "cursor": cursor}).json()
        found += [image["name"] for image in page["images"]]
        if page["next_cursor"] is None:
            return found
        assert len(page["images"]) == query["limit"]
        cursor = page["next_cursor"]


def test_lists_in_pages(api: Api, world: World) -> None:
    assert api.get("/lineage/images").json() == {"images": [], "next_cursor": None}
    many = [registration(f"i{n}", BASE, owner=f"o{n % 2}", labels={"a": str(n % 3), "b": "x=y"}) for n in range(9)]
    world.app.catalog.register(many, who="test")
    everything = [item.name for item in many]
    for limit in (1, 4, 8, 9, 10):
        assert names(api, limit=limit) == everything
    assert names(api, limit=2, owner="o1") == ["i1", "i3", "i5", "i7"]
    assert names(api, limit=2, label="a=1") == ["i1", "i4", "i7"]
    assert names(api, limit=2, label=["a=1", "b=x=y"], owner="o1") == ["i1", "i7"]
    assert names(api, limit=2, label=["a=1", "b=x"]) == []
    assert names(api, limit=2, label="c=") == []
    assert names(api, limit=2, prefix="i") == everything
    assert names(api, limit=2, prefix="i1") == names(api, limit=2, prefix="i1", owner="o1") == ["i1"]
    assert names(api, limit=2, prefix="i1", owner="o0") == names(api, limit=2, prefix="j") == []


def test_pages_stay_in_step_while_images_come_and_go(api: Api, world: World) -> None:
    world.app.catalog.register([registration(name, BASE) for name in "bdfh"], who="test")
    page = api.get("/lineage/images?limit=2").json()
    assert [image["name"] for image in page["images"]] == ["b", "d"]
    world.app.catalog.unregister(["d"], who="test", why="gone")
    world.app.catalog.register([registration(name, BASE) for name in "ae"], who="test")
    rest = api.get("/lineage/images", params={"cursor": page["next_cursor"]}).json()
    assert [image["name"] for image in rest["images"]] == ["e", "f", "h"]


def test_impact(api: Api, world: World) -> None:
    world.register(registration("top", BASE), registration("app", ref("top"), deployments=[workload("web")]))
    world.app.durations.learn("c", {"top": 10.0, "app": 20.0})
    found = api.get("/impact", params={"reference": BASE}).json()
    assert [(image["image"], image["waits_for"]) for image in found["images"]] == [("top", []), ("app", ["top"])]
    assert (found["critical_path"], found["estimated_makespan_seconds"]) == (["top", "app"], 30.0)
    assert [target["name"] for target in found["workloads"]] == ["web"]
    assert api.get("/impact?reference=top").json()["base"] == ref("top")
    assert api.get("/impact?reference=docker.io/library/nobody").json()["images"] == []


def test_images_of_a_page_hold_what_each_shows(api: Api) -> None:
    put(api, "shop/web", deployments=[DEPLOYMENT])
    assert api.get("/lineage/images").json()["images"] == [api.get(WEB).json()]
