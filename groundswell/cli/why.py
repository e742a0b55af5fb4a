"""groundswell why: the records' own explanation, for somebody who was just woken up: the answer first."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from groundswell.cli.common import Json, cell, console, print_json

if TYPE_CHECKING:
    from groundswell.cascade.waits import Link
    from groundswell.cascade.why import Answer, Step

_CHAINS = 5
"""Root causes that are told; `--json` has all."""


def why(
    image: Annotated[str, typer.Argument(help="Name of the image.")],
    cascade: Annotated[
        str | None, typer.Argument(metavar="[CASCADE]", help="In this cascade; else the newest that concerns it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain why an image was, or was not, rebuilt, and what it waits for now.

    Example: groundswell why shop/web 0k3v9xab2c
    """
    from groundswell.cascade.why import PUSHES, look
    from groundswell.wiring import app as product

    app = product()
    answer = look(
        image,
        cascade,
        catalog=app.catalog,
        records=app.engine.records,
        bases=app.bases,
        places=app.engine.pool(),
        log=app.intake.log(PUSHES),
    )
    if as_json:
        print_json(answer.to_json())
        return
    for line in lines(answer):
        console.print(cell(line), soft_wrap=True)


def lines(answer: "Answer") -> Iterator[str]:
    """The answer as text: the sentence, then what is behind it, a heading a part."""
    from groundswell.cascade.view import short, when

    yield answer.told
    yield from _part("why not", list(answer.reasons) if answer.status is None else [])
    chains = [_chain(chain) for chain in answer.waits]
    more = [f"and {len(chains) - _CHAINS} more (--json lists all)"] if len(chains) > _CHAINS else []
    yield from _part("waits for", [*chains[:_CHAINS], *more])
    yield from _part(
        "pushed",
        [f"{push.reference} {short(push.digest)} {when(push.at)} ({push.source})" for push in answer.pushes],
    )
    yield from _part("through", [*map(_path, answer.paths), *(["and more"] if answer.more_paths else [])])
    yield from _part("moves", [f"{when(m.at)}  {m.status:10} {m.reason}".rstrip() for m in answer.history])
    yield from _part("inputs", list(_inputs(answer.inputs)))
    yield from _part("proof", list(_proof(answer)))
    yield from _part("also", list(answer.reasons) if answer.status is not None else [])


def _part(heading: str, entries: list[str]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        yield f"  {heading if not number else '':10} {entry}"


def _chain(chain: "tuple[Link, ...]") -> str:
    """From the image's own wait to the root cause, which alone is told in full."""
    root = chain[-1]
    names = [f"{link.image} ({link.status}{_elsewhere(link, chain[0])})" for link in chain[1:]]
    return f"{', which waits for '.join(names)}: {root.reason}" if names else root.reason


def _elsewhere(link: "Link", first: "Link") -> str:
    return f" in cascade {link.cascade}" if link.cascade != first.cascade else ""


def _path(path: "tuple[Step, ...]") -> str:
    steps = "".join(f" -{'+'.join(step.kinds) or 'edge no longer registered'}-> {step.image}" for step in path)
    return f"{path[0].base}{steps}" if path else "no path is recorded"


def _inputs(inputs: Mapping[str, Any]) -> Iterator[str]:
    from groundswell.cascade.view import short

    if "unknown" in inputs:
        yield f"it is built in any case: {inputs['unknown']}"
    elif inputs:
        yield f"key {short(inputs['key'])}: source at {short(inputs['revision'])}"
        yield from (f"on {base} {', '.join(map(short, at.split(',')))}" for base, at in inputs["bases"].items())


def _proof(answer: "Answer") -> Iterator[str]:
    from groundswell.cascade.view import short

    proof, verdict = answer.proof, answer.verdict
    if proof:
        yield f"run {proof.get('run', '')} built {short(proof.get('digest', ''))}"
    if "base" in proof:
        layers = proof["layers"]
        counts = ", ".join(f"{each['layers']} on {each['platform']}" for each in layers["platforms"])
        says = f"begins with its layers ({counts})" if layers["proven"] else "; ".join(layers["reasons"])
        yield f"on {proof['base']} {short(proof['base_digest'])}: {says}"
    if verdict:
        passed = "passed" if verdict["passed"] else f"rejected: {'; '.join(verdict['reasons'])}"
        yield f"scan of {short(verdict['digest'])} by {verdict['scanner']} ({verdict['os'] or 'no OS'}): {passed}"
