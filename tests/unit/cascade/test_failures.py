"""What stands still: one cause however the words differ, what it blocks, where to begin again, what heals it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from groundswell.cascade.causes import Trouble, advice, cause, normalised, since
from groundswell.cascade.failurebook import DAYS
from groundswell.cascade.failures import Failure, Group, failure, grouped, success
from groundswell.cascade.model import POISONED, Moment, Rebuild
from groundswell.cascade.status import Stage, Status
from tests.support.world import BASE, HOST, World, ref, registration, workload

type MakeWorld = Callable[..., World]

DAY = 86_400.0
OTHER = f"{HOST}/mirror/alpine:3"


def failed(reason: str, image: str = "shop/web", *, stage: Stage = Stage.BUILD, **rest: Any) -> Rebuild:
    return Rebuild(
        cascade="0k3v9xab2c",
        image=image,
        status=Status.FAILED,
        waits={},
        failed_stage=stage,
        reason=reason,
        **{"run": "cf4", **rest},
    )


def rejected(*findings: dict[str, Any], image: str = "shop/web", **rest: Any) -> Rebuild:
    state = failed("; ".join(each["id"] for each in findings), image, **rest)
    verdict = {"passed": False, "findings": list(findings)}
    return replace(state, status=Status.REJECTED, failed_stage=None, verdict=verdict)


def finding(id_: str, package: str = "libfolio2", *, fixed: str = "2", refused: bool = True) -> dict[str, Any]:
    return {"id": id_, "package": package, "fixed": fixed, "refused": refused}


SAME = [
    ("run cf4 ended as Failed; its log ends: x", "run cf5 ended as Failed; its log ends: x"),
    (f"no base at sha256:{'3a' * 32} any more", f"no base at sha256:{'07' * 32} any more"),
    ("at 2026-11-25T03:54:20.123Z the mirror was gone", "at 2026-11-26 13:00:01 the mirror was gone"),
    ("timed out after 31.5 s", "timed out after 7 s"),
    ("10.0.0.4:443 refused", "10.12.0.5:8443 refused"),
    ("503 (x-ms-request-id: 4f1a2b3c-0d1e-4f5a-8b6c-7d8e9f0a1b2c)", "503 (x-ms-request-id: Zq9:x.1)"),
    ("RequestId: AbC/dEf+1== failed", "RequestId: xYz/uVw+2== failed"),
    ("pod offers-d5p2llf9fh-9dq6m: CrashLoopBackOff", "pod offers-7c6bdd9f48-x2x4z: CrashLoopBackOff"),
    ("commit 9fceb02d0ae5 is gone", "commit 1a410efbd13b is gone"),
    ("tag gs-0k3v9xab2c-1f2e3d4c5b-2 is gone", "tag gs-0k3v9xab2c-1f2e3d4c5b-11 is gone"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_cause_in_other_words(one: str, other: str) -> None:
    first, second = cause(failed(one)), cause(failed(other, run="cf5"))
    assert first is not None
    assert first == second


def test_its_own_names_do_not_tell_two_images_apart() -> None:
    of_web = cause(failed("docker.io/shop/web:1: shop/web cannot be read in 0k3v9xab2c"))
    of_cart = cause(failed("docker.io/shop/cart:1: shop/cart cannot be read in 0k3v9xab2c", "shop/cart"))
    assert of_web == of_cart
    state = failed("shop/webfoo and myshop/web stay", "shop/web")
    assert normalised(state.reason, state) == "shop/webfoo and myshop/web stay"


DIFFERENT = [
    ("E: no package libfolio", "E: no package libquarto"),
    ("exit status 1", "exit status 137"),
    ("CVE-2026-1 is refused", "CVE-2026-2 is refused"),
    ("HTTP 503", "HTTP 404"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_causes(one: str, other: str) -> None:
    first, second = cause(failed(one)), cause(failed(other))
    assert first is not None
    assert second is not None
    assert first.key != second.key


def test_the_stage_and_the_kind_are_part_of_a_cause() -> None:
    told = {cause(failed("gone", stage=stage)) for stage in Stage}
    assert len({each.key for each in told if each}) == len(Stage)
    poisoned = cause(failed(f"the message to scan {POISONED}"))
    assert poisoned is not None
    assert poisoned.kind is Trouble.POISONED
    for status in Status:
        if status not in (Status.FAILED, Status.REJECTED):
            assert cause(replace(failed("x"), status=status)) is None


def test_a_rejection_is_told_by_what_is_refused() -> None:
    passed = finding("CVE-2", refused=False)
    one = cause(rejected(finding("CVE-1"), finding("CVE-3"), passed))
    other = cause(rejected(finding("CVE-3"), finding("CVE-1"), image="shop/cart"))
    assert one == other
    assert one is not None
    assert (one.title, one.stage) == ("CVE-1 in libfolio2, CVE-3 in libfolio2", Stage.SCAN)
    many = cause(rejected(*(finding(f"CVE-{number}") for number in range(5))))
    assert many is not None
    assert many.title.endswith("and 2 more")
    assert many != cause(rejected(*(finding(f"CVE-{number}") for number in (0, 1, 2, 3, 9))))
    old = replace(rejected(finding("CVE-1")), verdict={"passed": False}, reason="CVE-1 (CRITICAL) in p")
    assert cause(old) is not None


PROVEN = {"candidate": "sha256:" + "c" * 64, "proof": {"layers": {"proven": True}}}
ADVICE = [
    (failed("x"), Stage.BUILD, "nothing to go on from"),
    (failed("x", stage=Stage.SCAN, **PROVEN), Stage.SCAN, "the scan alone"),
    (failed("x", stage=Stage.SCAN), Stage.BUILD, "no proven candidate"),
    (failed("x", stage=Stage.PROMOTE, **PROVEN, verdict={"passed": True}), Stage.PROMOTE, "tags alone"),
    (failed("x", stage=Stage.PROMOTE, **PROVEN), Stage.SCAN, "has not passed it"),
    (failed("x", stage=Stage.DEPLOY, **PROVEN, promoted=PROVEN["candidate"]), Stage.DEPLOY, "the rollout alone"),
    (
        failed("x", stage=Stage.VERIFY, candidate="sha256:c", proof={"layers": {"proven": False}}),
        Stage.BUILD,
        "does not stand on the new base",
    ),
    (rejected(finding("CVE-1"), **PROVEN), Stage.BUILD, "only a build brings them in"),
    (rejected(finding("CVE-1"), finding("CVE-2", fixed=""), **PROVEN), Stage.SCAN, "the policy, or the advisories"),
]


@pytest.mark.parametrize(("state", "stage", "why"), ADVICE)
def test_where_a_replay_begins(state: Rebuild, stage: Stage, why: str) -> None:
    told = advice(state)
    assert told.stage is stage
    assert why in told.why


def test_since_when_it_fails_for_this_cause() -> None:
    moments = [
        (Status.FAILED, 1.0, "run cf1 ended: disk full"),
        (Status.FAILED, 2.0, "run cf2 ended: mirror down"),
        (Status.READY, 3.0, "replayed"),
        (Status.FAILED, 4.0, "run cf3 ended: mirror down"),
    ]
    history = tuple(Moment(status=status, at=at, reason=reason) for status, at, reason in moments)
    state = failed("run cf3 ended: mirror down", run="cf3", history=history)
    assert since(replace(state, reason="run 9 ended: mirror down")) == 4.0
    assert since(replace(state, history=())) == 0.0


def test_a_failure_survives_being_stored() -> None:
    each = entry("shop/web", blocks=("a", "b"))
    assert failure(each.to_json()) == each


def entry(image: str, cascade: str = "c1", *, key: str = "k", blocks: tuple[str, ...] = (), **rest: Any) -> Failure:
    fields: dict[str, Any] = {
        "owner": "shop",
        "title": "t",
        "stage": Stage.BUILD,
        "kind": Trouble.FAILED,
        "attempt": 1,
        "run": "",
        "reason": "r",
        "at": 10.0,
        "since": 5.0,
        "begin": Stage.BUILD,
        "why": "w",
        "owners": ("shop",),
    }
    return Failure(image=image, cascade=cascade, key=key, blocks=blocks, **{**fields, **rest})


def test_what_blocks_most_comes_first_then_what_is_oldest() -> None:
    found = [
        entry("a", key="new", since=9.0),
        entry("b", key="old", since=1.0),
        entry("c", key="wide", since=9.5, blocks=("x", "y")),
        entry("d", key="shared", since=8.0, blocks=("x",)),
        entry("e", key="shared", since=8.0, blocks=("x",), cascade="c2"),
    ]
    groups = grouped(found, {})
    assert [group.key for group in groups] == ["wide", "shared", "old", "new"]
    assert groups[1].blocks == ("x",)  # once, though both block it
    assert [group.key for group in grouped(found, {}, owner="nobody")] == []


def test_within_a_group_what_blocks_most_comes_first() -> None:
    found = [entry("a", at=1.0), entry("b", at=2.0, blocks=("x",)), entry("c", at=3.0, blocks=("x", "y"))]
    assert [each.image for each in one(found, {}).failures] == ["c", "b", "a"]


def test_what_counts_as_a_success() -> None:
    by_status = {status: success(replace(failed("x", candidate="sha256:c"), status=status)) for status in Status}
    assert {status for status, good in by_status.items() if good} == {Status.DONE, Status.UNCHANGED}
    assert not success(
        replace(failed("x"), status=Status.UNCHANGED)
    )  # its bases came out unchanged: it did nothing


def one(found: list[Failure], together: dict[str, int]) -> Group:
    (group,) = grouped(found, together)
    return group


def test_the_commands() -> None:
    pair = [entry("a"), entry("b")]
    together = "groundswell replay --failed c1 --from build --reason TEXT"
    assert one(pair, {"c1": 2}).commands == (together,)
    each = tuple(f"groundswell replay c1 {image} --from build --reason TEXT" for image in "ab")
    assert one(pair, {"c1": 3}).commands == each  # something else failed there too
    mixed = [entry("a"), entry("b", begin=Stage.SCAN), entry("d", begin=Stage.SCAN)]
    assert one(mixed, {"c1": 3}).begin is Stage.SCAN
    assert len(one(mixed, {"c1": 3}).commands) == 3
    assert one([entry("a")], {"c1": 1}).commands == each[:1]


# The book.


def chain(make_world: MakeWorld) -> World:
    """Three levels, each with a workload, and an image beside them."""
    return make_world(
        registration("top", BASE, owner="platform"),
        registration("mid", ref("top"), owner="shop", deployments=[workload("mid")]),
        registration("leaf", ref("mid"), owner="shop", deployments=[workload("leaf")]),
        registration("beside", BASE, owner="other", deployments=[workload("beside")]),
    )


def images(world: World) -> list[str]:
    return sorted(each.image for each in world.app.failures.now().failures)


def test_what_is_blocked_counts_with_what_blocks_it(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken = {"top"}
    world.push_base()
    world.drive()
    for _ in range(2):  # read from the open cascade, then from the book
        found = world.app.failures.now()
        (group,) = grouped(found.failures, found.together, owner="shop")
        assert (group.blocks, group.owners) == (("leaf", "mid"), ("platform", "shop"))
        assert group.workloads == ("c/n/deployment/leaf[app]", "c/n/deployment/mid[app]")
        assert [each.image for each in group.failures] == ["top"]
        assert group.commands == (f"groundswell replay {world.cascade} top --from build --reason TEXT",)
        assert found.of(BASE) == found.failures
        assert found.of(OTHER) == ()
        world.app.sweep.cascades()
    assert world.app.engine.records.open() == []


def test_only_what_did_not_become_healthy_is_not_moved(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("good"), workload("bad")]))
    world.unhealthy = {"bad"}
    world.push_base()
    world.drive()
    (each,) = world.app.failures.now().failures
    assert each.stage is Stage.DEPLOY
    assert each.begin is Stage.DEPLOY
    assert "c/n/deployment/bad[app]" in each.workloads


@pytest.mark.parametrize("swept", [False, True])
def test_a_later_success_heals(make_world: MakeWorld, *, swept: bool) -> None:
    world = chain(make_world)
    world.broken = {"top", "beside"}
    world.push_base()
    world.drive()
    if swept:
        world.app.sweep.cascades()
    assert images(world) == ["beside", "top"]
    world.broken = {"beside"}
    world.push_base("sha256:base2")
    world.drive()
    assert images(world) == ["beside", "beside"]
    world.app.sweep.cascades()
    assert images(world) == ["beside", "beside"]
    world.broken = set()
    world.app.operator.replay(world.cascade, "beside", who="ann", why="mended")
    world.drive()
    assert images(world) == []
    world.app.sweep.cascades()
    assert images(world) == []
    assert list(world.app.store.scan("failures", "failures")) == []


def test_an_open_cascade_is_healed_by_one_that_has_ended(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("slow", BASE))
    world.broken, world.takes = {"top"}, {"slow": 100_000}
    world.push_base()
    world.drive(until=60)
    assert images(world) == ["top"]
    world.broken = set()
    world.app.anew.begin("top", who="ann", why="again")
    world.drive(until=120)
    assert world.statuses()["top"] == "done"
    world.app.sweep.cascades()
    assert world.app.engine.records.open() == [world.cascades[1]]
    assert images(world) == []


def test_a_success_before_the_failure_heals_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken = {"top"}
    world.push_base()
    world.drive()
    world.broken = set()
    world.push_base("sha256:base2")
    world.drive()
    assert images(world) == []
    world.app.sweep.cascades()
    older = world.cascades[1]
    world.time += 60
    world.broken = {"top"}
    world.app.operator.replay(older, "top", force=True, who="ann", why="again")
    world.drive()
    assert world.statuses(older)["top"] == "failed"
    assert images(world) == ["top"]
    world.app.sweep.cascades()
    assert images(world) == ["top"]


def test_what_failed_long_ago_is_not_told(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken = {"top"}
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    world.time += (DAYS - 1) * DAY
    assert images(world) == ["top"]
    world.time += 2 * DAY
    assert images(world) == []


def test_entering_twice_changes_nothing_and_a_replay_takes_it_out_meanwhile(make_world: MakeWorld) -> None:
    world = chain(make_world)
    world.broken = {"top"}
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    header = world.app.engine.records.header(world.cascade).value
    before = [(record.row, record.value) for record in world.app.store.scan("failures", "failures")]
    world.app.failures.enter(header, world.states())
    assert [(record.row, record.value) for record in world.app.store.scan("failures", "failures")] == before
    world.takes["top"] = 100_000
    world.app.operator.replay(world.cascade, "top", who="ann", why="again")
    world.drive(until=30)
    assert images(world) == []


def test_many_are_stored_in_parts_and_fewer_leave_none_behind(make_world: MakeWorld) -> None:
    names = [f"i{number:03d}" for number in range(120)]
    world = make_world(*(registration(name, BASE) for name in names))
    world.broken = set(names)
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    assert images(world) == names
    assert len(list(world.app.store.scan("failures", "failures"))) == 2
    header, states = world.app.engine.records.header(world.cascade).value, world.states()
    few = {name: states[name] for name in names[:3]}
    world.app.failures.enter(header, few)
    assert images(world) == names[:3]
    world.app.failures.forget(header)
    assert images(world) == []
