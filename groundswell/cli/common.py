"""What the commands share: the console, how text and JSON are printed, who is asking."""

import getpass
import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from groundswell import printable
from groundswell.cli.output import render

if TYPE_CHECKING:
    from rich.table import Table

_PAPER = 140
_IDS = {"cascade": 10, "id": 12, "digest": 12}
"""Columns of what one types into the next command, and how long that is."""


def make_console() -> Console:
    """The terminal. A file or a pipe has no width of its own: there, tables keep their columns."""
    made = Console()
    if not made.is_terminal:
        made.width = max(made.width, _PAPER)
    return made


console = make_console()

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """One document on stdout, JSON or as `--output` says: no colours, no wrapping."""
    typer.echo(render(value))


def cell(value: object, style: str = "") -> Text:
    """What somebody else wrote, in one line of a table: no markup, nothing that acts on the terminal."""
    return Text(printable.line(str(value)), style=style)


def columns(*headings: str, right: Collection[str] = ()) -> "Table":
    """A table that fits the terminal: what is too long is folded, and nothing cut; ids stay in one piece."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, overflow="fold", justify=justify, min_width=_IDS.get(heading))
    return table


def who() -> str:
    """The person at the keyboard, for the audit trail."""
    return os.environ.get("GROUNDSWELL_USER") or getpass.getuser()
