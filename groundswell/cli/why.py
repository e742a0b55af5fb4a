"""groundswell why: the records' own explanation, for somebody who was just woken up: the answer first."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from groundswell.cli import told
from groundswell.cli.client import Json as Document
from groundswell.cli.client import segment
from groundswell.cli.common import Json, cell, console, print_json
from groundswell.cli.rebuild import inputs, part, proof, scan

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
    from groundswell.cli.chosen import client

    path = f"/cascades/{segment(cascade)}/why/{segment(image)}" if cascade else f"/why/{segment(image)}"
    answer = client().get(path)
    answer = {**answer, "pushes": told.timed(answer["pushes"]), "history": told.timed(answer["history"])}
    if as_json:
        print_json(answer)
        return
    for line in lines(answer):
        console.print(cell(line), soft_wrap=True)


def lines(answer: Document) -> Iterator[str]:
    """The answer as text: the sentence, then what is behind it, a heading a part."""
    from groundswell.cascade.view import short, when

    yield answer["told"]
    yield from part("why not", list(answer["reasons"]) if answer["status"] is None else [])
    chains = [_chain(chain) for chain in answer["waits"]]
    more = [f"and {len(chains) - _CHAINS} more (--json lists all)"] if len(chains) > _CHAINS else []
    yield from part("waits for", [*chains[:_CHAINS], *more])
    yield from part(
        "pushed",
        [f"{p['reference']} {short(p['digest'])} {when(p['at'])} ({p['source']})" for p in answer["pushes"]],
    )
    yield from part("through", [*map(_path, answer["paths"]), *(["and more"] if answer["more_paths"] else [])])
    moves = [f"{when(m['at'])}  {m['status']:10} {m['reason']}".rstrip() for m in answer["history"]]
    yield from part("moves", moves)
    yield from part("inputs", list(inputs(answer["inputs"])))
    yield from part("proof", [*proof(answer["proof"]), *scan(answer["verdict"])])
    yield from part("also", list(answer["reasons"]) if answer["status"] is not None else [])


def _chain(chain: Sequence[Document]) -> str:
    """From the image's own wait to the root cause, which alone is told in full."""
    root = chain[-1]
    names = [f"{link['image']} ({link['status']}{_elsewhere(link, chain[0])})" for link in chain[1:]]
    return f"{', which waits for '.join(names)}: {root['reason']}" if names else root["reason"]


def _elsewhere(link: Document, first: Document) -> str:
    return f" in cascade {link['cascade']}" if link["cascade"] != first["cascade"] else ""


def _path(path: Sequence[Document]) -> str:
    steps = "".join(
        f" -{'+'.join(step['kinds']) or 'edge no longer registered'}-> {step['image']}" for step in path
    )
    return f"{path[0]['base']}{steps}" if path else "no path is recorded"
