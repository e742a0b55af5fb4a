"""A burst of pushes: how long the sender of a webhook waits, and whether as many cascades come of it as should."""

import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from bench.result import Result
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.push import Push, queue
from groundswell.store.sqlite import SqliteStore
from groundswell.webhooks.acr import Ignored, parse
from tests.support.world import HOST, World, image_of, registration

_GROUPS, _DIGESTS, _TIMES = 100, 5, 2
_BURST = _GROUPS * 2 * _DIGESTS * _TIMES
"""2,000: of every group two bases that an image has in common, five digests of each, each announced twice."""
_SENDERS = 8


def ingest() -> Result:
    """The 99th percentile of the webhook's answers, in seconds, against bare sends to the queue."""
    return Result(value=_answers(), unit="s", baseline="bare queue sends", baseline_value=_sends())


def planning() -> Result:
    """Seconds to deal with a push, of 2,000 at once that have nothing in common, against one of 250."""
    return Result(
        value=_planned(_BURST),
        unit="s",
        baseline="a push in a burst an eighth as large",
        baseline_value=_planned(_BURST // 8),
    )


@cache
def _planned(count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        images = (registration(f"team{n}/app", _base(n, 0)) for n in range(count))
        world = World(Path(folder), *images, slots=16, settle=30.0)
        world.registry.on_push = lambda *_: None
        for number in range(count):
            name = _base(number, 0)
            body = _body(f"{number}", name, world.registry.put(name, image_of([f"sha256:{number}"])))
            event = parse(body, registry=None)
            if not isinstance(event, Ignored):  # or there will be a cascade less
                world.app.receive(event)
        began = time.perf_counter()
        while world.app.store.depth(PUSHES):
            for message in world.app.store.receive(PUSHES, limit=32, lease=600):
                world.deliver(PUSHES, message.body)
                world.app.store.delete(PUSHES, message)
            world.time += 1.0
        seconds = time.perf_counter() - began
        cascades = len(list(world.app.engine.records.recent(2 * count)))
        world.close()
    if cascades != count:
        raise RuntimeError(f"{cascades} cascades of {count} pushes that have nothing in common")
    return seconds / count


@cache
def _answers() -> float:
    with tempfile.TemporaryDirectory() as folder:
        images = (registration(f"team{n}/app", _base(n, 0), build=[_base(n, 1)]) for n in range(_GROUPS))
        world = World(Path(folder), *images, slots=16, settle=30.0)
        world.registry.on_push = lambda *_: None
        bodies = []
        for number in range(_DIGESTS):
            for name in (_base(group, side) for group in range(_GROUPS) for side in (0, 1)):
                digest = world.registry.put(name, image_of([f"sha256:{name}-{number}"]))
                bodies += [_body(f"{name}-{number}-{again}", name, digest) for again in range(_TIMES)]

        def send(body: bytes) -> float:
            began = time.perf_counter()
            event = parse(body, registry=None)
            if not isinstance(event, Ignored):  # or it will not have been dealt with
                world.app.receive(event)
            return time.perf_counter() - began

        with ThreadPoolExecutor(_SENDERS) as senders:
            seconds = sorted(senders.map(send, bodies))
        world.drive()
        cascades = len(list(world.app.engine.records.recent(_BURST)))
        told = len(world.app.intake.log(2 * _BURST))
        world.close()
    if (len(seconds), cascades, told) != (_BURST, _GROUPS, _BURST):
        raise RuntimeError(f"{len(seconds)} answers, {cascades} cascades, {told} pushes dealt with")
    return seconds[int(0.99 * len(seconds))]


@cache
def _sends() -> float:
    push = Push(
        id="x" * 36, registry=HOST, repository="mirror/base", tag="1", digest="sha256:" + "0" * 64, source="b"
    )
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "store.db")

        def send(_: int) -> float:
            began = time.perf_counter()
            queue(store, push)
            return time.perf_counter() - began

        with ThreadPoolExecutor(_SENDERS) as senders:
            seconds = sorted(senders.map(send, range(_BURST)))
        store.close()
    return seconds[int(0.99 * len(seconds))]


def _base(group: int, side: int) -> str:
    return f"{HOST}/mirror/base{group}-{side}:1"


def _body(event: str, name: str, digest: str) -> bytes:
    repository = name.removeprefix(f"{HOST}/").rpartition(":")[0]
    target = {
        "repository": repository,
        "tag": "1",
        "digest": digest,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
    }
    return json.dumps({"id": event, "action": "push", "target": target, "request": {"host": HOST}}).encode()
