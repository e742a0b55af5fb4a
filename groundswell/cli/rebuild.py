"""One rebuild as text: how it is, how it moved, on what it is proven, where it runs. Digests are in full."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from groundswell.cli import findings

if TYPE_CHECKING:
    from groundswell.cascade.model import Rebuild


def lines(state: "Rebuild") -> Iterator[str]:
    """The sentence, then what is behind it, a heading a part."""
    from groundswell.cascade.evidence import outcome
    from groundswell.cascade.view import when

    yield outcome(state)
    yield from part("moves", [f"{when(m.at)}  {m.status:10} {m.reason}".rstrip() for m in state.history])
    yield from part("inputs", list(inputs(state.inputs)))
    yield from part("proof", list(proof(state.proof)))
    yield from part("scan", list(scan(state.verdict)))
    yield from part("tags", list(_tags(state)))
    yield from part("rings", list(_rings(state)))
    yield from part("rollouts", list(_rollouts(state)))


def part(heading: str, entries: list[str]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        yield f"  {heading if not number else '':10} {entry}"


def inputs(found: Mapping[str, Any]) -> Iterator[str]:
    """What it was built from, as it was looked up when the build began."""
    from groundswell.cascade.view import short

    if "unknown" in found:
        yield f"it is built in any case: {found['unknown']}"
    elif found:
        yield f"key {short(found['key'])}: source at {short(found['revision'])}"
        yield from (f"on {base} {', '.join(map(short, at.split(',')))}" for base, at in found["bases"].items())
        if rebased := found.get("rebased"):
            yield f"rebased from {rebased['image']}, which stood on {rebased['base']}; not built"


def proof(found: Mapping[str, Any]) -> Iterator[str]:
    """What is proven of the bases, and what is not."""
    if not found:
        return
    yield f"{f'run {found["run"]} built' if found['run'] else 'rebased, without a run:'} {found['digest']}"
    if "layers" in found:
        layers, base = found["layers"], f"{found['base'].partition('@')[0]}@{found['base_digest']}"
        for platform in layers["platforms"]:
            count = platform["layers"]
            says = f"begins with its layers ({count})" if platform["proven"] else platform["reason"]
            yield f"on {base}, {platform['platform']}: {says}"
        if not layers["platforms"]:
            yield f"on {base}: {'; '.join(layers['reasons'])}"
    for edge in found.get("build", ()):
        yield f"built with {edge['base']}{'@' if edge['digest'] else ''}{edge['digest']}: {edge['basis']}"


def scan(verdict: Mapping[str, Any]) -> Iterator[str]:
    """What was scanned, by what, and the verdict with its reasons."""
    if not verdict:
        return
    counts = [f"{count} {name}" for name, count in reversed(verdict["counts"].items()) if count]
    found = ", ".join(counts) or "no findings"
    yield f"scan of {verdict['digest']} by {verdict['scanner']} ({verdict['os'] or 'no OS'}): {found}"
    yield "passed" if verdict["passed"] else "rejected"
    yield from verdict["reasons"]
    yield from findings.lines(verdict)


def _rings(state: "Rebuild") -> Iterator[str]:
    """Only what is named: of one ring without a name the rollouts say it all."""
    from groundswell.cascade.rings import standing

    for ring, stands in standing(state):
        if ring.name:
            wishes = [f"{ring.bake:.0f} s bake" if ring.bake else "", "approval" if ring.approval else ""]
            asked = f" ({', '.join(filter(None, wishes))})" if any(wishes) else ""
            yield f"{ring.name}{asked}: {stands}"


def _rollouts(state: "Rebuild") -> Iterator[str]:
    for each in state.rollouts:
        why = f" ({each.why})" if each.why else ""
        yield f"{each.workload}: {each.former} -> {each.image}: {each.move}{why}"


def _tags(state: "Rebuild") -> Iterator[str]:
    if state.candidate:
        yield f"candidate {state.candidate_tag} is {state.candidate}"
    if state.previous:
        yield f"stable tags were at {state.previous}"
    if state.promoted:
        yield f"promoted {state.promoted}"
