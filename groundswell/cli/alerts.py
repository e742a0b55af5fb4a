"""groundswell alerts and rebuild: what runs and is not good, and the build that may mend it."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason

if TYPE_CHECKING:
    from groundswell.cascade.alerts import Alert


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
    from groundswell.cli.chosen import own_store as product

    found = [alert for alert, _ in product().alerts.all() if every or alert.open]
    if as_json:
        print_json([{"kind": each.kind.value, "open": each.open, **each.to_json()} for each in found])
        return
    if not found:
        console.print("no alerts: of what runs, nothing that was scanned is refused")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("image", "digest", "kind", "since", "scanned", "runs in", "what is wrong"):
        table.add_column(heading, overflow="fold")
    for each in found:
        kind = f"{each.kind}, resolved" if each.raised and not each.open else each.kind.value
        times = [when(at) if at else "" for at in (each.first_seen, each.looked_at)]
        wrong = [f"{line.id} {line.severity} in {line.package} {line.installed}" for line in each.findings]
        trouble = [each.trouble] if each.trouble else []
        told = ("; ".join([*_few(names), *more]) for names, more in ((each.workloads, []), (wrong, trouble)))
        table.add_row(*map(cell, (each.image, short(each.digest), kind, *times, *told)))
    console.print(table)
    for each in found:
        if each.open and each.remedy.why:
            console.print(cell(_to_do(each)), soft_wrap=True)


def _few(names: Sequence[str]) -> list[str]:
    """The first three, and how many there are beside them."""
    return [*names[:3], *([f"and {len(names) - 3} more"] if len(names) > 3 else [])]


def _to_do(alert: "Alert") -> str:
    """What may mend it, with the command to type, and what was begun by policy."""
    said = f"{alert.image}: {alert.remedy.why}"
    if alert.remedy.image:
        image, reason = shlex.quote(alert.remedy.image), shlex.quote(alert.findings[0].id)
        said += f": groundswell rebuild {image} --reason {reason}"
    return f"{said} (cascade {alert.cascade} was begun for it)" if alert.begun else said


def rebuild(
    image: Annotated[str, typer.Argument(help="As it is registered.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Build an image anew, past every cache, and what stands on it, before anything else.

    Example: groundswell rebuild shop/base --reason "CVE-2026-1234 has a fix"
    """
    from groundswell.cli.chosen import own_store as product

    cascade = product().anew.begin(image, who=who(), why=reason)
    if as_json:
        print_json({"image": image, "cascade": cascade})
        return
    console.print(cell(f"{image}: begun as cascade {cascade}; `groundswell cascades {cascade}` shows it"))
