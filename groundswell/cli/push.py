"""groundswell push: tell that a base was pushed."""

from typing import Annotated

import typer
from rich.text import Text

from groundswell.cli.common import Json, console, print_json, who


def push(
    reference: Annotated[str, typer.Argument(metavar="REF", help="The tag that moved.")],
    reason: Annotated[str, typer.Option(help="Why you tell it, for the audit trail.")],
    urgent: Annotated[
        bool, typer.Option("--urgent", help="What follows is built before anything else, as for a security fix.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell that a base was pushed, when its webhook was lost or what follows is urgent.

    Example: groundswell push example.azurecr.io/mirror/debian:12 --urgent --reason "CVE-2026-1234"
    """
    from groundswell.cascade.announce import announce
    from groundswell.wiring import app as product

    app = product()
    told = announce(app.store, reference, urgent=urgent, who=who(), why=reason, clock=app.clock)
    if as_json:
        print_json({"push": told.id, "urgent": told.urgent})
        return
    console.print(Text(f"queued as {told.id}; `groundswell pushes` will say what became of it"))
