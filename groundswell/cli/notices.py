"""groundswell notices: what people were told of, sending it again, and trying a channel."""

from typing import Annotated

import typer

from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.replay import Reason
from groundswell.cli.told import seconds

_TIMES = ("at", "since", "changed_at", "due_at")

app = typer.Typer(help="What people were told of, and whether it arrived.", no_args_is_help=True)


@app.command("list")
def show(
    *,
    channel: Annotated[str, typer.Option(help="Only those to this channel.")] = "",
    state: Annotated[str, typer.Option(help="waiting, sent, or dead: given up.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List notices, the newest first, once for each channel.

    Example: groundswell notices list --state dead
    """
    from groundswell.cascade.view import when
    from groundswell.cli.chosen import client

    found = [
        _told(each) for each in client().pages("/notices", "notices", limit=limit, channel=channel, state=state)
    ]
    if as_json:
        print_json(found)
        return
    if not found:
        console.print("no notices; none are sent while GROUNDSWELL_NOTIFY names no channel")
        return
    table = columns("told", "severity", "what", "channel", "state", "id", "why not")
    for each in found:
        told = (each[name] for name in ("severity", "title", "channel", "state", "id", "error"))
        table.add_row(*map(cell, (when(each["at"]), *told)))
    console.print(table)


@app.command("resend")
def resend(
    notice: Annotated[str, typer.Argument(help="Its id, as the list has it.")],
    channel: Annotated[str, typer.Argument(help="Where to.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Send a notice again that was given up, or was sent; its id stays.

    Example: groundswell notices resend n17955168150008d3c1a1f9b20 on-call --reason "the receiver is back"
    """
    from groundswell.cli.chosen import client

    wanted = {"notice": notice, "channel": channel, "reason": reason}
    _said(client().post("/notices/resend", wanted), as_json=as_json)


@app.command("test")
def try_channel(
    channel: Annotated[str, typer.Argument(help="As GROUNDSWELL_NOTIFY names it.")],
    *,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Send a notice that says that somebody tries the channel.

    Example: groundswell notices test on-call --reason "newly set up"
    """
    from groundswell.cli.chosen import client

    _said(client().post("/notices/test", {"channel": channel, "reason": reason}), as_json=as_json)


def _said(sent: Document, *, as_json: bool) -> None:
    if as_json:
        print_json(_told(sent))
        return
    shown = f"groundswell notices list --channel {sent['channel']}"
    console.print(cell(f"{sent['id']} is queued for {sent['channel']}; `{shown}` shows whether it arrived"))


def _told(notice: Document) -> Document:
    return {**notice, **{name: seconds(notice[name]) for name in _TIMES}}
