"""Failures by cause, comparisons and statistics over the API."""

import pytest

from groundswell.cascade import failures
from tests.support.world import BASE, HOST, World, ref, registration, workload
from tests.unit.api.conftest import Api
from tests.unit.api.test_cascades import pages

OTHER = f"{HOST}/mirror/alpine:3"


@pytest.fixture
def api(world: World) -> Api:
    world.register(
        registration("top", BASE, owner="platform"),
        registration("team/app", ref("top"), owner="shop", deployments=[workload("app")]),
        registration("alone", OTHER, owner="shop"),
    )
    world.drive()
    return Api(world)


def broken(world: World) -> None:
    """One failure that blocks, in a cascade that has ended, and a rejection that blocks nothing."""
    world.broken, world.vulnerable = {"top"}, {"alone"}
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    world.push_base("sha256:x", OTHER)
    world.drive()


def test_nothing_failed(api: Api) -> None:
    assert api.get("/failures").json() == {"groups": [], "next_cursor": None}


def test_failures_by_cause(api: Api, world: World) -> None:
    broken(world)
    first, second = api.get("/failures").json()["groups"]
    assert (first["stage"], first["kind"], first["count"]) == ("build", "failed", 1)
    assert (first["blocks"], first["blocked"]) == (1, ["team/app"])
    assert (first["workloads_not_moved"], first["workloads"]) == (1, ["c/n/deployment/app[app]"])
    assert first["owners"] == ["platform", "shop"]
    (image,) = first["images"]
    assert (image["image"], image["cascade"], image["attempt"]) == ("top", world.cascades[1], 1)
    assert image["at"] == first["last_seen"]
    assert first["replay"]["commands"] == [f"groundswell replay {world.cascades[1]} top --from build --reason TEXT"]
    assert (second["kind"], second["title"], second["blocks"]) == ("rejected", "CVE-1 in p", 0)
    assert second["replay"]["from"] == "build"


def test_the_command_that_is_told_is_one_that_the_rules_allow(api: Api, world: World) -> None:
    broken(world)
    world.broken, world.vulnerable = set(), set()
    for group in api.get("/failures").json()["groups"]:
        for image in group["images"]:
            body = {"image": image["image"], "from": image["from"], "reason": "mended"}
            assert api.post(f"/cascades/{image['cascade']}/replay", json=body).status_code == 200
    world.drive()
    assert api.get("/failures").json()["groups"] == []


def test_pages_and_filters(api: Api, world: World) -> None:
    broken(world)
    everything = api.get("/failures").json()["groups"]
    assert pages(api, "/failures", "groups") == everything
    assert [group["stage"] for group in api.get("/failures?owner=platform").json()["groups"]] == ["build"]
    assert len(api.get("/failures?owner=shop").json()["groups"]) == 2
    assert [group["kind"] for group in api.get(f"/failures?base={OTHER}").json()["groups"]] == ["rejected"]
    assert api.get("/failures?owner=nobody").json()["groups"] == []
    assert api.get("/failures?base=UPPER").json()["errors"][0]["parameter"] == "base"
    assert api.get("/failures?cursor=YQ").json()["errors"][0]["parameter"] == "cursor"


def test_long_lists_are_cut_and_counted(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.api.failures.SHOWN", 2)
    assert failures.SHOWN > 2
    world.register(*(registration(f"many/i{number}", BASE) for number in range(5)))
    world.drive()
    world.broken = {f"many/i{number}" for number in range(5)}
    world.push_base()
    world.drive()
    (group,) = api.get("/failures").json()["groups"]
    assert (group["count"], len(group["images"])) == (5, 2)
    assert group["replay"]["commands"] == [
        f"groundswell replay --failed {world.cascade} --from build --reason TEXT"
    ]


def test_a_comparison(api: Api, world: World) -> None:
    world.push_base()
    world.drive()
    world.broken = {"top"}
    world.push_base("sha256:base2")
    world.drive()
    newer, older = world.cascades
    told = api.get(f"/cascades/{newer}/compare/top").json()
    assert told["good"]["cascade"] == older
    assert told["good"]["at"].endswith("Z")
    assert told["bases"]["bases"][0]["changed"]
    assert told["log"]["tail"] == ["step 1", "boom"]
    blocked = api.get(f"/cascades/{newer}/compare/team/app").json()
    assert (blocked["status"], blocked["log"]["tail"]) == ("blocked", None)
    assert api.get(f"/cascades/{newer}/compare/alone").status_code == 404
    assert api.get("/cascades/000/compare/top").status_code == 404
    first = api.get(f"/cascades/{older}/compare/top").json()
    assert first["good"] is None


def test_statistics(api: Api, world: World) -> None:
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    months = api.get("/statistics").json()["months"]
    assert [month["month"] for month in months][:2] == ["2027-01", "2026-12"]
    assert len(months) == 12
    now = months[0]
    assert (now["cascades"], now["images"], now["ended"], now["success_rate"]) == (1, 2, {"done": 2}, 1.0)
    took = now["push_to_rolled_out"]
    assert (took["cascades"]["count"], took["images"]["count"]) == (1, 1)
    (mine,) = api.get("/statistics?months=1&owner=platform").json()["months"]
    assert (mine["images"], mine["push_to_rolled_out"]["cascades"]["count"]) == (1, 0)
    assert api.get("/statistics?months=61").json()["errors"][0]["parameter"] == "months"
