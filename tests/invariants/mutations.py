"""A test of an invariant must be able to fail: each one is run on the product as it is, and on mutations of it.

A mutation breaks one rule in one place. `fails_when` runs the check under it, and wants it to fail by an
assertion of its own, not by an error on the way.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from groundswell.cascade import decide
from groundswell.cascade.events import Event
from tests.support.world import World

type MakeWorld = Callable[..., World]
type Check = Callable[[MakeWorld], None]
type Mutation = Callable[[pytest.MonkeyPatch], None]


def fails_when(mutation: Mutation, check: Check, make_world: MakeWorld) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mutation(patch)
        with pytest.raises(AssertionError) as caught:
            check(make_world)
    failed = caught.traceback[-1]
    assert Path(failed.path).parent == Path(__file__).parent, (
        f"it did not fail by its own assertion, but at {failed}"
    )


def replace_rule(patch: pytest.MonkeyPatch, event: type[Event], rule: Callable[..., object]) -> None:
    """Let another function decide what follows from a kind of event."""
    patch.setitem(decide._RULES, event, rule)


def rule(event: type[Event]) -> Callable[..., object]:
    """The rule as it is."""
    return decide._RULES[event]
