"""groundswell freeze: when nothing may be rolled out to an environment."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from groundswell.cli import told
from groundswell.cli.client import Json as Document
from groundswell.cli.client import segment
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.replay import Reason
from groundswell.errors import ConflictError, InputError

app = typer.Typer(help="Freeze windows: when nothing is rolled out to an environment.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the freeze.")]


@app.command("add")
def add(
    name: Name,
    *,
    zone: Annotated[str, typer.Option(help="IANA time zone of the times, such as Europe/Berlin.")],
    begin: Annotated[
        str, typer.Option("--from", help="A local date and time (2026-12-18T18:00); with --days a time (18:00).")
    ],
    until: Annotated[
        str, typer.Option(help="As --from; with --days, a time that is not after it is on the next day.")
    ],
    reason: Reason,
    environment: Annotated[str, typer.Option(help="An environment, or a glob such as prod-*.")] = "*",
    days: Annotated[
        str | None, typer.Option(help="Every week, on the days that it begins: fri, or mon-thu,sun.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Roll nothing out to an environment in a window; what is under way then is watched to its end.

    A deployment's environment is `environment` in lineage.yaml, else the name of its cluster.

    Example: groundswell freeze add nights --environment prod-* --zone Europe/Berlin --days mon-fri
    --from 18:00 --until 06:00 --reason "nobody is on call"
    """
    from groundswell.cascade.freezes import from_json, to_json
    from groundswell.cli.chosen import client

    freeze = from_json(
        {
            "name": name,
            "environment": environment,
            "zone": zone,
            "days": None if days is None else days.split(","),
            "from": begin,
            "until": until,
            "why": reason,
        }
    )
    wanted = to_json(freeze)
    del wanted["name"]
    try:
        document = client().put(f"/freezes/{segment(name)}", wanted, new=True)
    except ConflictError as exc:
        raise InputError(f"there is a freeze {name} already; remove it first, or take another name") from exc
    if as_json:
        print_json(_json(document))
        return
    console.print(cell(f"{name}: {environment}, {_when(document)}: {_now(document)}"), soft_wrap=True)


@app.command("list")
def show(
    environment: Annotated[
        str | None, typer.Option(help="Only those that fit this environment; then, until when it is frozen.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the freezes: which are in force now, and until when.

    Example: groundswell freeze list --environment production
    """
    from fnmatch import fnmatchcase

    from groundswell.cli.chosen import client

    rules = client().get("/freezes")["freezes"]
    if environment is not None:
        rules = [rule for rule in rules if fnmatchcase(environment, rule["environment"])]
    if as_json:
        print_json(list(map(_json, rules)))
        return
    if rules:
        table = columns("freeze", "environment", "when", "now", "why")
        for rule in rules:
            table.add_row(*map(cell, (rule["name"], rule["environment"], _when(rule), _now(rule), rule["why"])))
        console.print(table)
    if environment is not None:
        console.print(cell(_frozen(rules, environment)), soft_wrap=True)
    elif not rules:
        console.print("no freezes: what is promoted is rolled out at any time")


@app.command("remove")
def remove(name: Name, *, reason: Reason, as_json: Json = False) -> None:
    """Remove a freeze; what it held goes on within a minute, unless something else holds it.

    Example: groundswell freeze remove nights --reason "somebody is on call"
    """
    from groundswell.cli.chosen import client

    client().delete(f"/freezes/{segment(name)}", reason=reason)
    if as_json:
        print_json({"name": name, "removed": True})
        return
    console.print(cell(f"{name}: removed"))


def _json(rule: Document) -> Document:
    return {**rule, "ends_at": told.seconds(rule["ends_at"])}


def _frozen(rules: Sequence[Document], environment: str) -> str:
    """Until when an environment is frozen, and by what."""
    from groundswell.cascade import freezes

    said = freezes.told(tuple(map(freezes.from_json, rules)), environment, time.time())
    return said or f"{environment} is not frozen now"


def _when(rule: Document) -> str:
    days = f"{','.join(rule['days'])} " if rule["days"] else ""
    return f"{days}{rule['from']} to {rule['until']} {rule['zone']}"


def _now(rule: Document) -> str:
    """By the service's clock."""
    from zoneinfo import ZoneInfo

    from groundswell.cascade.freezes import local

    until = told.seconds(rule["ends_at"])
    return "not in force" if until is None else f"in force until {local(until, ZoneInfo(rule['zone']))}"
