"""groundswell lineage: register images, and look at what is registered."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from groundswell.cli.common import Json, console, print_json, who

app = typer.Typer(help="Register images and look at what stands on what.", no_args_is_help=True)


@app.command()
def register(
    path: Annotated[Path, typer.Argument(help="A lineage.yaml, or the folder that holds one.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Register the images of a lineage file and the edges that their Dockerfiles draw.

    Example: groundswell lineage register examples/company --dry-run
    """
    from groundswell.cascade.sweep import seed
    from groundswell.lineage.catalog import Change
    from groundswell.lineage.checkout import read
    from groundswell.wiring import app as product

    registrations = read(path)
    catalog = product().catalog
    changes: tuple[Change, ...]
    changes = catalog.changes(registrations) if dry_run else catalog.register(registrations, who=who())
    unread = [] if dry_run else seed(product().bases, catalog, product().registry)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "images": len(registrations),
                "changes": [
                    {
                        "image": change.name,
                        "new": change.new,
                        "fields": {
                            name: {"before": old, "after": new} for name, (old, new) in change.fields.items()
                        },
                    }
                    for change in changes
                ],
                "bases_not_read": unread,
            }
        )
        return
    for change in changes:
        console.print(Text(f"{'+' if change.new else '~'} {change.name}"))
        if not change.new:
            for name, (old, new) in change.fields.items():
                console.print(Text(f"    {name}: {old} -> {new}"))
    for line in unread:
        console.print(Text(f"note: the digest of {line}"), style="yellow")
    same = len(registrations) - len(changes)
    verb = "would be registered" if dry_run else "registered"
    console.print(f"{len(changes)} {verb}, {same} unchanged")


@app.command()
def show(as_json: Json = False) -> None:
    """The registered images, and what each stands on."""
    from groundswell.lineage.model import to_json
    from groundswell.wiring import app as product

    registrations = product().catalog.registrations()
    if as_json:
        print_json([to_json(registration) for registration in registrations])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("image", "tags", "runs on", "built with", "owner"):
        table.add_column(heading)
    for item in registrations:
        cells = (item.name, ", ".join(item.tags), item.runtime or "scratch", "\n".join(item.build), item.owner)
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)


@app.command()
def schema() -> None:
    """The JSON Schema of lineage.yaml, for editors."""
    from groundswell.lineage.document import schema as document_schema

    print_json(document_schema())
