"""groundswell lineage register: files are read here, what they say is checked and kept by the service."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groundswell.cli import told
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, console, print_json
from groundswell.errors import InputError

if TYPE_CHECKING:
    from groundswell.lineage.model import Registration

_EDGES = ("runtime", "build", "frontend")
"""What the service reads from the Dockerfile itself."""


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
    from groundswell.cli.chosen import client
    from groundswell.lineage.checkout import folder_of, read

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
        folder = scan
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
        folder, registrations = folder_of(path), read(path)
    else:
        raise InputError("name a lineage file or its folder, or a folder to --scan: one of the two")
    document: Document = {"dry_run": dry_run, "images": 0, "changes": [], "bases_not_read": []}
    if registrations:
        sent = {"images": list(_sent(registrations, folder)), "reason": reason, "dry_run": dry_run}
        document = client().patient().post("/lineage/register", sent)
    changes = [{**each, "fields": told.stored_fields(each["fields"])} for each in document["changes"]]
    if as_json:
        print_json(
            {
                "dry_run": document["dry_run"],
                "images": document["images"],
                "changes": changes,
                "skipped": list(skipped),
                "bases_not_read": document["bases_not_read"],
            }
        )
        return
    for change in changes:
        console.print(cell(f"{'+' if change['new'] else '~'} {change['image']}"))
        if not change["new"]:
            for name, pair in change["fields"].items():
                console.print(cell(f"    {name}: {pair['before']} -> {pair['after']}"))
    for line in skipped:
        console.print(cell(f"left out: {line}"), style="yellow")
    for line in document["bases_not_read"]:
        console.print(cell(f"note: the digest of {line}"), style="yellow")
    verb = "would be registered" if dry_run else "registered"
    console.print(f"{len(changes)} {verb}, {document['images'] - len(changes)} unchanged")


def _sent(registrations: Iterable["Registration"], folder: Path) -> Iterable[Document]:
    from groundswell.lineage.sources.files import MAX_DOCKERFILE, read_text

    for each in registrations:
        text = read_text(folder / each.source.path / each.dockerfile, MAX_DOCKERFILE)
        yield {**document_of(each), "dockerfile_content": text}


def document_of(registration: "Registration") -> Document:
    """An image in the words of lineage.yaml, as the API takes it; what is as by default is left out."""
    from groundswell.lineage.model import to_json

    kept = {name: value for name, value in to_json(registration).items() if name not in _EDGES}
    source = {
        "git": kept["source"]["location"],
        "ref": kept["source"]["ref"],
        "path": kept["source"]["path"] or ".",
    }
    deployments = [_said(each) for each in kept["deployments"]]
    return _said({**kept, "source": source, "deployments": deployments})


def _said(fields: Document) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", (), [], {})}
