"""groundswell wait: a pipeline's step that ends when a cascade has, with an exit code that says how."""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from groundswell.cli.common import Json, cell, console, print_json

if TYPE_CHECKING:
    from groundswell.cascade.model import Rebuild
    from groundswell.cascade.records import Records
    from groundswell.wiring import App

OTHERWISE = 6
"""Exit code: it ended, but not as it was waited for."""
REJECTED = 7
"""Exit code: it ended, and nothing but the gate is why not as it was waited for."""
_PAUSE = 1.0
_PUSHES = 1000
"""Pushes looked through, the newest first."""


class Until(StrEnum):
    DONE = "done"  # every image is done, or came out unchanged
    ENDED = "ended"  # however it ended


def wait(
    cascade: Annotated[str, typer.Argument(metavar="ID", help="Of a cascade, or of a push that starts one.")],
    until: Annotated[
        Until, typer.Option(help="`done`: every image is done or unchanged; `ended`: however it ended.")
    ] = Until.DONE,
    image: Annotated[str | None, typer.Option(metavar="NAME", help="Wait for this image alone.")] = None,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Give up after this long.")] = 3600,
    as_json: Json = False,
) -> None:
    """Wait until a cascade has ended.

    The exit code is 0 when it ended as asked, 6 when something failed or was stopped, 7 when the gate rejected
    images and nothing else went wrong, 5 when the time is up.

    With the id of a push (`groundswell push ... --json` prints it), wait for the cascade that it starts, too.
    Example: groundswell wait 0k3v9xab2c --until done --timeout 1800
    """
    from groundswell.cascade.model import Status
    from groundswell.errors import TemporaryError
    from groundswell.wiring import app as product

    end = time.monotonic() + timeout
    states = _poll(lambda: _settled(product(), cascade, image), end)
    if states is None:
        raise TemporaryError(
            f"{cascade} has not ended after {timeout:g} s; `groundswell cascades` shows where it is"
        )
    good = (Status.DONE, Status.UNCHANGED)
    bad = [state for state in states if until is Until.DONE and state.status not in good]
    if as_json:
        images = [{"image": state.image, "status": state.status.value, "why": state.reason} for state in states]
        print_json({"cascade": states[0].cascade, "as_asked": not bad, "images": images})
    else:
        for state in bad:
            console.print(cell(f"{state.image} is {state.status}: {state.reason}"), soft_wrap=True)
        console.print(cell(f"{states[0].cascade}: {len(states) - len(bad)} of {len(states)} as asked"))
    if bad:
        statuses = {state.status for state in bad}
        refused = Status.REJECTED in statuses and statuses <= {Status.REJECTED, Status.BLOCKED}
        raise typer.Exit(REJECTED if refused else OTHERWISE)


def _poll[T](look: Callable[[], T | None], end: float) -> T | None:
    while (found := look()) is None and (left := end - time.monotonic()) > 0:
        time.sleep(min(_PAUSE, left))
    return found


def _settled(app: "App", cascade: str, image: str | None) -> "list[Rebuild] | None":
    """The rebuilds that are waited for, once all of them are settled; None until then.

    Raises NotFoundError when no such cascade, image or push is known, InputError when the push started nothing.
    """
    from groundswell.errors import NotFoundError

    records = app.engine.records
    try:
        return _of_cascade(records, cascade, image)
    except NotFoundError:
        found = _of_push(app, cascade)
        if found is None:
            raise
        return _of_cascade(records, found, image) if found else None


def _of_cascade(records: "Records", cascade: str, image: str | None) -> "list[Rebuild] | None":
    from groundswell.cascade.records import Phase

    header = records.header(cascade).value
    if header.phase is Phase.PLANNING:
        return None
    if image is not None:
        states = [records.rebuild(cascade, image).value]
        return states if states[0].status.settled else None
    return list(records.rebuilds(cascade)) if header.phase is Phase.ENDED else None


def _of_push(app: "App", push: str) -> str | None:
    """The cascade of a push; empty while that is not known yet, None when there is no such push."""
    from groundswell.cascade.announce import BY_HAND
    from groundswell.cascade.push import Result
    from groundswell.errors import InputError

    entry = next((entry for entry in app.intake.log(_PUSHES) if entry["id"] == push), None)
    if entry is None:
        return "" if push.startswith(BY_HAND) else None  # told a moment ago: it is still in its queue
    if entry["cascade"]:
        return str(entry["cascade"])
    if entry["result"] == Result.SETTLING:
        return ""
    if entry["result"] == Result.KNOWN:  # the registry told it too, and was first: it goes where that one went
        base = app.bases.get(f"{entry['registry']}/{entry['repository']}:{entry['tag']}")
        if base is not None and (base.cascade or not base.planned):
            return base.cascade if base.planned else ""
    raise InputError(f"push {push} started no cascade: {entry['result']}; `groundswell pushes` lists them")
