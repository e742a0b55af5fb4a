"""Who is told what happens: one observer a process, silent unless telemetry is set up.

The engine and those around it say what happened and know nothing of spans or metrics, as a library with hooks does.
An observer only looks: it decides nothing, and makes no store operation. What it gives back is a trace context (a
W3C `traceparent`, empty without telemetry), which travels in the push's message and in the rebuilds' records.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from groundswell.cascade.model import Rebuild

if TYPE_CHECKING:
    from groundswell.cascade.gathering import Gathered
    from groundswell.cascade.push import Push, Result
    from groundswell.cascade.records import Header

type Answered = Callable[[int], None]
"""Told the HTTP status."""
type Dealt = Callable[["Result"], None]
"""Told what became of a push."""


class Observer(Protocol):
    def request(self, method: str, route: str) -> AbstractContextManager[Answered]:
        """A webhook's request is being answered."""
        ...

    def receiving(self, push: "Push") -> AbstractContextManager[str]:
        """A push is queued for the first time; gives its trace context."""
        ...

    def dealing(self, push: "Push") -> AbstractContextManager[Dealt]:
        """A push's message is being handled."""
        ...

    def planning(
        self, cascade: str, pushes: Sequence["Gathered"], *, joins: str = ""
    ) -> AbstractContextManager[str]:
        """A cascade is planned, or joined when `joins` is the trace context of its rebuilds.

        Gives the trace context for its new rebuilds.
        """
        ...

    def working(self, state: Rebuild) -> AbstractContextManager[None]:
        """A step of the stage that a rebuild is in is being done."""
        ...

    def moved(self, old: Rebuild, new: Rebuild) -> None:
        """A rebuild was saved."""
        ...

    def ended(self, header: "Header", states: Mapping[str, Rebuild]) -> None:
        """A cascade has ended: the sweep takes it off the list of open ones."""
        ...

    def gave_up(self, queue: str) -> None:
        """A message was given up after all its deliveries."""
        ...

    def timer(self, name: str) -> None:
        """A timer's work has ended well."""
        ...


class Silent:
    """Looks at nothing."""

    @contextmanager
    def request(self, method: str, route: str) -> Iterator[Answered]:
        del method, route
        yield lambda _: None

    @contextmanager
    def receiving(self, push: "Push") -> Iterator[str]:
        del push
        yield ""

    @contextmanager
    def dealing(self, push: "Push") -> Iterator[Dealt]:
        del push
        yield lambda _: None

    @contextmanager
    def planning(self, cascade: str, pushes: Sequence["Gathered"], *, joins: str = "") -> Iterator[str]:
        del cascade, pushes
        yield joins

    @contextmanager
    def working(self, state: Rebuild) -> Iterator[None]:
        del state
        yield

    def moved(self, old: Rebuild, new: Rebuild) -> None:
        pass

    def ended(self, header: "Header", states: Mapping[str, Rebuild]) -> None:
        pass

    def gave_up(self, queue: str) -> None:
        pass

    def timer(self, name: str) -> None:
        pass


_SILENT: Observer = Silent()
_observers: list[Observer] = [_SILENT]


def observer() -> Observer:
    """This process's observer."""
    return _observers[-1]


def observe_with(new: Observer | None) -> None:
    """Tell `new` from now on; None: nobody."""
    _observers[:] = [new or _SILENT]
