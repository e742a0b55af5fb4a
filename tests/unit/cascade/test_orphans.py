"""Runs that nobody waits for any more."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.build.port import BuildRequest, RunStatus, Source
from groundswell.cascade.events import Cancelled
from groundswell.cascade.model import Kind
from groundswell.cascade.orphans import Orphans
from groundswell.cascade.status import Stage
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from tests.support.world import BASE, HOST, World, ref, registration

type MakeWorld = Callable[..., World]


def orphans(world: World) -> Orphans:
    return Orphans(world.app.engine, lambda: world.builder, [HOST])


def building(world: World) -> str:
    """Begin a build that takes long; the name of it."""
    world.takes["top"] = 10_000
    world.push_base()
    world.drive(until=20)
    assert world.statuses()["top"] == "building"
    return world.builder.requests[-1].name


def lose_the_stop(world: World) -> None:
    """Cancel the rebuild, and lose the command that stops its run."""
    engine = world.app.engine
    real, engine.send = (
        engine.send,
        lambda commands: real(  # type: ignore[method-assign]
            [each for each in commands if each.kind is not Kind.CANCEL]
        ),
    )
    engine.advance(world.cascade, "top", Cancelled(at=world.time, who="ann", why="wrong"))
    engine.send = real  # type: ignore[method-assign]
    assert world.statuses()["top"] == "cancelled"
    assert world.builder.cancelled == []


def test_a_run_whose_stop_was_lost_is_stopped_and_then_forgotten(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    name = building(world)
    lose_the_stop(world)
    orphans(world).stop()
    assert (world.builder.cancelled, world.builder.forgotten) == (["r0"], [])
    world.builder.ended["r0"] = RunStatus.CANCELED
    orphans(world).stop()
    assert (world.builder.cancelled, world.builder.forgotten) == (["r0"], [name])
    orphans(world).stop()
    assert world.builder.forgotten == [name]


def test_a_run_that_is_waited_for_goes_on(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    building(world)
    orphans(world).stop()
    assert (world.builder.cancelled, world.builder.forgotten) == ([], [])


def test_one_that_was_started_and_not_yet_noted_goes_on(make_world: MakeWorld) -> None:
    """The worker may be alive between starting the run and saving that it did; or the next try finds the run."""
    world = make_world(registration("top", BASE))
    real = world.builder.start

    def lose(request: BuildRequest) -> object:
        real(request)
        raise TemporaryError("the answer was lost")

    world.builder.start = lose  # type: ignore[method-assign, assignment]
    world.push_base()
    world.drive(until=3)
    assert world.statuses() == {"top": "ready"}
    orphans(world).stop()
    assert world.builder.cancelled == []


def test_the_run_of_an_attempt_that_was_given_up(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    building(world)
    lose_the_stop(world)
    world.app.operator.replay(world.cascade, "top", stage=Stage.BUILD, who="ann", why="again")
    world.drive(until=20)
    assert world.statuses() == {"top": "building"}
    orphans(world).stop()
    assert world.builder.cancelled == ["r0"]  # not r1


@pytest.mark.parametrize("name", ["nightly-build", "gs-0000000000-0123456789-1", "gs-x"])
def test_what_is_not_known_to_be_ours_is_left_alone(make_world: MakeWorld, name: str) -> None:
    world = make_world(registration("top", BASE))
    source = Source(location="https://git.example.com/x.git")
    request = BuildRequest(name=name, registry=HOST, repository="x", tag="1", source=source)
    world.builder.runs["r9"] = (request, "")
    world.builder.runs["r10"] = (replace(request, registry="other.azurecr.io"), "")
    orphans(world).stop()
    assert (world.builder.cancelled, world.builder.forgotten) == ([], [])


@pytest.mark.parametrize("error", [TemporaryError("429"), PermanentError("403")])
def test_a_service_that_does_not_answer_ends_the_round_quietly(
    make_world: MakeWorld, error: GroundswellError
) -> None:
    world = make_world(registration("top", BASE))
    building(world)
    lose_the_stop(world)

    def refuse(registry: str, run: str) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.builder, "cancel", refuse)
        orphans(world).stop()
    world.builder.down = error
    orphans(world).stop()
    world.builder.down = None
    orphans(world).stop()
    assert world.builder.cancelled == ["r0"]


def test_the_name_of_a_scan_is_forgotten_once_it_has_ended(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    name = "gs-scan-" + "0a" * 20
    source = Source(location="https://git.example.com/x.git")
    run = world.builder.start(BuildRequest(name=name, registry=HOST, repository="top", tag="1", source=source))
    orphans(world).stop()
    assert (world.builder.cancelled, world.builder.forgotten) == ([], [])
    world.builder.ended[run.id] = RunStatus.SUCCEEDED
    orphans(world).stop()
    assert (world.builder.cancelled, world.builder.forgotten) == ([], [name])
