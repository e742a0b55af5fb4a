"""The engine's shortcuts: news in bulk, steps that follow at once, remembered records. None may lose or double."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from groundswell.build.port import MAX_NAME, Run, RunStatus
from groundswell.cascade import engine as module
from groundswell.cascade.basebook import MOVING
from groundswell.cascade.codec import command_from_text, command_to_text
from groundswell.cascade.decide import decide_all
from groundswell.cascade.engine import PUSHES, REBUILDS
from groundswell.cascade.events import Cancelled, Event, Followed, RunStarted, RunSucceeded, Verified
from groundswell.cascade.intake import Result
from groundswell.cascade.meaning import TOLD_AT_ONCE
from groundswell.cascade.model import CANDIDATE, Command, Kind, Moment, Rebuild
from groundswell.cascade.pools import Pools
from groundswell.cascade.records import Records, Stored
from groundswell.cascade.status import Status
from groundswell.cascade.sweep import LONG_PATIENCE
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.wiring import App
from tests.support.world import BASE, HOST, QUEUES, World, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]


class Killed(BaseException):
    """The process is gone."""


def star(count: int) -> tuple[Registration, ...]:
    return (registration("top", BASE), *(registration(f"i{number:03}", ref("top")) for number in range(count)))


def diamond() -> tuple[Registration, ...]:
    return (
        registration("top", BASE),
        registration("left", ref("top")),
        registration("right", ref("top")),
        registration("bottom", ref("left"), build=[ref("right")], deployments=[workload("web")]),
    )


def _nothing(*_: object) -> None:
    pass


@contextmanager
def counted(app: App) -> Iterator[Counter[str]]:
    """The calls of the store by name and table or queue."""
    calls: Counter[str] = Counter()
    store: Any = app.store
    with pytest.MonkeyPatch.context() as patch:
        for name in ("get", "scan", "commit", "send"):
            patch.setattr(store, name, _around(getattr(store, name), partial(_count, calls, name)))
        yield calls


def _around[**P, R](
    call: Callable[P, R], before: Callable[..., None] = _nothing, after: Callable[..., None] = _nothing
) -> Callable[P, R]:
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        before(*args)
        result = call(*args, **kwargs)
        after(*args)
        return result

    return wrapper


def _count(calls: Counter[str], name: str, place: str, *_: object) -> None:
    calls[f"{name} {place}"] += 1


def take(world: World, kind: Kind) -> str:
    """Deliver messages until one of that kind is next; it is taken off its queue, not delivered."""
    for _ in range(1000):
        for name in QUEUES:
            for message in world.app.store.receive(name, limit=1, lease=600):
                if name != PUSHES and command_from_text(message.body).kind is kind:
                    world.app.store.delete(name, message)
                    return message.body
                world.deliver(name, message.body)
                world.app.store.delete(name, message)
        world.time += 1.0
    pytest.fail(f"no message to {kind}")


def keep_no_former(world: World) -> None:
    """Then the only tags that a promotion puts are the stable ones."""
    vars(world.app)["settings"] = replace(world.app.settings, keep_former=0)


def drain(world: World, app: App | None = None) -> None:
    """Deliver what there is by another instance, redeliveries said to be such."""
    for _ in range(20_000):
        for name in QUEUES:
            for message in world.app.store.receive(name, limit=32, lease=600):
                handler = app or world.app
                if name == PUSHES:
                    handler.intake.handle(message.body)
                else:
                    handler.engine.handle(message.body, again=message.dequeue_count > 1)
                handler.store.delete(name, message)
        if not any(world.app.store.depth(name) for name in QUEUES):
            return
        world.time += 1.0


# News.


def test_fifty_dependants_are_told_in_one_commit(make_world: MakeWorld) -> None:
    world = make_world(*star(2 * TOLD_AT_ONCE + 10), slots=1)
    world.push_base()
    scan = take(world, Kind.SCAN)
    with counted(world.app) as calls:
        world.app.engine.handle(scan)
    # Promoting; promoted, with fifty told, who get in line together; fifty more; one of them started.
    assert (calls["commit cascades"], calls["commit pools"]) == (4, 2)
    assert (calls["get cascades"], calls["get pools"]) == (1, 0), "the header, for the first time"
    waiting = [image for image, status in world.statuses().items() if status == "waiting"]
    assert len(waiting) == 10
    (message,) = world.app.store.receive(REBUILDS, limit=1)
    news = command_from_text(message.body)
    assert (news.kind, set(news.images)) == (Kind.NEWS, set(waiting))
    for _ in range(3):
        world.app.engine.handle(message.body)
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert len(world.builder.requests) == 2 * TOLD_AT_ONCE + 11
    assert world.app.engine.records.header(world.cascade).value.open == 0


def test_news_of_one_dependant_as_an_older_program_queued_it(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.takes = {"top": 10_000}
    world.push_base()
    world.drive(until=30)
    data = {"base": "top", "outcome": "promoted", "digest": "sha256:t", "turn": 9, "cause": ""}
    news = Command(kind=Kind.NEWS, cascade=world.cascade, image="app", turn=9, data=data)
    world.app.engine.handle(command_to_text(news))
    assert world.statuses()["app"] in ("ready", "building")


def test_somebody_else_changed_one_of_those_told(make_world: MakeWorld) -> None:
    world = make_world(*star(3), slots=1)
    world.push_base()
    scan = take(world, Kind.SCAN)
    world.another().engine.advance(world.cascade, "i001", Followed(at=world.time, by="later"))
    world.app.engine.handle(scan)
    states = world.states()
    assert {image: state.status.value for image, state in states.items() if image != "top"} == {
        "i000": "building",
        "i001": "ready",
        "i002": "ready",
    }
    assert states["i001"].dependants == (("later", "i001"),)


def test_what_does_not_fit_into_one_commit_is_told_one_by_one(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(*star(3))
    world.push_base()
    scan = take(world, Kind.SCAN)
    save = Records.save

    def narrow(self: Records, cascade: str, moves: Any, *, at: float) -> None:
        if len(moves) > 1:
            raise PermanentError("a commit to table cascades is too large; split it")
        save(self, cascade, moves, at=at)

    monkeypatch.setattr(Records, "save", narrow)
    world.another().engine.handle(scan)  # it remembers nobody, so the news goes its own way
    world.drive()
    assert set(world.statuses().values()) == {"done"}


def test_a_dependant_that_is_gone_holds_up_no_other(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(*star(3))
    world.push_base()
    scan = take(world, Kind.SCAN)
    load, remembered = Records.rebuild, Records.remembered

    def rebuild(self: Records, cascade: str, image: str) -> Stored[Rebuild]:
        if image == "i001":
            raise NotFoundError("gone")
        return load(self, cascade, image)

    monkeypatch.setattr(Records, "rebuild", rebuild)
    monkeypatch.setattr(
        Records, "remembered", lambda self, *key: None if key[1] == "i001" else remembered(self, *key)
    )
    world.app.engine.handle(scan)
    world.drive()
    assert Counter(world.statuses().values()) == {"done": 3, "waiting": 1}


# Steps that follow at once.


def test_one_handling_has_an_end(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [registration("i0", BASE), *(registration(f"i{n}", ref(f"i{n - 1}")) for n in range(1, 30))]
    world = make_world(*chain)
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 8)
    sent: list[Kind] = []
    send = world.app.store.send

    def noted(queue: str, body: str, *, delay: float = 0.0) -> None:
        if queue != PUSHES:
            sent.append(command_from_text(body).kind)
        send(queue, body, delay=delay)

    monkeypatch.setattr(world.app.store, "send", noted)
    world.registry.put(BASE, image_of(["sha256:base0"], note="only its configuration is another"))
    world.drive()
    assert set(world.statuses().values()) == {"unchanged"}
    assert sent.count(Kind.NEWS) == 29 // 8


def test_a_step_that_breaks_gets_a_message_of_its_own(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    scan = take(world, Kind.SCAN)

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(world.registry, "promote", broken)
        world.app.engine.handle(scan)
    assert world.statuses() == {"top": "promoting"}
    promote = take(world, Kind.PROMOTE)
    with monkeypatch.context() as patch:
        patch.setattr(world.registry, "promote", broken)
        with pytest.raises(RuntimeError):
            world.app.engine.handle(promote)
    world.app.engine.poisoned(promote)
    assert world.states()["top"].reason.startswith("the message to promote it failed again and again")


def test_what_cannot_be_verified_now_is_verified_later(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    observe = take(world, Kind.OBSERVE)

    def away(*_: object) -> None:
        raise TemporaryError("away")

    world.builder.observe(HOST, "r0")  # it is built now
    with monkeypatch.context() as patch:
        patch.setattr(world.builder, "observe", lambda registry, run: _succeeded(run))
        patch.setattr(world.registry, "image", away)
        world.app.engine.handle(observe)
        assert world.statuses() == {"top": "verifying"}
    world.drive()
    assert world.statuses() == {"top": "done"}


def test_what_can_never_be_verified_fails_there(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    observe = take(world, Kind.OBSERVE)
    world.builder.observe(HOST, "r0")
    monkeypatch.setattr(world.builder, "observe", lambda registry, run: _succeeded(run))
    monkeypatch.setattr(world.registry, "image", lambda reference: None)
    world.app.engine.handle(observe)
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, "verify")
    assert world.app.engine.pool().running == {}


def _succeeded(run: str) -> Run:
    return Run(id=run, status=RunStatus.SUCCEEDED)


def test_several_events_are_one_decision() -> None:
    building = Rebuild(
        cascade="c",
        image="a",
        status=Status.BUILDING,
        waits={},
        attempt=1,
        turn=3,
        history=(Moment(status=Status.BUILDING, at=0.0),),
    )
    events: list[Event] = [
        RunSucceeded(at=1.0, digest="sha256:c"),
        Verified(at=1.0, proof={}, previous="", unchanged=False),
    ]
    state, commands = decide_all(building, events)
    assert [(command.kind, command.turn) for command in commands] == [(Kind.RELEASE, 4), (Kind.SCAN, 5)]
    assert (state.outbox, state.turn) == (commands, 5)
    assert [moment.status for moment in state.history[1:]] == [Status.VERIFYING, Status.SCANNING]
    assert decide_all(state, events) == (state, ())


# Crashes.


def test_a_crash_between_saving_and_what_follows_is_mended_by_the_next_delivery(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(*star(3))
    world.push_base()
    scan = take(world, Kind.SCAN)

    def die(*_: object) -> None:
        raise Killed

    for owner, name in ((world.registry, "promote"), (Pools, "admit")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, die)
            with pytest.raises(Killed):
                world.another().engine.handle(scan, again=True)
    assert Counter(world.statuses().values()) == {"done": 1, "ready": 3}
    assert world.app.engine.pool().running == {}
    before = world.time
    world.another().engine.handle(scan, again=True)
    assert len(world.app.engine.pool().running) == 3
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert world.time - before < 60, "nobody waited for the sweep"
    promoted = [reference for reference, _ in world.registry.history if reference == ref("top")]
    assert len(promoted) == 2, "once when it was registered, once now"


def test_a_doubled_message_that_is_no_redelivery_repeats_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    build = take(world, Kind.BUILD)
    world.app.engine.handle(build)
    depth = world.app.store.depth(REBUILDS)
    world.app.engine.handle(build)
    assert world.app.store.depth(REBUILDS) == depth
    world.app.engine.handle(build, again=True)
    assert world.app.store.depth(REBUILDS) == depth + 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_of_the_store_it_ends_the_same(make_world: MakeWorld, *, after: bool) -> None:
    """A fresh process takes over each time: it knows nothing, messages come again, the sweep runs."""
    number = 0
    while True:
        world = make_world(registration("top", BASE), registration("app", ref("top")))
        if not _killed(world, number, after=after):
            break
        number += 1
        successor = world.another()
        world.app = successor
        world.time += 601
        for _ in range(4):
            drain(world)
            world.time += LONG_PATIENCE
            successor.sweep.cascades()
            successor.sweep.slots()
        drain(world)
        assert world.statuses() == {"top": "done", "app": "done"}, number
        assert Counter(request.repository for request in world.builder.requests) == {"top": 1, "app": 1}, number
        promoted = Counter(r for r, _ in world.registry.history if r in (ref("top"), ref("app")))
        assert promoted == {ref("top"): 2, ref("app"): 2}, number
        assert successor.engine.pool().running == {}, number
        assert successor.engine.records.header(world.cascade).value.open == 0
    assert number > 30


def _killed(world: World, number: int, *, after: bool) -> bool:
    """Drive, and die at the call of that number; False when there were not so many."""
    left = [number]
    store: Any = world.app.store
    world.push_base()

    def die(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        for name in ("get", "commit", "send"):
            bare = getattr(store, name)
            patch.setattr(store, name, _around(bare, after=die) if after else _around(bare, die))
        try:
            drain(world)
        except Killed:
            return True
    return False


# Remembered records.


@pytest.mark.parametrize("seed", range(8))
def test_two_instances_that_remember_take_turns(make_world: MakeWorld, seed: int) -> None:
    world = make_world(*diamond(), *star(6)[1:], slots=3)
    apps = [world.app, world.another()]
    rng = random.Random(seed)
    world.push_base()
    for _ in range(2000):
        pairs = [(name, m) for name in QUEUES for m in world.app.store.receive(name, limit=32, lease=600)]
        rng.shuffle(pairs)
        for name, message in pairs:
            for app in rng.choices(apps, k=1 + (rng.random() < 0.3)):
                assert len(app.engine.pool().running) <= 3
                app.intake.handle(message.body) if name == PUSHES else app.engine.handle(message.body)
            world.app.store.delete(name, message)
        if not pairs and not any(world.app.store.depth(name) for name in QUEUES):
            break
        world.time += 1.0
    assert set(world.statuses().values()) == {"done"}
    assert max(Counter(request.repository for request in world.builder.requests).values()) == 1
    assert max(Counter(world.registry.history).values()) == 1
    assert world.app.engine.records.header(world.cascade).value.open == 0
    assert world.app.engine.pool().running == {}


def test_a_run_started_on_a_stale_record_is_stopped(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    build = take(world, Kind.BUILD)
    world.another().engine.advance(world.cascade, "top", Cancelled(at=world.time, who="ann", why="wrong base"))
    world.app.engine.handle(build)
    assert world.statuses() == {"top": "cancelled"}
    world.drive()
    assert world.builder.cancelled == ["r0"]


def test_a_run_of_an_attempt_that_has_passed_is_nobodys(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    build = take(world, Kind.BUILD)
    other = world.another()
    other.engine.advance(world.cascade, "top", Cancelled(at=world.time, who="ann", why="wrong base"))
    other.operator.replay(world.cascade, "top", who="ann", why="it was right")
    world.app.engine.handle(build)
    assert (world.states()["top"].attempt, world.states()["top"].run) == (2, "")
    world.drive()
    assert world.statuses() == {"top": "done"}
    assert world.builder.cancelled == ["r0"]
    assert world.states()["top"].run == "r1"


def test_a_retried_command_reads_anew(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    take(world, Kind.BUILD)
    world.builder.down = TemporaryError("throttled", delay=30.0)
    state = world.states()["top"]
    world.app.engine.handle(
        command_to_text(Command(kind=Kind.BUILD, cascade=world.cascade, image="top", turn=state.turn))
    )
    world.builder.down = None
    (late,) = world.app.store.receive(REBUILDS, limit=1) or [None]
    assert late is None, "Retry-After is kept to"
    world.another().engine.advance(world.cascade, "top", Cancelled(at=world.time, who="ann", why="wrong base"))
    world.drive()
    assert world.builder.requests == []


def test_the_header_counts_right_between_instances(make_world: MakeWorld) -> None:
    world = make_world(*star(4))
    world.takes = dict.fromkeys(("top", "i000", "i001", "i002", "i003"), 10_000)
    world.push_base()
    world.drive(until=10)
    other = world.another()
    for app, image in ((world.app, "i000"), (other, "i001"), (world.app, "i002"), (other, "i003")):
        app.engine.advance(world.cascade, image, Cancelled(at=world.time, who="ann", why="no"))
        open_ = sum(not state.status.settled for state in world.states().values())
        assert other.engine.records.header(world.cascade).value.open == open_


# Promotion.


def test_a_promotion_looks_first(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    image = registration("top", BASE)
    world = make_world(Registration(**{**_fields(image), "tags": ("1", "1.4", "latest")}))
    keep_no_former(world)
    world.push_base()
    scan = take(world, Kind.SCAN)

    def half(candidate: Any, tags: Any) -> None:
        world.registry._tag(candidate.without_digest().with_tag(tags[0]), candidate.digest)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(world.registry, "promote", half)
        with pytest.raises(Killed):
            world.app.engine.handle(scan)
    moved: list[Any] = []
    promote = world.registry.promote
    monkeypatch.setattr(world.registry, "promote", lambda c, tags: (moved.append(tags), promote(c, tags)))
    world.another().engine.handle(scan, again=True)
    assert moved == [("1.4", "latest")]
    state = world.states()["top"]
    assert state.status is Status.DONE
    again = Command(kind=Kind.PROMOTE, cascade=world.cascade, image="top", turn=state.turn)
    stages: Any = world.app._works()[Kind.PROMOTE]
    stages(again, state)
    assert moved == [("1.4", "latest")]


def _fields(image: Registration) -> dict[str, Any]:
    return {name: getattr(image, name) for name in Registration.__dataclass_fields__}


def test_two_images_of_one_repository_have_candidates_of_their_own() -> None:
    tags = {
        Rebuild(cascade="c", image=image, status=Status.READY, waits={}, attempt=attempt).candidate_tag
        for image in ("py3.12", "py3.13")
        for attempt in (1, 2)
    }
    assert len(tags) == 4
    assert all(tag.startswith(f"{CANDIDATE}c-") and len(tag) <= MAX_NAME for tag in tags)


def test_our_own_push_is_known_at_the_door_once(make_world: MakeWorld) -> None:
    bases = make_world(registration("top", BASE)).app.bases
    bases.promoting(["r/a:1", "r/a:2"], before="", digest="sha256:a", cascade="c", bases=["r/a:1"])
    known = bases.get("r/a:1")
    assert known is not None
    assert (known.digest, known.cascade, known.planned) == ("sha256:a", "c", True)
    assert bases.get("r/a:2") is None, "nothing stands on it"
    assert not bases.own("r/a:1", "sha256:other")
    assert [bases.own("r/a:1", "sha256:a") for _ in range(2)] == [True, False]
    assert bases.own("r/a:2", "sha256:a")


def test_a_tag_that_is_about_to_move_is_not_taken_for_a_missed_push(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    before = world.registry.tags[ref("top")]
    keep_no_former(world)
    world.push_base()
    scan = take(world, Kind.SCAN)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(world.registry, "promote", die)
        with pytest.raises(Killed):
            world.app.engine.handle(scan)
    known = world.app.bases.get(ref("top"))
    assert known is not None
    assert (known.before, known.digest != before) == (before, True)
    queued = world.app.store.depth(PUSHES)
    world.app.reconcile.bases()
    assert world.app.bases.claim(ref("top"), digest=before) == known
    assert world.app.store.depth(PUSHES) == queued
    world.another().engine.handle(scan, again=True)
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert len(world.cascades) == 1
    # Somebody takes it back, long after.
    world.time += MOVING
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(ref("top"), world.registry.images[before])
    world.app.reconcile.bases()
    assert world.app.store.depth(PUSHES) == 1


def test_a_promotion_that_another_instance_hears_of_starts_nothing(make_world: MakeWorld) -> None:
    world = make_world(*diamond())
    other = world.another()
    world.push_base()
    deals, world.app = world.app, other  # pushes arrive there, messages are dealt with here
    drain(world, deals)
    assert len(world.cascades) == 1
    assert set(world.statuses().values()) == {"done"}
    assert Result.KNOWN in world.results()


def test_a_rebuild_without_a_spec_can_be_stopped(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    take(world, Kind.BUILD)
    data = {"run": "r9", "registry": HOST}
    stop = Command(kind=Kind.CANCEL, cascade=world.cascade, image="top", turn=0, data=data)
    world.app.engine.handle(command_to_text(stop))
    assert world.builder.cancelled == ["r9"]


def test_run_started_names_the_registry_of_its_run() -> None:
    event = RunStarted(at=0.0, run="r1", built_on={}, spec={"registry": HOST})
    state = Rebuild(cascade="c", image="a", status=Status.READY, waits={}, attempt=2)
    (stop,) = module._orphaned(state, [event, RunSucceeded(at=0.0, digest="sha256:x")])
    assert (stop.kind, stop.data) == (Kind.CANCEL, {"run": "r1", "registry": HOST})


def test_a_poisoned_message_of_a_turn_that_has_passed_fails_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    scan = take(world, Kind.SCAN)
    world.app.engine.handle(scan)
    world.app.engine.poisoned(scan)
    assert world.statuses() == {"top": "done"}
