"""Records and messages as JSON: round trips, and what is refused."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.codec import (
    command_from_text,
    command_to_text,
    rebuild_from_json,
    rebuild_to_json,
)
from groundswell.cascade.ids import new_id
from groundswell.cascade.model import Command, Kind
from groundswell.cascade.push import Push, Result, queue
from groundswell.errors import PermanentError
from tests.support.world import BASE, World, ref, registration, workload

type MakeWorld = Callable[..., World]


def test_every_state_of_a_cascade_comes_back_from_json_as_it_was(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("w")]), registration("app", ref("top")))
    world.broken.add("app")
    world.push_base()
    world.drive()
    for state in world.states().values():
        assert rebuild_from_json(json.loads(json.dumps(rebuild_to_json(state)))) == state


@given(st.sampled_from(Kind), st.text(), st.integers(0, 1000), st.dictionaries(st.text(), st.text()))
def test_commands_come_back(kind: Kind, image: str, turn: int, data: dict[str, str]) -> None:
    command = Command(kind=kind, cascade="c", image=image, turn=turn, data=data)
    assert command_from_text(command_to_text(command)) == command


@pytest.mark.parametrize("text", ["", "[]", "{}", "nope", '{"v":1}', '{"v":1,"kind":"dance"}', '"x"'])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="not a command"):
        command_from_text(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", "nope", '{"v":1}', '"x"'])
def test_what_is_no_push_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="not a push"):
        Push.from_text(text)


def test_ids_are_short_and_sort_by_time() -> None:
    early, late = new_id(1_800_000_000.0), new_id(1_800_000_001.0)
    assert len(early) == 10
    assert early < late
    assert new_id(1_800_000_000.0) != early


def test_a_message_for_a_rebuild_that_is_gone_is_let_go(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    text = command_to_text(Command(kind=Kind.SCAN, cascade="none", image="x", turn=1))
    world.app.engine.handle(text)
    world.app.engine.poisoned(text)
    world.app.engine.poisoned("rubbish")


def test_a_stop_that_fails_is_logged_not_raised(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()

    def refuse(registry: str, run: str) -> None:
        raise PermanentError("not allowed")

    world.builder.cancel = refuse  # type: ignore[method-assign]
    command = Command(kind=Kind.CANCEL, cascade=world.cascade, image="top", turn=1, data={"run": "r0"})
    world.app.engine.handle(command_to_text(command))
    assert world.statuses() == {"top": "done"}


@pytest.mark.parametrize(
    ("push", "result"),
    [
        ({"tag": ""}, Result.UNTAGGED),
        ({"tag": "gs-abc-1"}, Result.CANDIDATE),
        ({"repository": "nobody/knows"}, Result.UNKNOWN),
        ({"repository": "Not/Possible"}, Result.UNKNOWN),
        ({"registry": "elsewhere.example.com"}, Result.UNKNOWN),
    ],
)
def test_each_push_has_its_own_end(make_world: MakeWorld, push: dict[str, str], result: Result) -> None:
    world = make_world(registration("top", BASE))
    event = {"registry": "acr.example.com", "repository": "mirror/debian", "tag": "12", **push}
    queue(world.app.store, Push(id="e", digest="sha256:x", source="webhook", **event))
    world.drive()
    assert world.results() == [result]
    assert world.cascades == []


def test_a_digest_that_the_registry_does_not_have(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    del world.registry.tags[BASE]
    event = Push(
        id="e", registry="acr.example.com", repository="mirror/debian", tag="12", digest="d", source="webhook"
    )
    queue(world.app.store, event)
    world.drive()
    assert world.results() == [Result.MISSING]


def test_a_poisoned_push_is_logged_as_given_up(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    event = Push(
        id="e", registry="acr.example.com", repository="mirror/debian", tag="12", digest="d", source="webhook"
    )
    world.app.intake.poisoned(event.to_text())
    world.app.intake.poisoned("rubbish")
    assert world.results() == [Result.GAVE_UP]
