"""groundswell drift: workloads that somebody else changed since we set them, and their release."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason

if TYPE_CHECKING:
    from groundswell.cascade.workloads import Known

app = typer.Typer(help="Workloads that somebody else changed: they are left alone.", no_args_is_help=True)


@app.command("list")
def show(
    *,
    look: Annotated[
        bool, typer.Option("--look", help="Ask the clusters, in place of what was noted last.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the workloads that no cascade moves until they are released, as the last rollouts found them.

    Example: groundswell drift list --look
    """
    from groundswell.cascade.view import when
    from groundswell.cli.chosen import own_store as product

    known = list(_looked() if look else (each for each in product().workloads.all() if each.drift))
    if as_json:
        print_json(
            [
                {
                    "workload": each.workload,
                    "image": each.image,
                    "ours": list(each.ours),
                    "runs": each.drift.image,
                    "seen_at": each.drift.at,
                    "cascade": each.drift.cascade or None,
                }
                for each in known
                if each.drift
            ]
        )
        return
    if not known:
        console.print("no drift: every workload that we set runs what we gave it, or its stable tag")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("workload", "image", "we set", "it runs", "seen", "cascade"):
        table.add_column(heading, overflow="fold")
    for each in known:
        if each.drift:
            seen = (each.ours[-1], each.drift.image, when(each.drift.at), each.drift.cascade)
            table.add_row(*map(cell, (each.workload, each.image, *seen)))
    console.print(table)


@app.command("release")
def release(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="As `groundswell drift list` names it.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Let the next rollout move a workload, whatever it runs; to move it now, replay a rebuild from deploy.

    Example: groundswell drift release "production/shop/deployment/web[web]" --reason "the fix is in the image"
    """
    from groundswell.cli.chosen import own_store as product

    known = product().workloads.release(workload, who=who(), why=reason)
    if as_json:
        print_json({"workload": workload, "image": known.image, "released": True})
        return
    console.print(cell(f"{workload}: released; the next rollout of {known.image} moves it"), soft_wrap=True)


def _looked() -> "Iterator[Known]":
    """Those that drifted as the clusters are now; one that cannot be looked at is told on stderr."""
    from dataclasses import replace

    from groundswell.cascade.workloads import Drift, is_drift
    from groundswell.cli.chosen import own_store as product
    from groundswell.deploy.port import parse
    from groundswell.errors import GroundswellError

    product_ = product()
    for known in product_.workloads.all():
        try:
            runs = product_.deployer.observe(parse(known.workload)).image
            image = product_.catalog.registration(known.image)
        except GroundswellError as exc:
            typer.echo(f"not looked at: {exc}", err=True)
            continue
        if is_drift(known, runs, image):
            noted = known.drift.cascade if known.drift else ""
            yield replace(known, drift=Drift(image=runs, at=product_.clock(), cascade=noted))
