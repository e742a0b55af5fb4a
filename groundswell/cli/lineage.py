"""groundswell lineage: register images, and look at what is registered."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from groundswell import printable
from groundswell.cli import told
from groundswell.cli.client import Client, segment
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.discover import discover
from groundswell.cli.register import register

if TYPE_CHECKING:
    import networkx as nx

    from graph.formats import Form as Drawing

app = typer.Typer(help="Register images and look at what stands on what.", no_args_is_help=True)
app.command()(register)
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
def unregister(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE...", help="Registered images.")],
    reason: Annotated[str, typer.Option(help="Why, for the history and the audit trail.")],
    as_json: Json = False,
) -> None:
    """Take images out of the lineage; their history stays.

    Example: groundswell lineage unregister shop/old --reason "retired"
    """
    from groundswell.cli.chosen import client

    done = client().post("/lineage/unregister", {"images": sorted(set(images)), "reason": reason})
    gone: list[str] = done["unregistered"]
    left: dict[str, list[str]] = done["left_standing"]
    if as_json:
        print_json(done)
        return
    for name in gone:
        console.print(cell(f"- {name}"))
        if left[name]:
            console.print(cell(f"    note: {', '.join(left[name])} still stand on its tags"), style="yellow")
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

    api = client()
    if as_json or form in (Form.TABLE, Form.JSON):
        found = list(_stored(api, sorted(set(images or ())), owner, label or ()))
        if form is Form.TABLE and not as_json:
            _table(found)
        else:
            print_json(found)
        return
    drawing = api.get("/lineage/graph", image=images, owner=owner, label=label)
    if form is Form.TREE:
        _tree(_graph(drawing))
    else:
        from graph.formats import render

        typer.echo(render(_graph(drawing), _DRAWN[form]), nl=False)


def _stored(api: Client, names: Sequence[str], owner: str, labels: Sequence[str]) -> Iterator[Document]:
    """Registrations by name, as they are stored: all that fit, or those of `names` that do."""
    if names:
        each = (api.get(f"/lineage/images/{segment(name)}") for name in names)
        wanted = dict(label.partition("=")[::2] for label in labels)
        found: Iterable[Document] = (
            item for item in each if owner in ("", item["owner"]) and wanted.items() <= item["labels"].items()
        )
    else:
        found = api.pages("/lineage/images", "images", owner=owner, label=labels)
    for item in found:
        yield {**item, "source": told.stored_source(item["source"])}


def _graph(drawing: Document) -> "nx.DiGraph[str]":
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(drawing["nodes"])
    for edge in drawing["edges"]:
        graph.add_edge(edge["base"], edge["image"], kind=edge["kind"], pinned=edge["pinned"])
    return graph


def _table(registrations: Sequence[Document]) -> None:
    if not registrations:
        console.print("nothing registered: `groundswell lineage register DIR` reads DIR/lineage.yaml")
        return
    table = columns("image", "tags", "runs on", "built with", "owner")
    for item in registrations:
        tags = ", ".join((*item["tags"], *item["tag_patterns"]))
        cells = (item["name"], tags, item["runtime"] or "scratch", "\n".join(item["build"]), item["owner"])
        table.add_row(*(Text(printable.lines(text)) for text in cells))
    console.print(table)


def _tree(graph: "nx.DiGraph[str]") -> None:
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
    return {name: [pair["before"], pair["after"]] for name, pair in told.stored_fields(fields).items()}


@app.command()
def schema() -> None:
    """Print the JSON Schema of lineage.yaml, for editors.

    Example: groundswell lineage schema > lineage.schema.json
    """
    from groundswell.lineage.document import schema as document_schema

    print_json(document_schema())
