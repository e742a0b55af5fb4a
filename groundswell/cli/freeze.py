"""groundswell freeze: when nothing may be rolled out to an environment."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason

if TYPE_CHECKING:
    from groundswell.cascade.freezes import Freeze

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
    from groundswell.cascade.freezes import from_json
    from groundswell.wiring import app as product

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
    product().freezes.add(freeze, who=who())
    _print(freeze, as_json=as_json)


@app.command("list")
def show(
    environment: Annotated[
        str | None, typer.Option(help="Only those that fit this environment; then, until when it is frozen.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the freezes: which are in force now, and until when."""
    from fnmatch import fnmatchcase

    from groundswell.cascade.freezes import told
    from groundswell.wiring import app as product

    rules = product().freezes.rules()
    if environment is not None:
        rules = tuple(freeze for freeze in rules if fnmatchcase(environment, freeze.environment))
    now = time.time()
    if as_json:
        print_json([_json(freeze, now) for freeze in rules])
        return
    if rules:
        table = Table(box=None, pad_edge=False)
        for heading in ("freeze", "environment", "when", "now", "why"):
            table.add_column(heading, overflow="fold")
        for freeze in rules:
            table.add_row(
                *map(cell, (freeze.name, freeze.environment, _when(freeze), _now(freeze, now), freeze.why))
            )
        console.print(table)
    if environment is not None:
        console.print(cell(told(rules, environment, now) or f"{environment} is not frozen now"), soft_wrap=True)
    elif not rules:
        console.print("no freezes: what is promoted is rolled out at any time")


@app.command("remove")
def remove(name: Name, *, reason: Reason, as_json: Json = False) -> None:
    """Remove a freeze; what it held goes on within a minute, unless something else holds it."""
    from groundswell.wiring import app as product

    product().freezes.remove(name, who=who(), why=reason)
    if as_json:
        print_json({"name": name, "removed": True})
        return
    console.print(cell(f"{name}: removed"))


def _print(freeze: "Freeze", *, as_json: bool) -> None:
    now = time.time()
    if as_json:
        print_json(_json(freeze, now))
        return
    console.print(
        cell(f"{freeze.name}: {freeze.environment}, {_when(freeze)}: {_now(freeze, now)}"), soft_wrap=True
    )


def _json(freeze: "Freeze", now: float) -> dict[str, Any]:
    from groundswell.cascade.freezes import to_json

    until = freeze.until(now)
    return {**to_json(freeze), "in_force": until is not None, "ends_at": until}


def _when(freeze: "Freeze") -> str:
    from groundswell.cascade.freezes import to_json

    written = to_json(freeze)
    days = f"{','.join(written['days'])} " if written["days"] else ""
    return f"{days}{written['from']} to {written['until']} {written['zone']}"


def _now(freeze: "Freeze", now: float) -> str:
    from groundswell.cascade.freezes import local

    until = freeze.until(now)
    return "not in force" if until is None else f"in force until {local(until, freeze.zone)}"
