"""groundswell verify: what hangs on an image, and whether it is signed by our key. groundswell key: that key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.errors import InputError

_MAX_KEY = 4001
"""One more than the API takes, which says then that it is too long."""


def verify(
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="An image, by tag or digest.")],
    *,
    key: Annotated[
        Path | None, typer.Option("--key", help="The public key, in PEM; without it, that of the signer in use.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is attached to an image, and check that it, its verdict and its proof are signed.

    Exit 0 when they are, 1 when they are not. Without a key, what there is is shown, and not verified.

    Example: groundswell verify contoso.azurecr.io/shop/web:1.4 --key groundswell.pub
    """
    from groundswell.cli.chosen import client

    document = client().patient().get("/verify", reference=reference, key="" if key is None else _text(key))
    if as_json:
        print_json(document)
    else:
        passed = "verified" if document["verified"] else "not verified"
        console.print(cell(f"{document['image']}: {passed}"), soft_wrap=True)
        if document["attached"]:
            console.print(_table(document["attached"]))
    if not document["verified"]:
        raise typer.Exit(1)


def key() -> None:
    """Print the public key that promoted images are signed with, for `cosign verify` and admission policies.

    Example: groundswell key > groundswell.pub
    """
    from groundswell.cli.chosen import client

    typer.echo(client().get("/key")["public_key"], nl=False)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MAX_KEY).decode("ascii")
    except OSError as exc:
        raise InputError(f"{file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{file} is no public key in PEM") from exc


def _table(attached: Sequence[Document]) -> Table:
    from groundswell.cascade.view import short

    table = columns("what", "kind", "digest", "signed", "why")
    for each in attached:
        signed = "" if each["holds"] is None else "yes" if each["holds"] else "no"
        table.add_row(each["form"], cell(each["kind"]), cell(short(each["digest"])), signed, cell(each["why"]))
    return table
