"""groundswell statistics: what the cascades of each month came to."""

from typing import Annotated

import typer

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json

_SLOWEST = 5
_COUNTS = ("cascades", "images", "success", "p50", "p95", "replays", "fixed")


def statistics(
    *,
    months: Annotated[int, typer.Option(help="So many, with this one.", min=1, max=60)] = 12,
    owner: Annotated[str, typer.Option(help="Only the part of this team's images.")] = "",
    as_json: Json = False,
) -> None:
    """Show by month what the cascades came to that have ended: how long they took, how many images went well.

    A month is that in which a cascade began, in UTC. `to rolled out` is from the push to the last workload healthy:
    half of the images took no longer, and 95 percent no longer than the second.

    Example: groundswell statistics --months 3 --owner shop
    """
    from groundswell.cli.chosen import client

    found = client().get("/statistics", months=months, owner=owner)["months"]
    if as_json:
        print_json(found)
        return
    if not found:
        console.print("no statistics: no cascade has ended in these months")
        return
    table = columns("month", *_COUNTS, right=_COUNTS)
    for month in found:
        times = month["push_to_rolled_out"]["images"]
        table.add_row(
            month["month"],
            str(month["cascades"]),
            str(month["images"]),
            "" if month["success_rate"] is None else f"{month['success_rate']:.1%}",
            _lasting(times["p50_seconds"]),
            _lasting(times["p95_seconds"]),
            str(month["replays"]),
            str(sum(month["vulnerabilities"]["fixed"].values())),
        )
    console.print(table)
    console.print("p50, p95: from a push to an image rolled out; fixed: vulnerabilities", style="dim")
    _slowest(found[0])


def _slowest(month: Document) -> None:
    told = [f"{each['image']} ({_lasting(each['build_seconds'])})" for each in month["slowest"][:_SLOWEST]]
    if told:
        console.print(cell(f"slowest builds in {month['month']}: {', '.join(told)}"), soft_wrap=True)


def _lasting(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
