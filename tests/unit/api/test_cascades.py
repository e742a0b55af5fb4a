"""Cascades over the API: the list, one, its rebuilds, their evidence and logs, and why."""

from dataclasses import replace
from typing import Any

import pytest

from groundswell.api.logs import LogShelf
from groundswell.cascade.retention import Policy, Retention
from groundswell.errors import PermanentError, TemporaryError
from groundswell.settings import AcrRegistry
from tests.support.world import BASE, HOST, World, ref, registration
from tests.unit.api.conftest import Api

OTHER = f"{HOST}/mirror/alpine:3"


@pytest.fixture
def api(world: World) -> Api:
    world.register(registration("top", BASE), registration("team/app", ref("top")), registration("alone", OTHER))
    world.drive()
    return Api(world)


def archive(world: World) -> None:
    """Move what has ended into the archive, but for the newest, which stays."""
    world.app.sweep.cascades()
    world.time += 86_400
    app = world.app
    Retention(
        records=app.engine.records,
        archive=app.archive,
        yearbook=app.yearbook,
        failures=app.failures,
        bases=app.bases,
        intake=app.intake,
        catalog=app.catalog,
        policy=Policy(cascades=1.0, pushes=1e9, archive=True, archived=1e9),
        clock=app.clock,
    ).run()


def pages(api: Api, path: str, name: str) -> list[Any]:
    """Everything in a list, a page of one at a time."""
    found, cursor = [], ""
    for _ in range(50):
        page = api.get(f"{path}{'&' if '?' in path else '?'}limit=1&cursor={cursor}").json()
        assert len(page[name]) <= 1
        found += page[name]
        if page["next_cursor"] is None:
            return found
        cursor = page["next_cursor"]
    raise AssertionError("it does not end")


def test_nothing_yet(api: Api) -> None:
    assert api.get("/cascades").json() == {"cascades": [], "next_cursor": None}


def test_the_list(api: Api, world: World) -> None:
    for layer, reference in (("sha256:1", BASE), ("sha256:2", OTHER), ("sha256:3", BASE)):
        world.push_base(layer, reference)
        world.drive()
    world.broken = {"top"}
    world.takes["top"] = 1000
    world.push_base("sha256:4")
    world.drive(until=20)
    listed = api.get("/cascades").json()["cascades"]
    assert [item["cascade"] for item in listed] == world.cascades
    assert [item["phase"] for item in listed] == ["running", "ended", "ended", "ended"]
    assert [item["cascade"] for item in pages(api, "/cascades", "cascades")] == world.cascades
    running = api.get("/cascades?phase=running").json()["cascades"]
    assert [item["cascade"] for item in running] == world.cascades[:1]
    assert [item["base"] for item in pages(api, f"/cascades?base={OTHER}", "cascades")] == [OTHER]
    assert api.get(f"/cascades?base={HOST}/none").json()["cascades"] == []
    assert api.get("/cascades?base=UPPER").json()["errors"][0]["parameter"] == "base"
    for cursor in ("YQ", "MDAwMDA"):
        assert api.get(f"/cascades?cursor={cursor}").json()["errors"][0]["parameter"] == "cursor"


def test_one_and_its_rebuilds(api: Api, world: World) -> None:
    digest = world.push_base()
    world.drive()
    shown = api.get(f"/cascades/{world.cascade}").json()
    assert (shown["base"], shown["digest"], shown["images"], shown["open"]) == (BASE, digest, 2, 0)
    assert (shown["phase"], shown["archived"], shown["pinned"]) == ("ended", False, [])
    assert shown["started_at"].startswith("2027-01-15T08:00:")
    path = f"/cascades/{world.cascade}/rebuilds"
    rows = api.get(path).json()["rebuilds"]
    assert [(row["image"], row["status"]) for row in rows] == [("team/app", "done"), ("top", "done")]
    assert pages(api, path, "rebuilds") == rows
    assert api.get(f"{path}?status=failed&status=rejected").json() == {"rebuilds": [], "next_cursor": None}
    assert [row["image"] for row in pages(api, f"{path}?status=done", "rebuilds")] == ["team/app", "top"]


def test_a_rebuild_with_its_evidence(api: Api, world: World) -> None:
    digest = world.push_base()
    world.drive()
    shown = api.get(f"/cascades/{world.cascade}/rebuilds/top").json()
    assert (shown["status"], shown["run"], shown["built_on"]) == ("done", "r0", {BASE: digest})
    assert shown["proof"]["runtime"]["proven"]
    assert shown["verdict"]["passed"]
    assert [move["status"] for move in shown["moves"]][-1] == "done"
    assert api.get(f"/cascades/{world.cascade}/rebuilds/team/app").json()["image"] == "team/app"
    assert api.get(f"/cascades/{world.cascade}/rebuilds/alone").status_code == 404
    assert api.get("/cascades/000/rebuilds/top").status_code == 404


def test_why(api: Api, world: World) -> None:
    world.broken = {"top"}
    world.push_base()
    world.drive()
    told = api.get(f"/cascades/{world.cascade}/why/team/app").json()
    assert "blocked" in told["told"]
    assert told["pushes"][0]["at"].endswith("Z")
    assert api.get("/why/team/app").json() == told
    assert "none of the newest" in api.get("/why/alone").json()["told"]
    assert api.get("/why/nobody").status_code == 404


def test_a_log_in_pages(api: Api, world: World) -> None:
    world.builder.log_text = "one\n\x1b[31mtwo\x1b[0m\nthree\n"
    world.takes["top"] = 2
    world.push_base()
    assert api.get("/cascades/000/logs/top").status_code == 404
    world.drive(until=3)
    path = f"/cascades/{world.cascade}/logs/top"
    first = api.get(f"{path}?limit=8").json()
    assert first == {"run": "r0", "offset": 0, "text": "one\ntwo\n", "next_offset": 8, "complete": False}
    rest = api.get(f"{path}?offset=8").json()
    assert (rest["text"], rest["next_offset"], rest["complete"]) == ("three\n", 14, False)
    none = api.get(f"/cascades/{world.cascade}/logs/team/app")
    assert (none.status_code, "no build" in none.json()["detail"]) == (404, True)
    world.drive()
    assert api.get(f"{path}?offset=8").json()["complete"]
    assert not api.get(f"{path}?limit=8").json()["complete"]
    past = api.get(f"{path}?offset=99").json()
    assert (past["text"], past["next_offset"], past["complete"]) == ("", 14, True)


def test_a_log_is_fetched_once_for_all_its_pages(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.push_base()
    world.drive()
    asked: list[str] = []

    def log(registry: str, run: str) -> str:
        asked.append(run)
        return "x" * 100

    monkeypatch.setattr(world.builder, "log", log)
    for offset in range(0, 100, 10):
        assert api.get(f"/cascades/{world.cascade}/logs/top?offset={offset}&limit=10").json()["text"] == "x" * 10
    assert asked == ["r0"]


def test_a_log_that_cannot_be_read_now(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.push_base()
    world.drive()

    def away(*_: object) -> str:
        raise TemporaryError("ACR is away", delay=7)

    monkeypatch.setattr(world.builder, "log", away)
    answer = api.get(f"/cascades/{world.cascade}/logs/top")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize(
    "why",
    [
        f"registry {HOST} has no entry in the setting GROUNDSWELL_REGISTRIES, which says where its ACR Tasks are",
        "the log of run r0 cannot be read: its storage answers 404",
    ],
)
def test_a_log_that_can_never_be_read_is_told_so(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    world.push_base()
    world.drive()

    def gone(*_: object) -> str:
        raise PermanentError(why)

    monkeypatch.setattr(world.builder, "log", gone)
    answer = api.get(f"/cascades/{world.cascade}/logs/top")
    told = answer.json()
    assert (answer.status_code, told["type"].rpartition("/")[2], told["detail"]) == (409, "unreadable", why)
    world.app.settings = replace(
        world.app.settings, registries={HOST: AcrRegistry(subscription="s", resource_group="g", name="r")}
    )
    run = api.get("/runs/r0/log")
    assert (run.status_code, run.json()["detail"]) == (409, why)


def test_what_the_archive_keeps(api: Api, world: World) -> None:
    for layer in ("sha256:1", "sha256:2", "sha256:3"):
        world.push_base(layer)
        world.drive()
    newest, *before = world.cascades
    archive(world)
    assert [item["cascade"] for item in api.get("/cascades").json()["cascades"]] == [newest]
    listed = pages(api, "/cascades?archived=true", "cascades")
    assert [(item["cascade"], item["archived"]) for item in listed] == [(cascade, True) for cascade in before]
    path = f"/cascades/{before[0]}"
    assert api.get(path).json()["archived"]
    assert [row["image"] for row in pages(api, f"{path}/rebuilds", "rebuilds")] == ["team/app", "top"]
    assert api.get(f"{path}/rebuilds/top").json()["status"] == "done"
    assert api.get(f"{path}/rebuilds/none").status_code == 404
    assert api.get(f"{path}/logs/top").status_code == 200
    world.app.catalog.unregister(["top"], who="test", why="test")
    assert api.get(f"{path}/logs/top").status_code == 404
    acted = api.request("POST", f"{path}/replay", json={"image": "top", "reason": "x"})
    assert (acted.status_code, "archive" in acted.json()["detail"]) == (404, True)


def test_few_logs_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def log(registry: str, run: str) -> str:
        asked.append(run)
        return run

    monkeypatch.setattr(world.builder, "log", log)
    now = [0.0]
    shelf = LogShelf(world.app, lambda: now[0])
    for number in range(20):
        assert shelf.text(HOST, f"r{number}", ended=True) == f"r{number}"
    shelf.text(HOST, "r19", ended=True)
    assert len(asked) == 20
    shelf.text(HOST, "r0", ended=True)
    assert asked[20:] == ["r0"]
    now[0] += 3600
    shelf.text(HOST, "r0", ended=True)
    assert asked[21:] == ["r0"]
