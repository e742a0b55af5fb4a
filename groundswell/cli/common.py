"""What the commands share: the console, JSON output, who is asking."""

import getpass
import json
import os
from typing import Annotated, Any

import typer
from rich.console import Console

console = Console()

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def print_json(value: Any) -> None:
    """One JSON document on stdout, as it is: no colours, no wrapping."""
    typer.echo(json.dumps(value, indent=2, sort_keys=False, default=str))


def who() -> str:
    """The person at the keyboard, for the audit trail."""
    return os.environ.get("GROUNDSWELL_USER") or getpass.getuser()
