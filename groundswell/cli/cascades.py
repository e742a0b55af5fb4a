"""groundswell cascades: the list, one cascade as a table, or live until it ends."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer

from groundswell.cascade.header import Header, Phase
from groundswell.cascade.view import Row, short, to_json
from groundswell.cli import told
from groundswell.cli.client import Client, segment
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
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
    from groundswell.cli.chosen import client
    from groundswell.errors import InputError

    if cascade is None:
        if watch:
            raise InputError("--watch needs the id of a cascade; `groundswell cascades` lists them")
        found = client().pages("/cascades", "cascades", limit=limit, archived=archived)
        _list(map(told.header, found), _NONE_ARCHIVED if archived else _NONE_YET, as_json=as_json)
        return
    if archived or (watch and image):
        raise InputError("--archived lists, --watch follows a whole cascade; leave out what does not go with it")
    api = client()
    if image is not None:
        path = f"/cascades/{segment(cascade)}/rebuilds/{segment(image)}"
        _show(told.rebuild(api.get(path)), as_json=as_json)
        return
    document, images = _look(api, cascade)
    old = document["archived"]
    if watch and not old:
        follow(lambda: seen(api, cascade))
        document, images = _look(api, cascade)
    header = told.header(document)
    if as_json:
        print_json({**to_json(header, images), "archived": old})
    elif not watch or old:
        print_whole(console, header, images, now=time.time())
        if old:
            console.print("from the archive: nothing more can be done to it", soft_wrap=True)


def seen(api: Client, cascade: str) -> tuple[Header, Sequence[Row]]:
    """A cascade as it is now."""
    document, images = _look(api, cascade)
    return told.header(document), images


def _look(api: Client, cascade: str) -> tuple[Document, Sequence[Row]]:
    """The header first: what is settled by it is settled in the images, too."""
    path = f"/cascades/{segment(cascade)}"
    document = api.get(path)
    return document, told.rows(api.pages(f"{path}/rebuilds", "rebuilds"))


def _show(document: Document, *, as_json: bool) -> None:
    from groundswell.cli.rebuild import lines

    if as_json:
        print_json(document)
        return
    for line in lines(document):
        console.print(cell(line), soft_wrap=True)


def ended(header: Header, _: Sequence[Row]) -> bool:
    return header.phase is Phase.ENDED


def follow(
    look: Callable[[], tuple[Header, Sequence[Row]]],
    *,
    pause: float = _REFRESH,
    since: float = 0.0,
    until: Callable[[Header, Sequence[Row]], bool] = ended,
) -> Header:
    """Show a cascade live until it has ended; on something that is no terminal, a line per move after `since`."""
    if not console.is_terminal:
        return _follow_by_lines(look, pause, since, until)
    from rich.live import Live

    with Live(console=console, refresh_per_second=4, transient=False) as live:
        while True:
            header, images = look()
            width, height = console.size
            if until(header, images):  # this one stays, and may scroll
                live.update(whole(header, images, now=time.time(), width=width))
                return header
            live.update(frame(header, images, now=time.time(), width=width, height=height))
            time.sleep(pause)


def _follow_by_lines(
    look: Callable[[], tuple[Header, Sequence[Row]]],
    pause: float,
    since: float,
    until: Callable[[Header, Sequence[Row]], bool],
) -> Header:
    shown: dict[str, tuple[str, int]] = {}
    while True:
        header, images = look()
        settled = sum(row.settled for row in images)
        for row in sorted(images, key=lambda row: row.updated_at):
            if row.updated_at >= since and shown.get(row.image) != (row.state, row.attempt):
                shown[row.image] = (row.state, row.attempt)
                at = row.updated_at - header.started_at
                console.print(
                    cell(f"{at:6.1f}s  {settled:3}/{header.total}  {row.image:28} {row.state:16} {row.why}"[:200]),
                    soft_wrap=True,
                )
        if until(header, images):
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
    table = columns("cascade", "base", "digest", "state", "settled", "began", "seconds")
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
