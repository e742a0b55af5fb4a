"""groundswell audit: who changed what, when and why."""

import time
from typing import Annotated

import typer

from groundswell.cli import told
from groundswell.cli.common import Json, cell, columns, console, print_json


def audit(
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 20, as_json: Json = False
) -> None:
    """List the audit trail, newest first.

    Example: groundswell audit --limit 50
    """
    from groundswell.cli.chosen import client

    found = told.timed(client().pages("/audit", "entries", limit=limit))
    if as_json:
        print_json(found)
        return
    table = columns("when", "who", "action", "subject", "why")
    for entry in found:
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(entry["at"]))
        table.add_row(when, *(cell(entry[key]) for key in ("who", "action", "subject", "why")))
    console.print(table)
