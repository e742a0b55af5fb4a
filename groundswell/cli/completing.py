"""What a shell offers for a name that is being typed: asked of the service, within a second, silently.

Of a store that the command would open itself only the contexts are offered: to open it takes longer than a key.
"""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from groundswell.cli.client import Client

type _Offers = Iterable[tuple[str, str]]

SECONDS = 1.0
"""For all of it, the start of the command left out."""
_NEWEST = 100


class _OverError(Exception):
    """The time is over."""


def cascades(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest, with what was pushed."""

    def look(api: "Client") -> _Offers:
        for each in api.pages("/cascades", "cascades", limit=_NEWEST):
            yield each["cascade"], f"{each['base']} ({each['phase']})"

    return _offered(ctx, incomplete, look)


def images(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Those of the cascade that stands before it, else all that are registered."""
    cascade = ctx.params.get("cascade") or ctx.params.get("run")

    def look(api: "Client") -> _Offers:
        if isinstance(cascade, str):
            from groundswell.cli.client import segment

            for each in api.pages(f"/cascades/{segment(cascade)}/rebuilds", "rebuilds"):
                yield each["image"], each["status"]
        else:
            for each in api.pages("/lineage/images", "images", prefix=incomplete):
                yield each["name"], each["owner"]

    return _offered(ctx, incomplete, look)


def owners(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The teams of registered images."""
    return _offered(ctx, incomplete, lambda api: ((e["owner"], "") for e in api.pages("/lineage/images", "images")))


def contexts(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    del ctx
    found = {}
    with _silently():
        from groundswell.cli.contexts import LOCAL, load

        found = {LOCAL: "the store of the settings"}
        found |= {name: each.url for name, each in load().contexts.items()}
    return [(name, about) for name, about in found.items() if name.startswith(incomplete)]


BY_NAME: dict[str, Callable[[typer.Context, str], list[tuple[str, str]]]] = {
    "cascade": cascades,
    "run": cascades,
    "image": images,
    "images": images,
    "owner": owners,
    "team": owners,
}
"""By the name of a command's parameter."""


def add_completion(command: Callable[..., Any]) -> None:
    """Let the shell complete the parameters of a command that are called so."""
    import inspect

    for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
        for info in getattr(parameter.annotation, "__metadata__", ()):
            if name in BY_NAME and info.autocompletion is None:
                info.autocompletion = BY_NAME[name]


def _offered(ctx: typer.Context, incomplete: str, look: Callable[["Client"], _Offers]) -> list[tuple[str, str]]:
    """What begins as it is typed; what has not come in time is left out."""
    found: dict[str, str] = {}
    with _silently():
        from groundswell.cli import chosen

        chosen.ask_for(ctx.find_root().params.get("context") or "")
        api = chosen.quick(SECONDS)
        try:
            for name, about in look(api) if api else ():
                if name and name.startswith(incomplete):
                    found.setdefault(name, about)
        finally:
            chosen.close()
    return list(found.items())


@contextmanager
def _silently() -> Iterator[None]:
    """Within the time. Whatever goes wrong: a message would stand in the line that somebody types."""
    timed = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    before = signal.signal(signal.SIGALRM, _over) if timed else None
    running = signal.setitimer(signal.ITIMER_REAL, SECONDS) if timed else (0.0, 0.0)
    try:
        yield
    except Exception:  # noqa: BLE001, S110  # as said above; the command itself says it when it is run
        pass
    finally:
        if timed:
            signal.signal(signal.SIGALRM, before)
            signal.setitimer(signal.ITIMER_REAL, *running)


def _over(*_: object) -> None:
    raise _OverError
