"""Webhooks that the registry knows to have reached nobody."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.cascade import deliveries
from groundswell.cascade.deliveries import SETTLED, LostWebhooks
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.push import Result
from groundswell.errors import ConflictError, GroundswellError, PermanentError, TemporaryError
from groundswell.registry.deliveries import Delivery
from groundswell.store.port import Write
from tests.support.world import BASE, HOST, World, registration

type MakeWorld = Callable[..., World]


@dataclass
class Record:
    """A registry's record of deliveries."""

    failures: list[Delivery] = field(default_factory=list)
    down: Mapping[str, GroundswellError] = field(default_factory=dict)
    hosts: tuple[str, ...] = (HOST,)

    def registries(self) -> tuple[str, ...]:
        return self.hosts

    def failed(self, registry: str) -> tuple[Delivery, ...]:
        if registry in self.down:
            raise self.down[registry]
        return tuple(self.failures)

    def add(self, world: World, number: int, *, age: float = 2 * SETTLED) -> None:
        at = world.time - age
        reference = Reference.parse(BASE)
        self.failures.insert(0, Delivery(id=f"event-{number}", reference=reference, digest="sha256:d", at=at))


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    made = make_world(registration("top", BASE))
    made.registry.on_push = lambda reference, digest: None
    return made


def waiting(world: World) -> int:
    return world.app.store.depth(PUSHES)


def test_a_webhook_that_reached_nobody_is_dealt_with(world: World) -> None:
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    world.push_base()
    record.add(world, 1)
    lost.find()
    world.registry.on_push = world.webhook
    world.drive()
    assert world.statuses() == {"top": "done"}
    assert world.app.intake.log(10)[-1]["id"] == "event-1"
    assert world.app.engine.records.header(world.cascade).value.source == "reconcile"


def test_each_is_queued_once(world: World) -> None:
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    for number in (1, 2):
        record.add(world, number)
        for _ in range(3):
            lost.find()
        assert waiting(world) == number
    world.drive()
    assert set(world.results()) == {Result.KNOWN}


def test_the_first_round_only_notes_what_there_was(world: World) -> None:
    record = Record()
    record.add(world, 1)
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    assert waiting(world) == 0
    record.add(world, 2)
    lost.find()
    assert waiting(world) == 1


def test_one_that_may_still_be_answered_is_left_to_the_next_round(world: World) -> None:
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    record.add(world, 1, age=SETTLED - 1)
    lost.find()
    assert waiting(world) == 0
    world.time += 1
    lost.find()
    assert waiting(world) == 1


def test_a_crash_before_they_are_noted_queues_them_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    record.add(world, 1)

    def crash(table: str, partition: str, writes: Sequence[Write]) -> Any:
        raise TemporaryError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(world.app.store, "commit", crash)
        with pytest.raises(TemporaryError):
            lost.find()
    lost.find()
    assert waiting(world) == 2


def test_another_instance_was_faster(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    record.add(world, 1)

    def conflict(table: str, partition: str, writes: Sequence[Write]) -> Any:
        raise ConflictError("stale")

    monkeypatch.setattr(world.app.store, "commit", conflict)
    lost.find()
    assert waiting(world) == 1


def test_more_than_can_be_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_MOST", 3)
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    for number in range(10):
        world.time += 1
        record.add(world, number)
    for _ in range(3):
        lost.find()
    assert waiting(world) == 3  # the newest, once


@pytest.mark.parametrize("error", [TemporaryError("429"), PermanentError("403")])
def test_a_registry_that_keeps_no_record_for_us_stops_no_other(world: World, error: GroundswellError) -> None:
    record = Record(hosts=("first.azurecr.io", HOST), down={"first.azurecr.io": error})
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    record.add(world, 1)
    lost.find()
    assert waiting(world) == 1


def test_what_hangs_on_an_image_is_not_missed(world: World) -> None:
    record = Record()
    lost = LostWebhooks(world.app.store, record, world.app.clock)
    lost.find()
    signature = Reference.parse(f"{HOST}/top:sha256-{'a' * 64}.sig")
    record.failures.append(Delivery(id="event-1", reference=signature, digest="", at=world.time - 2 * SETTLED))
    lost.find()
    assert waiting(world) == 0
