"""groundswell compare: what is different from the last time it went well, part by part."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer

from groundswell.cli.client import Json as Document
from groundswell.cli.client import segment
from groundswell.cli.common import Json, cell, console, print_json
from groundswell.cli.rebuild import part
from groundswell.cli.told import seconds

_LOG = 40
"""Lines of the log that are told; `--json` has 200."""


def compare(
    cascade: Annotated[str, typer.Argument(help="Id of the cascade.")],
    image: Annotated[str, typer.Argument(help="An image of it.")],
    as_json: Json = False,
) -> None:
    """Compare a rebuild with the last good one of its image: inputs, packages, findings and the ends of the logs.

    Example: groundswell compare 0k3v9xab2c shop/web
    """
    from groundswell.cli.chosen import client
    from groundswell.cli.waiting import waiting

    with waiting("asking registry and build service"):
        found = client().patient().get(f"/cascades/{segment(cascade)}/compare/{segment(image)}")
    if found["good"] is not None:
        found["good"]["at"] = seconds(found["good"]["at"])
    if as_json:
        print_json(found)
        return
    for line in lines(found):
        console.print(cell(line), soft_wrap=True)


def lines(found: Document) -> Iterator[str]:
    """What both are, then what is different, a heading a part; of what cannot be known, why."""
    from groundswell.cascade.view import short, when

    run = f", run {found['run']}" if found["run"] else ""
    yield f"{found['image']} in {found['cascade']}: {found['status']}, attempt {found['attempt']}{run}"
    good = found["good"]
    if good is None:
        yield f"nothing to compare with: {found['why']}"
    else:
        run = f", run {good['run']}" if good["run"] else ""
        yield f"last good: cascade {good['cascade']}, {short(good['digest'])}, {when(good['at'])}{run}"
    for name, differences in _PARTS.items():
        each = found[name]
        told = list(differences(each))
        if good is not None:
            unknown = [] if each["known"] else [f"not known: {each['why']}"]
            told = [*told, *unknown] or ["no difference"]
        yield from part(name.replace("_", " "), told)


def _source(found: Document) -> Iterator[str]:
    if found["changed"]:
        yield f"revision {found['revision']}, was {found['good_revision']}"
    if found["place"] and found["good_place"] and found["place"] != found["good_place"]:
        yield f"{_place(found['place'])}, was {_place(found['good_place'])}"


def _place(place: Mapping[str, str]) -> str:
    return f"{place['location']}#{place['ref']}:{place['path'] or '.'}"


def _changed(called: str) -> Callable[[Document], Iterator[str]]:
    def told(found: Document) -> Iterator[str]:
        for each in found["changed"]:
            yield f"{each[called]}: {_said(each['now'])}, was {_said(each['good'])}"

    return told


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)


def _bases(found: Document) -> Iterator[str]:
    from groundswell.cascade.view import short

    for each in found["bases"]:
        if each["changed"]:
            platform = f" ({each['platform']})" if each["platform"] else ""
            yield f"{each['base']}{platform}: {short(each['now'] or '')}, was {short(each['good'] or '')}"


def _packages(found: Document) -> Iterator[str]:
    yield from _changed("package")(found)
    for what in ("new", "gone"):
        yield from (f"{what}: {each['package']} {_said(each['versions'])}" for each in found[what])


def _findings(found: Document) -> Iterator[str]:
    for what in ("new", "gone"):
        yield from (f"{what}: {each['id']} in {each['package']}" for each in found[what])


def _log(found: Document) -> Iterator[str]:
    """The difference; where there is none to tell, the end."""
    told = found["diff"] or found["tail"] or []
    if len(told) > _LOG:
        yield f"(the last {_LOG} of {len(told)} lines)"
    yield from told[-_LOG:]


_PARTS: Mapping[str, Callable[[Document], Iterator[str]]] = {
    "source": _source,
    "settings": _changed("setting"),
    "build_args": _changed("argument"),
    "bases": _bases,
    "packages": _packages,
    "findings": _findings,
    "log": _log,
}
