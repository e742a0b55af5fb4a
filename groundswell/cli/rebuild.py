"""One rebuild as text: how it is, how it moved, on what it is proven, where it runs. Digests are in full."""

from collections.abc import Iterator, Mapping
from typing import Any

from groundswell.cli import findings
from groundswell.cli.client import Json


def lines(document: Json) -> Iterator[str]:
    """The sentence, then what is behind it, a heading a part."""
    from groundswell.cascade.view import when

    yield _outcome(document)
    moves = [f"{when(m['at'])}  {m['status']:10} {m['reason']}".rstrip() for m in document["moves"]]
    yield from part("moves", moves)
    yield from part("inputs", list(inputs(document["inputs"])))
    yield from part("proof", list(proof(_proof(document["proof"]))))
    yield from part("scan", list(scan(document["scan"] or {})))
    yield from part("tags", list(_tags(document)))
    yield from part("rings", list(_rings(document)))
    yield from part("rollouts", list(_rollouts(document)))


def _outcome(document: Json) -> str:
    """How it is, in one sentence."""
    where = f" at {document['stage']}" if document["stage"] else ""
    why = f": {document['why']}" if document["why"] else ""
    attempt = f"attempt {document['attempt']}"
    return f"{document['image']} is {document['status']}{where} in cascade {document['cascade']}, {attempt}{why}"


def _proof(document: Json | None) -> Json:
    """A proof as the records have it."""
    if document is None:
        return {}
    found = {key: document[key] for key in ("run", "digest", "build")}
    if runtime := document["runtime"]:
        layers = {key: runtime[key] for key in ("proven", "platforms", "reasons")}
        found |= {"base": runtime["base"], "base_digest": runtime["digest"], "layers": layers}
    return found


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


def _rings(document: Json) -> Iterator[str]:
    """Only what is named: of one ring without a name the rollouts say it all."""
    for ring in document["rings"]:
        if ring["ring"]:
            bake = f"{ring['bake_seconds']:.0f} s bake" if ring["bake_seconds"] else ""
            wishes = [bake, "approval" if ring["approval"] else ""]
            asked = f" ({', '.join(filter(None, wishes))})" if any(wishes) else ""
            yield f"{ring['ring']}{asked}: {ring['state']}"


def _rollouts(document: Json) -> Iterator[str]:
    for each in document["rollouts"]:
        why = f" ({each['why']})" if each["why"] else ""
        yield f"{each['workload']}: {each['former']} -> {each['image']}: {each['state']}{why}"


def _tags(document: Json) -> Iterator[str]:
    if candidate := document["candidate"]:
        yield f"candidate {candidate['tag']} is {candidate['digest']}"
    if document["previous"]:
        yield f"stable tags were at {document['previous']}"
    if document["promoted"]:
        yield f"promoted {document['promoted']}"
