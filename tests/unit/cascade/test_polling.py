"""When a run is looked at: soon after its candidate arrives, else less and less often."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from graph.reference import Reference
from groundswell.build.port import Run, RunStatus
from groundswell.cascade.candidates import seen
from groundswell.cascade.engine import REBUILDS
from groundswell.cascade.intake import Result
from groundswell.cascade.model import Command, Kind, Rebuild
from groundswell.cascade.polling import Polling, pause
from groundswell.cascade.schedule import Entry
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.sweep import PATIENCE
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.store.recent import Recent
from tests.support.world import BASE, HOST, World, image_of, registration

type MakeWorld = Callable[..., World]

STATE = Rebuild(cascade="c", image="app", status=Status.BUILDING, waits={}, attempt=1, turn=3)
OBSERVE = Command(kind=Kind.OBSERVE, cascade="c", image="app", turn=3)


class Time:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def delays(polling: Polling, command: Command, looks: int) -> list[float]:
    found = []
    for _ in range(looks):
        later = polling.next(command)
        if later is None:
            break
        assert later.tries == 0
        found.append(later.delay)
        command = later
    return found


def test_a_run_is_looked_at_less_and_less_often() -> None:
    polling = Polling(poll=5.0, clock=Time())
    assert polling.first(OBSERVE) == 5.0
    assert delays(polling, OBSERVE, 6) == [10.0, 20.0, 40.0, 60.0, 60.0, 60.0]


def test_while_announcements_arrive_no_messages_are_needed() -> None:
    time = Time()
    polling = Polling(poll=5.0, clock=time)
    polling.announced(STATE)
    assert polling.first(OBSERVE) is None
    assert polling.first(replace(OBSERVE, delay=30.0)) == 30.0, "one that was put off is kept"
    assert polling.next(OBSERVE) is None
    time.now += 3600.0
    assert polling.first(OBSERVE) == 5.0, "none arrived for an hour"
    assert delays(polling, OBSERVE, 1) == [10.0]


def test_an_announced_run_is_looked_at_a_few_times_in_short_order() -> None:
    polling = Polling(poll=5.0, clock=Time())
    look = polling.announced(STATE)
    assert (look.kind, look.image, look.turn, polling.first(look)) == (Kind.OBSERVE, "app", 3, 0.0)
    assert delays(polling, look, 9) == [2.0, 4.0, 8.0, 16.0]
    fast = Polling(poll=0.25, clock=Time())
    assert delays(fast, fast.announced(STATE), 9) == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    assert delays(polling, polling.once(STATE), 1) == []


def test_a_rollout_is_looked_at_as_often_as_ever() -> None:
    polling = Polling(poll=5.0, clock=Time())
    watch = Command(kind=Kind.WATCH, cascade="c", image="app", turn=3)
    assert polling.first(watch) == 0.0
    assert delays(polling, watch, 3) == [5.0, 5.0, 5.0]


@pytest.mark.parametrize(
    ("tag", "poll", "seconds"), [("gs-c-1", 5.0, 2.0), ("gs-c-1", 0.25, 0.25), ("1.4", 5.0, 0.0)]
)
def test_only_a_candidates_push_waits(tag: str, poll: float, seconds: float) -> None:
    assert pause(tag, poll) == seconds


# Through the engine.


def building(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Rebuild, list[Run]]:
    """A world with a rebuild under way, and the answers of its build service to come (then: still running)."""
    world = make_world(registration("app", BASE))
    world.takes = {"app": 10_000}
    world.push_base()
    world.drive(until=20)  # the regular looks came after 5 and 15 s, the next is due after 35
    answers: list[Run] = []
    observe = world.builder.observe

    def answer(registry: str, run: str) -> Run:
        observe(registry, run)
        return answers.pop(0) if answers else Run(id=run, status=RunStatus.RUNNING)

    monkeypatch.setattr(world.builder, "observe", answer)
    return world, world.states()["app"], answers


def push_candidate(world: World, state: Rebuild) -> None:
    base = world.registry.image(Reference.parse(BASE))
    assert base is not None
    image = image_of([*base.platforms[0].diff_ids, "sha256:new"])
    world.registry.put(f"{HOST}/app:{state.candidate_tag}", image)


def test_the_push_of_its_candidate_wakes_a_rebuild(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world, state, answers = building(make_world, monkeypatch)
    at = world.time
    answers += [Run(id="r0", status=RunStatus.RUNNING), Run(id="r0", status=RunStatus.SUCCEEDED)]
    push_candidate(world, state)
    world.drive(until=5)
    assert world.statuses() == {"app": "done"}
    assert world.states()["app"].history[-1].at - at == 4.0, "looked at after 2 s, and 2 s later"
    assert world.results() == [Result.CASCADE], "the history of the rebuild tells of the candidate"
    world.drive()  # what is left is the regular look, which finds the turn over
    assert world.app.store.depth(REBUILDS) == 0


def test_an_announcement_starts_no_endless_round_of_looks(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, state, _ = building(make_world, monkeypatch)
    for _ in range(3):
        assert seen(world.app.engine, state.candidate_tag)
    world.drive(until=200)
    assert world.app.store.depth(REBUILDS) == 0
    assert world.statuses() == {"app": "building"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Run(id="r0", status=RunStatus.SUCCEEDED), "done"),
        (Run(id="r0", status=RunStatus.RUNNING), "building"),
        (TemporaryError("away"), "building"),
        (PermanentError("not allowed"), "failed"),
    ],
    ids=["ended", "running", "away", "refused"],
)
def test_the_sweep_looks_at_every_run(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, answer: Run | GroundswellError, status: str
) -> None:
    world, state, answers = building(make_world, monkeypatch)
    assert seen(world.app.engine, state.candidate_tag)
    world.registry.on_push = lambda reference, digest: None
    world.drive(until=200)
    world.time += PATIENCE
    push_candidate(world, state)  # nobody hears of it
    if isinstance(answer, Run):
        answers.append(answer)
    else:
        monkeypatch.setattr(world.builder, "observe", lambda registry, run: _raise(answer))
    turn = world.states()["app"].turn
    world.app.sweep.cascades()
    assert world.states()["app"].turn == turn or status != "building"
    world.drive(until=10)
    assert world.statuses() == {"app": status}


def test_the_sweep_finds_a_run_that_failed_a_moment_ago(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It pushed no candidate, so nothing announces it, and while others are announced no message looks at it."""
    world, _, answers = building(make_world, monkeypatch)
    answers.append(Run(id="r0", status=RunStatus.FAILED, error="exit status 3"))
    world.app.sweep.cascades()
    state = world.states()["app"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.BUILD)


def _raise(error: GroundswellError) -> None:
    raise error


def test_candidates_of_nobody_who_builds_now(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world, state, _ = building(make_world, monkeypatch)
    engine = world.app.engine
    assert not seen(engine, "1.4")
    assert not seen(engine, "gs-c-1")
    assert not seen(engine, state.candidate_tag.removesuffix("1") + "2"), "another attempt's"
    ghost = Entry(cascade="gone", image="x", turn=1, priority=1.0, since=0.0)
    engine._pools.admit([ghost])
    tag = Rebuild(cascade="gone", image="x", status=Status.BUILDING, waits={}, attempt=1).candidate_tag
    assert not seen(engine, tag)


def test_an_instance_that_did_not_start_the_run_finds_it(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, state, _ = building(make_world, monkeypatch)
    other = world.another()
    assert list(other.engine.building()) == list(world.app.engine.building())
    assert seen(other.engine, state.candidate_tag)
    late = world.another()
    assert not seen(late.engine, "gs-c-1")  # it knows now who builds, and then somebody else begins


# What a process remembers.


def test_the_one_used_longest_ago_is_forgotten() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
    assert recent.get("b", 7) == 7
    recent.drop("a")
    recent.drop("never there")
    assert recent.get("a") is None
