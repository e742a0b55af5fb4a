"""groundswell notices: what people were told of, sending it again, and trying a channel."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from groundswell.cli.common import Json, cell, console, print_json, who
from groundswell.cli.replay import Reason
from groundswell.errors import InputError

if TYPE_CHECKING:
    from groundswell.notify.delivery import Delivery

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
    from groundswell.cli.chosen import own_store as product
    from groundswell.notify.delivery import State

    if state and state not in tuple(State):
        raise InputError(f"--state must be one of {', '.join(State)}, not {state!r}")
    fitting = (
        delivery
        for _, delivery in product().notices.listed()
        if channel in ("", delivery.channel) and state in ("", delivery.state)
    )
    found = list(islice(fitting, limit))
    if as_json:
        print_json([_told(each) for each in found])
        return
    if not found:
        console.print(
            "no notices" if product().settings.notify else "no notices: GROUNDSWELL_NOTIFY names no channel"
        )
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("told", "severity", "what", "channel", "state", "id", "why not"):
        table.add_column(heading, overflow="fold")
    for each in found:
        notice = each.notice
        cells = (when(notice.at), notice.severity, notice.title, each.channel, each.state, notice.id, each.error)
        table.add_row(*map(cell, cells))
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
    from groundswell.cli.chosen import own_store as product

    sent = product().notices.resend(notice, channel, who=who(), why=reason)
    _said(sent, as_json=as_json)


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
    from groundswell.cli.chosen import own_store as product

    sent = product().notices.test(channel, who=who(), why=reason)
    _said(sent, as_json=as_json)


def _said(sent: "Delivery", *, as_json: bool) -> None:
    if as_json:
        print_json(_told(sent))
        return
    shown = f"groundswell notices list --channel {sent.channel}"
    console.print(cell(f"{sent.notice.id} is queued for {sent.channel}; `{shown}` shows whether it arrived"))


def _told(delivery: "Delivery") -> dict[str, Any]:
    notice = delivery.notice
    return {
        "id": notice.id,
        "channel": delivery.channel,
        "state": delivery.state.value,
        "tries": delivery.tries,
        "error": delivery.error,
        "kind": notice.kind.value,
        "severity": notice.severity.value,
        "title": notice.title,
        "text": notice.text,
        "teams": list(notice.teams),
        "cascade": notice.cascade,
        "at": notice.at,
        "link": notice.link,
    }
