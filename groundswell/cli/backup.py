"""groundswell backup and restore: the whole state in one file. They work on the store itself, and need no role."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason
from groundswell.errors import InputError

if TYPE_CHECKING:
    from groundswell.cascade.backup import Summary


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it; nothing may be there.", metavar="FILE")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Write all documents of the store into FILE. The app may run meanwhile.

    Only you can read it: it holds who did what, and hashes of API tokens.

    Example: groundswell backup state.gz --reason nightly
    """
    from groundswell import audit
    from groundswell.cascade.backup import write
    from groundswell.cli.chosen import own_store as product

    if file.exists():
        raise InputError(f"{file} is there already: name another file")
    store, at = product().store, product().clock()
    part = file.with_name(f"{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as written:
            summary = write(store, written, at=at)
            written.flush()
            os.fsync(written.fileno())
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
    after = {"documents": summary.documents, "sha256": summary.sha256}
    audit.record(store, at=at, who=who(), action="backup", subject="the store", why=reason, before={}, after=after)
    _tell(summary, as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.", metavar="FILE")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what the store holds, but for its audit trail.")
    ] = False,
    check: Annotated[bool, typer.Option("--check", help="Read the backup to its end, and change nothing.")] = False,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty store. Stop the app first; what was in flight goes on when it runs again.

    Example: groundswell restore state.gz --reason "the storage account is gone"
    """
    from groundswell.cascade.backup import verify
    from groundswell.cascade.restoring import restore as put_back
    from groundswell.cli.chosen import own_store as product

    with file.open("rb") as opened:
        if check:
            summary = verify(opened)
        else:
            app = product()
            summary = put_back(app.store, opened, force=force, who=who(), why=reason, clock=app.clock)
    _tell(summary, as_json=as_json)


def _tell(summary: "Summary", *, as_json: bool) -> None:
    from groundswell.cascade.view import when

    if as_json:
        found = {"documents": summary.documents, "tables": dict(summary.tables), "sha256": summary.sha256}
        print_json({"taken_at": summary.at, **found})
        return
    tables = ", ".join(f"{count} in {table}" for table, count in summary.tables.items())
    console.print(cell(f"{summary.documents} documents as of {when(summary.at)}: {tables or 'none'}"))
    console.print(cell(f"sha256 {summary.sha256}"))
