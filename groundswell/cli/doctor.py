"""groundswell doctor: what is wrong, and the fix for each: of this command first, then of the service."""

import time
from collections.abc import Iterator
from typing import Any

import typer
from rich.table import Table

from groundswell.access.principal import ForbiddenError, UnauthenticatedError
from groundswell.cli import chosen, contexts
from groundswell.cli.client import Client
from groundswell.cli.common import Json, cell, console, print_json
from groundswell.doctor.check import Check, Outcome, bad, lasted, ok, skipped, warn, worst
from groundswell.errors import GroundswellError
from groundswell.version import version

_STYLES = {Outcome.OK: "green", Outcome.SKIPPED: "dim", Outcome.WARN: "yellow", Outcome.BAD: "bold red"}
_SOON = 3 * 86_400.0


def doctor(*, as_json: Json = False) -> None:
    """Check settings, permissions, services, clock, queues and webhooks, and tell the fix for what is wrong.

    It ends with 1 when something is bad. What the service says needs the role operator.

    Example: groundswell doctor
    """
    checks = list(_all())
    outcome = worst(checks)
    if as_json:
        told = [{"name": c.name, "outcome": c.outcome.value, "says": c.says, "fix": c.fix} for c in checks]
        print_json({"outcome": outcome.value, "checks": told})
    else:
        _show(checks)
    if outcome is Outcome.BAD:
        raise typer.Exit(1)


def _all() -> Iterator[Check]:
    try:
        choice = chosen.choice()
    except GroundswellError as exc:
        yield bad("context", str(exc), "`groundswell context list` shows those that there are")
        return
    place = choice.context.url if choice.context else "the store of the settings"
    yield ok("context", f"{place} ({choice.why})")
    if choice.context is not None and choice.context.name:
        yield from _kept(choice.context.name)
    try:
        client = chosen.client()
        yield from _token(client, over_http=choice.context is not None)
        found = client.get("/doctor")
    except UnauthenticatedError as exc:
        yield bad("token", str(exc), "`groundswell login`, or set GROUNDSWELL_TOKEN")
    except ForbiddenError as exc:
        yield warn("service", str(exc), "ask somebody with the role operator, or for the role")
    except GroundswellError as exc:
        fix = "does the service run, and is the address right? `groundswell context show`"
        yield bad("service", str(exc), fix if choice.context else "mend it where the settings are")
    else:
        yield _versions(str(found["version"]))
        yield from (_check(each) for each in found["checks"])


def _kept(name: str) -> Iterator[Check]:
    """How long the token of a context is good for, as far as it says so itself."""
    try:
        token = contexts.token(name)
    except GroundswellError as exc:
        yield bad("token", str(exc), "`groundswell login`")
        return
    if token is None or token.expires_at is None or token.entra is not None:
        return
    left = token.expires_at - time.time()
    if left <= 0:
        yield bad("token", f"it expired {lasted(-left)} ago", "`groundswell login`")
    elif left < _SOON:
        yield warn("token", f"it expires in {lasted(left)}", "`groundswell login`")


def _token(client: Client, *, over_http: bool) -> Iterator[Check]:
    me = client.get("/me")
    if over_http:
        yield ok("token", f"you are {me['name']} ({', '.join(me['roles'])})")


def _versions(theirs: str) -> Check:
    ours = version()
    if "unknown" in (ours, theirs):
        return skipped("version", f"the service does not say its own; this command is {ours}")
    if ours != theirs:
        return warn("version", f"the service is {theirs}, this command {ours}", "install the same version of both")
    return ok("version", f"service and command are {ours}")


def _check(told: dict[str, Any]) -> Check:
    return Check(name=told["name"], outcome=Outcome(told["outcome"]), says=told["says"], fix=told["fix"])


def _show(checks: list[Check]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("check", overflow="fold")
    table.add_column("what was found, and what to do", overflow="fold", ratio=1)
    for each in checks:
        style = _STYLES[each.outcome]
        table.add_row(cell(each.outcome.value, style), cell(each.name), cell(each.says))
        if each.fix:
            table.add_row("", "", cell(f"fix: {each.fix}", style))
    console.print(table)
    counts = {outcome: sum(each.outcome is outcome for each in checks) for outcome in Outcome}
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count))
