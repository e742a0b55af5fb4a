"""Stable tags move only from where they were when the candidate was compared with them."""

from collections.abc import Callable
from typing import Any

import pytest

from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.status import Status
from tests.support.world import BASE, World, digest_of, image_of, ref, registration

type MakeWorld = Callable[..., World]


@pytest.mark.parametrize("by_hand", [True, False], ids=["moved", "gone"])
def test_a_tag_that_moves_at_the_last_moment(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, by_hand: bool
) -> None:
    """Between the writing in the book and the registry: the candidate is compared with what is there now."""
    world = make_world(registration("top", BASE))
    promoting = BaseBook.promoting
    seen: list[str] = []

    def meanwhile(self: BaseBook, *args: Any, **rest: Any) -> None:
        promoting(self, *args, **rest)
        if not seen and by_hand:
            seen.append(world.registry.put(ref("top"), image_of(["sha256:base0", "sha256:by hand"])))
        elif not seen:
            seen.append("nothing")
            del world.registry.tags[ref("top")]

    monkeypatch.setattr(BaseBook, "promoting", meanwhile)
    world.push_base()
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.attempt) == (Status.DONE, 2)
    assert f"its tag was moved to {seen[0]} while it was under way" in [moment.reason for moment in state.history]
    stable = [digest for reference, digest in world.registry.history if reference == ref("top")]
    assert world.registry.tags[ref("top")] == state.promoted == stable[-1]
    assert stable.count(state.promoted) == 1
    assert world.registry.images[state.promoted].platforms[0].diff_ids == ("sha256:base1", digest_of("top", "1"))


def test_a_tag_that_is_there_already_is_not_put_again(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))
    promoting = BaseBook.promoting

    def meanwhile(self: BaseBook, *args: Any, **rest: Any) -> None:
        """Another worker, with the same message, was faster."""
        promoting(self, *args, **rest)
        world.registry.put(ref("top"), world.registry.images[rest["digest"]])

    monkeypatch.setattr(BaseBook, "promoting", meanwhile)
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done"}
