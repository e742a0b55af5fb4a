"""That the suite can fail: each rule that is taken away is missed within seconds.

A hunt is one of the suite's own kinds of disturbance, in small; it must find nothing while the rules hold (the
other modules say so), and raise an AssertionError when one does not.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis.errors import HypothesisException

from groundswell.cascade import decide, gating, meaning, operate, schedule, stages
from groundswell.cascade.attesting import Attest
from groundswell.cascade.basebook import Base, BaseBook
from groundswell.cascade.events import Nudged
from groundswell.cascade.model import Outcome, Wait
from groundswell.cascade.planning import Planner
from groundswell.cascade.reconcile import Reconcile
from groundswell.cascade.sweep import Sweep
from groundswell.lineage.model import from_json
from groundswell.scan.gate import Verdict, judge
from groundswell.store.port import ANY, Put, Write
from groundswell.store.sqlite import SqliteStore
from tests.faults.harness import Plant
from tests.faults.report import tell
from tests.faults.scenario import Ending, MakePlant, check_once, plant_of_all_kinds, undisturbed
from tests.faults.test_crashes import die_at
from tests.faults.test_model import run
from tests.faults.test_weather import Losses, Post
from tests.faults.test_workers import pause_at

LONG = 20_000.0
"""Seconds in which a plant that is well comes to its end."""

type Hunt = Callable[[MakePlant, Ending], None]
type Mutate = Callable[[pytest.MonkeyPatch], None]


# Hunts.


def plainly(make_plant: MakePlant, whole: Ending) -> None:
    finish(plant_of_all_kinds(make_plant, cached={"right"}), whole, losses=1)


def doubled(make_plant: MakePlant, whole: Ending) -> None:
    for seed in range(8):
        plant = plant_of_all_kinds(make_plant)
        plant.twice = True
        finish(plant, whole, rng=random.Random(seed))


def crashing(make_plant: MakePlant, whole: Ending) -> None:
    for point in range(1, len(whole.calls), 5):
        plant = plant_of_all_kinds(make_plant)
        die_at(plant, {point})
        finish(plant, whole, losses=1)


def paused(make_plant: MakePlant, whole: Ending) -> None:
    for point in range(1, len(whole.calls), 3):
        plant = plant_of_all_kinds(make_plant, workers=("a", "b"))
        pause_at(plant, point, "a lease")
        finish(plant, whole, losses=1)


def losing(make_plant: MakePlant, whole: Ending) -> None:
    for seed in range(10):
        plant = plant_of_all_kinds(make_plant)
        Losses(plant, random.Random(seed))
        finish(plant, whole, losses=100)


def dropping(make_plant: MakePlant, whole: Ending) -> None:
    for seed in range(4):
        plant = plant_of_all_kinds(make_plant)
        plant.post = Post(random.Random(seed))
        finish(plant, whole, losses=100)


def by_the_model(make_plant: MakePlant, whole: Ending) -> None:
    run(examples=60, steps=40)


def finish(plant: Plant, whole: Ending, *, losses: int = 0, rng: random.Random | None = None) -> None:
    plant.drive(rng=rng, until=LONG)
    plant.check_end()
    plant.check_content()
    assert plant.end() == whole.end
    check_once(plant, whole.built, losses=losses, told="hunted")


# Mutations.


def promotes_whatever_the_scan_says(patch: pytest.MonkeyPatch) -> None:
    def lenient(*report_and_policy: Any, **rest: Any) -> Verdict:
        return replace(judge(*report_and_policy, **rest), passed=True)

    patch.setattr(gating, "judge", lenient)


def attests_after_the_tag_has_moved(patch: pytest.MonkeyPatch) -> None:
    attest, promote = Attest.promotion, stages.Stages.promote

    def late(self: Any, command: Any, state: Any) -> Any:
        event = promote(self, command, state)
        attest(self._attest, from_json(state.spec), state)
        return event

    patch.setattr(Attest, "promotion", lambda self, image, state: None)
    patch.setattr(stages.Stages, "promote", late)


def grants_more_than_there_is(patch: pytest.MonkeyPatch) -> None:
    real = schedule.grant
    patch.setattr(schedule, "grant", lambda pool, slots, *rest, **more: real(pool, slots + 1, *rest, **more))


def sweeps_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sweep, "cascades", lambda self: None)


def sends_nothing_again(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(decide._RULES, Nudged, lambda state, event: None)


def reads_no_base_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reconcile, "bases", lambda self: None)


def saves_over_what_others_saved(patch: pytest.MonkeyPatch) -> None:
    real = SqliteStore.commit

    def commit(self: SqliteStore, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        careless = [replace(each, etag=ANY) if isinstance(each, Put) else each for each in writes]
        return real(self, table, partition, careless)

    patch.setattr(SqliteStore, "commit", commit)


def plans_a_push_that_is_planned(patch: pytest.MonkeyPatch) -> None:
    real = BaseBook.claim

    def claim(self: BaseBook, reference: str, **rest: str) -> Base:
        return replace(real(self, reference, **rest), planned=False)

    patch.setattr(BaseBook, "claim", claim)
    patch.setattr(Planner, "_overtaken", lambda self, push: False)


def builds_before_its_turn(patch: pytest.MonkeyPatch) -> None:
    real = meaning.standing

    def impatient(waits: Any) -> Any:
        return real({base: hurried(wait) for base, wait in waits.items()})

    def hurried(wait: Wait) -> Wait:
        return replace(wait, outcome=Outcome.PROMOTED) if wait.outcome is Outcome.PENDING else wait

    patch.setattr(meaning, "standing", impatient)


def takes_any_layers_for_proof(patch: pytest.MonkeyPatch) -> None:
    real = stages.prove
    patch.setattr(stages, "prove", lambda image, base: replace(real(image, base), proven=True))


def forgets_what_it_promoted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BaseBook, "promoting", lambda self, references, **entry: None)


def keeps_no_audit_trail(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(operate.audit, "record", lambda store, **entry: None)


MUTATIONS: list[tuple[Mutate, Hunt]] = [
    (promotes_whatever_the_scan_says, plainly),
    (attests_after_the_tag_has_moved, plainly),
    (grants_more_than_there_is, plainly),
    (sweeps_nothing, losing),
    (sends_nothing_again, losing),
    (reads_no_base_back, dropping),
    (saves_over_what_others_saved, paused),
    (plans_a_push_that_is_planned, doubled),
    (builds_before_its_turn, plainly),
    (takes_any_layers_for_proof, plainly),
    (forgets_what_it_promoted, plainly),
    (keeps_no_audit_trail, by_the_model),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("mutate", "hunt"), MUTATIONS, ids=lambda each: each.__name__)
def test_a_rule_taken_away_is_missed(
    make_plant: MakePlant, monkeypatch: pytest.MonkeyPatch, mutate: Mutate, hunt: Hunt
) -> None:
    whole = undisturbed(make_plant)
    mutate(monkeypatch)
    with pytest.raises((AssertionError, HypothesisException)):
        hunt(make_plant, whole)


@pytest.mark.parametrize("hunt", [plainly, doubled, losing, dropping], ids=lambda each: each.__name__)
def test_a_hunt_finds_nothing_while_the_rules_hold(make_plant: MakePlant, hunt: Hunt) -> None:
    hunt(make_plant, undisturbed(make_plant))


def test_told_at_the_end() -> None:
    tell("rules taken away, each of which was missed", schedules=len(MUTATIONS), faults=len(MUTATIONS))
