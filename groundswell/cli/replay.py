"""groundswell replay and cancel: what an operator does to a rebuild, with a reason."""

from typing import Annotated

import typer
from rich.text import Text

from groundswell.cascade.model import Stage
from groundswell.cli.common import console, who

Cascade = Annotated[str, typer.Argument(help="Id of the cascade.")]
Image = Annotated[str, typer.Argument(help="Name of the image in it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


def replay(
    cascade: Cascade,
    image: Image,
    reason: Reason,
    stage: Annotated[Stage, typer.Option("--from", help="The stage to begin with.")] = Stage.BUILD,
) -> None:
    """Run a rebuild again from a stage; what it blocked comes back by itself when it succeeds.

    Example: groundswell replay 0k3v9xab2c shop/web --from build --reason "source repaired"
    """
    from groundswell.wiring import app as product

    state = product().operator.replay(cascade, image, stage=stage, who=who(), why=reason)
    console.print(Text(f"{image}: {state.status}; follow it with `groundswell cascades {cascade} --watch`"))


def cancel(cascade: Cascade, image: Image, reason: Reason) -> None:
    """Stop a rebuild that has promoted nothing yet; what stands on it is blocked until it is replayed."""
    from groundswell.wiring import app as product

    state = product().operator.cancel(cascade, image, who=who(), why=reason)
    console.print(Text(f"{image}: {state.status}"))
