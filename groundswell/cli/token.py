"""groundswell token: API tokens, for machines and for people where there is no Entra ID."""

from typing import Annotated
from urllib.parse import quote

import typer

from groundswell.access.principal import Role
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.replay import Reason
from groundswell.cli.told import seconds
from groundswell.errors import PermanentError

_TIMES = ("created_at", "expires_at", "revoked_at")

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
    from groundswell.cli.chosen import client

    wanted = {"name": name, "roles": list(role), "teams": team or [], "days": days, "reason": reason}
    made = _told(client().post("/tokens", wanted))
    if made["token"] is None:
        raise PermanentError(
            f"the token {made['id']} was made, but the answer with its text was lost: "
            f"`groundswell token revoke {made['id']} --reason TEXT`, and make another"
        )
    if as_json:
        print_json(made)
        return
    typer.echo(made["token"])
    console.print(cell(f"{made['id']}: {_may(made)}, until {_when(made['expires_at'])}; it is not shown again"))


@app.command("list")
def show(as_json: Json = False) -> None:
    """List the tokens, those included that are no longer valid.

    Example: groundswell token list
    """
    from groundswell.cli.chosen import client

    tokens = sorted(
        map(_told, client().pages("/tokens", "tokens")), key=lambda each: (each["created_at"], each["id"])
    )
    if as_json:
        print_json(tokens)
        return
    if not tokens:
        console.print("no tokens: `groundswell token create` makes one")
        return
    table = columns("id", "name", "may", "state", "expires", "made by")
    for token in tokens:
        told = (token["id"], token["name"], _may(token), token["state"], _when(token["expires_at"]))
        table.add_row(*map(cell, (*told, token["created_by"])))
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
    from groundswell.cli.chosen import client

    ended = _told(client().delete(f"/tokens/{quote(token, safe='')}", reason=reason))
    if as_json:
        print_json(ended)
        return
    console.print(cell(f"{ended['id']} ({ended['name']}): revoked"))


def _told(token: Document) -> Document:
    return {**token, **{name: seconds(token[name]) for name in _TIMES}}


def _may(token: Document) -> str:
    of = f" of {', '.join(token['teams'])}" if token["teams"] else ""
    return f"{', '.join(token['roles'])}{of}"


def _when(at: float) -> str:
    from groundswell.cascade.view import when

    return when(at)
