"""groundswell verify: what hangs on an image, and whether it is signed by our key. groundswell key: that key."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graph.reference import Reference
    from groundswell.attest.check import Found
    from groundswell.wiring import App


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
    from groundswell.attest.check import look, sound
    from groundswell.cli.chosen import own_store as product

    app = product()
    subject = _subject(app, reference)
    found = look(app.artifacts, subject, _key(app, key))
    passed = sound(found)
    if as_json:
        print_json(
            {
                "image": str(subject),
                "verified": passed,
                "attached": [
                    {
                        "form": each.form,
                        "kind": each.kind,
                        "digest": each.digest,
                        "holds": each.holds,
                        "why": each.why,
                    }
                    for each in found
                ],
            }
        )
    else:
        console.print(cell(f"{subject}: {'verified' if passed else 'not verified'}"), soft_wrap=True)
        if found:
            console.print(_table(found))
    if not passed:
        raise typer.Exit(1)


def key() -> None:
    """Print the public key that promoted images are signed with, for `cosign verify` and admission policies.

    Example: groundswell key > groundswell.pub
    """
    from groundswell.cli.chosen import own_store as product
    from groundswell.errors import InputError

    signer = product().signer
    if signer is None:
        raise InputError("setting GROUNDSWELL_SIGNING_KEY names no key, so nothing is signed")
    typer.echo(signer.public_key().decode(), nl=False)


def _subject(app: "App", text: str) -> "Reference":
    """By digest: what is checked must not move meanwhile."""
    from graph.reference import InvalidReferenceError, Reference
    from groundswell.errors import InputError, NotFoundError

    try:
        named = Reference.parse(text)
    except InvalidReferenceError as exc:
        raise InputError(f"{text!r} is no reference: {exc}") from exc
    digest = app.registry.digest(named)
    if digest is None:
        raise NotFoundError(f"{named} is not in its registry")
    return named.with_digest(digest)


def _key(app: "App", file: Path | None) -> bytes | None:
    from groundswell.errors import InputError
    from groundswell.sign.port import MAX_KEY

    if file is None:
        return app.signer.public_key() if app.signer else None
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_KEY)
    except OSError as exc:
        raise InputError(f"{file} cannot be read: {exc.strerror}") from exc


def _table(found: "Sequence[Found]") -> Table:
    from groundswell.cascade.view import short

    table = Table(box=None, pad_edge=False)
    for heading in ("what", "kind", "digest", "signed", "why"):
        table.add_column(heading)
    for each in found:
        signed = "" if each.holds is None else "yes" if each.holds else "no"
        table.add_row(each.form, cell(each.kind), cell(short(each.digest)), signed, cell(each.why))
    return table
