"""Who builds next: a pool of build slots, shared between cascades, the longest remaining path first. Pure.

A pool is kept in two parts. `Pool` is one small record (who builds, which cascades have somebody in line), and its
ETag decides between two instances, so that the limit holds across them. The lines are a row per waiting rebuild,
named by `row`, of which only the front is read: ten thousand in line cost no more than ten.

Which cascade is next: one that got nothing for PATIENCE seconds, the longest waiting first, so that none starves;
else an urgent one; else the one with the fewest slots; else the one that got one longest ago. Within a cascade the
longest remaining path goes first, and with one cascade nothing else counts. No image has two slots at once.

`turn` is the turn of the rebuild that asked: a later turn replaces an earlier one, so doubled and reordered
messages cannot take a second slot.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

DEFAULT = "default"
"""The pool of the registries' own machines, and of every agent pool without a limit of its own."""

PATIENCE = 600.0
"""Seconds after which a cascade that got no slot is next, whoever else wants one."""

_LONGEST = 10**13
"""Milliseconds that no path reaches (300 years); less the path it makes the longest sort first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A rebuild's place, in line or in a slot.

    `priority` is its longest remaining path in seconds, `since` when it got in line, `pool` the pool's name.
    """

    cascade: str
    image: str
    turn: int
    priority: float
    since: float
    urgent: bool = False
    pool: str = DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cascade that may have somebody in line. `since` is when it last got a slot, or got in line."""

    urgent: bool
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Slots in use, by `CASCADE/IMAGE`, and lines by cascade: a cascade that is not there has nobody in line."""

    running: Mapping[str, Entry] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)


def key(cascade: str, image: str) -> str:
    return f"{cascade}/{image}"


def row(cascade: str, image: str, priority: float) -> str:
    """The name of a waiting entry's row: in the order of rows a cascade's longest path is first, then by name."""
    return f"{cascade}/{max(0, _LONGEST - round(priority * 1000)):014d}/{image}"


def holds(pool: Pool, entry: Entry) -> bool:
    """Whether the rebuild has a slot already, for this turn or a later one."""
    known = pool.running.get(key(entry.cascade, entry.image))
    return known is not None and known.turn >= entry.turn


def admit(pool: Pool, entry: Entry) -> Pool:
    """Let a rebuild get in line (its row is the caller's to write); one that has a slot keeps it."""
    if holds(pool, entry):
        return pool
    line = pool.lines.get(entry.cascade) or Line(urgent=entry.urgent, since=entry.since)
    lines = {**pool.lines, entry.cascade: replace(line, urgent=entry.urgent)}
    return Pool(running=_without(pool.running, key(entry.cascade, entry.image)), lines=lines)


def release(pool: Pool, cascade: str, image: str, *, up_to: int) -> Pool:
    """Take back the slot that a rebuild got for turn `up_to` or an earlier one."""
    name = key(cascade, image)
    known = pool.running.get(name)
    return pool if known is None or known.turn > up_to else replace(pool, running=_without(pool.running, name))


def grant(
    pool: Pool, slots: int, front: Callable[[str], Iterable[Entry]], *, now: float
) -> tuple[Pool, tuple[Entry, ...]]:
    """Fill the free slots. `front` reads a cascade's line in the order of its rows, as far as it is asked to."""
    running, lines = dict(pool.running), dict(pool.lines)
    images = {entry.image for entry in running.values()}
    shares = Counter(entry.cascade for entry in running.values())
    fronts: dict[str, Iterator[Entry]] = {}
    open_lines, stuck = dict(lines), set[str]()
    granted: list[Entry] = []

    def claim(cascade: str) -> tuple[bool, float, bool, int, float, str]:
        """Sorts the next cascade first."""
        line = open_lines[cascade]
        starved = now - line.since >= PATIENCE
        since = line.since if starved else 0.0
        return not starved, since, not line.urgent, shares[cascade], line.since, cascade

    while len(running) < slots and open_lines:
        cascade = min(open_lines, key=claim)
        if cascade not in fronts:
            fronts[cascade] = iter(front(cascade))
        for entry in fronts[cascade]:
            if entry.image not in images:
                break
            stuck.add(cascade)  # it waits until another cascade has built this image
        else:
            del open_lines[cascade]
            if cascade not in stuck:
                del lines[cascade]
            continue
        running[key(cascade, entry.image)] = entry
        images.add(entry.image)
        shares[cascade] += 1
        open_lines[cascade] = lines[cascade] = replace(lines[cascade], since=now)
        granted.append(entry)
    return Pool(running=running, lines=lines), tuple(granted)


def _without(entries: Mapping[str, Entry], name: str) -> Mapping[str, Entry]:
    return {key: entry for key, entry in entries.items() if key != name} if name in entries else entries
