"""groundswell lineage discover: who stands on whom in a registry, as its images tell."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from graph.findings import Finding, Place, Sureness, short
from graph.lineage import EdgeKind, Lineage
from groundswell.cli.common import Json, cell, console, print_json

if TYPE_CHECKING:
    from groundswell.lineage.discovery import Report
    from groundswell.lineage.reading import Progress

COLOURS = {
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
    from groundswell.cli.chosen import own_store as product
    from groundswell.lineage.discovery import discover as survey

    with progress() as bar:
        report = survey(
            product().registry,
            registry,
            Lineage(item.node for item in product().catalog.registrations()),
            repositories=repository or (),
            newest=tags,
            progress=bar,
        )
    if as_json:
        from groundswell.lineage.report import to_json

        print_json(to_json(report))
    else:
        _print(report)


def _print(report: "Report") -> None:
    near = f"{report.registry}/"
    edges = [finding for image in report.images for finding in report.found[image.reference]]
    if edges:
        console.print(_table(edges, near))
    roots = sum(not report.found[image.reference] for image in report.images)
    counts = report.counts
    console.print(
        f"{counts.images} images in {counts.repositories} repositories; {roots} of them stand on nothing known; "
        f"passed over: {counts.candidates} candidates, {counts.artifacts} other artifacts"
    )
    doubtful = [each for each in report.differences.registered if _doubtful(each)]
    if doubtful:
        console.print(Text("\nRegistered, and not proven or not up to date:", style="bold"))
        console.print(_table(doubtful, near))
    if report.differences.unregistered:
        console.print(Text("\nNot registered, and standing on something:", style="bold"))
        table = _columns("image", "stands on", "note")
        for each in report.differences.unregistered:
            notes = ["reaches a registered base"] if each.reaches else []
            notes += [f"{each.sibling} is registered with other tags"] if each.sibling else []
            bases = "\n".join(base.removeprefix(near) for base in each.bases)
            table.add_row(Text(each.image.removeprefix(near)), Text(bases), Text("; ".join(notes)))
        console.print(table)
    for name in report.differences.missing:
        console.print(Text(f"note: {name} is registered, but the registry has none of its tags"), style="yellow")
    for unread in report.unreadable:
        console.print(cell(f"not read: {unread.subject}: {unread.error}"), style="yellow")


def _doubtful(registered: Finding) -> bool:
    """Whether somebody should look: layers never prove a build edge, so only its base can be amiss."""
    if registered.kind is EdgeKind.BUILD:
        return registered.stale or registered.place is Place.ABSENT
    return registered.stale or registered.sureness is not Sureness.PROVEN


def _table(findings: Sequence[Finding], near: str) -> Table:
    table = _columns("image", "stands on", "sure", "why")
    for finding in findings:
        base = finding.base.removeprefix(near).partition("@")[0]
        if finding.base_digest and finding.base_digest != finding.current_digest:
            base += f"@{short(finding.base_digest)}"
        if finding.kind is EdgeKind.BUILD:
            base += " (build)"
        sure = Text(finding.sureness, style=COLOURS[finding.sureness])
        if finding.stale:
            sure.append(", stale", style="yellow")
        table.add_row(cell(finding.image.removeprefix(near)), cell(base), sure, cell(finding.why))
    return table


def _columns(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


@contextmanager
def progress() -> "Iterator[Progress]":
    """A bar on stderr while it is a terminal."""
    terminal = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("repositories", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)
