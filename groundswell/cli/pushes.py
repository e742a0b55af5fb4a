"""groundswell pushes: what was announced, and what became of it."""

import time
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from groundswell.cli.common import Json, console, print_json


def pushes(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 20, as_json: Json = False
) -> None:
    """The pushes seen, newest first, and what became of each."""
    from groundswell.wiring import app as product

    entries = product().intake.log(limit)
    if as_json:
        print_json(entries)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("seen", "reference", "source", "result", "cascade"):
        table.add_column(heading)
    for entry in entries:
        seen = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(entry["at"]))
        reference = f"{entry['registry']}/{entry['repository']}:{entry['tag']}"
        table.add_row(
            seen, *(Text(str(cell)) for cell in (reference, entry["source"], entry["result"], entry["cascade"]))
        )
    console.print(table)
