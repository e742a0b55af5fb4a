"""groundswell login and logout: the token that a context is used with."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from groundswell.cli import chosen, contexts
from groundswell.errors import InputError


class By(StrEnum):
    TOKEN = "token"  # noqa: S105  # a word, no token
    DEVICE = "device"
    AZURE_CLI = "azure-cli"


def login(
    by: Annotated[
        By,
        typer.Option(help="`token`: an API token, asked for or read from a pipe; the others: Microsoft Entra ID."),
    ] = By.TOKEN,
    audience: Annotated[
        str, typer.Option(help="With Entra ID: what the token is for, where that is not api://...")
    ] = "",
) -> None:
    """Log in to the service of the context: the token is tried, and kept for this person alone.

    Example: groundswell login --by azure-cli

    Example: groundswell --context prod login < token.txt
    """
    context = _context()
    if by is By.TOKEN:
        kept = contexts.Token(text=_typed())
    else:
        from groundswell.cli import entra

        told = chosen.over_http(context, "").get("/login")["entra"]
        kept = entra.get(entra.details(told, audience, by.value), lambda text: typer.echo(text, err=True))
    me = chosen.over_http(context, kept.text).get("/me")
    contexts.keep_token(context.name, kept)
    typer.echo(f"{context.name}: you are {me['name']} ({', '.join(me['roles']) or 'no role'})")


def logout() -> None:
    """Forget the token of a context; the token itself stays valid until it is revoked or expires.

    Example: groundswell --context prod logout
    """
    context = _context()
    known = contexts.token(context.name) is not None
    contexts.keep_token(context.name, None)
    typer.echo(f"{context.name}: {'the token is forgotten' if known else 'there was no token'}")


def _context() -> contexts.Context:
    """The context in use, by whichever way. Raises InputError where there is none that tokens are kept for."""
    context = chosen.choice(stores=False).context
    if context is None or not context.name:
        raise InputError("log in where? `groundswell context add NAME --url URL`, or give --context NAME")
    return context


def _typed() -> str:
    """A token from whoever types it, unseen, or from a pipe. Raises InputError when it can be none."""
    text = str(typer.prompt("API token", hide_input=True)) if sys.stdin.isatty() else sys.stdin.readline()
    from groundswell.cli.over_http import check_token

    return check_token(text.strip())
