"""The host as a whole, with a stand-in for the worker library: what its parts have to do with each other."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from groundswell.errors import InputError
from groundswell.local.host import host as host_module
from groundswell.local.host import queues
from groundswell.local.host.host import Host, Options
from groundswell.local.host.worker import Function, Outcome
from groundswell.store.sqlite import SqliteStore
from tests.support.polling import eventually

HTTP = {"type": "httpTrigger", "name": "req", "route": "send", "authLevel": "anonymous"}
QUEUE = {"type": "queueTrigger", "name": "msg", "queueName": "work", "connection": "GROUNDSWELL_STORE"}

type Act = Callable[[], Awaitable[None]]


class FakeWorker:
    """Runs what the test gives for each function."""

    def __init__(self, acts: dict[str, Act]) -> None:
        self._acts = acts
        self.functions: dict[str, Function] = {}
        self.stopped = False

    def serve(self, name: str, trigger: dict[str, Any]) -> None:
        self.functions[name] = Function(id=name, name=name, trigger=trigger)

    async def start(self) -> None:
        await asyncio.sleep(0)

    def stop(self) -> None:
        self.stopped = True

    async def invoke(self, function: Function, data: Any, metadata: dict[str, Any], *, trace: str = "") -> Outcome:
        await self._acts[function.name]()
        return Outcome(ok=True)


class Bench:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.store = SqliteStore(folder / "store.db")
        self.acts: dict[str, Act] = {}
        self.worker = FakeWorker(self.acts)
        self.values: dict[str, str] = {}
        self.configure()
        monkeypatch.setattr(host_module, "Worker", lambda app_dir: self.worker)

    def configure(self, *, timeout: str = "00:01:00") -> None:
        limits = {"maxPollingInterval": "00:01:00"}
        document = {"functionTimeout": timeout, "extensions": {"queues": limits, "http": {"routePrefix": ""}}}
        (self.folder / "host.json").write_text(json.dumps(document))

    def run(self, test: Callable[[Host, str], Coroutine[Any, Any, None]], *, drain: float = 5.0) -> bool:
        """Run `test` beside a host; returns whether that drained."""

        async def main() -> bool:
            host = Host(self.folder, self.store, self.values, Options(drain=drain))
            try:
                await test(host, await host.start())
            finally:
                drained = await host.stop()
            return drained

        return asyncio.run(main())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path, monkeypatch)
    yield made
    made.store.close()


async def status(address: str) -> int:
    async with aiohttp.ClientSession() as client, client.get(address) as answer:
        return answer.status


def test_what_a_function_sends_is_taken_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue was empty for long, and would not be looked into for a minute."""
    monkeypatch.setattr(queues, "_GROWTH", 10_000.0)
    monkeypatch.setattr(queues, "_LAST_PAUSE", 60.0)
    handled = asyncio.Event()

    async def send() -> None:
        await asyncio.to_thread(bench.store.send, "work", "x")

    async def work() -> None:
        handled.set()

    bench.worker.serve("send", HTTP)
    bench.worker.serve("work", QUEUE)
    bench.acts.update(send=send, work=work)

    async def test(host: Host, address: str) -> None:
        await asyncio.sleep(0.2)
        assert await status(f"{address}/send") == 204
        await asyncio.wait_for(handled.wait(), 2)

    assert bench.run(test)
    assert bench.worker.stopped
    assert bench.store.depth("work") == 0


def test_a_function_that_takes_too_long_fails(bench: Bench) -> None:
    bench.configure(timeout="00:00:00.1")
    bench.worker.serve("send", HTTP)
    bench.acts["send"] = lambda: asyncio.sleep(30)

    async def test(host: Host, address: str) -> None:
        assert await status(f"{address}/send") == 500

    assert bench.run(test)


def test_it_says_when_it_could_not_drain_and_shows_the_message_again(bench: Bench) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.sleep(30)

    bench.worker.serve("work", QUEUE)
    bench.acts["work"] = work
    bench.store.send("work", "x")

    async def test(host: Host, address: str) -> None:
        await asyncio.wait_for(begun.wait(), 5)

    assert not bench.run(test, drain=0.2)
    (message,) = bench.store.receive("work")
    assert message.dequeue_count == 2


def test_a_fault_of_a_listener_ends_the_host(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Any]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.store, "receive", broken)
    bench.worker.serve("work", QUEUE)

    async def test(host: Host, address: str) -> None:
        with pytest.raises(RuntimeError, match="a bug"):
            await asyncio.wait_for(host.run_until(asyncio.Event()), 5)

    assert bench.run(test)


def test_it_runs_until_it_is_told_to_stop(bench: Bench) -> None:
    bench.worker.serve("work", QUEUE)

    async def test(host: Host, address: str) -> None:
        done = asyncio.Event()
        running = asyncio.create_task(host.run_until(done))
        await asyncio.sleep(0.05)
        assert not running.done()
        done.set()
        await asyncio.wait_for(running, 5)

    assert bench.run(test)


@pytest.mark.parametrize("value", ["1", "true", "True"])
def test_a_disabled_function_is_not_served(bench: Bench, value: str) -> None:
    bench.worker.serve("send", HTTP)
    bench.values["AzureWebJobs.send.Disabled"] = value

    async def test(host: Host, address: str) -> None:
        assert await status(f"{address}/send") == 404

    assert bench.run(test)


def test_the_queues_name_may_be_a_setting(bench: Bench) -> None:
    handled = asyncio.Event()

    async def work() -> None:
        handled.set()

    bench.worker.serve("work", {**QUEUE, "queueName": "%NAME%"})
    bench.acts["work"] = work
    bench.values["NAME"] = "other"
    bench.store.send("other", "x")

    async def test(host: Host, address: str) -> None:
        await eventually(handled.is_set)

    assert bench.run(test)


def test_another_connection_than_the_stores_is_refused(bench: Bench) -> None:
    bench.worker.serve("work", {**QUEUE, "connection": "Other"})

    async def test(host: Host, address: str) -> None:
        raise AssertionError("it started")

    with pytest.raises(InputError, match="function work: its connection must be GROUNDSWELL_STORE"):
        bench.run(test)
    assert bench.worker.stopped
