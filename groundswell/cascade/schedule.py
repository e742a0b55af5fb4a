"""Who builds next: a pool of build slots, and the longest remaining path first. Pure.

A pool is one stored record, so that its limit holds across instances (the ETag decides between two of them).
An entry is a rebuild's place, either in line or in a slot. `turn` is the turn of the rebuild that asked: a later
turn replaces an earlier one, so doubled and reordered messages cannot take a second slot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """`priority` is the longest remaining path in seconds; `since` breaks ties, the earlier first."""

    cascade: str
    image: str
    turn: int
    priority: float
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Entries by `CASCADE/IMAGE`."""

    waiting: Mapping[str, Entry] = field(default_factory=dict)
    running: Mapping[str, Entry] = field(default_factory=dict)


def key(cascade: str, image: str) -> str:
    return f"{cascade}/{image}"


def admit(pool: Pool, entry: Entry) -> Pool:
    """Put a rebuild in line; one that is in the pool with this turn or a later one stays where it is."""
    name = key(entry.cascade, entry.image)
    known = pool.running.get(name) or pool.waiting.get(name)
    if known is not None and known.turn >= entry.turn:
        return pool
    return Pool(waiting={**pool.waiting, name: entry}, running=_without(pool.running, name))


def release(pool: Pool, cascade: str, image: str, *, up_to: int) -> Pool:
    """Take a rebuild's entry of turn `up_to` or earlier out of the pool."""
    name = key(cascade, image)
    known = pool.running.get(name) or pool.waiting.get(name)
    if known is None or known.turn > up_to:
        return pool
    return Pool(waiting=_without(pool.waiting, name), running=_without(pool.running, name))


def grant(pool: Pool, slots: int) -> tuple[Pool, tuple[Entry, ...]]:
    """Fill the free slots, the longest remaining path first; never two slots for one image."""
    granted: list[Entry] = []
    waiting, running = dict(pool.waiting), dict(pool.running)
    busy = {entry.image for entry in running.values()}
    for name, entry in sorted(waiting.items(), key=lambda item: (-item[1].priority, item[1].since, item[0])):
        if len(running) >= slots:
            break
        if entry.image in busy:
            continue
        running[name] = waiting.pop(name)
        busy.add(entry.image)
        granted.append(entry)
    return (replace(pool, waiting=waiting, running=running), tuple(granted)) if granted else (pool, ())


def _without(entries: Mapping[str, Entry], name: str) -> Mapping[str, Entry]:
    return {key: entry for key, entry in entries.items() if key != name} if name in entries else entries
