"""No more workloads of a cluster are rolled out at once than the setting says."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.cascade.deadlines import overdue
from groundswell.cascade.model import Move, Rebuild
from groundswell.cascade.model import Rollout as Planned
from groundswell.cascade.rollout_limit import RolloutLimit
from groundswell.cascade.status import Status
from groundswell.deploy.port import Workload
from groundswell.errors import ConflictError
from tests.support.world import BASE, World, registration, workload
from tests.unit.cascade.test_rings import lose_everything, moves, sweep

type MakeWorld = Callable[..., World]


def fleet(number: int, cluster: str = "c") -> list[Workload]:
    return [replace(workload(f"w{index}"), cluster=cluster) for index in range(number)]


def under_way(world: World) -> dict[str, list[str]]:
    return {record.row: sorted(record.value["running"]) for record in world.app.store.scan("rolling", "rolling")}


def counted(world: World) -> list[int]:
    """Notes, at every patch, how many workloads of the cluster are not healthy yet."""
    counts: list[int] = []
    patch, ready = world.deployer.patch, world.ready_after

    def counting(target: Workload, image: str, *, cause: str) -> None:
        patch(target, image, cause=cause)
        ready[str(target)] = world.time + 20
        counts.append(sum(at > world.time for name, at in ready.items() if name.startswith(f"{target.cluster}/")))

    world.deployer.patch = counting  # type: ignore[method-assign]
    return counts


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (0, 6)])
def test_one_image_and_several_keep_to_it(make_world: MakeWorld, limit: int, most: int) -> None:
    first, second = fleet(6)[:3], fleet(6)[3:]
    world = make_world(
        registration("top", BASE, deployments=first),
        registration("other", BASE, deployments=second),
        rollouts=limit,
    )
    counts = counted(world)
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done", "other": "done"}
    assert (len(counts), max(counts)) == (6, most)
    assert under_way(world) == ({"c": []} if limit else {})


def test_each_cluster_has_its_own(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[*fleet(2), *fleet(2, "d")]), rollouts=1)
    world.slow |= {"w0", "w1"}
    world.push_base()
    world.drive(until=60)
    assert under_way(world) == {"c": ["c/n/deployment/w0[app]"], "d": ["d/n/deployment/w0[app]"]}


def test_a_ring_that_goes_back_gives_its_places_back(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=fleet(3)), rollouts=2)
    world.unhealthy.add("w0")
    world.push_base()
    world.drive()
    assert (world.statuses(), under_way(world)) == ({"top": "failed"}, {"c": []})
    assert moves(world) == {"w0": "returned", "w1": "returned", "w2": "planned"}


def test_what_a_rebuild_left_behind_is_swept_out(make_world: MakeWorld) -> None:
    world = make_world(
        registration("top", BASE, deployments=fleet(1)),
        registration("other", BASE, deployments=[workload("x")]),
        rollouts=1,
    )
    limit = world.app.rollout_limit
    gone = Rebuild(cascade="none", image="top", status=Status.DEPLOYING, waits={})
    assert limit.take(gone, "c", ["c/n/deployment/y[app]"]) == {"c/n/deployment/y[app]"}
    world.push_base()
    world.drive(until=120)
    assert set(world.statuses().values()) == {"deploying"}  # nothing moves
    assert world.deployer.patches == []
    world.app.sweep.slots()
    world.drive()
    assert (set(world.statuses().values()), under_way(world)) == ({"done"}, {"c": []})
    done = world.states()["top"]
    limit.take(done, "c", ["left"])
    world.app.sweep.slots()
    assert under_way(world) == {"c": []}


def test_a_place_is_taken_once_and_given_back_by_its_owner_only(make_world: MakeWorld) -> None:
    limit = RolloutLimit(make_world().app.store, limit=2)
    one, two = (Rebuild(cascade="c", image=name, status=Status.DEPLOYING, waits={}) for name in ("one", "two"))
    assert limit.take(one, "k", ["a"]) == {"a"}
    assert limit.take(one, "k", ["a", "b", "c"]) == {"a", "b"}
    assert limit.take(two, "k", ["d"]) == set()
    limit.give_back(two, "k", ["a", "b"])
    assert limit.take(two, "k", ["d"]) == set()
    limit.give_back(one, "k", ["a"])
    limit.give_back(one, "k", [])
    assert limit.take(two, "k", ["d"]) == {"d"}
    assert limit.take(two, "k", []) == set()
    assert limit.take(two, "k", ["b"]) == {"b"}  # the same workload, in a later cascade
    limit.give_back(one, "k", ["b"])
    assert limit.take(one, "k", ["e"]) == set()


def test_two_at_once_do_not_take_the_same_place(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make_world().app.store
    limit = RolloutLimit(store, limit=1)
    one, two = (Rebuild(cascade="c", image=name, status=Status.DEPLOYING, waits={}) for name in ("one", "two"))
    commit, raced = store.commit, []

    def race(*arguments: object) -> list[str]:
        if not raced:
            raced.append(True)
            assert limit.take(two, "k", ["b"]) == {"b"}
        return commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "commit", race)
    assert limit.take(one, "k", ["a"]) == set()


def test_a_crash_between_place_and_patch_takes_no_second_one(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=fleet(2)), rollouts=1)
    patch, crashed = world.deployer.patch, []

    def crash(target: Workload, image: str, *, cause: str) -> None:
        if not crashed:
            crashed.append(target)
            raise ConflictError("somebody else wrote")
        patch(target, image, cause=cause)

    world.deployer.patch = crash  # type: ignore[method-assign]
    world.push_base()
    world.drive()
    assert (world.statuses(), under_way(world)) == ({"top": "done"}, {"c": []})


def test_a_ring_that_moves_on_one_by_one_is_not_overdue() -> None:
    rollout = Planned(workload="a", former="f", image="i", move=Move.HEALTHY, at=7000.0)
    state = Rebuild(cascade="c", image="i", status=Status.DEPLOYING, waits={}, rollouts=(rollout,))
    assert overdue(replace(state, rollouts=()), 7300.0)
    assert not overdue(state, 7000.0 + 7199)
    assert overdue(state, 7000.0 + 7200)


def test_lost_messages_leave_no_place_taken(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=fleet(2)), rollouts=1)
    world.slow.add("w0")
    world.push_base()
    world.drive(until=60)
    assert under_way(world) == {"c": ["c/n/deployment/w0[app]"]}
    world.time += 10
    lose_everything(world)
    sweep(world, after=3 * 3600)
    world.app.sweep.slots()
    assert (world.statuses(), under_way(world)) == ({"top": "failed"}, {"c": []})
