"""What reading the bases back finds."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from graph.reference import Reference
from groundswell.cascade.basebook import Base
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.push import Result
from groundswell.cascade.reconcile import STRIKES, THREADS, seed
from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry.port import NotAllowedError, PausedError
from tests.support.world import BASE, HOST, World, digest_of, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]


def chain() -> tuple[object, ...]:
    return (
        registration("top", BASE, deployments=[workload("web")]),
        registration("app", ref("top")),
        registration("leaf", ref("app")),
    )


def test_a_lost_webhook_is_found_by_reading_the_base_back(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    world.drive()
    assert world.cascades == []
    world.app.reconcile.bases()
    world.registry.on_push = world.webhook
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    assert world.app.engine.records.header(world.cascade).value.source == "reconcile"
    world.app.reconcile.bases()
    world.drive()
    assert len(world.cascades) == 1


def test_a_base_seen_for_the_first_time_starts_nothing(make_world: MakeWorld) -> None:
    other = f"{HOST}/mirror/new:1"
    world = make_world(registration("top", other))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(other, image_of(["sha256:n"]))
    world.app.reconcile.bases()
    world.app.reconcile.bases()
    assert world.app.store.depth(PUSHES) == 0
    known = world.app.bases.get(other)
    assert known is not None
    assert known.digest == world.registry.tags[other]


def test_a_registry_that_does_not_answer_stops_nothing_else(make_world: MakeWorld) -> None:
    world = make_world(*chain())
    world.registry.down = TemporaryError("away")
    world.app.reconcile.bases()
    names = ["top", "app", "leaf"]
    assert seed(world.app.bases, world.app.catalog, world.registry, names) == []


def test_seeding_reports_what_it_could_not_read_and_leaves_what_is_known(make_world: MakeWorld) -> None:
    pin = f"{HOST}/mirror/debian@{digest_of('x')}"
    world = make_world(registration("top", f"{HOST}/mirror/unseen:1"), registration("p", pin))
    names = ["top", "p"]
    # Not in the registry: nothing to note.
    assert seed(world.app.bases, world.app.catalog, world.registry, names) == []
    world.registry.down = PermanentError("401")
    assert seed(world.app.bases, world.app.catalog, world.registry, names) == [f"{HOST}/mirror/unseen:1: 401"]
    world.registry.down = None
    world.registry.put(f"{HOST}/mirror/unseen:1", image_of(["sha256:u"]))
    seed(world.app.bases, world.app.catalog, world.registry, names)
    known = world.app.bases.get(f"{HOST}/mirror/unseen:1")
    assert known is not None
    assert known.planned
    world.app.reconcile.bases()


def test_a_push_that_cannot_be_read_back_is_tried_again_and_never_lost(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.registry.down = TemporaryError("away")
    world.push_base()
    world.drive(until=60)
    assert world.results() == []
    world.registry.down = None
    world.drive()
    assert Result.CASCADE in world.results()
    world.registry.down = TemporaryError("away")
    world.push_base("sha256:base2")
    world.drive()
    assert world.results()[-1] is Result.GAVE_UP
    world.registry.down = None
    world.app.reconcile.bases()
    world.drive()
    assert len(world.cascades) == 2


# Registries out there.

HUB = "docker.io/library/debian:12"


def out_there(count: int, host: str = "docker.io") -> list[str]:
    return [f"{host}/library/base{number:04}:1" for number in range(count)]


def on(world: World, names: list[str]) -> None:
    """Images on bases that the registry has, without a webhook of any."""
    world.registry.on_push = lambda reference, digest: None
    for name in names:
        world.registry.put(name, image_of([f"sha256:{name}"]))
    world.app.catalog.register(
        [registration(f"image{number:04}", name) for number, name in enumerate(names)], who="test"
    )


def test_a_base_on_docker_hub_that_moved_is_carried_down(make_world: MakeWorld) -> None:
    world = make_world()
    on(world, [HUB])
    world.registry.put(ref("image0000"), image_of(["sha256:old"]))
    world.app.reconcile.bases()
    assert world.app.store.depth(PUSHES) == 0
    world.registry.put(HUB, image_of(["sha256:new"]))
    world.registry.on_push = world.webhook
    world.app.reconcile.bases()
    world.drive()
    assert world.statuses() == {"image0000": "done"}
    header = world.app.engine.records.header(world.cascade).value
    assert (header.base, header.source) == (HUB, "reconcile")


class Asked:
    """Takes the place of the registry's `digest`: counts, and raises what a host is said to raise."""

    def __init__(self, world: World, **errors: Exception) -> None:
        self.real = world.registry.digest
        self.errors = errors
        self.hosts: list[str] = []
        self.together = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, reference: Reference) -> str | None:
        with self.lock:
            self.hosts.append(reference.registry)
            self.together += 1
            self.most = max(self.most, self.together)
        try:
            if error := self.errors.get(reference.registry.partition(".")[0]):
                raise error
            return self.real(reference)
        finally:
            with self.lock:
                self.together -= 1


@pytest.mark.parametrize(
    ("error", "asked", "told"),
    [
        (TemporaryError("away"), STRIKES, STRIKES),
        (PausedError("a pause"), 1, 0),
        (NotAllowedError("not on the list"), 1, 1),
        (PermanentError("401"), 60, 60),
    ],
)
def test_a_registry_that_fails_is_left_alone_for_the_round_and_stops_no_other(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture, error: Exception, asked: int, told: int
) -> None:
    world = make_world()
    on(world, [*out_there(60), *out_there(5, "quay.io")])
    world.registry.digest = registry = Asked(world, docker=error)  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        world.app.reconcile.bases()
    # As many as there are threads may be under way when the last failure comes.
    assert asked <= registry.hosts.count("docker.io") <= min(60, asked + THREADS)
    assert told <= len(caplog.records) <= (told if told in (0, 1, 60) else told + THREADS)
    assert registry.hosts.count("quay.io") == 5
    assert set(world.app.bases.all()) == set(out_there(5, "quay.io"))


def test_a_registry_that_may_not_be_asked_is_told_once(
    make_world: MakeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    world = make_world()
    on(world, out_there(3))
    world.registry.digest = Asked(world, docker=NotAllowedError("no"))  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            world.app.reconcile.bases()
    assert [record.message for record in caplog.records] == ["registry not asked"]


def test_many_are_asked_at_once(make_world: MakeWorld) -> None:
    world = make_world()
    on(world, out_there(THREADS))
    meeting = threading.Barrier(THREADS, timeout=10)
    real = world.registry.digest

    def digest(reference: Reference) -> str | None:
        with suppress(threading.BrokenBarrierError):
            meeting.wait()
        return real(reference)

    world.registry.digest = digest  # type: ignore[method-assign]
    world.app.reconcile.bases()
    assert not meeting.broken
    assert len(world.app.bases.all()) == THREADS


def test_what_is_not_in_its_registry_is_passed_over(make_world: MakeWorld) -> None:
    world = make_world()
    world.app.catalog.register([registration("top", HUB)], who="test")
    world.app.reconcile.bases()
    assert world.app.bases.all() == {}


@pytest.mark.parametrize("moved", [True, False])
def test_the_book_is_looked_at_again_before_a_push_is_told(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """The webhook may come while the round is under way."""
    world = make_world()
    on(world, [HUB])
    digest = world.registry.tags[HUB]
    world.app.bases.note(HUB, digest=digest if not moved else "sha256:other")
    stale = {HUB: Base(digest="sha256:before", cascade="", seen_at=0.0)}
    monkeypatch.setattr(world.app.bases, "all", lambda: stale)
    world.app.reconcile.bases()
    assert world.app.store.depth(PUSHES) == int(moved)


def test_a_cascade_that_was_never_written_down_is_told_again(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.registry.on_push = lambda reference, digest: None
    digest = world.push_base()
    world.app.bases.claim(BASE, digest=digest)
    world.app.reconcile.bases()
    world.drive()
    assert len(world.cascades) == 1
    assert world.results() == [Result.KNOWN]  # another push entered it
