"""groundswell alerts and rebuild: what runs and is not good, and the build that may mend it."""

import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.replay import Reason
from groundswell.cli.told import seconds

_RAISED = ("refused", "unscannable")
"""Kinds of something that is wrong, or was."""
_TIMES = ("looked_at", "awaited", "first_seen", "last_seen", "resolved_at")


def alerts(
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that were resolved, and what runs and is clean.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List what runs although the gate refuses it by now, or although no scan of it counts.

    Example: groundswell alerts
    """
    from groundswell.cascade.view import short, when
    from groundswell.cli.chosen import client

    found = [_told(each) for each in client().pages("/alerts", "alerts", all=every)]
    if as_json:
        print_json(found)
        return
    if not found:
        console.print("no alerts: of what runs, nothing that was scanned is refused")
        return
    table = columns("image", "digest", "kind", "since", "scanned", "runs in", "what is wrong")
    for each in found:
        raised = each["kind"] in _RAISED
        kind = f"{each['kind']}, resolved" if raised and not each["open"] else each["kind"]
        times = [when(at) if at else "" for at in (each["first_seen"], each["looked_at"])]
        wrong = [
            f"{line['id']} {line['severity']} in {line['package']} {line['installed']}" for line in each["findings"]
        ]
        trouble = [each["trouble"]] if each["trouble"] else []
        told = ("; ".join([*_few(names), *more]) for names, more in ((each["workloads"], []), (wrong, trouble)))
        table.add_row(*map(cell, (each["image"], short(each["digest"]), kind, *times, *told)))
    console.print(table)
    for each in found:
        if each["open"] and each["remedy"]["why"]:
            console.print(cell(_to_do(each)), soft_wrap=True)


def _told(alert: Document) -> Document:
    """As it is kept: 0 is a time that has not come."""
    return {**alert, **{name: seconds(alert[name]) or 0.0 for name in _TIMES}}


def _few(names: Sequence[str]) -> list[str]:
    """The first three, and how many there are beside them."""
    return [*names[:3], *([f"and {len(names) - 3} more"] if len(names) > 3 else [])]


def _to_do(alert: Document) -> str:
    """What may mend it, with the command to type, and what was begun by policy."""
    remedy = alert["remedy"]
    said = f"{alert['image']}: {remedy['why']}"
    if remedy["image"]:
        image, reason = shlex.quote(remedy["image"]), shlex.quote(alert["findings"][0]["id"])
        said += f": groundswell rebuild {image} --reason {reason}"
    return f"{said} (cascade {alert['cascade']} was begun for it)" if alert["begun"] else said


def rebuild(
    image: Annotated[str, typer.Argument(help="As it is registered.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Build an image anew, past every cache, and what stands on it, before anything else.

    Example: groundswell rebuild shop/base --reason "CVE-2026-1234 has a fix"
    """
    from groundswell.cli.chosen import client

    begun = client().post("/rebuilds", {"image": image, "reason": reason})
    if as_json:
        print_json(begun)
        return
    cascade = begun["cascade"]
    console.print(cell(f"{image}: begun as cascade {cascade}; `groundswell cascades {cascade}` shows it"))
