"""Draws docs/diagrams.md from the code: what a rebuild moves between, what starts what, who imports whom.

`python -m tools.diagrams` writes it, `--check` says whether it is as the code is (a test does, too). The moves are
those that `decide` makes when it is given every event in every status; nobody keeps a list of them.
"""

import argparse
import configparser
import itertools
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import azure.functions as func
import grimp
import networkx as nx

from groundswell.cascade import events
from groundswell.cascade.decide import decide
from groundswell.cascade.events import Event
from groundswell.cascade.model import Hold, Moment, Outcome, Rebuild, Ring, Wait
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "diagrams.md"

_HEAD = """\
# Diagrams

Drawn from the code by `python -m tools.diagrams`; a test holds the two to each other.
[Architecture](architecture.md) tells the same in words.
"""
_LATE = 9e9
_BASE = {"base:1": Wait(outcome=Outcome.PROMOTED, digest="sha256:b1", turn=0)}
_RINGS = tuple(Ring(name=name, workloads=("w",), environments=("prod",), bake=60.0) for name in ("a", "b"))
_RING_NUMBERS = (0, 1)
_BUILT = {"base:1": "sha256:b1"}

_FROM_MANY = {"BaseNews", "Cancelled", "Overdue", "Replayed", "StageFailed", "Superseded"}

EVENTS: tuple[Event, ...] = (
    events.BaseNews(at=_LATE, base="base:1", wait=Wait(outcome=Outcome.PROMOTED, digest="sha256:b2", turn=4)),
    events.BaseNews(at=_LATE, base="base:1", wait=Wait(outcome=Outcome.UNCHANGED, digest="sha256:b1", turn=4)),
    events.BaseNews(at=_LATE, base="base:1", wait=Wait(outcome=Outcome.FAILED, turn=4, cause="base")),
    events.BaseNews(at=_LATE, base="base:1", wait=Wait(outcome=Outcome.PENDING, turn=4)),
    events.RunStarted(at=_LATE, run="r1", built_on=_BUILT, spec={}),
    events.AlreadyBuilt(at=_LATE, digest="sha256:c", by="c0", built_on=_BUILT, spec={}, inputs={"key": "k"}),
    events.Rebased(at=_LATE, digest="sha256:c", onto="base:1", built_on=_BUILT, spec={}, inputs={"key": "k"}),
    events.RunSucceeded(at=_LATE, digest="sha256:c"),
    events.Verified(at=_LATE, proof={"ok": 1}, previous="sha256:p", unchanged=False),
    events.Verified(at=_LATE, proof={"ok": 1}, previous="sha256:c", unchanged=True),
    events.Disproved(at=_LATE, proof={}, reason="old base"),
    events.Scanned(at=_LATE, passed=True, verdict={"passed": True}, reason=""),
    events.Scanned(at=_LATE, passed=False, verdict={"passed": False}, reason="a finding"),
    events.TagMoved(at=_LATE, digest="sha256:h"),
    events.Promoted(at=_LATE, digest="sha256:c", deploys=True),
    events.Promoted(at=_LATE, digest="sha256:c", deploys=False),
    *(events.RolloutsPlanned(at=_LATE, ring=ring, rollouts=()) for ring in _RING_NUMBERS),
    *(events.RolloutsSeen(at=_LATE, ring=ring, rollouts=()) for ring in _RING_NUMBERS),
    *(events.RolledOut(at=_LATE, ring=ring, rollouts=()) for ring in _RING_NUMBERS),
    *(events.RolloutFailed(at=_LATE, ring=ring, rollouts=(), reason="crash loop") for ring in _RING_NUMBERS),
    *(events.WentBack(at=_LATE, ring=ring, rollouts=()) for ring in _RING_NUMBERS),
    *(events.BakeOver(at=_LATE, ring=ring) for ring in _RING_NUMBERS),
    events.StageFailed(at=_LATE, reason="boom"),
    events.Nudged(at=_LATE),
    events.Overdue(at=_LATE),
    events.Followed(at=_LATE, by="c2"),
    events.Renewed(at=_LATE),
    events.Superseded(at=_LATE, by="c2"),
    *(events.Replayed(at=_LATE, who="ann", why="a reason", stage=stage) for stage in Stage),
    events.Cancelled(at=_LATE, who="ann", why="a reason"),
    events.Held(at=_LATE, who="ann", why="a reason"),
    events.Released(at=_LATE, who="ann", why="a reason"),
    events.Approved(at=_LATE, who="ann", why="a reason"),
    *(
        events.HeldBack(at=_LATE, ring=ring, holds={Hold.APPROVAL: "waits for approval"}, begun=False)
        for ring in _RING_NUMBERS
    ),
    events.Outdated(at=_LATE, reason="c2 promoted a newer image"),
    events.FreezeSeen(at=_LATE, why=""),
)
"""Every kind of event, in every variant that may lead elsewhere. A test says when one is missing."""


def page() -> str:
    return "\n".join([_HEAD, *_states(), *_functions(), *_layers()]) + "\n"


def moves() -> dict[tuple[Status, Status], set[str]]:
    """Which events lead from one status to another: all that `decide` makes of them."""
    found: dict[tuple[Status, Status], set[str]] = defaultdict(set)
    for state, event in itertools.product(_rebuilds(), EVENTS):
        try:
            after, _ = decide(state, event)
        except InputError:
            continue  # not possible in this status
        if after.status is not state.status:
            found[state.status, after.status].add(type(event).__name__)
    return dict(found)


def _rebuilds() -> Iterator[Rebuild]:
    """One or several of each status: how far it got decides, too, where some events lead."""
    new = Rebuild(
        cascade="c1",
        image="app",
        status=Status.WAITING,
        waits=_BASE,
        attempt=1,
        turn=5,
        rings=_RINGS,
        history=(Moment(status=Status.READY, at=1.0),),
    )
    built = replace(new, built_on=_BUILT, candidate="sha256:c", proof={"ok": 1}, verdict={"passed": True})
    promoted = replace(built, promoted="sha256:c", ring=1)
    for state, status in itertools.product((new, built, promoted), Status):
        for stage in Stage if status is Status.FAILED else (None,):
            yield replace(state, status=status, failed_stage=stage)
    yield replace(promoted, status=Status.DEPLOYING, back="crash loop")
    for stage, hold in itertools.product((Stage.BUILD, Stage.SCAN, Stage.DEPLOY), Hold):
        yield replace(built, status=Status.HELD, holds={hold: "why"}, held_at=stage, ring=1)


def _states() -> Iterator[str]:
    yield "## What a rebuild moves between\n"
    yield "```mermaid\nstateDiagram-v2"
    wide: dict[tuple[str, Status], set[Status]] = defaultdict(set)
    for (old, new), names in sorted(moves().items(), key=lambda move: [_place(status) for status in move[0]]):
        if narrow := names - _FROM_MANY:
            yield f"    {old} --> {new}: {', '.join(sorted(narrow))}"
        for event in names & _FROM_MANY:
            wide[event, new].add(old)
    yield "```\n"
    yield "And these, which lead from many to one:\n"
    yield "| event | from | to |\n|---|---|---|"
    for (event, new), olds in sorted(wide.items()):
        ordered = sorted(olds, key=_place)
        yield f"| {event} | {', '.join(ordered)} | {new} |"
    yield ""


def _place(status: Status) -> int:
    return list(Status).index(status)


def _functions() -> Iterator[str]:
    yield "## What starts what\n"
    yield "Every function of the app, and what starts it.\n"
    yield "| function | started by | |\n|---|---|---|"
    for function in _indexed():
        started = function.get_trigger()
        assert started is not None  # the worker library refuses a function without one
        trigger = started.get_dict_repr()
        place = trigger.get("route") or trigger.get("queueName") or trigger.get("schedule")
        yield f"| `{function.get_function_name()}` | {_STARTS[trigger['type']]} | `{place}` |"
    yield ""


_STARTS = {"httpTrigger": "a request", "queueTrigger": "a message", "timerTrigger": "the clock"}


@cache
def _indexed() -> list[func.Function]:
    """The functions by name. An app can be asked for them only once."""
    from function_app import app

    return sorted(app.get_functions(), key=lambda each: str(each.get_function_name()))


def _layers() -> Iterator[str]:
    yield "## Who imports whom\n"
    yield "Packages of one layer side by side. An import that follows from others in the drawing is left out.\n"
    yield "```mermaid\nflowchart TD"
    layers = [[each.strip(" ()") for each in line.split("|")] for line in layer_lines()]
    for number, layer in enumerate(layers):
        yield f"    subgraph L{number}[ ]"
        yield from (f"        {_node(each)}[{_name(each)}]" for each in layer)
        yield "    end"
    code = grimp.build_graph("functions", "graph", "groundswell")
    pairs = itertools.permutations(itertools.chain.from_iterable(layers), 2)
    imports: nx.DiGraph[str] = nx.DiGraph([pair for pair in pairs if _imports(code, *pair)])
    yield from (
        f"    {_node(one)} --> {_node(other)}" for one, other in sorted(nx.transitive_reduction(imports).edges)
    )
    yield "```"


def layer_lines() -> list[str]:
    """The layers of .importlinter, the highest first."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    return config["importlinter:contract:layers"]["layers"].split("\n")[1:]


def _imports(graph: grimp.ImportGraph, one: str, other: str) -> bool:
    return any(
        imported == other or imported.startswith(f"{other}.")
        for module in {one, *graph.find_descendants(one)}
        for imported in graph.find_modules_directly_imported_by(module)
    )


def _name(package: str) -> str:
    return package.removeprefix("groundswell.")


def _node(package: str) -> str:
    return f"n_{_name(package).replace('.', '_')}"  # `graph` is a word of Mermaid's


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 when the page is behind")
    drawn = page()
    if not parser.parse_args(arguments).check:
        PAGE.write_text(drawn, "utf-8")
    elif PAGE.read_text("utf-8") != drawn:
        sys.stderr.write("docs/diagrams.md is not as the code is: run python -m tools.diagrams\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
