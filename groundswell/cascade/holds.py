"""What holds a rebuild: what would hold its rollout now, and how people are told of it. Pure."""

from collections.abc import Iterable

from groundswell.cascade import freezes
from groundswell.cascade.freezes import Freeze
from groundswell.cascade.model import Hold, Rebuild, Ring
from groundswell.cascade.rings import asks
from groundswell.cascade.status import Stage, Status


def missing(state: Rebuild, ring: Ring, *, rules: Iterable[Freeze], at: float) -> dict[Hold, str]:
    """What forbids a rollout to `ring` at `at`; empty when it may go on.

    A person's hold is given as it stands in `state`.
    """
    holds: dict[Hold, str] = {}
    if Hold.PERSON in state.holds:
        holds[Hold.PERSON] = state.holds[Hold.PERSON]
    if ring.approval and Hold.APPROVAL not in state.passes:
        holds[Hold.APPROVAL] = asks(ring)
    if Hold.FREEZE not in state.passes and (why := frozen(ring.environments, rules, at)):
        holds[Hold.FREEZE] = why
    return holds


def frozen(environments: Iterable[str], rules: Iterable[Freeze], at: float) -> str:
    """What people are told of the freezes of these environments; empty when none is in force."""
    rules = tuple(rules)
    told = (freezes.told(rules, environment, at) for environment in sorted(set(environments)))
    return "; ".join(filter(None, told))


def reasons(state: Rebuild) -> str:
    """Why a rebuild is held, and before what."""
    before = {Stage.BUILD: "build", Stage.SCAN: "promotion", Stage.DEPLOY: "rollout"}
    texts = (state.holds[hold] for hold in Hold if hold in state.holds)
    return f"before its {before[state.held_at or Stage.BUILD]}: {'; '.join(texts)}"


def marked(state: Rebuild) -> str:
    """What a person's hold will do to a rebuild that is not held yet; empty when there is none."""
    if state.status is Status.HELD or Hold.PERSON not in state.holds:
        return ""
    match state.status:
        case Status.WAITING | Status.BLOCKED:
            when = "when it could begin"
        case Status.BUILDING | Status.VERIFYING | Status.SCANNING:
            when = "before its promotion"
        case Status.PROMOTING:
            when = "before its rollout"
        case _:
            when = "before it is rolled out any further"
    return f"to be {state.holds[Hold.PERSON]}, {when}"


def how_to_end(state: Rebuild) -> str:
    """What lets a rebuild go on that is held."""
    place = f"{state.cascade} {state.image} --reason TEXT"
    ways = []
    if Hold.PERSON in state.holds:
        ways.append(f"`groundswell release {place}`")
    if Hold.APPROVAL in state.holds:
        ways.append(f"`groundswell approve {place}`")
    if Hold.BAKE in state.holds:
        ways.append("the end of the bake")
    if Hold.FREEZE in state.holds:
        ways.append("the end of the freeze (or `groundswell approve --despite-freeze`)")
    return f"it goes on by itself after {' and '.join(ways)}"
