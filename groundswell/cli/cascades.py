"""groundswell cascades: the list, one cascade as a table, or live until it ends."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Header, Phase, Records
from groundswell.cascade.view import rows, short, to_json
from groundswell.cli.common import Json, cell, console, print_json
from groundswell.cli.progress import frame, print_whole, whole

_REFRESH = 0.5
_NONE_YET = "no cascades yet: one begins when a base that images stand on is pushed"
_NONE_ARCHIVED = "the archive is empty: cascades come here when they are older than GROUNDSWELL_KEEP_CASCADES_DAYS"


def cascades(
    cascade: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this one, image by image.")] = None,
    image: Annotated[
        str | None, typer.Argument(metavar="[IMAGE]", help="Show only this one: moves, proof, scan, rollouts.")
    ] = None,
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it live until it ends.")] = False,
    limit: Annotated[int, typer.Option(help="How many to list.", min=1, max=1000)] = 20,
    archived: Annotated[bool, typer.Option("--archived", help="List those that only the archive has.")] = False,
    as_json: Json = False,
) -> None:
    """List cascades, or show one, or one image of it. What is no longer there is shown from the archive.

    Example: groundswell cascades 0k3v9xab2c --watch
    """
    from groundswell.errors import InputError
    from groundswell.wiring import app as product

    app = product()
    if cascade is None:
        if watch:
            raise InputError("--watch needs the id of a cascade; `groundswell cascades` lists them")
        if archived:
            _list(islice(app.archive.recent(now=app.clock()), limit), _NONE_ARCHIVED, as_json=as_json)
        else:
            _list(app.engine.records.recent(limit), _NONE_YET, as_json=as_json)
        return
    if archived or (watch and image):
        raise InputError("--archived lists, --watch follows a whole cascade; leave out what does not go with it")
    kept = Kept(app.engine.records, app.archive, cascade)
    if image is not None:
        _show(kept.rebuild(image), as_json=as_json)
        return
    if watch and not kept.archived:
        follow(app.engine.records, cascade)
    header, states = kept.header(), list(kept.rebuilds())
    if as_json:
        print_json({**to_json(header, states, now=time.time()), "archived": kept.archived})
    elif not watch or kept.archived:
        print_whole(console, header, states, now=time.time())
        if kept.archived:
            console.print("from the archive: nothing more can be done to it", soft_wrap=True)


def _show(state: Rebuild, *, as_json: bool) -> None:
    from groundswell.cascade.evidence import to_json as evidence
    from groundswell.cli.rebuild import lines

    if as_json:
        print_json(evidence(state, now=time.time()))
        return
    for line in lines(state):
        console.print(cell(line), soft_wrap=True)


def ended(header: Header, _: Sequence[Rebuild]) -> bool:
    return header.phase is Phase.ENDED


def follow(
    records: Records,
    cascade: str,
    *,
    pause: float = _REFRESH,
    since: float = 0.0,
    until: Callable[[Header, Sequence[Rebuild]], bool] = ended,
) -> Header:
    """Show a cascade live until it has ended; on something that is no terminal, a line per move after `since`."""
    if not console.is_terminal:
        return _follow_by_lines(records, cascade, pause, since, until)
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            header, states = records.header(cascade).value, list(records.rebuilds(cascade))
            width, height = console.size
            if until(header, states):  # this one stays, and may scroll
                live.update(whole(header, states, now=time.time(), width=width))
                return header
            live.update(frame(header, states, now=time.time(), width=width, height=height))
            time.sleep(pause)


def _follow_by_lines(
    records: Records,
    cascade: str,
    pause: float,
    since: float,
    until: Callable[[Header, Sequence[Rebuild]], bool],
) -> Header:
    shown: dict[str, tuple[str, int]] = {}
    while True:
        header, states = records.header(cascade).value, list(records.rebuilds(cascade))
        for row, state in sorted(
            ((row, state) for row in rows(states, now=time.time()) for state in states if state.image == row.image),
            key=lambda pair: pair[1].updated_at,
        ):
            if state.updated_at >= since and shown.get(row.image) != (row.state, row.attempt):
                shown[row.image] = (row.state, row.attempt)
                settled = sum(item.status.settled for item in states)
                at = state.updated_at - header.started_at
                console.print(
                    cell(f"{at:6.1f}s  {settled:3}/{header.total}  {row.image:28} {row.state:16} {row.why}"[:200]),
                    soft_wrap=True,
                )
        if until(header, states):
            return header
        time.sleep(pause)


def _list(found: Iterable[Header], none: str, *, as_json: bool) -> None:
    headers = list(found)
    if as_json:
        print_json(
            [
                {
                    "cascade": header.id,
                    "base": header.base,
                    "digest": header.digest,
                    "bases": header.bases,
                    "phase": header.phase.value,
                    "images": header.total,
                    "open": header.open,
                    "started_at": header.started_at,
                    "ended_at": header.ended_at,
                }
                for header in headers
            ]
        )
        return
    if not headers:
        console.print(none)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("cascade", "base", "digest", "state", "settled", "began", "seconds"):
        table.add_column(heading)
    for header in headers:
        end = header.ended_at or time.time()
        table.add_row(
            header.id,
            cell(header.pushed),
            short(header.bases[header.base]),
            header.phase.value,
            f"{header.total - header.open}/{header.total}",
            time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(header.started_at)),
            f"{end - header.started_at:.1f}",
        )
    console.print(table)
