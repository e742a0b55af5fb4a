"""groundswell stale: what stands on an older base than there is now."""

import time
from typing import Annotated

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json


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
    from dataclasses import replace

    from groundswell.cascade.stale import survey
    from groundswell.cascade.view import short
    from groundswell.wiring import app as product

    app = product()
    report = survey(
        catalog=app.catalog,
        bases=app.bases,
        records=app.engine.records,
        registry=app.registry,
        deployer=lambda: app.deployer,
    )
    if registry:
        from graph.lineage import Lineage
        from groundswell.cascade.stale import unregistered
        from groundswell.cli.discover import progress
        from groundswell.lineage.discovery import discover

        lineage = Lineage(item.node for item in app.catalog.registrations())
        with progress() as bar:
            strangers = unregistered(discover(app.registry, registry, lineage, progress=bar), lineage, app.bases)
        report = replace(report, images=(*report.images, *strangers))
    if owner:
        owned = {item.name for item in app.catalog.registrations() if item.owner == owner}
        report = replace(
            report,
            images=tuple(item for item in report.images if item.image in owned),
            workloads=tuple(item for item in report.workloads if item.image in owned),
        )
    if as_json:
        print_json(report.to_json())
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("stale", "stands on", "since", "why"):
        table.add_column(heading, overflow="fold")
    now = time.time()
    for image in report.images:
        base = f"{image.base.partition('@')[0]} {short(image.stands_on)}".strip()
        table.add_row(cell(image.image), cell(base), _age(image.since, now), cell(f"{image.cause}: {image.detail}"))
    for item in report.workloads:
        runs = f"{item.image} {short(item.runs)}"
        table.add_row(cell(item.workload), cell(runs), _age(item.since, now), cell(f"{item.cause}: {item.detail}"))
    if table.row_count:
        console.print(table)
    for line in report.unread:
        console.print(cell(f"not looked at: {line}"), style="yellow")
    console.print(f"{len(report.images)} images and {len(report.workloads)} workloads are stale")


def _age(since: float | None, now: float) -> str:
    if since is None:
        return "?"
    minutes = max(0, int(now - since)) // 60
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"
