"""groundswell impact: what a push would do, asked before anybody pushes."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from groundswell.cli.common import Json, console, print_json


def impact(
    reference: Annotated[str, typer.Argument(metavar="REF", help="A base as Dockerfiles name it, or an image.")],
    as_json: Json = False,
) -> None:
    """Show what a push of REF would rebuild, in which order, how long it takes and what it rolls out.

    Example: groundswell impact docker.io/library/debian:12
    """
    from groundswell.cascade.preview import preview, to_json
    from groundswell.wiring import app as product

    app = product()
    found = preview(reference, catalog=app.catalog, durations=app.durations, slots=app.settings.slots)
    if as_json:
        print_json(to_json(found))
        return
    if not found.lines:
        console.print(Text(f"no registered image stands on {found.base}"))
        _frontend(found.base, found.frontend_of)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("image", "depth", "edge", "seconds", "waits for"):
        table.add_column(heading, justify="right" if heading in ("depth", "seconds") else "left")
    rebuilt = [line for line in found.lines if not line.held]
    for line in rebuilt:
        table.add_row(
            Text(line.image),
            str(line.depth),
            line.kind.value,
            f"{line.seconds:.1f}",
            Text(", ".join(line.waits_for)),
        )
    for line in found.lines:
        if line.held:
            table.add_row(Text(line.image), "", line.kind.value, "", Text(f"held by {line.held}", style="yellow"))
    console.print(table)
    console.print(
        Text(
            f"a push of {found.base} rebuilds {len(rebuilt)} images in about {found.seconds:.0f} s "
            f"and rolls out {len(found.rolls)} workloads"
        )
    )
    if found.critical_path:
        console.print(Text(f"longest path: {' -> '.join(found.critical_path)}"))
    for image, workload in found.rolls:
        console.print(Text(f"  {workload} runs {image}"))
    _frontend(found.base, found.frontend_of)


def _frontend(base: str, images: tuple[str, ...]) -> None:
    if images:
        console.print(Text(f"{base} reads the Dockerfile of {', '.join(images)}: nothing of it is in them"))
