"""Between the product and what it calls: every call is counted, and can be cut before or after it took effect."""

from collections.abc import Callable
from typing import Any


class Killed(BaseException):
    """The worker is no more: nothing may catch this but the harness, and all it held in memory is lost."""


EFFECTS = frozenset(
    {
        ("store", "commit"),
        ("store", "send"),
        ("host", "receive"),
        ("host", "delete"),
        ("registry", "promote"),
        ("artifacts", "put"),
        ("registry", "rebase"),
        ("builder", "start"),
        ("builder", "cancel"),
        ("builder", "forget"),
        ("scanner", "scan"),
        ("deployer", "patch"),
    }
)
"""Calls that leave something behind: these alone can be cut after their effect."""

type Watch = Callable[[str, str, bool], None]
"""Told of a call, (port, verb, whether it has taken effect); what it raises, the caller gets."""


class Tap:
    """A port whose calls a `watch` is told of."""

    def __init__(
        self, port: str, call: Callable[[str, tuple[Any, ...], dict[str, Any]], Any], watch: Watch
    ) -> None:
        self._port = port
        self._call = call
        self._watch = watch

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        def tapped(*args: Any, **kwargs: Any) -> Any:
            self._watch(self._port, verb, False)
            answer = self._call(verb, args, kwargs)
            if (self._port, verb) in EFFECTS:
                self._watch(self._port, verb, True)
            return answer

        return tapped
