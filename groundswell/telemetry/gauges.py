"""The one look a minute at what the gauges tell: queues and slots. The sweep makes it, never a request."""

from collections import Counter
from collections.abc import Iterator, Mapping

from groundswell.cascade.engine import PUSHES, REBUILDS, ROLLOUTS, SCANS, Engine
from groundswell.cascade.schedule import DEFAULT
from groundswell.clock import Clock
from groundswell.notify.post import NOTICES
from groundswell.store.port import Queues
from groundswell.telemetry import names
from groundswell.telemetry.measures import Level, Levels
from groundswell.telemetry.names import Attribute

QUEUES = tuple(f"{queue}{end}" for queue in (PUSHES, REBUILDS, SCANS, ROLLOUTS, NOTICES) for end in ("", "-poison"))


def levels(queues: Queues, engine: Engine, limits: Mapping[str, int], clock: Clock) -> Levels:
    """`limits` are the builds at once of every pool. Raises what the store raises."""
    used = Counter(entry.pool for entry in engine.building(anew=True))
    return {
        names.DEPTH: [({Attribute.QUEUE: queue}, queues.depth(queue)) for queue in QUEUES],
        names.AGE: list(_ages(queues, clock)),
        names.SLOTS_USED: [({Attribute.POOL: _named(pool)}, used[pool]) for pool in limits],
        names.SLOTS_LIMIT: [({Attribute.POOL: _named(pool)}, limit) for pool, limit in limits.items()],
        names.CASCADES_OPEN: [({}, len(engine.records.open()))],
    }


def _ages(queues: Queues, clock: Clock) -> Iterator[Level]:
    for queue in QUEUES:
        oldest = queues.oldest(queue)
        yield {Attribute.QUEUE: queue}, 0.0 if oldest is None else max(0.0, clock() - oldest)


def _named(pool: str) -> str:
    return "default" if pool == DEFAULT else pool
