"""groundswell lineage: register images, and look at what is registered."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from groundswell import printable
from groundswell.cli import told
from groundswell.cli.client import Client, segment
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.discover import discover
from groundswell.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from graph.formats import Form as Drawing
    from graph.lineage import Lineage
    from groundswell.lineage.catalog import Change
    from groundswell.lineage.model import Registration

app = typer.Typer(help="Register images and look at what stands on what.", no_args_is_help=True)
app.command()(discover)


class Form(StrEnum):
    TABLE = "table"
    TREE = "tree"
    JSON = "json"
    DOT = "dot"
    MERMAID = "mermaid"
    GRAPHML = "graphml"


_DRAWN: "Mapping[Form, Drawing]" = {Form.DOT: "dot", Form.MERMAID: "mermaid", Form.GRAPHML: "graphml"}


@app.command()
def register(
    *,
    path: Annotated[
        Path | None, typer.Argument(help="A lineage.yaml, or the folder that holds one.", show_default=False)
    ] = None,
    scan: Annotated[
        Path | None, typer.Option("--scan", help="Register every Dockerfile under this folder instead.")
    ] = None,
    repository_prefix: Annotated[str, typer.Option(help="With --scan: what the repositories begin with.")] = "",
    registry: Annotated[str, typer.Option(help="With --scan: login server of the images.")] = "",
    git: Annotated[str, typer.Option(help="With --scan: URL of the git repository that the folder is of.")] = "",
    ref: Annotated[str, typer.Option(help="With --scan: branch, tag or commit.")] = "main",
    tag: Annotated[list[str] | None, typer.Option(help="With --scan: a stable tag; may be given again.")] = None,
    owner: Annotated[str, typer.Option(help="With --scan: the team that answers for the images.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Register the images of a lineage file, or all that a folder builds, with the edges their Dockerfiles draw.

    Example: groundswell lineage register examples/company --dry-run

    Example: groundswell lineage register --scan . --registry example.azurecr.io --repository-prefix shop/
    --git https://git.example.com/shop.git --tag 1.4
    """
    from groundswell.cascade.reconcile import seed
    from groundswell.cli.chosen import own_store as product
    from groundswell.lineage.checkout import read

    registrations: Sequence[Registration]
    skipped: Sequence[str] = ()
    if scan is not None and path is None:
        from groundswell.lineage.document import check_git
        from groundswell.lineage.sources.register import registrations as scanned

        for option, value in (("--registry", registry), ("--git", git)):
            if not value:
                raise InputError(
                    f"--scan needs {option}: images are pushed to a registry and built from a repository"
                )
        check_git(git, "--git")
        registrations, skipped = scanned(
            scan,
            registry=registry,
            repository_prefix=repository_prefix,
            git=git,
            ref=ref,
            tags=tag or ["latest"],
            owner=owner,
        )
    elif path is not None and scan is None:
        registrations = read(path)
    else:
        raise InputError("name a lineage file or its folder, or a folder to --scan: one of the two")
    catalog = product().catalog
    changes = catalog.changes(registrations) if dry_run else catalog.register(registrations, who=who(), why=reason)
    names = [registration.name for registration in registrations]
    unread = [] if dry_run else seed(product().bases, catalog, product().registry, names)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "images": len(registrations),
                "changes": [_change_json(change) for change in changes],
                "skipped": list(skipped),
                "bases_not_read": unread,
            }
        )
        return
    for change in changes:
        console.print(cell(f"{'+' if change.new else '~'} {change.name}"))
        if not change.new:
            for name, (old, new) in change.fields.items():
                console.print(cell(f"    {name}: {old} -> {new}"))
    for line in skipped:
        console.print(cell(f"left out: {line}"), style="yellow")
    for line in unread:
        console.print(cell(f"note: the digest of {line}"), style="yellow")
    same = len(registrations) - len(changes)
    verb = "would be registered" if dry_run else "registered"
    console.print(f"{len(changes)} {verb}, {same} unchanged")


def _change_json(change: "Change") -> dict[str, Any]:
    fields = {name: {"before": old, "after": new} for name, (old, new) in change.fields.items()}
    return {"image": change.name, "new": change.new, "action": change.action.value, "fields": fields}


@app.command()
def unregister(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Registered images.")],
    reason: Annotated[str, typer.Option(help="Why, for the history and the audit trail.")],
    as_json: Json = False,
) -> None:
    """Take images out of the lineage; their history stays.

    Example: groundswell lineage unregister shop/old --reason "retired"
    """
    from groundswell.cli.chosen import client

    api = client()
    gone = sorted(set(images))
    known = {item["name"]: item for item in _stored(api)}
    _check_registered(gone, known)
    lineage = _lineage(known.values())
    left = {name: sorted(set(lineage.followers(name)) - set(images)) for name in gone}
    for name in gone:
        api.delete(f"/lineage/images/{segment(name)}", reason=reason)
    if as_json:
        print_json({"unregistered": gone, "left_standing": left})
        return
    for name in gone:
        console.print(Text(f"- {name}"))
        if left[name]:
            console.print(Text(f"    note: {', '.join(left[name])} still stand on its tags"), style="yellow")
    console.print(f"{len(gone)} unregistered")


@app.command()
def show(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE...]", help="Only these.", show_default=False)
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to show it.")] = Form.TABLE,
    owner: Annotated[str, typer.Option(help="Only images of this team.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only images with this label; may be given again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the registered images, and what each stands on.

    Example: groundswell lineage show --format mermaid --owner shop
    """
    from groundswell.cli.chosen import client

    found = {item["name"]: item for item in _stored(client())}
    if images:
        _check_registered(images, found)
    chosen = [
        item
        for name, item in found.items()
        if (not images or name in images) and (not owner or item["owner"] == owner) and _labelled(item, label or ())
    ]
    if as_json or form is Form.JSON:
        print_json(chosen)
    elif form is Form.TABLE:
        _table(chosen)
    else:
        from groundswell.lineage.drawing import drawn

        graph = drawn(_lineage(found.values()), [item["name"] for item in chosen])
        if form is Form.TREE:
            _tree(graph)
        else:
            from graph.formats import render

            typer.echo(render(graph, _DRAWN[form]), nl=False)


def _stored(api: Client) -> Iterator[Document]:
    """All registrations by name, as they are stored: the API has the source in the words of lineage.yaml."""
    for item in api.pages("/lineage/images", "images"):
        yield {**item, "source": _source(item["source"])}


def _source(document: Document) -> Document:
    path = document["path"]
    return {"location": document["git"], "ref": document["ref"], "path": "" if path == "." else path}


def _lineage(documents: Iterable[Document]) -> "Lineage":
    from graph.lineage import Lineage
    from groundswell.lineage.model import node

    return Lineage(map(node, documents))


def _check_registered(names: Iterable[str], known: Mapping[str, Document]) -> None:
    if missing := set(names) - known.keys():
        raise NotFoundError(f"no image {min(missing)} is registered; `groundswell lineage show` lists them")


def _labelled(item: Document, wanted: Sequence[str]) -> bool:
    return all(item["labels"].get(key) == value for key, _, value in (pair.partition("=") for pair in wanted))


def _table(registrations: Sequence[Document]) -> None:
    if not registrations:
        console.print("nothing registered: `groundswell lineage register DIR` reads DIR/lineage.yaml")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("image", "tags", "runs on", "built with", "owner"):
        table.add_column(heading)
    for item in registrations:
        tags = ", ".join((*item["tags"], *item["tag_patterns"]))
        cells = (item["name"], tags, item["runtime"] or "scratch", "\n".join(item["build"]), item["owner"])
        table.add_row(*(Text(printable.lines(text)) for text in cells))
    console.print(table)


def _tree(graph: Any) -> None:
    from groundswell.lineage.drawing import tree

    for branch in tree(graph):
        notes = [branch.kind] if branch.kind not in ("", "runtime") else []
        notes += ["pinned"] if branch.pinned else []
        notes += ["see above"] if branch.again else []
        line = Text("  " * branch.depth + branch.name)
        if notes:
            line.append(f"  ({', '.join(notes)})", style="dim")
        console.print(line, soft_wrap=True)


@app.command()
def history(
    image: Annotated[str, typer.Argument(help="A registered image, or one that once was.")],
    limit: Annotated[int, typer.Option(help="How many changes.", min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """Show what became of an image's registration, the newest change first.

    Example: groundswell lineage history shop/web
    """
    from groundswell.cli.chosen import client

    answer = client().get(f"/lineage/images/{segment(image)}/history", limit=limit)
    lines = [{**line, "fields": _fields(line["fields"])} for line in told.timed(answer["history"])]
    if as_json:
        print_json(lines)
        return
    for line in lines:
        at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(line["at"]))
        why = f": {line['why']}" if line["why"] else ""
        console.print(cell(f"{at}  {line['action']} by {line['who']}{why}"))
        if line["action"] == "changed":
            for name, (old, new) in line["fields"].items():
                console.print(cell(f"    {name}: {old} -> {new}"))


def _fields(fields: Document) -> Document:
    """What changed, from and to."""
    return {
        name: [_source(value) if name == "source" and value else value for value in (pair["before"], pair["after"])]
        for name, pair in fields.items()
    }


@app.command()
def schema() -> None:
    """Print the JSON Schema of lineage.yaml, for editors.

    Example: groundswell lineage schema > lineage.schema.json
    """
    from groundswell.lineage.document import schema as document_schema

    print_json(document_schema())
