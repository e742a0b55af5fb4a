"""What images and pushes ask for: builds, slots, time, operations, and the price of the builds. Pure.

What one rebuild costs was measured (`make bench ONLY=engine-ops`, and the messages of the same cascade of 1,000
images on SQLite). Prices are parameters: the one default is of a day and a place, and is no quotation.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

READS, COMMITS, SENDS, MESSAGES = 3.2, 6.7, 2.2, 2.2
"""Of one rebuild, planning included, without rollouts, announced by webhook: reads and commits of tables, messages
sent to queues, and messages dealt with."""
WEBHOOKS = 3.0
"""Pushes that a rebuild makes itself: the candidate, the tag that keeps what was stable, the stable tag. Each more
stable tag is one more, and so is what is attached."""
TIMERS = 2 * 1440 + 2 * 288 + 2 * 24 + 2
"""Executions of timers a day, as `functions/timers.py` has them."""
CPU_PRICE = 0.0001
PRICED = "USD per vCPU-second of ACR Tasks, seen at c3x.dev (azurerm_container_registry) in November 2026"
MONTH = 30

QUOTA = 16
TIERS: Mapping[str, tuple[int, int]] = {"S1": (2, 3), "S2": (4, 8), "S3": (8, 16), "I6": (64, 216)}
"""Agent pools: vCPUs and GiB of one machine. The default quota is 16 vCPUs a registry for S, none for I6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """`images` stand on what is pushed `pushes` times a day, at most `depth` on one another; times are in seconds.

    `build_cpus` and `scan_cpus` are the vCPUs of a run; a scan that is no run of ACR Tasks has 0.
    """

    images: int
    pushes: float
    depth: int
    build: float
    scan: float
    slots: int
    goal: float
    build_cpus: int
    scan_cpus: int
    cpu_price: float = CPU_PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The figures of a day, and of one cascade.

    No schedule is faster than `soonest`, in seconds, and none that leaves no slot idle while something is ready is
    slower than `latest`. `at_least` and `enough` are slots for the goal by these two; None: no number will do.
    `busy` is the share of its slot time that is built in: above 1 pushes pile up.
    """

    builds_a_day: float
    minutes_a_day: float
    soonest: float
    latest: float
    longest_path: float
    at_least: int | None
    enough: int | None
    busy: float
    table_operations: float
    queue_operations: float
    executions: float
    cpu_seconds: float
    price_a_month: float


def capacity(demand: Demand) -> Capacity:
    work = demand.images * demand.build
    path = demand.depth * (demand.build + demand.scan)
    builds = demand.images * demand.pushes
    cpu_seconds = builds * (demand.build * demand.build_cpus + demand.scan * demand.scan_cpus)
    return Capacity(
        builds_a_day=builds,
        minutes_a_day=builds * demand.build / 60,
        soonest=max(path, work / demand.slots),
        latest=path + work / demand.slots,
        longest_path=path,
        at_least=max(1, math.ceil(work / demand.goal)) if path <= demand.goal else None,
        enough=max(1, math.ceil(work / (demand.goal - path))) if path < demand.goal else None,
        busy=demand.pushes * work / (demand.slots * 86_400.0),
        table_operations=builds * (READS + COMMITS),
        queue_operations=builds * (SENDS + 2 * MESSAGES),
        executions=builds * (MESSAGES + WEBHOOKS) + TIMERS,
        cpu_seconds=cpu_seconds,
        price_a_month=cpu_seconds * MONTH * demand.cpu_price,
    )


def machines(tier: str) -> int:
    """Machines of a tier within the default quota."""
    return 0 if tier.startswith("I") else QUOTA // TIERS[tier][0]
