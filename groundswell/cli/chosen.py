"""The service that this command speaks to: as it is asked for, in the environment, or as the file of contexts says.

First `--context`, then GROUNDSWELL_CONTEXT, then GROUNDSWELL_URL, then a store in the environment, then the context
in use, and at last the store of the settings.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from groundswell.cli import contexts
from groundswell.cli.client import Client
from groundswell.errors import InputError

if TYPE_CHECKING:
    from groundswell.cli.over_http import HttpTransport
    from groundswell.wiring import App

_NONE = "no context is in use"
_asked: list[str] = []
_open: "list[HttpTransport]" = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`context` is None for the store of the settings; `why` says what decided."""

    context: contexts.Context | None
    why: str


def ask_for(name: str) -> None:
    """What `--context` says, "" for nothing."""
    _asked[:] = [name] if name else []


def choice(*, stores: bool = True) -> Choice:
    """`stores` says whether one in the environment counts. Raises NotFoundError when there is no such context."""
    named = (("--context", _asked[0] if _asked else ""), ("GROUNDSWELL_CONTEXT", _env("GROUNDSWELL_CONTEXT")))
    for why, name in named:
        if name:
            found = None if name == contexts.LOCAL else contexts.load().named(name)
            return Choice(context=found, why=why)
    if url := _env("GROUNDSWELL_URL"):
        return Choice(context=contexts.Context(name="", url=url, ca=_env("GROUNDSWELL_CA")), why="GROUNDSWELL_URL")
    if stores and _env("GROUNDSWELL_STORE"):
        return Choice(context=None, why="GROUNDSWELL_STORE")
    book = contexts.load()
    if book.current:
        return Choice(context=book.named(book.current), why="groundswell context use")
    return Choice(context=None, why=_NONE)


def client() -> Client:
    """A client of it. Raises InputError where there is none, and no store either."""
    found = choice()
    if found.context is not None:
        return over_http(found.context, _token(found.context))
    from groundswell.cli.in_process import in_process
    from groundswell.settings import NoStoreError

    try:
        return Client(in_process())
    except NoStoreError as exc:
        if found.why != _NONE:
            raise
        raise InputError(
            f"no service is named (`groundswell context add NAME --url URL`), and no store: {exc}"
        ) from exc


def quick(seconds: float) -> Client | None:
    """A client that waits for an answer for so long, once; None where the store is not a service's."""
    from groundswell.cli.over_http import HttpTransport

    found = choice().context
    if found is None:
        return None
    transport = HttpTransport(found.url, token=_token(found), ca=found.ca, timeout=seconds)
    _open.append(transport)
    return Client(transport, patience=seconds, attempts=1)


def over_http(context: contexts.Context, token: str) -> Client:
    """A client of a service, whose connection is closed by `close`."""
    from groundswell.cli.over_http import HttpTransport

    transport = HttpTransport(context.url, token=token, ca=context.ca)
    _open.append(transport)
    return Client(transport)


def close() -> None:
    """Close what commands have opened."""
    while _open:
        _open.pop().close()


def own_store() -> "App":
    """The product over the store of the settings, for what is no operation of the API.

    Raises InputError when a service is chosen: else a person would look at another store than they think.
    """
    chosen = choice()
    if chosen.context is not None:
        raise InputError(
            f"this works on the store itself, not on {chosen.context.url} ({chosen.why}): "
            "give --context local where the store's settings are"
        )
    from groundswell.wiring import app

    return app()


def _token(context: contexts.Context) -> str:
    if given := _env("GROUNDSWELL_TOKEN"):
        return given
    kept = contexts.token(context.name) if context.name else None
    if kept is None:
        return ""
    if kept.entra is not None:
        from groundswell.cli.entra import fresh

        return fresh(context.name, kept).text
    return kept.text


def _env(name: str) -> str:
    return os.environ.get(name, "").strip()
