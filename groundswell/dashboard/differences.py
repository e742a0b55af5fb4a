"""The difference between a rebuild and the last good one, part by part and line by line, as pages show it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.cascade.view import short

_MOST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`why` says why it is not known; `more` lines were left out."""

    name: str
    known: bool
    why: str
    lines: tuple[str, ...]
    more: int

    @property
    def same(self) -> bool:
        return self.known and not self.lines


def parts(told: Mapping[str, Any]) -> list[Part]:
    """What `Comparer.compare` told, without the logs."""
    return [
        _part("Source", told["source"], _source(told["source"])),
        _part("Settings", told["settings"], _settings(told["settings"]["changed"], "setting")),
        _part("Build arguments", told["build_args"], _settings(told["build_args"]["changed"], "argument")),
        _part("Bases", told["bases"], _bases(told["bases"]["bases"])),
        _part("Packages", told["packages"], _packages(told["packages"])),
        _part("Findings", told["findings"], _findings(told["findings"])),
    ]


def _part(name: str, told: Mapping[str, Any], lines: Iterator[str]) -> Part:
    found = tuple(lines)
    return Part(
        name=name, known=told["known"], why=told["why"], lines=found[:_MOST], more=max(0, len(found) - _MOST)
    )


def _source(told: Mapping[str, Any]) -> Iterator[str]:
    if told["place"] and told["good_place"] and told["place"] != told["good_place"]:
        yield f"{_place(told['good_place'])} → {_place(told['place'])}"
    if told["changed"]:
        yield f"{told['good_revision'][:12]} → {told['revision'][:12]}"


def _place(source: Mapping[str, Any]) -> str:
    return f"{source['location']} {source['ref']} {source['path']}"


def _settings(changed: list[Mapping[str, Any]], name: str) -> Iterator[str]:
    for each in changed:
        yield f"{each[name]}: {_plain(each['good'])} → {_plain(each['now'])}"


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "unset" if value is None else str(value)


def _bases(bases: list[Mapping[str, Any]]) -> Iterator[str]:
    for each in bases:
        if each["changed"]:
            where = f"{each['base']} {each['platform']}".strip()
            yield f"{where}: {short(each['good'])} → {short(each['now'])}"


def _packages(told: Mapping[str, Any]) -> Iterator[str]:
    for each in told["changed"]:
        yield f"{each['package']}: {', '.join(each['good'])} → {', '.join(each['now'])}"
    for sign, those in (("+", told["new"]), ("-", told["gone"])):
        for each in those:
            yield f"{sign} {each['package']} {', '.join(each['versions'])}"


def _findings(told: Mapping[str, Any]) -> Iterator[str]:
    for sign, those in (("+", told["new"]), ("-", told["gone"])):
        for each in those:
            yield f"{sign} {each['id']} in {each['package']}"
