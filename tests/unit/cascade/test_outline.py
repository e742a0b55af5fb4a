"""What is told of a rebuild by its outline is what the rebuild itself tells."""

import json
from collections.abc import Callable

import pytest

from groundswell.cascade.archive import summary
from groundswell.cascade.codec import rebuild_to_json
from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Hold, Rebuild
from groundswell.cascade.outline import Outline
from groundswell.cascade.status import Status
from groundswell.errors import NewerError
from tests.support.world import BASE, World, ref, registration


def seeded(world: World) -> list[Rebuild]:
    """One that is done, one that failed, one behind it."""
    world.register(
        registration("good", BASE),
        registration("bad", BASE),
        registration("behind", ref("bad"), build=[ref("good")]),
    )
    world.broken.add("bad")
    world.push_base()
    world.drive()
    return list(world.app.engine.records.rebuilds(world.cascade))


def test_an_outline_is_as_the_rebuild(make_world: Callable[..., World]) -> None:
    world = make_world()
    states = seeded(world)
    assert {state.status for state in states} == {Status.DONE, Status.FAILED, Status.BLOCKED}
    for state in [*states, *map(summary, states)]:
        outline = Outline(json.loads(json.dumps(rebuild_to_json(state))))
        for name in ("image", "status", "reason", "candidate", "updated_at", "priority", "history"):
            assert getattr(outline, name) == getattr(state, name), name
        assert outline.holds == state.holds.keys()
        assert outline.digests == (state.previous, state.candidate, state.promoted)
        assert list(outline.waits) == list(state.waits)
        assert list(outline.built_on) == list(state.built_on)
        assert outline.rebuild() == state


def test_what_holds_it_is_told_and_what_a_newer_program_wrote_is_not() -> None:
    state = Rebuild(cascade="c", image="a", status=Status.HELD, waits={}, holds={Hold.PERSON: "the launch"})
    document = rebuild_to_json(state)
    assert Outline(document).holds == {Hold.PERSON}
    with pytest.raises(NewerError):
        Outline({**document, "v": 1000})


def test_one_that_has_not_begun_was_never_updated(make_world: Callable[..., World]) -> None:
    state = Rebuild(cascade="c", image="a", status=Status.WAITING, waits={})
    assert Outline(rebuild_to_json(state)).updated_at == state.updated_at


def test_the_outlines_of_a_cascade_are_those_of_its_rebuilds_archived_or_not(
    make_world: Callable[..., World],
) -> None:
    world = make_world()
    states = seeded(world)
    records, archive = world.app.engine.records, world.app.archive
    kept = Kept(records, archive, world.cascade)
    assert [each.rebuild() for each in kept.outlines()] == states
    archive.keep(records.header(world.cascade).value, states)
    for listed in list(records.listed()):
        records.remove(listed)
    old = Kept(records, archive, states[0].cascade)
    assert old.archived
    assert (
        [each.rebuild() for each in old.outlines()] == list(old.rebuilds()) == [summary(state) for state in states]
    )
    assert [state.image for state in old.rebuilds(after="behind")] == ["good"]
    assert old.rebuild("behind").status is Status.BLOCKED
