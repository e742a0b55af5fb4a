"""What goes wrong on our side: how it is told, and that it tells nothing it should not."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from groundswell.api.guard import Guard
from groundswell.api.problems import KINDS
from groundswell.errors import ConflictError, GroundswellError, PermanentError, TemporaryError
from tests.support.asgi import Client
from tests.support.world import World
from tests.unit.api.conftest import Api, sent

WEB = "/lineage/images/shop/web"
SECRET = "AccountKey=abc"


def broken(world: World, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    vars(world.app.store).update(get=fail, scan=fail)


@pytest.mark.parametrize(("delay", "seconds"), [(5.0, "5"), (0.2, "1"), (30.5, "31")])
def test_a_store_that_is_away(
    api: Api, world: World, caplog: pytest.LogCaptureFixture, delay: float, seconds: str
) -> None:
    broken(world, TemporaryError("table lineage: Azure Storage answered 503", delay=delay))
    for answer in (
        api.get(WEB),
        api.get("/lineage/images"),
        api.put(WEB, json=sent()),
        api.delete(f"{WEB}?reason=old"),
        api.get("/impact?reference=a"),
        api.get(f"{WEB}/history"),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, seconds)
        assert answer.json()["type"] == "https://groundswell.dev/problems/unavailable"
    assert {record.levelno for record in caplog.records if record.name.startswith("groundswell")} == {
        logging.WARNING
    }


@pytest.mark.parametrize(
    "error", [RuntimeError(SECRET), KeyError(SECRET), PermanentError(SECRET), GroundswellError(SECRET)]
)
def test_a_fault_of_ours(api: Api, world: World, caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    broken(world, error)
    answer = api.get(WEB)
    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["cache-control"] == "private, no-cache"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert answer.json()["instance"] == f"urn:uuid:{vars(record)['request']}"
    assert (vars(record)["method"], vars(record)["path"]) == ("GET", "/api/v1/lineage/images/shop/web")
    assert record.exc_info
    assert record.exc_info[1] is error


def test_writers_that_do_not_come_to_an_end(api: Api, world: World) -> None:
    def always(*_: object) -> list[str]:
        raise ConflictError("somebody else wrote first")

    vars(world.app.store).update(commit=always)
    answer = api.put(WEB, json=sent(), headers={"If-None-Match": "*"})
    assert answer.status_code == 412


def test_an_image_that_is_gone_again_at_once(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> list[str]:
        world.app.catalog.unregister(["shop/web"], who="bob", why="no")
        return []

    monkeypatch.setattr("groundswell.api.registering.seed", leave)
    answer = api.put(WEB, json=sent())
    assert (answer.status_code, answer.json()["type"]) == (409, "https://groundswell.dev/problems/conflict")
    assert "somebody else unregistered shop/web" in answer.json()["detail"]


def test_a_fault_in_the_middle_of_an_answer_is_the_servers() -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        Client(Guard(half)).get("/")


def test_what_is_no_request_passes_the_guard() -> None:
    passed: list[Scope] = []

    async def note(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope)

    async def nothing(*_: object) -> Any:
        raise AssertionError("nothing is sent or received")

    asyncio.run(Guard(note)({"type": "lifespan"}, nothing, nothing))
    assert passed == [{"type": "lifespan"}]


def test_every_problem_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in KINDS.values()]
    assert len(set(names)) == len(names)
