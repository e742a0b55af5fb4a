"""The queue listener, on the SQLite store with a clock that the test turns."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import NotFoundError, TemporaryError
from groundswell.local.host import queues
from groundswell.local.host.config import Queues as Limits
from groundswell.local.host.queues import Listener
from groundswell.local.host.worker import Function, Outcome
from groundswell.store.port import Message
from groundswell.store.sqlite import SqliteStore
from tests.support.polling import eventually
from tests.support.stores import Clock

QUEUE = "work"
LIMITS = Limits(batch=8, threshold=4, retry=5.0, max_poll=0.02, max_dequeue=3)

type Handler = Callable[[str, int], Awaitable[bool]]
"""What a test does with a message: its body and dequeue count; whether it went well."""


class Bench:
    """A store, threads for it, and what the listener's function was given."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.store = SqliteStore(path, clock=self.clock)
        self.threads = ThreadPoolExecutor(4)
        self.seen: list[tuple[str, int]] = []
        self.metadata: list[dict[str, Any]] = []
        self.polls = 0
        self.faults: dict[str, list[Exception]] = {"receive": [], "renew": [], "delete": [], "send": []}

    def _fault(self, name: str) -> None:
        if self.faults[name]:
            raise self.faults[name].pop(0)

    # The Queues port, with faults on demand.

    def receive(self, queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Message]:
        self.polls += 1
        self._fault("receive")
        return self.store.receive(queue, limit=limit, lease=lease)

    def renew(self, queue: str, message: Message, *, lease: float) -> Message:
        self._fault("renew")
        return self.store.renew(queue, message, lease=lease)

    def delete(self, queue: str, message: Message) -> None:
        self._fault("delete")
        self.store.delete(queue, message)

    def send(self, queue: str, body: str, *, delay: float = 0.0) -> None:
        self._fault("send")
        self.store.send(queue, body, delay=delay)

    def depth(self, queue: str) -> int:
        return self.store.depth(queue)

    # The listener.

    def run(
        self,
        handler: Handler,
        test: Callable[[Listener], Coroutine[Any, Any, None]],
        *,
        limits: Limits = LIMITS,
        lease: float = 600.0,
    ) -> None:
        """Run `test` beside a listener, then stop it."""

        async def invoke(function: Function, data: Any, metadata: dict[str, Any], *, trace: str = "") -> Outcome:
            count = int(metadata["DequeueCount"].json)
            self.seen.append((data.string, count))
            self.metadata.append(metadata)
            return Outcome(ok=await handler(data.string, count))

        async def main() -> None:
            trigger = {"type": "queueTrigger", "name": "msg", "queueName": QUEUE}
            function = Function(id="1", name="work", trigger=trigger)
            listener = Listener(function, self, limits, invoke, threads=self.threads, lease=lease)
            running = asyncio.create_task(listener.run())
            try:
                await test(listener)
            finally:
                listener.stop()
                await asyncio.wait_for(running, 10)

        asyncio.run(main())

    async def polled(self, times: int = 3) -> None:
        """Wait until the listener has looked so many times more."""
        goal = self.polls + times
        await eventually(lambda: self.polls >= goal)

    async def handled(self, times: int) -> None:
        await eventually(lambda: len(self.seen) == times)

    async def empty(self) -> None:
        await eventually(lambda: self.store.depth(QUEUE) == 0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "store.db")
    yield made
    made.threads.shutdown()
    made.store.close()


async def well(body: str, count: int) -> bool:
    return True


async def badly(body: str, count: int) -> bool:
    return False


def test_a_message_is_handled_and_removed(bench: Bench) -> None:
    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "ü {}")
        await bench.empty()

    bench.run(well, test)
    assert bench.seen == [("ü {}", 1)]
    given = bench.metadata[0]
    assert given["QueueTrigger"].string == "ü {}"
    assert given["InsertionTime"].json == '"2027-01-15T08:00:00+00:00"'
    assert given["ExpirationTime"].json == '"2027-01-22T08:00:00+00:00"'
    assert given["NextVisibleTime"].json == '"2027-01-15T08:10:00+00:00"'
    assert given["Id"].string
    assert given["PopReceipt"].string


def test_what_failed_comes_again_after_the_retry_delay_and_not_before(bench: Bench) -> None:
    async def second_time(body: str, count: int) -> bool:
        return count == 2

    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "x")
        await bench.handled(1)
        await bench.polled()
        bench.clock.advance(4.9)
        await bench.polled()
        assert len(bench.seen) == 1
        bench.clock.advance(0.2)
        await bench.empty()

    bench.run(second_time, test)
    assert bench.seen == [("x", 1), ("x", 2)]


def test_what_fails_too_often_goes_to_the_poison_queue(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "bad")
        for number in range(1, 4):
            await bench.handled(number)
            await bench.polled()
            bench.clock.advance(5.1)
        await bench.empty()

    bench.run(badly, test)
    assert [count for _, count in bench.seen] == [1, 2, 3]
    (poison,) = bench.store.receive(f"{QUEUE}-poison")
    assert poison.body == "bad"
    assert "message moved to poison queue" in caplog.text


def test_what_ended_its_process_too_often_is_poison_without_another_try(bench: Bench) -> None:
    bench.store.send(QUEUE, "deadly")
    for _ in range(3):
        assert bench.store.receive(QUEUE, lease=1.0)
        bench.clock.advance(1.1)

    async def test(listener: Listener) -> None:
        await bench.empty()

    bench.run(well, test)
    assert bench.seen == []
    assert bench.store.depth(f"{QUEUE}-poison") == 1


def test_when_the_poison_queue_cannot_be_reached_the_message_stays(bench: Bench) -> None:
    bench.faults["send"].append(TemporaryError("away"))

    async def test(listener: Listener) -> None:
        await bench.handled(1)
        await bench.polled()
        assert bench.store.depth(QUEUE) == 1
        bench.clock.advance(601)
        await bench.empty()

    bench.store.send(QUEUE, "bad")
    bench.run(badly, test, limits=Limits(batch=1, threshold=0, max_poll=0.02, max_dequeue=1))
    assert len(bench.seen) == 1
    assert bench.store.depth(f"{QUEUE}-poison") == 1


def test_no_more_in_hand_than_a_batch_and_the_threshold(bench: Bench) -> None:
    running, most = 0, 0
    gates = {str(number): asyncio.Event() for number in range(30)}

    async def handle(body: str, count: int) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gates[body].wait()
        running -= 1
        return True

    async def test(listener: Listener) -> None:
        await eventually(lambda: running == 8)
        polls = bench.polls
        for _, gate in zip(range(3), gates.values(), strict=False):
            gate.set()
        await eventually(lambda: running == 5)
        assert bench.polls == polls  # five are more than the threshold: nothing was fetched
        gates["3"].set()
        await eventually(lambda: running == 12)
        for gate in gates.values():
            gate.set()
        await bench.empty()

    for number in gates:
        bench.store.send(QUEUE, number)
    bench.run(handle, test)
    assert most == 12
    assert sorted(int(body) for body, _ in bench.seen) == list(range(30))


def test_a_lease_is_renewed_for_as_long_as_it_takes(bench: Bench) -> None:
    gate = asyncio.Event()

    async def handle(body: str, count: int) -> bool:
        await gate.wait()
        return True

    async def test(listener: Listener) -> None:
        await bench.handled(1)
        for _ in range(4):  # more than two leases
            bench.clock.advance(0.12)
            await asyncio.sleep(0.15)
        assert bench.store.receive(QUEUE) == []
        gate.set()
        await bench.empty()

    bench.store.send(QUEUE, "long")
    bench.run(handle, test, lease=0.2)
    assert bench.seen == [("long", 1)]


def test_a_renewal_that_failed_is_tried_again(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.faults["renew"] += [TemporaryError("away"), TemporaryError("away")]

    async def handle(body: str, count: int) -> bool:
        await eventually(lambda: not bench.faults["renew"])
        bench.clock.advance(0.1)
        await asyncio.sleep(0.1)
        return True

    async def test(listener: Listener) -> None:
        await bench.empty()

    bench.store.send(QUEUE, "x")
    bench.run(handle, test, lease=0.2)
    assert caplog.text.count("lease not renewed") == 2
    assert "message not settled" not in caplog.text


def test_the_newest_receipt_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function ends while its lease is being renewed: the old receipt is worth nothing any more."""
    renewed, go_on = threading.Event(), threading.Event()
    renew = bench.store.renew

    def slow(queue: str, message: Message, *, lease: float) -> Message:
        newer = renew(queue, message, lease=lease)
        renewed.set()
        assert go_on.wait(10)
        return newer

    monkeypatch.setattr(bench.store, "renew", slow)

    async def handle(body: str, count: int) -> bool:
        await eventually(renewed.is_set)
        return True

    async def test(listener: Listener) -> None:
        await eventually(renewed.is_set)
        await asyncio.sleep(0.02)
        go_on.set()
        await bench.empty()

    bench.store.send(QUEUE, "x")
    bench.run(handle, test, lease=0.1)


def test_a_lost_lease_is_somebody_elses_message(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.faults["delete"].append(NotFoundError("gone"))

    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "x")
        await eventually(lambda: "lease lost" in caplog.text)

    bench.run(well, test)
    assert bench.store.depth(QUEUE) == 1


def test_a_store_in_trouble_is_asked_again(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_TROUBLE_PAUSE", 0.01)
    bench.faults["receive"] += [TemporaryError("away"), TemporaryError("away")]

    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "x")
        await bench.empty()

    bench.run(well, test)
    assert caplog.text.count("queue not read") == 2


def test_a_fault_of_the_host_is_logged_and_the_message_stays(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(body: str, count: int) -> bool:
        if body == "fault":
            raise RuntimeError("not the function's")
        return True

    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "fault")
        await eventually(lambda: "not the function's" in caplog.text)
        bench.store.send(QUEUE, "next")
        await eventually(lambda: ("next", 1) in bench.seen)
        await eventually(lambda: bench.store.depth(QUEUE) == 1)

    bench.run(handle, test)
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.CRITICAL]


def test_an_idle_queue_is_asked_less_and_less_often_and_at_once_when_woken(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "_GROWTH", 1000.0)
    monkeypatch.setattr(queues, "_LAST_PAUSE", 60.0)

    async def test(listener: Listener) -> None:
        await eventually(lambda: bench.polls == 2)
        await asyncio.sleep(0.1)
        assert bench.polls == 2
        bench.store.send(QUEUE, "x")
        listener.wake()
        await asyncio.wait_for(bench.empty(), 2)

    bench.run(well, test, limits=Limits(max_poll=60.0))


def test_the_loop_never_waits_for_the_store(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    receive = bench.store.receive

    def slow(queue: str, *, limit: int = 16, lease: float = 600.0) -> list[Message]:
        time.sleep(0.2)
        return receive(queue, limit=limit, lease=lease)

    monkeypatch.setattr(bench.store, "receive", slow)

    async def test(listener: Listener) -> None:
        await eventually(lambda: bench.polls == 1)
        begun = time.monotonic()
        for _ in range(10):
            await asyncio.sleep(0)
        assert time.monotonic() - begun < 0.1

    bench.run(well, test)


def test_once_stopped_it_takes_nothing_and_ends_what_it_has(bench: Bench) -> None:
    gate = asyncio.Event()

    async def handle(body: str, count: int) -> bool:
        await gate.wait()
        return True

    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "in hand")
        await bench.handled(1)
        listener.stop()
        bench.store.send(QUEUE, "late")
        gate.set()

    bench.run(handle, test)
    assert bench.seen == [("in hand", 1)]
    (late,) = bench.store.receive(QUEUE)
    assert late.body == "late"


def test_what_will_not_be_finished_is_shown_again(bench: Bench) -> None:
    gate = asyncio.Event()

    async def handle(body: str, count: int) -> bool:
        await gate.wait()
        return True

    async def test(listener: Listener) -> None:
        bench.store.send(QUEUE, "x")
        await bench.handled(1)
        listener.stop()
        assert bench.store.receive(QUEUE) == []
        await listener.release()
        (message,) = bench.store.receive(QUEUE)
        assert (message.body, message.dequeue_count) == ("x", 2)
        gate.set()

    bench.run(handle, test)
    assert bench.store.depth(QUEUE) == 1  # it was no longer ours to delete
