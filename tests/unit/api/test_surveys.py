"""What is stale, in pages and remembered for a minute, and what a registry tells of who stands on whom."""

from typing import Any

import pytest

from groundswell.api import surveys
from groundswell.api.surveys import Surveys
from groundswell.errors import TemporaryError
from groundswell.registry.external import ExternalRegistry
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload
from tests.unit.api.conftest import Api

NAMES = [f"app{number}" for number in range(5)]


class Hands:
    """A clock that is turned by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands(api: Api, world: World) -> Hands:
    """Five stale images of two teams, two of them running."""
    world.register(
        registration("top", BASE, owner="bank"),
        *(
            registration(
                name,
                ref("top"),
                owner="shop" if number % 2 else "bank",
                deployments=[workload(name)] if number in (1, 2) else [],
            )
            for number, name in enumerate(NAMES)
        ),
    )
    world.drive()
    world.broken = {"top"}
    world.push_base()
    world.drive()
    hands = Hands()
    api.state.surveys = Surveys(world.app, hands, patience=0.0)
    return hands


def pages(api: Api, query: str) -> tuple[list[str], int]:
    seen, cursor, count = [], "", 0
    while cursor is not None:
        page = api.get(f"/stale?{query}&cursor={cursor}").json()
        seen += [item["image"] for item in page["images"]] + [item["workload"] for item in page["workloads"]]
        cursor, count = page["next_cursor"], count + 1
    return seen, count


@pytest.mark.usefixtures("hands")
def test_in_pages(api: Api) -> None:
    running = [str(workload("app1")), str(workload("app2"))]
    assert pages(api, "limit=3") == ([*NAMES, "top", *running], 3)
    assert pages(api, "limit=3&owner=shop") == (["app1", "app3", running[0]], 1)
    assert pages(api, "owner=nobody") == ([], 1)


def test_for_a_minute_the_same_is_told(api: Api, world: World, hands: Hands) -> None:
    first = api.get("/stale").json()
    world.broken = set()
    world.push_base("sha256:base2")
    world.drive()
    hands.now = surveys.REMEMBERED - 1
    assert api.get("/stale").json() == first
    hands.now += 1
    after = api.get("/stale").json()
    assert after["images"] == []
    assert after["looked_at"] > first["looked_at"]


@pytest.mark.usefixtures("hands")
def test_what_could_not_be_looked_at_is_in_the_first_page(api: Api, world: World) -> None:
    del world.deployer.running[str(workload("app1"))]
    page = api.get("/stale?limit=2").json()
    assert page["unread"] == [f"{workload('app1')}: {workload('app1')} does not exist"]
    assert api.get(f"/stale?limit=2&cursor={page['next_cursor']}").json()["unread"] == []


@pytest.mark.usefixtures("hands")
def test_strangers_of_a_registry(api: Api, world: World) -> None:
    old = world.registry.history[0][1]
    world.registry.put(f"{HOST}/stranger:1", image_of([*world.registry.images[old].platforms[0].diff_ids, "own"]))
    assert f"{HOST}/stranger:1" not in pages(api, "limit=100")[0]
    assert f"{HOST}/stranger:1" in pages(api, f"registry={HOST}")[0]
    assert f"{HOST}/stranger:1" not in pages(api, f"registry={HOST}&owner=shop")[0]


@pytest.mark.usefixtures("hands")
def test_a_registry_is_discovered(api: Api) -> None:
    told = api.get(f"/discover?registry={HOST}&repository=app*&tags=1").json()
    assert told["registry"] == HOST
    assert [item["image"] for item in told["images"]] == [ref(name) for name in NAMES]
    assert told["images"][0]["stands_on"][0]["base"] == ref("top")
    assert {item["image"] for item in told["registered"]} >= set(NAMES)


@pytest.mark.usefixtures("hands")
def test_one_at_a_time(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    repositories = world.registry.repositories

    def meanwhile(registry: str) -> Any:
        if not asked:
            asked.append(None)
            asked.extend(api.get(path) for path in ("/stale", f"/discover?registry={HOST}"))
        return repositories(registry)

    monkeypatch.setattr(world.registry, "repositories", meanwhile)
    assert api.get(f"/discover?registry={HOST}").status_code == 200
    assert [answer.status_code for answer in asked[1:]] == [503, 503]
    assert all(answer.headers["Retry-After"] == "5" for answer in asked[1:])
    assert api.get("/stale").status_code == 200


def test_what_takes_too_long_is_to_be_narrowed(
    api: Api, world: World, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    repositories = world.registry.repositories

    def slow(registry: str) -> Any:
        hands.now += surveys.LONGEST + 1
        return repositories(registry)

    monkeypatch.setattr(world.registry, "repositories", slow)
    answer = api.get(f"/discover?registry={HOST}")
    assert answer.status_code == 422
    assert "after 200 s only 1 of" in answer.json()["errors"][0]["detail"]
    assert api.get("/stale").status_code == 200  # the next one may


@pytest.mark.parametrize("address", ["/discover?registry=other.example.com", "/stale?registry=other.example.com"])
def test_no_registry_is_listed_that_is_somebody_elses(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(world.registry, "repositories", ExternalRegistry({}).repositories)
    answer = api.get(address)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["parameter"] == "registry"
    assert "name it in GROUNDSWELL_REGISTRIES" in error["detail"]


@pytest.mark.parametrize("address", ["/discover?registry=..", "/stale?registry=.."])
def test_what_is_no_registry_is_told_at_its_place(api: Api, address: str) -> None:
    answer = api.get(address)
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == ["registry"]


@pytest.mark.usefixtures("hands")
def test_no_such_repository_and_a_registry_that_is_away(api: Api, world: World) -> None:
    assert api.get(f"/discover?registry={HOST}&repository=no*").status_code == 404
    world.registry.down = TemporaryError("away", delay=0.0)
    assert api.get(f"/discover?registry={HOST}").status_code == 503


@pytest.mark.usefixtures("hands")
def test_what_is_remembered_is_told_while_somebody_discovers(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, asked = api.get("/stale").json(), []
    repositories = world.registry.repositories

    def meanwhile(registry: str) -> Any:
        asked.append(api.get("/stale").json())
        return repositories(registry)

    monkeypatch.setattr(world.registry, "repositories", meanwhile)
    assert api.get(f"/discover?registry={HOST}").status_code == 200
    assert asked == [first]
