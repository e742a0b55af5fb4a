"""groundswell failures: what stands still because something failed, by cause, with what to type."""

from collections.abc import Iterator
from typing import Annotated

import typer

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.told import seconds, timed

_NAMED = 3
"""Commands, and what is blocked, that are told by name; `--json` has up to 50."""


def failures(
    *,
    owner: Annotated[str, typer.Option(help="Only what concerns images of this team.")] = "",
    base: Annotated[str, typer.Option(metavar="REF", help="Only what follows from a push of this base.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many causes.", min=1, max=1000)] = 20,
    as_json: Json = False,
) -> None:
    """List what failed or was rejected and was not healed since, by cause: what blocks most comes first.

    Example: groundswell failures --owner shop
    """
    from groundswell.cli.chosen import client

    groups = list(map(_told, client().pages("/failures", "groups", limit=limit, owner=owner, base=base)))
    if as_json:
        print_json(groups)
        return
    if not groups:
        console.print("no failures: whatever failed was healed since")
    for number, group in enumerate(groups):
        if number:
            console.print()
        _show(group)


def _told(group: Document) -> Document:
    times = {name: seconds(group[name]) for name in ("first_seen", "last_seen")}
    return {**group, **times, "images": timed(group["images"])}


def _show(group: Document) -> None:
    from groundswell.cascade.view import when

    console.print(cell(f"{group['stage']} {group['kind']}: {group['title']}", style="bold"), soft_wrap=True)
    for line in _about(group):
        console.print(cell(f"  {line}"), soft_wrap=True)
    table = columns("  image", "cascade", "attempt", "run", "failed", "blocks")
    for each in group["images"]:
        told = (each["cascade"], each["attempt"], each["run"], when(each["at"]), each["blocks"])
        table.add_row(cell(f"  {each['image']}"), *map(cell, told))
    console.print(table)
    if group["count"] > len(group["images"]):
        console.print(f"  and {group['count'] - len(group['images'])} more")
    replay = group["replay"]
    console.print(cell(f"  replay from {replay['from']}, for {replay['why']}:"), soft_wrap=True)
    for line in _few(replay["commands"], len(replay["commands"])):
        console.print(cell(f"    {line}"), soft_wrap=True)


def _about(group: Document) -> Iterator[str]:
    from groundswell.cascade.view import when

    whose = f"; of {', '.join(group['owners'])}" if any(group["owners"]) else ""
    yield f"{_counted(group['count'], 'image')} since {when(group['first_seen'])}{whose}"
    if group["blocks"]:
        yield f"blocks {_counted(group['blocks'], 'image')}: {', '.join(_few(group['blocked'], group['blocks']))}"
    if group["workloads_not_moved"]:
        names = _few(group["workloads"], group["workloads_not_moved"])
        yield f"{_counted(group['workloads_not_moved'], 'workload')} not moved: {', '.join(names)}"


def _few(names: list[str], total: int) -> list[str]:
    more = total - len(names[:_NAMED])
    return [*names[:_NAMED], *([f"and {more} more"] if more else [])]


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
