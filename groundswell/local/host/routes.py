"""Which HTTP function answers a request. Pure.

A known path with a method that no function takes is 404, not 405, as in Azure (azure-functions-host#10098).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from groundswell.errors import InputError
from groundswell.local.host.templates import Template, parse
from groundswell.local.host.worker import Function


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An empty `methods` takes them all."""

    function: Function
    methods: frozenset[str]
    template: Template

    @property
    def rank(self) -> tuple[int, ...]:
        return self.template.rank


def table(functions: Iterable[Function], prefix: str) -> list[Route]:
    """The routes of the HTTP functions, the most particular first. Raises InputError when one is not valid."""
    routes = [route(function, prefix) for function in functions if function.kind == "httpTrigger"]
    return sorted(routes, key=lambda found: found.rank)


def route(function: Function, prefix: str) -> Route:
    text = "/".join(part for part in (prefix, str(function.trigger.get("route") or function.name)) if part)
    try:
        template = parse(text)
    except InputError as exc:
        raise InputError(f"function {function.name}: {exc}") from exc
    methods = frozenset(str(method).upper() for method in function.trigger.get("methods") or ())
    return Route(function=function, methods=methods, template=template)


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route that answers, and its parameters."""
    for candidate in routes:
        if candidate.methods and method not in candidate.methods:
            continue
        parameters = candidate.template.match(path)
        if parameters is not None:
            return candidate, parameters
    return None
