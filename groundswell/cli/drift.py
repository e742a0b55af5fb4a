"""groundswell drift: workloads that somebody else changed since we set them, and their release."""

from typing import Annotated

import typer

from groundswell import printable
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.replay import Reason
from groundswell.cli.told import timed

_ASKED = 50
"""Workloads that the clusters are asked about in one request."""

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
    from groundswell.cli.chosen import client
    from groundswell.cli.waiting import waiting

    if look:
        with waiting("asking the clusters"):
            answer = client().patient().whole("/drift", "drift", "unread", size=_ASKED, look=True)
    else:
        answer = client().whole("/drift", "drift", "unread")
    for line in answer["unread"]:
        typer.echo(f"not looked at: {printable.line(line)}", err=True)
    known = timed(answer["drift"], "seen_at")
    if as_json:
        print_json(known)
        return
    if not known:
        console.print("no drift: every workload that we set runs what we gave it, or its stable tag")
        return
    table = columns("workload", "image", "we set", "it runs", "seen", "cascade")
    for each in known:
        seen = (each["ours"][-1], each["runs"], when(each["seen_at"]), each["cascade"] or "")
        table.add_row(*map(cell, (each["workload"], each["image"], *seen)))
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
    from groundswell.cli.chosen import client

    released = client().post("/drift/release", {"workload": workload, "reason": reason})
    if as_json:
        print_json(released)
        return
    said = f"{workload}: released; the next rollout of {released['image']} moves it"
    console.print(cell(said), soft_wrap=True)
