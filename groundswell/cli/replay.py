"""groundswell replay and cancel: what an operator does to a rebuild, or to a whole cascade, with a reason."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from groundswell.cascade.status import Stage
from groundswell.cli.client import Json as Document
from groundswell.cli.client import segment
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.errors import InputError

_SHOWN = 20
"""Images of a whole cascade that are listed of each kind; `--json` lists all."""

Cascade = Annotated[str, typer.Argument(help="Id of the cascade.")]
Image = Annotated[str | None, typer.Argument(metavar="[IMAGE]", help="Name of the image in it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit trail.")]


def replay(
    cascade: Cascade,
    image: Image = None,
    *,
    reason: Reason,
    stage: Annotated[
        Stage | None,
        typer.Option("--from", help="The stage to begin with; by default where it failed.", show_default=False),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that failed, was rejected or was cancelled, bases first.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="All that has ended; needs --from or --force.")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Build again what was built and good from the same inputs: for what a build takes from elsewhere, "
            "such as packages that it downloads.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a rebuild again from a stage; what it blocked comes back by itself when it succeeds.

    Begun with build, an image whose source and bases are still those of the build under its tag is left unchanged,
    unless with --force.

    Example: groundswell replay 0k3v9xab2c shop/web --reason "source repaired"

    Example: groundswell replay --failed 0k3v9xab2c --from scan --reason "CVE-2026-1 accepted"
    """
    if [image is not None, failed, everything].count(True) != 1:
        raise InputError("replay what? name an IMAGE of the cascade, or give --failed, or --all")
    if everything and stage is None and not force:
        raise InputError("--all needs the stage to begin with: --from build, verify, scan, promote or deploy")
    asked: Document = {"reason": reason} | (
        {"image": image} if image else {"all" if everything else "failed": True}
    )
    asked |= ({"from": stage.value} if stage else {}) | ({"force": True} if force else {})
    bulk = act(cascade, "replay", asked)
    if image is None:
        report(bulk, "replayed", "replay", as_json=as_json)
        return
    (done,) = bulk["done"]
    if as_json:
        print_json({"cascade": cascade, "image": image, "status": done["status"], "reason": done["why"]})
        return
    console.print(cell(f"{image}: {done['status']}; follow it with `groundswell cascades {cascade} --watch`"))


def cancel(
    cascade: Cascade,
    image: Image = None,
    *,
    reason: Reason,
    everything: Annotated[bool, typer.Option("--all", help="Everything in the cascade.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a rebuild that has promoted nothing yet; what stands on it is blocked until it is replayed.

    Of one whose rollout is held, the rollout is called off: its tags stay, its workloads stay as they are, and what
    stands on it goes on; `replay --from deploy` rolls it out after all.

    Example: groundswell cancel 0k3v9xab2c --all --reason "the base was withdrawn"
    """
    if (image is not None) == everything:
        raise InputError("cancel what? name an IMAGE of the cascade, or give --all")
    bulk = act(cascade, "cancel", {"reason": reason} | ({"image": image} if image else {"all": True}))
    if image is None:
        report(bulk, "cancelled", "cancel", as_json=as_json)
        return
    (done,) = bulk["done"]
    if as_json:
        print_json({"cascade": cascade, "image": image, "status": done["status"], "reason": done["why"]})
        return
    console.print(cell(f"{image}: {done['status']}"))


def act(cascade: str, deed: str, asked: Document) -> Document:
    """Ask for something to be done to a cascade; what became of each image."""
    from groundswell.cli.chosen import client

    outcome: Document = client().post(f"/cascades/{segment(cascade)}/{deed}", asked)
    return outcome


def report(bulk: Document, done: str, action: str, *, as_json: bool) -> None:
    """Everything is told; a rebuild that should have been touched and was not makes the exit code 1."""
    if as_json:
        print_json(bulk)
    else:
        table = columns("", "image", "state", "from", "why")
        for word, items in ((done, bulk["done"]), ("left alone", bulk["left"]), ("not done", bulk["failed"])):
            _add(table, word, items)
        if table.row_count:
            console.print(table)
        counts = f"{len(bulk['done'])} {done}, {len(bulk['left'])} left alone, {len(bulk['failed'])} not done"
        console.print(cell(f"{counts}; `groundswell cascades {bulk['cascade']}` shows where they are"))
        if bulk["failed"]:
            console.print(
                cell(f"the {action} of {len(bulk['failed'])} failed: run it again, it is safe"), style="red"
            )
    if bulk["failed"]:
        raise typer.Exit(1)


def _add(table: Table, word: str, items: Sequence[Document]) -> None:
    for item in items[:_SHOWN]:
        table.add_row(word, cell(item["image"]), item["status"], item["stage"] or "", cell(item["why"]))
    if len(items) > _SHOWN:
        table.add_row(word, cell(f"and {len(items) - _SHOWN} more (--json lists all)"), "", "", "")
