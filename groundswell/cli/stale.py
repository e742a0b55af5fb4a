"""groundswell stale: what stands on an older base than there is now."""

import time
from typing import Annotated

import typer

from groundswell.cli import told
from groundswell.cli.common import Json, cell, columns, console, print_json


def stale(
    owner: Annotated[str, typer.Option(help="Only images of this team.")] = "",
    registry: Annotated[
        str, typer.Option(metavar="HOST", help="Look through this registry for images that nobody registered, too.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show images, and workloads that run, which stand on an older base than there is now: since when, and why.

    Example: groundswell stale --owner shop

    Example: groundswell stale --registry example.azurecr.io
    """
    from groundswell.cascade.view import short
    from groundswell.cli.chosen import client
    from groundswell.cli.waiting import waiting

    with waiting("looking at registry and clusters"):
        found = client().patient().whole("/stale", "images", "workloads", "unread", owner=owner, registry=registry)
    images = told.timed(found["images"], "since")
    workloads = told.timed(found["workloads"], "since")
    if as_json:
        print_json({"images": images, "workloads": workloads, "unread": found["unread"]})
        return
    table = columns("stale", "stands on", "since", "why")
    now = time.time()
    for image in images:
        base = f"{image['base'].partition('@')[0]} {short(image['stands_on'] or '')}".strip()
        why = cell(f"{image['why']}: {image['detail']}")
        table.add_row(cell(image["image"]), cell(base), _age(image["since"], now), why)
    for item in workloads:
        runs = f"{item['image']} {short(item['runs'] or '')}"
        why = cell(f"{item['why']}: {item['detail']}")
        table.add_row(cell(item["workload"]), cell(runs), _age(item["since"], now), why)
    if table.row_count:
        console.print(table)
    for line in found["unread"]:
        console.print(cell(f"not looked at: {line}"), style="yellow")
    console.print(f"{len(images)} images and {len(workloads)} workloads are stale")


def _age(since: float | None, now: float) -> str:
    if since is None:
        return "?"
    minutes = max(0, int(now - since)) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
