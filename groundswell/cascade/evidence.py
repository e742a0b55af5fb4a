"""What is known of one rebuild, and on what it rests: moves, proof, scan and rollouts. Pure.

Layers prove what an image stands on at runtime. They do not show what was only needed to build it: of those bases
it is told which digest their tags had when the build began, and that this is no proof.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graph.reference import Reference
from groundswell.cascade import rings
from groundswell.cascade.model import Outcome, Rebuild
from groundswell.cascade.rows import rows
from groundswell.cascade.status import Status
from groundswell.lineage.model import Registration

PINNED = "its Dockerfile names this digest"
SEEN = "not proven by layers; its tag led there before the build began"
UNKNOWN = "not proven by layers; where its tag led is not known"


def build_bases(
    image: Registration, state: Rebuild, publisher: Callable[[str], str | None]
) -> Iterator[dict[str, str]]:
    """Of each base that the build needs: `base`, `digest` (empty where it is not known) and `basis`.

    One that did not move in this cascade has the digests of the manifests that were read before the build (see
    `inputs.used`). `publisher` names the image that a reference is published by.
    """
    for base in image.build:
        named = Reference.parse(base)
        tagged = str(named.without_digest())
        moved_to = _moved_to(state, tagged) or _moved_to(state, publisher(tagged) or "")
        digest = named.digest or moved_to or state.inputs.get("bases", {}).get(base, "")
        basis = PINNED if named.digest else SEEN if digest else UNKNOWN
        yield {"base": tagged, "digest": digest, "basis": basis}


def _moved_to(state: Rebuild, base: str) -> str:
    """The digest that a base of this cascade had when the build began; one that came out unchanged has it still."""
    wait = state.waits.get(base)
    unchanged = wait.digest if wait is not None and wait.outcome is Outcome.UNCHANGED else ""
    return state.built_on.get(base, "") or unchanged


def to_json(state: Rebuild, *, now: float) -> dict[str, Any]:
    """One rebuild as one JSON object. Times are seconds since the epoch; parts not reached yet are empty."""
    (row,) = rows([state], now=now)
    return {
        "cascade": state.cascade,
        "image": state.image,
        "status": row.status,
        "stage": row.stage,
        "why": row.why,
        "attempt": row.attempt,
        "seconds": row.seconds,
        "run": state.run,
        "built_on": dict(state.built_on),
        "inputs": dict(state.inputs),
        "previous": state.previous,
        "candidate": {"digest": state.candidate, "tag": state.candidate_tag} if state.candidate else None,
        "promoted": state.promoted,
        "proof": _proof(state.proof),
        "scan": dict(state.verdict) or None,
        "rollouts": [
            {
                "workload": rollout.workload,
                "former": rollout.former,
                "image": rollout.image,
                "ring": rollout.ring,
                "state": rollout.move.value,
                "at": rollout.at,
                "why": rollout.why,
            }
            for rollout in state.rollouts
        ],
        "rings": [
            {
                "ring": ring.name,
                "state": stands,
                "environments": list(ring.environments),
                "workloads": list(ring.workloads),
                "bake_seconds": ring.bake,
                "approval": ring.approval,
            }
            for ring, stands in rings.standing(state)
        ],
        "moves": [
            {"status": moment.status.value, "at": moment.at, "reason": moment.reason} for moment in state.history
        ],
    }


def _proof(proof: Mapping[str, Any]) -> dict[str, Any] | None:
    if not proof:
        return None
    layers = proof.get("layers")
    runtime = None
    if layers is not None:
        runtime = {
            "base": proof["base"],
            "digest": proof["base_digest"],
            "proven": layers["proven"],
            "platforms": list(layers["platforms"]),
            "reasons": list(layers["reasons"]),
        }
    return {
        "run": proof["run"],
        "digest": proof["digest"],
        "runtime": runtime,
        "build": list(proof.get("build", ())),
    }


def outcome(state: Rebuild) -> str:
    """How it is, in one sentence."""
    where = f" at {state.failed_stage}" if state.status is Status.FAILED and state.failed_stage else ""
    why = f": {state.reason}" if state.reason else ""
    return f"{state.image} is {state.status}{where} in cascade {state.cascade}, attempt {state.attempt}{why}"
