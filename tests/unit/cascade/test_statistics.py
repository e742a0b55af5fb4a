"""Months in figures: what counts as rolled out, how counts add up, how older cascades come into the yearbook."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade import yearbook
from groundswell.cascade.decide import decide
from groundswell.cascade.events import Replayed
from groundswell.cascade.model import Moment, Move, Rebuild, Rollout
from groundswell.cascade.statistics import (
    REPLAYED,
    Month,
    Part,
    class_of,
    healthy_at,
    middle,
    month,
    summed_up,
    to_json,
)
from groundswell.cascade.status import Stage, Status
from groundswell.store.port import ANY, Delete, Put
from tests.support.world import BASE, World, ref, registration, workload
from tests.unit.cascade.test_retention import DAY, retention

type MakeWorld = Callable[..., World]


def state(image: str = "a", status: Status = Status.DONE, **rest: Any) -> Rebuild:
    return Rebuild(cascade="c1", image=image, status=status, waits={}, **rest)


def rollout(move: Move = Move.HEALTHY, at: float = 160.0) -> Rollout:
    return Rollout(workload="w", former="x", image="y", move=move, at=at)


def told(*states: Rebuild, **rest: Any) -> Month:
    given_ = {"pushed": 90.0, "owners": {}, "usual": {}, **rest}
    whole, _ = summed_up(states, **given_)
    assert Part(**json.loads(json.dumps(to_json(whole)))) == whole
    return month("2026-11", [whole])


HEALTHY = [
    ((rollout(at=160.0), rollout(at=170.0)), Status.DONE, 170.0),
    ((rollout(at=160.0), rollout(Move.SKIPPED, at=900.0)), Status.DONE, 160.0),
    ((rollout(at=160.0), rollout(Move.DRIFTED, at=900.0)), Status.DONE, 160.0),
    ((rollout(Move.DRIFTED),), Status.DONE, None),
    ((rollout(Move.SKIPPED),), Status.DONE, None),
    ((rollout(), rollout(Move.BAD)), Status.FAILED, None),
    ((), Status.DONE, None),
    ((replace(rollout(), move=Move.PLANNED, at=0.0),), Status.DONE, 200.0),  # an older record
]


@pytest.mark.parametrize(("rollouts", "status", "at"), HEALTHY)
def test_when_an_image_is_rolled_out(rollouts: tuple[Rollout, ...], status: Status, at: float | None) -> None:
    history = (Moment(status=status, at=200.0),)
    assert healthy_at(state(status=status, rollouts=rollouts, history=history)) == at


def test_a_cascade_takes_as_long_as_its_last_image() -> None:
    what = told(
        state("a", rollouts=(rollout(at=190.0),)),
        state("b", rollouts=(rollout(at=590.0),)),
        state("c"),
        owners={"a": "one", "b": "two", "c": "two"},
    )
    assert (what.per_cascade.count, what.per_cascade.p50, what.per_cascade.p95) == (1, 500.0, 500.0)
    assert what.per_image.count == 2
    assert what.per_image.p50 == pytest.approx(100.0, rel=0.025)
    assert what.per_image.p95 == pytest.approx(500.0, rel=0.025)


def test_how_images_end() -> None:
    ends = [
        *[Status.DONE] * 5,
        Status.UNCHANGED,
        Status.FAILED,
        Status.BLOCKED,
        Status.CANCELLED,
        Status.SUPERSEDED,
    ]
    what = told(*(state(str(number), status) for number, status in enumerate(ends)))
    assert what.ended["done"] == 5
    assert (what.images, what.rate) == (10, 0.75)
    assert told(state(status=Status.CANCELLED)).rate is None


def test_replays_are_counted_as_the_rules_tell_them() -> None:
    ended = state(status=Status.FAILED, failed_stage=Stage.BUILD)
    again, _ = decide(ended, Replayed(at=1.0, stage=Stage.BUILD, who="ann", why="x"))
    assert again.reason.startswith(REPLAYED)
    assert told(again).replays == 1
    assert told(ended).replays == 0


def test_findings_that_are_fixed() -> None:
    lines = [{"severity": "CRITICAL"}, {"severity": "HIGH"}, {"severity": "HIGH"}]
    cut = {"compared": "sha256:0", "fixed": lines, "tally": {"fixed": 5}}
    what = told(
        state("a", promoted="sha256:a", verdict=cut),
        state("b", promoted="sha256:b", verdict={"passed": True}),
        state("rejected", Status.REJECTED, verdict=cut),
        state("unchanged", Status.UNCHANGED, promoted="sha256:c"),
    )
    assert what.fixed == {"CRITICAL": 1, "HIGH": 2, "unsaid": 2}
    assert (what.compared, what.uncompared, what.fixed_per_cascade) == (1, 1, 5.0)
    assert told(state("a")).fixed_per_cascade is None


def test_the_slowest_are_those_that_are_slow_as_a_rule() -> None:
    usual = {f"i{number:02d}": float(number) for number in range(20)}
    what = told(*(state(name, run="r") for name in usual), state("not-built"), usual={**usual, "not-built": 99.0})
    assert what.slowest[0] == ("i19", 19.0)
    assert len(what.slowest) == 10
    newer, older = Part(slow={"i19": 3.0}), Part(slow={"i19": 30.0})
    assert month("2026-11", [newer, older]).slowest == (("i19", 3.0),)


def test_a_team_is_told_of_its_own_part() -> None:
    _, parts = summed_up(
        [state("a", rollouts=(rollout(at=190.0),)), state("b", Status.FAILED, rollouts=(rollout(Move.BAD),))],
        pushed=90.0,
        owners={"a": "one", "b": "two"},
        usual={},
    )
    of_one, of_two = (month("2026-11", [parts[owner]]) for owner in ("one", "two"))
    assert (of_one.cascades, of_one.rate, of_one.per_cascade.p50) == (1, 1.0, 100.0)
    assert (of_two.cascades, of_two.rate, of_two.per_cascade.count) == (1, 0.0, 0)


@given(st.lists(st.floats(1.0, 1e6), min_size=1, max_size=300))
def test_percentiles_are_close_however_the_cascades_are_cut(times: list[float]) -> None:
    def part(some: list[float]) -> Part:
        rebuilds = [state(str(number), rollouts=(rollout(at=90.0 + t),)) for number, t in enumerate(some)]
        return summed_up(rebuilds, pushed=90.0, owners={}, usual={})[0]

    whole, cut = (month("m", parts) for parts in ([part(times)], [part(times[::2]), part(times[1::2])]))
    assert whole.per_image == cut.per_image
    ordered = sorted(times)
    for share, at in ((0.5, whole.per_image.p50), (0.95, whole.per_image.p95)):
        assert at == pytest.approx(ordered[math.ceil(share * len(ordered)) - 1], rel=0.026, abs=0.1)


@given(st.floats(1.0, 1e7))
def test_a_class_stands_for_what_is_in_it(seconds: float) -> None:
    assert middle(class_of(seconds)) == pytest.approx(seconds, rel=0.0251, abs=0.06)


# The yearbook.


def ended(make_world: MakeWorld, **rest: Any) -> World:
    world = make_world(
        registration("top", BASE, owner="platform"),
        registration("app", ref("top"), owner="shop", deployments=[workload("app")]),
        **rest,
    )
    world.push_base()
    world.drive()
    return world


def test_a_cascade_that_has_ended_is_in_the_month_it_began(make_world: MakeWorld) -> None:
    world = ended(make_world)
    (nothing,) = world.app.yearbook.told(1)
    assert (nothing.month, nothing.cascades) == ("2027-01", 0)
    world.app.sweep.cascades()
    now, before = world.app.yearbook.told(2)
    assert (now.month, before.month, now.cascades, before.cascades) == ("2027-01", "2026-12", 1, 0)
    assert now.ended == {"done": 2}
    assert [image for image, _ in now.slowest]
    (shop,) = world.app.yearbook.told(1, owner="shop")
    assert (shop.images, shop.per_image.count) == (1, 1)
    assert world.app.yearbook.told(1, owner="nobody")[0].cascades == 0
    assert len(world.app.yearbook.told(60)) == 13  # back to the first month of the product


def test_the_time_counts_from_when_the_push_was_seen(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, deployments=[workload("app")]), settle=300.0)
    world.push_base()
    seen = world.time
    world.drive()
    world.app.sweep.cascades()
    header = world.app.engine.records.header(world.cascade).value
    assert header.started_at - seen >= 300
    (now,) = world.app.yearbook.told(1)
    (last,) = (each.at for each in world.states()["app"].rollouts)
    assert now.per_cascade.p50 == pytest.approx(last - seen, abs=1.0)


def test_a_replay_is_summed_up_again(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken = {"top"}
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    assert world.app.yearbook.told(1)[0].rate == 0.0
    world.broken = set()
    world.app.operator.replay(world.cascade, "top", who="ann", why="mended")
    world.drive()
    world.app.sweep.cascades()
    (now,) = world.app.yearbook.told(1)
    assert (now.cascades, now.rate, now.replays) == (1, 1.0, 1)


def forget_all(world: World) -> None:
    """As it was before there was a yearbook, or a book of failures."""
    vars(world.app).pop("yearbook", None)
    vars(world.app).pop("sweep", None)
    store = world.app.store
    for table, partitions in (("yearbook", ("state", "2027-01")), ("failures", ("failures",))):
        for partition in partitions:
            for record in list(store.scan(table, partition)):
                store.commit(table, partition, [Delete(row=record.row, etag=ANY)])


def test_older_cascades_come_in_by_and_by(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yearbook, "_OLD_AT_ONCE", 4)
    world = make_world(registration("top", BASE, owner="platform"))
    for number in range(1, 13):
        world.broken = {"top"} if number == 12 else set()
        world.push_base(f"sha256:base{number}")
        world.drive()
    world.app.sweep.cascades()
    world.time += 3 * DAY
    retention(world, cascades=2 * DAY).run()
    assert len(world.cascades) < 12  # the others are in the archive
    forget_all(world)
    counts = []
    for _ in range(8):
        world.app.sweep.cascades()
        counts.append(world.app.yearbook.told(1)[0].cascades)
    assert counts[-1] == 12
    assert all(after - before <= 4 for before, after in pairwise(counts))
    assert world.app.yearbook.told(1, owner="platform")[0].cascades == 12
    assert [each.image for each in world.app.failures.now().failures] == ["top"]


def test_an_older_cascade_that_a_newer_program_wrote_to_is_waited_for(make_world: MakeWorld) -> None:
    world = ended(make_world)
    world.app.sweep.cascades()
    forget_all(world)
    store, row = world.app.store, "image:top"
    record = store.get("cascades", world.cascade, row)
    assert record is not None
    store.commit("cascades", world.cascade, [Put(row=row, value={**record.value, "v": 99}, etag=ANY)])
    world.app.sweep.cascades()  # says so, and goes on
    assert world.app.yearbook.told(1)[0].cascades == 0
    store.commit("cascades", world.cascade, [Put(row=row, value=record.value, etag=ANY)])
    world.app.sweep.cascades()
    assert world.app.yearbook.told(1)[0].cascades == 1


def test_summaries_stay_as_long_as_the_archive_would(make_world: MakeWorld) -> None:
    world = ended(make_world)
    world.app.sweep.cascades()
    world.time += 91 * DAY
    retention(world, archive=False).run()
    assert [each.cascades for each in world.app.yearbook.told(4)] == [0, 0, 0, 1]
    world.time += 730 * DAY
    retention(world).run()
    for owner in ("", "shop", "platform"):
        assert sum(each.cascades for each in world.app.yearbook.told(60, owner=owner)) == 0


def test_an_image_that_another_team_has_by_now_is_counted_with_that_team_alone(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, owner="old"))
    world.broken = {"top"}
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    assert world.app.yearbook.told(1, owner="old")[0].cascades == 1
    world.app.catalog.register([registration("top", BASE, owner="new")], who="test")
    world.app.operator.replay(world.cascade, "top", who="ann", why="again")
    world.drive()
    world.app.sweep.cascades()
    assert [world.app.yearbook.told(1, owner=owner)[0].cascades for owner in ("old", "new", "")] == [0, 1, 1]
