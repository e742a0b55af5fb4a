"""Routes of HTTP functions: ASP.NET's templates as far as Azure Functions documents them. Pure."""

import re
from dataclasses import dataclass

from groundswell.local.host.worker import Function

_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "guid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "alpha": r"[A-Za-z]+",
    "bool": r"(?i:true|false)",
}
_PARAMETER = re.compile(r"\{(?P<star>\*{0,2})(?P<name>\w+)(?::(?P<constraint>[^}?]+))?(?P<optional>\?)?\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`rank` orders routes: literals before parameters before a catch-all."""

    function: Function
    methods: frozenset[str]
    pattern: re.Pattern[str]
    rank: tuple[int, ...]


def route(function: Function, prefix: str) -> Route:
    template = "/".join(part for part in (prefix, str(function.trigger.get("route") or function.name)) if part)
    pattern, rank = "", []
    for segment in (part for part in template.strip("/").split("/") if part):
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            pattern += "/" + re.escape(segment)
            rank.append(1)
            continue
        inner = ".*" if found["star"] else _CONSTRAINTS.get(found["constraint"] or "", "[^/]+")
        optional = found["star"] or found["optional"]
        pattern += f"(?:/(?P<{found['name']}>{inner}))?" if optional else f"/(?P<{found['name']}>{inner})"
        rank.append(3 if found["star"] else 2)
    methods = frozenset(str(method).upper() for method in function.trigger.get("methods") or ())
    return Route(
        function=function, methods=methods, pattern=re.compile(pattern + "/?", re.IGNORECASE), rank=tuple(rank)
    )


def find(routes: list[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The best route for a request, and its parameters."""
    for candidate in routes:
        found = candidate.pattern.fullmatch(path)
        if found and (not candidate.methods or method in candidate.methods):
            return candidate, {name: value for name, value in found.groupdict().items() if value}
    return None
