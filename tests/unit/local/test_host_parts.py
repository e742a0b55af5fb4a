"""The host's parts: schedules, routes, host.json, and the queue listener on queues that misbehave."""

import asyncio
import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import InputError, NotFoundError, TemporaryError
from groundswell.local.host import config, protos, routes
from groundswell.local.host.queues import Listener
from groundswell.local.host.timers import Schedule
from groundswell.local.host.worker import Function, Outcome
from groundswell.store.port import Message
from groundswell.store.sqlite import SqliteStore


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("expression", "after", "following"),
    [
        ("0 * * * * *", "2026-01-01T00:00:00", "2026-01-01T00:01:00"),
        ("* * * * *", "2026-01-01T00:00:30", "2026-01-01T00:01:00"),
        ("30 */5 * * * *", "2026-01-01T00:05:30", "2026-01-01T00:10:30"),
        ("0 0 6 * * mon-fri", "2026-11-27T07:00:00", "2026-11-30T06:00:00"),
        ("0 0 0 29 feb *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 10-40/10 8,20 * * *", "2026-01-01T08:40:00", "2026-01-01T20:10:00"),
        ("5/20 0 0 * * *", "2026-01-01T00:00:05", "2026-01-01T00:00:25"),
        ("0 0 0 * 12 0", "2026-12-01T00:00:00", "2026-12-06T00:00:00"),
        ("0 30 9 1 * *", "2026-12-01T09:30:00", "2027-01-01T09:30:00"),
    ],
)
def test_schedules(expression: str, after: str, following: str) -> None:
    assert Schedule(expression).next(at(after)) == at(following)


@pytest.mark.parametrize(
    "expression", ["", "* * *", "60 * * * * *", "a * * * * *", "0 0 0 0 * *", "5-1 * * * * *", "*/0 * * * * *"]
)
def test_no_schedules(expression: str) -> None:
    with pytest.raises(InputError):
        Schedule(expression)


def test_a_schedule_that_never_comes() -> None:
    with pytest.raises(InputError, match="never comes"):
        Schedule("0 0 0 31 2 *").next(at("2026-01-01T00:00:00"))


def function(**trigger: Any) -> Function:
    return Function(id="1", name=trigger.pop("name", "f"), trigger={"type": "httpTrigger", **trigger})


def test_the_most_special_route_wins() -> None:
    table = sorted(
        (
            routes.route(function(name=name, route=route, methods=methods), "")
            for name, route, methods in (
                ("all", "{*rest}", None),
                ("one", "a/{id}", None),
                ("number", "a/{id:int}/b", ["GET"]),
                ("fixed", "a/b", None),
                ("maybe", "m/{x?}", None),
            )
        ),
        key=lambda route: route.rank,
    )

    def found(method: str, path: str) -> tuple[str, dict[str, str]] | None:
        hit = routes.find(table, method, path)
        return (hit[0].function.name, hit[1]) if hit else None

    assert found("GET", "/a/b") == ("fixed", {})
    assert found("GET", "/A/B/") == ("fixed", {})
    assert found("GET", "/a/x.y") == ("one", {"id": "x.y"})
    assert found("GET", "/a/7/b") == ("number", {"id": "7"})
    assert found("POST", "/a/7/b") == ("all", {"rest": "a/7/b"})
    assert found("GET", "/m") == ("maybe", {})
    assert found("GET", "/m/1") == ("maybe", {"x": "1"})


def test_host_json(tmp_path: Path) -> None:
    file = tmp_path / "host.json"
    file.write_text('{"version": "2.0"}')
    read = config.read(tmp_path)
    assert (read.queues.batch, read.queues.threshold, read.queues.max_dequeue, read.route_prefix) == (
        16,
        8,
        5,
        "api",
    )
    assert (read.queues.retry, read.queues.max_poll, read.timeout) == (0.0, 60.0, 1800.0)
    file.write_text('{"functionTimeout": "-1", "extensions": {"queues": {"visibilityTimeout": "1.02:03:04.5"}}}')
    read = config.read(tmp_path)
    assert (read.timeout, read.queues.retry) == (None, 93784.5)
    for bad in ("{", '{"functionTimeout": "soon"}', '{"extensions": {"queues": {"messageEncoding": "none"}}}'):
        file.write_text(bad)
        with pytest.raises(InputError, match=r"host\.json"):
            config.read(tmp_path)


def test_the_products_host_json_is_one_the_host_reads() -> None:
    read = config.read(Path(__file__).parents[3])
    assert read.route_prefix == ""
    assert read.queues.retry > 0  # else a failing message would come back at once, again and again


def test_protos_refuse_what_they_do_not_have() -> None:
    with pytest.raises(ValueError, match="has no field nope"):
        protos.TypedData(nope=1)
    assert protos.TypedData(string="").WhichOneof("data") == "string"
    assert protos.TypedData().WhichOneof("data") is None
    with pytest.raises(AttributeError, match="has no field x"):
        _ = protos.TypedData().x


class Flaky(SqliteStore):
    """A store that fails now and then."""

    troubles = 0
    lost = False

    def receive(self, queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Message]:
        if self.troubles:
            self.troubles -= 1
            raise TemporaryError("away")
        return super().receive(queue, limit=limit, lease=lease)

    def delete(self, queue: str, message: Message) -> None:
        if self.lost:
            raise NotFoundError("the lease was lost")
        super().delete(queue, message)


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    store = Flaky(tmp_path / "s.db")
    yield store
    store.close()


async def serve(store: Flaky, invoke: Any, done: Any, *, lease: float = 600.0, **limits: Any) -> None:
    trigger = function(type="queueTrigger", queueName="qqq")
    with ThreadPoolExecutor(4) as threads:
        listener = Listener(trigger, store, config.Queues(**limits), invoke, threads=threads, lease=lease)
        task = asyncio.create_task(listener.run())
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.01)
            listener.stop()
            await task


def test_no_more_are_in_hand_than_allowed(store: Flaky) -> None:
    for number in range(30):
        store.send("qqq", str(number))
    now, most, handled = 0, 0, []

    async def invoke(_: Function, data: Any, __: dict[str, Any]) -> Outcome:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        handled.append(data.string)
        return Outcome(ok=True)

    asyncio.run(serve(store, invoke, lambda: len(handled) == 30, batch=4, threshold=2))
    assert most <= 6
    assert store.depth("qqq") == 0


def test_trouble_with_the_store_is_waited_out(store: Flaky) -> None:
    store.send("qqq", "a")
    store.troubles = 1
    handled: list[str] = []

    async def invoke(_: Function, data: Any, __: dict[str, Any]) -> Outcome:
        handled.append(data.string)
        return Outcome(ok=True)

    asyncio.run(serve(store, invoke, lambda: bool(handled)))
    assert handled == ["a"]


def test_a_lost_lease_stops_nothing(store: Flaky, caplog: pytest.LogCaptureFixture) -> None:
    store.send("qqq", "a")
    store.lost = True
    handled: list[str] = []

    async def invoke(_: Function, data: Any, __: dict[str, Any]) -> Outcome:
        handled.append(data.string)
        return Outcome(ok=True)

    asyncio.run(serve(store, invoke, lambda: "lease lost" in caplog.text))
    assert handled == ["a"]


def test_the_lease_of_a_long_one_is_renewed(store: Flaky) -> None:
    store.send("qqq", "a")
    handled: list[int] = []

    async def invoke(_: Function, __: Any, metadata: dict[str, Any]) -> Outcome:
        handled.append(json.loads(metadata["DequeueCount"].json))
        await asyncio.sleep(0.7)
        return Outcome(ok=True)

    asyncio.run(serve(store, invoke, lambda: store.depth("qqq") == 0, lease=0.4))
    assert handled == [1]
