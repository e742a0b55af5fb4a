"""groundswell alerts and rebuild: what runs and is not good, and the build that may mend it."""

import shlex
from typing import Annotated

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason


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
    from groundswell.wiring import app as product

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
        wrong = [f"{line.id} {line.severity} in {line.package} {line.installed}" for line in each.findings[:3]]
        wrong += [f"and {len(each.findings) - 3} more"] * (len(each.findings) > 3) + [each.trouble] * bool(
            each.trouble
        )
        times = [when(at) if at else "" for at in (each.first_seen, each.looked_at)]
        runs_in = ", ".join(each.workloads[:3]) + (" …" if len(each.workloads) > 3 else "")
        table.add_row(*map(cell, (each.image, short(each.digest), kind, *times, runs_in, "; ".join(wrong))))
    console.print(table)
    for each in found:
        if not each.open or not each.remedy.why:
            continue
        what = f"{each.image}: {each.remedy.why}"
        if each.begun:
            what += f"; begun: cascade {each.cascade}"
        elif each.remedy.image:
            reason = shlex.quote(each.findings[0].id) if each.findings else "REASON"
            what += f": groundswell rebuild {shlex.quote(each.remedy.image)} --reason {reason}"
        console.print(cell(what), soft_wrap=True)


def rebuild(
    image: Annotated[str, typer.Argument(help="As it is registered.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Build an image anew, past every cache, and what stands on it, before anything else.

    Example: groundswell rebuild shop/base --reason "CVE-2026-1234 has a fix"
    """
    from groundswell.wiring import app as product

    cascade = product().anew.begin(image, who=who(), why=reason)
    if as_json:
        print_json({"image": image, "cascade": cascade})
        return
    console.print(cell(f"{image}: begun as cascade {cascade}; `groundswell cascades {cascade}` shows it"))
