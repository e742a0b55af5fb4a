"""groundswell impact: what a push would do, asked before anybody pushes."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, columns, console, print_json


def impact(
    reference: Annotated[str, typer.Argument(metavar="REF", help="A base as Dockerfiles name it, or an image.")],
    as_json: Json = False,
) -> None:
    """Show what a push of REF would rebuild, in which order, how long it takes and what it rolls out.

    Example: groundswell impact docker.io/library/debian:12
    """
    from groundswell.cli.chosen import client

    found = client().get("/impact", reference=reference)
    if as_json:
        print_json(found)
        return
    base = found["base"]
    if not found["images"]:
        console.print(Text(f"no registered image stands on {base}"))
        _frontend(base, found["frontend_of"])
        return
    table = columns("image", "depth", "edge", "seconds", "waits for", right=("depth", "seconds"))
    rebuilt = [line for line in found["images"] if not line["pinned"]]
    for line in rebuilt:
        table.add_row(
            Text(line["image"]),
            str(line["depth"]),
            line["edge"],
            f"{line['estimated_seconds']:.1f}",
            Text(", ".join(line["waits_for"])),
        )
    for line in found["images"]:
        if line["pinned"]:
            held = Text(f"held by {line['held_by']}", style="yellow")
            table.add_row(Text(line["image"]), "", line["edge"], "", held)
    console.print(table)
    console.print(
        Text(
            f"a push of {base} rebuilds {len(rebuilt)} images in about "
            f"{found['estimated_makespan_seconds']:.0f} s and rolls out {len(found['workloads'])} workloads"
        )
    )
    if found["critical_path"]:
        console.print(Text(f"longest path: {' -> '.join(found['critical_path'])}"))
    for each in found["workloads"]:
        console.print(Text(f"  {_workload(each)} runs {each['image']}"))
    _frontend(base, found["frontend_of"])


def _workload(each: Document) -> str:
    """As rollouts name it."""
    from groundswell.deploy.port import Kind, Workload

    fields = {key: each[key] for key in ("cluster", "namespace", "name", "container")}
    return str(Workload(**fields, kind=Kind(each["kind"])))


def _frontend(base: str, images: Sequence[str]) -> None:
    if images:
        console.print(Text(f"{base} reads the Dockerfile of {', '.join(images)}: nothing of it is in them"))
