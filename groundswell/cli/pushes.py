"""groundswell pushes: what was announced, and what became of it."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from groundswell.cli import told
from groundswell.cli.common import Json, cell, columns, console, print_json


def pushes(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 20, as_json: Json = False
) -> None:
    """List the pushes seen, newest first, and what became of each.

    Example: groundswell pushes --limit 5
    """
    from groundswell.cli.chosen import client

    entries = [told.push(each) for each in client().pages("/pushes", "pushes", limit=limit)]
    if as_json:
        print_json(entries)
        return
    table = columns("seen", "reference", "source", "result", "cascade")
    for entry in entries:
        seen = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(entry["at"]))
        table.add_row(seen, cell(_reference(entry)), *(cell(entry[key]) for key in ("source", "result", "cascade")))
    console.print(table)


def _reference(entry: Mapping[str, Any]) -> str:
    """What was pushed, as people write it: by its tag, else by its digest."""
    from groundswell.cascade.view import short

    name = f"{entry['registry']}/{entry['repository']}"
    if entry["tag"]:
        return f"{name}:{entry['tag']}"
    return f"{name}@{short(entry['digest'])}" if entry["digest"] else name
