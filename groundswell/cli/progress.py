"""How a cascade is shown: whole, as a table; or live, as frames that fit the terminal they are on."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column, Table
from rich.text import Text

from groundswell.cascade.header import Header
from groundswell.cascade.status import Status
from groundswell.cascade.view import Row, short
from groundswell.cli.common import cell

_COLOURS = {
    Status.DONE: "green",
    Status.UNCHANGED: "cyan",
    Status.FAILED: "bold red",
    Status.REJECTED: "bold magenta",
    Status.BLOCKED: "yellow",
    Status.HELD: "yellow",
    Status.WAITING: "dim",
    Status.SUPERSEDED: "dim",
    Status.CANCELLED: "dim",
}
_SOONEST = (Status.FAILED, Status.REJECTED, Status.HELD, Status.READY, Status.BLOCKED, Status.WAITING)
_WIDE = 100  # columns from which digests have a place


class _Line(NamedTuple):
    """One image as a line. `rank` says how soon it is shown where not all have room; `status` what it counts as."""

    rank: int
    image: str
    status: str
    state: Text
    seconds: str
    old: str
    new: str
    why: str


def print_whole(console: Console, header: Header, rows: Sequence[Row], *, now: float) -> None:
    """Print the cascade with every reason in full."""
    console.print(whole(header, rows, now=now, width=console.width))


def whole(header: Header, rows: Sequence[Row], *, now: float, width: int) -> RenderableType:
    """A cascade as a table with a progress bar over it: every image, every reason in full."""
    table = _table(_lines(header, rows), width, fold=True)
    return Group(_bar(header, rows, now, width), table)


def frame(header: Header, rows: Sequence[Row], *, now: float, width: int, height: int) -> RenderableType:
    """The same for a terminal, to be drawn again and again: a line an image, and never more lines than there are.

    Where they are too many, what is under way and what failed comes first, and the rest is counted.
    """
    lines = _lines(header, rows)
    room = max(2, height - 3)  # the bar, the heading, and the line of the cursor
    if len(lines) <= room:
        return Group(_bar(header, rows, now, width), _table(lines, width, fold=False))
    lines.sort(key=lambda line: line.rank)
    left = Counter(line.status for line in lines[room - 1 :])
    more = Text(f"… and {left.total()} more: {', '.join(f'{count} {status}' for status, count in left.items())}")
    more.truncate(width, overflow="ellipsis")
    return Group(_bar(header, rows, now, width), _table(lines[: room - 1], width, fold=False), more)


def _bar(header: Header, rows: Sequence[Row], now: float, width: int) -> Progress:
    progress = Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=30 if width >= _WIDE else 8),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
    )
    took = (header.ended_at or now) - header.started_at
    base = header.pushed.partition("/")[2]
    progress.add_task(
        f"cascade {header.id}  {base} -> {short(header.bases[header.base])}  {took:.1f} s",
        total=header.total,
        completed=sum(row.settled for row in rows),
    )
    return progress


def _lines(header: Header, rows: Sequence[Row]) -> list[_Line]:
    lines = [
        _Line(
            rank=_rank(status := Status(row.status)),
            image=row.image,
            status=row.status,
            state=Text(row.state, style=_COLOURS.get(status, "blue")),
            seconds="" if row.seconds is None else f"{row.seconds:.1f}",
            old=short(row.old),
            new=short(row.new),
            why=row.why,
        )
        for row in rows
    ]
    for image, reference in header.pinned:
        why = f"stale: pinned to {short(reference.partition('@')[2])}; change its Dockerfile"
        state = Text("pinned", style="yellow")
        lines.append(_Line(len(_SOONEST) + 2, image, "pinned", state, "", "", "", why))
    return lines


def _rank(status: Status) -> int:
    """What is under way first, then as listed, then what ended well."""
    if status in _SOONEST:
        return 1 + _SOONEST.index(status)
    return len(_SOONEST) + 1 if status.settled else 0


def _table(lines: Sequence[_Line], width: int, *, fold: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    most = None if fold else max(16, width * 2 // 5)
    table.add_column("image", no_wrap=True, overflow="ellipsis", max_width=most)
    table.add_column("state", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    if width >= _WIDE:
        table.add_column("old", no_wrap=True)
        table.add_column("new", no_wrap=True)
    table.add_column("why", overflow="fold")
    for line in lines:
        why = cell(line.why)
        if not fold:  # said by the cell: a column that does not wrap is not the one that gives way
            why.no_wrap, why.overflow = True, "ellipsis"
        digests = (line.old, line.new) if width >= _WIDE else ()
        table.add_row(cell(line.image), line.state, line.seconds, *digests, why)
    return table
