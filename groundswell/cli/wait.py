"""groundswell wait: a pipeline's step that ends when a cascade has, with an exit code that says how."""

import re
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from groundswell.cli.client import Client, segment
from groundswell.cli.client import Json as Document
from groundswell.cli.common import Json, cell, console, print_json

OTHERWISE = 6
"""Exit code: it ended, but not as it was waited for."""
REJECTED = 7
"""Exit code: it ended, and nothing but the gate is why not as it was waited for."""
_PAUSE = 1.0
_CASCADE = re.compile(r"[0-9a-z]{1,40}")
_PUSHES = 1000
"""Pushes looked through, the newest first."""

type _Ended = tuple[str, list[Document]]


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
    from groundswell.cascade.status import Status
    from groundswell.cli.chosen import client
    from groundswell.errors import TemporaryError

    end, api = time.monotonic() + timeout, client()
    ended = _poll(lambda: _settled(api, cascade, image), end)
    if ended is None:
        raise TemporaryError(
            f"{cascade} has not ended after {timeout:g} s; `groundswell cascades` shows where it is"
        )
    found, rows = ended
    good = (Status.DONE, Status.UNCHANGED)
    bad = [row for row in rows if until is Until.DONE and row["status"] not in good]
    if as_json:
        images = [{key: row[key] for key in ("image", "status", "why")} for row in rows]
        print_json({"cascade": found, "as_asked": not bad, "images": images})
    else:
        for row in bad:
            console.print(cell(f"{row['image']} is {row['status']}: {row['why']}"), soft_wrap=True)
        console.print(cell(f"{found}: {len(rows) - len(bad)} of {len(rows)} as asked"))
    if bad:
        statuses = {row["status"] for row in bad}
        refused = Status.REJECTED in statuses and statuses <= {Status.REJECTED, Status.BLOCKED}
        raise typer.Exit(REJECTED if refused else OTHERWISE)


def _poll[T](look: Callable[[], T | None], end: float) -> T | None:
    while (found := look()) is None and (left := end - time.monotonic()) > 0:
        time.sleep(min(_PAUSE, left))
    return found


def _settled(api: Client, cascade: str, image: str | None) -> _Ended | None:
    """The cascade and the images that are waited for, once all of them are settled; None until then.

    Raises NotFoundError when no such cascade, image or push is known, InputError when the push started nothing.
    """
    from groundswell.errors import NotFoundError

    try:
        return _of_cascade(api, cascade, image)
    except NotFoundError:
        found = _of_push(api, cascade)
        if found is None:
            raise
        return _of_cascade(api, found, image) if found else None


def _of_cascade(api: Client, cascade: str, image: str | None) -> _Ended | None:
    from groundswell.cascade.header import Phase
    from groundswell.cascade.status import Status
    from groundswell.errors import NotFoundError

    if not _CASCADE.fullmatch(cascade):
        raise NotFoundError(f"no cascade {cascade}, and no push of that id")
    path = f"/cascades/{cascade}"
    phase = api.get(path)["phase"]
    if phase == Phase.PLANNING:
        return None
    if image is not None:
        row = api.get(f"{path}/rebuilds/{segment(image)}")
        return (cascade, [row]) if Status(row["status"]).settled else None
    return (cascade, list(api.pages(f"{path}/rebuilds", "rebuilds"))) if phase == Phase.ENDED else None


def _of_push(api: Client, push: str) -> str | None:
    """The cascade of a push; empty while that is not known yet, None when there is no such push."""
    from groundswell.cascade.announce import BY_HAND
    from groundswell.cascade.push import Result
    from groundswell.errors import InputError

    log = list(api.pages("/pushes", "pushes", limit=_PUSHES))
    entry = next((entry for entry in log if entry["id"] == push), None)
    if entry is None:
        return "" if push.startswith(BY_HAND) else None  # told a moment ago: it is still in its queue
    if entry["cascade"]:
        return str(entry["cascade"])
    if entry["result"] == Result.SETTLING:
        return ""
    if entry["result"] == Result.KNOWN:  # the registry told it too, and was first: it goes where that one went
        first = next((each for each in log if each["reference"] == entry["reference"] and _leads(each)), None)
        if first is not None:
            return str(first["cascade"])
    raise InputError(f"push {push} started no cascade: {entry['result']}; `groundswell pushes` lists them")


def _leads(entry: Document) -> bool:
    """Whether a push went into a cascade, or may yet."""
    from groundswell.cascade.push import Result

    return bool(entry["cascade"]) or entry["result"] == Result.SETTLING
