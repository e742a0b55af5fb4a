"""groundswell token: API tokens, for machines and for people where there is no Entra ID."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from groundswell.access.principal import Role
from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason

if TYPE_CHECKING:
    from groundswell.access.tokens import Token

app = typer.Typer(help="API tokens: make, list and revoke them.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses it; the audit trail names it so.")],
    *,
    role: Annotated[
        list[Role], typer.Option(help="What it may do: reader looks; may be given again.", show_default=False)
    ],
    team: Annotated[
        list[str] | None, typer.Option(help="With registrar: whose images; may be given again.", show_default=False)
    ] = None,
    days: Annotated[int, typer.Option(help="It expires after these.", min=1, max=366)] = 90,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Make a token and print it: it is shown once, and only its hash is kept.

    Example: groundswell token create "shop pipeline" --role registrar --team shop --reason "registers its images"
    """
    from groundswell.cli.chosen import own_store as product

    token, text = product().tokens.create(
        name, roles=role, teams=team or (), seconds=days * 86_400.0, who=who(), why=reason
    )
    if as_json:
        print_json({**token.to_json(), "token": text})
        return
    typer.echo(text)
    console.print(cell(f"{token.id}: {_may(token)}, until {_when(token.expires_at)}; it is not shown again"))


@app.command("list")
def show(as_json: Json = False) -> None:
    """List the tokens, those included that are no longer valid.

    Example: groundswell token list
    """
    import time

    from groundswell.cli.chosen import own_store as product

    tokens = sorted(product().tokens.each(), key=lambda token: (token.created_at, token.id))
    now = time.time()
    if as_json:
        print_json([{**token.to_json(), "state": token.state(now)} for token in tokens])
        return
    if not tokens:
        console.print("no tokens: `groundswell token create` makes one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "name", "may", "state", "expires", "made by"):
        table.add_column(heading, overflow="fold")
    for token in tokens:
        cells = (token.id, token.name, _may(token), token.state(now), _when(token.expires_at), token.created_by)
        table.add_row(*map(cell, cells))
    console.print(table)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, as `groundswell token list` shows it.", metavar="ID")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Revoke a token: the next request with it is refused.

    Example: groundswell token revoke 5f0c1d2e3a4b --reason "the pipeline is gone"
    """
    from groundswell.cli.chosen import own_store as product

    ended = product().tokens.revoke(token, who=who(), why=reason)
    if as_json:
        print_json(ended.to_json())
        return
    console.print(cell(f"{ended.id} ({ended.name}): revoked"))


def _may(token: "Token") -> str:
    of = f" of {', '.join(token.teams)}" if token.teams else ""
    return f"{', '.join(token.roles)}{of}"


def _when(at: float) -> str:
    from groundswell.cascade.view import when

    return when(at)
