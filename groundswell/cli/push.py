"""groundswell push: tell that a base was pushed."""

from typing import Annotated

import typer
from rich.text import Text

from groundswell.cli.common import Json, console, print_json


def push(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The tag that moved.")],
    reason: Annotated[str, typer.Option(help="Why you tell it, for the audit trail.")],
    urgent: Annotated[
        bool, typer.Option("--urgent", help="What follows is built before anything else, as for a security fix.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="What follows is built even if it was built and good from the same before."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell that a base was pushed, when its webhook was lost or what follows is urgent.

    A digest that was seen before starts nothing, with --force neither: to build all of a cascade again there is
    `groundswell replay CASCADE --all --force`.

    Example: groundswell push example.azurecr.io/mirror/debian:12 --urgent --reason "CVE-2026-1234"
    """
    from groundswell.cli.chosen import client

    asked = {"reference": reference, "reason": reason, "urgent": urgent, "force": force}
    told = client().post("/pushes", asked)
    if as_json:
        print_json(told)
        return
    console.print(Text(f"queued as {told['push']}; `groundswell pushes` will say what became of it"))
