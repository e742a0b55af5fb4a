"""groundswell lineage discover: who stands on whom in a registry, as its images tell."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from graph.findings import Place, Sureness, short
from graph.lineage import EdgeKind
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json

COLOURS: Mapping[str, str] = {
    Sureness.PROVEN: "green",
    Sureness.PARTIAL: "yellow",
    Sureness.CLAIMED: "cyan",
    Sureness.DISPROVED: "bold red",
}


def discover(
    registry: Annotated[str, typer.Argument(help="Login server, such as example.azurecr.io.", metavar="REGISTRY")],
    repository: Annotated[
        list[str] | None, typer.Option(help="Only repositories that match this glob; may be given again.")
    ] = None,
    tags: Annotated[
        int | None, typer.Option(help="Read only the newest N tags of a repository.", min=1, metavar="N")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find out by layers, annotations and provenance who stands on whom, and hold it against what is registered.

    Proven: by the layers of every platform. Partial: by those of some. Claimed: something says so, and the layers
    can neither prove nor disprove it. Disproved: something says so, and the layers contradict it.

    Example: groundswell lineage discover example.azurecr.io --repository 'team/*' --tags 5
    """
    from groundswell.cli.chosen import client
    from groundswell.cli.waiting import waiting

    with waiting(f"reading {registry}"):
        report = client().patient().get("/discover", registry=registry, repository=repository, tags=tags)
    if as_json:
        print_json(report)
    else:
        _print(report)


def _print(report: Document) -> None:
    near = f"{report['registry']}/"
    edges = [{"image": image["image"], **edge} for image in report["images"] for edge in image["stands_on"]]
    if edges:
        console.print(_table(edges, near))
    roots = sum(not image["stands_on"] for image in report["images"])
    counts = report["counts"]
    console.print(
        f"{counts['images']} images in {counts['repositories']} repositories; {roots} of them stand on nothing "
        f"known; passed over: {counts['candidates']} candidates, {counts['artifacts']} other artifacts"
    )
    doubtful = list(filter(_doubtful, report["registered"]))
    if doubtful:
        console.print(Text("\nRegistered, and not proven or not up to date:", style="bold"))
        console.print(_table(doubtful, near))
    if report["unregistered"]:
        console.print(Text("\nNot registered, and standing on something:", style="bold"))
        table = columns("image", "stands on", "note")
        for each in report["unregistered"]:
            notes = ["reaches a registered base"] if each["reaches"] else []
            notes += [f"{each['sibling']} is registered with other tags"] if each["sibling"] else []
            bases = Text("\n").join(cell(base.removeprefix(near)) for base in each["bases"])
            table.add_row(cell(each["image"].removeprefix(near)), bases, cell("; ".join(notes)))
        console.print(table)
    for name in report["missing"]:
        console.print(cell(f"note: {name} is registered, but the registry has none of its tags"), style="yellow")
    for unread in report["unreadable"]:
        console.print(cell(f"not read: {unread['subject']}: {unread['error']}"), style="yellow")


def _doubtful(registered: Document) -> bool:
    """Whether somebody should look: layers never prove a build edge, so only its base can be amiss."""
    if registered["kind"] == EdgeKind.BUILD:
        return bool(registered["stale"]) or registered["place"] == Place.ABSENT
    return bool(registered["stale"]) or registered["sureness"] != Sureness.PROVEN


def _table(findings: Sequence[Document], near: str) -> Table:
    table = columns("image", "stands on", "sure", "why")
    for finding in findings:
        base = finding["base"].removeprefix(near).partition("@")[0]
        if finding["base_digest"] and finding["base_digest"] != finding["current_digest"]:
            base += f"@{short(finding['base_digest'])}"
        if finding["kind"] == EdgeKind.BUILD:
            base += " (build)"
        sure = cell(finding["sureness"], style=COLOURS.get(finding["sureness"], ""))
        if finding["stale"]:
            sure.append(", stale", style="yellow")
        table.add_row(cell(finding["image"].removeprefix(near)), cell(base), sure, cell(finding["why"]))
    return table
