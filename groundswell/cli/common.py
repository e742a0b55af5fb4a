"""What the commands share: the console, how text and JSON are printed, who is asking."""

import getpass
import os
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from groundswell import printable
from groundswell.cli.output import render

_PAPER = 140


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


def who() -> str:
    """The person at the keyboard, for the audit trail."""
    return os.environ.get("GROUNDSWELL_USER") or getpass.getuser()
