"""The queues: how much waits, how long, and what was given up. The bounds are those of the alerts in Azure."""

from collections.abc import Iterator

from groundswell.audit import entries
from groundswell.cascade.engine import PUSHES, REBUILDS, ROLLOUTS, SCANS
from groundswell.cascade.unreadable import ACTION
from groundswell.clock import Clock
from groundswell.doctor.check import Check, bad, lasted, ok, warn
from groundswell.notify.post import NOTICES
from groundswell.store.port import Queues, Store

QUEUES = (PUSHES, REBUILDS, SCANS, ROLLOUTS, NOTICES)
LATE, TOO_LATE = 600.0, 3600.0
"""Seconds for which the oldest message that anybody may take has waited: a backlog, and one nobody works at."""
_DAY = 86_400.0
_ENTRIES = 500


def look(queues: Queues, clock: Clock) -> Iterator[Check]:
    waits, late = [], False
    for queue in QUEUES:
        name, oldest, depth = f"queue {queue}", queues.oldest(queue), queues.depth(queue)
        age = 0.0 if oldest is None else clock() - oldest
        says = f"{depth} messages, the oldest has waited for {lasted(age)}"
        waits.append(f"{queue} {depth}")
        if age > LATE:
            late = True
            fix = "see docs/runbooks.md#backlog: does the app run, and what do its handlings end with?"
            yield bad(name, says, fix) if age > TOO_LATE else warn(name, says, fix)
    if not late:
        yield ok("queues", f"nothing waits for long; messages: {', '.join(waits)}")


def poison(store: Store, clock: Clock) -> Iterator[Check]:
    """What nobody could handle: still in a poison queue, or dropped as no message of ours within a day."""
    left = {queue: depth for queue in QUEUES if (depth := store.depth(f"{queue}-poison"))}
    for queue, depth in left.items():
        fix = "the app takes them away itself: does it run? docs/runbooks.md#poison"
        yield bad("poison messages", f"{depth} in {queue}-poison", fix)
    dropped = [e for e in entries(store, limit=_ENTRIES) if e["action"] == ACTION and clock() - e["at"] < _DAY]
    if dropped:
        fix = "`groundswell audit` names them; who else writes to our queues?"
        yield warn("poison messages", f"{len(dropped)} that nobody can read were dropped within a day", fix)
    if not left and not dropped:
        yield ok("poison messages", "none")
