"""Holds in a whole cascade: the engine, the store and the timers are the real ones."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from groundswell.audit import entries
from groundswell.cascade import rolling
from groundswell.cascade.freezebook import VERSION
from groundswell.cascade.freezes import from_json
from groundswell.cascade.model import Hold, Kind
from groundswell.cascade.operate import Bulk
from groundswell.cascade.planning import JOINS
from groundswell.cascade.records import Phase
from groundswell.cascade.rows import rows
from groundswell.cascade.stale import Cause, explain
from groundswell.cascade.status import Stage, Status
from groundswell.deploy.port import Workload
from groundswell.errors import ConflictError, InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.store.port import Put
from tests.support.world import BASE, HOST, QUEUES, World, image_of, ref, registration, workload
from tests.unit.cascade.test_why import ask

type MakeWorld = Callable[..., World]
OLD = f"{HOST}/old@sha256:old"
TOOLS = f"{HOST}/mirror/tools:1"


def freeze(world: World, name: str = "weekend", *, hours: float = 2.0, **changes: Any) -> None:
    """Frozen from now on for some hours."""
    world.time += 1
    begin, end = (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M") for at in (world.time, world.time + hours * 3600)
    )
    written = {"name": name, "environment": "*", "zone": "UTC", "days": None, "from": begin, "until": end}
    world.app.freezes.add(from_json({**written, "why": "quiet", **changes}), who="ann")


def sweep(world: World, *, after: float = 61.0) -> None:
    """The timer, and whatever follows."""
    world.time += after
    world.app.sweep.cascades()
    world.app.sweep.slots()
    world.drive()


def lose_everything(world: World) -> None:
    for name in QUEUES:
        while messages := world.app.store.receive(name, limit=32, lease=600):
            for message in messages:
                world.app.store.delete(name, message)


def told(bulk: Bulk) -> dict[str, list[str]]:
    return {
        "done": [item.image for item in bulk.done],
        "left": [item.image for item in bulk.left],
        "failed": [item.image for item in bulk.failed],
    }


def company(make_world: MakeWorld, **top: Any) -> World:
    return make_world(
        registration("top", BASE, deployments=[workload("web")], **top), registration("app", ref("top"))
    )


def actions(world: World) -> list[tuple[str, str, str]]:
    return [(entry["action"], entry["subject"], entry["who"]) for entry in entries(world.app.store)]


# Freezes.


def test_a_freeze_holds_the_rollout_and_it_goes_on_by_itself(make_world: MakeWorld) -> None:
    world = company(make_world)
    freeze(world)
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "held", "app": "done"}  # what stands on it goes on
    held = world.states()["top"]
    assert held.reason == "before its rollout: c is frozen until Fri 2027-01-15 10:00 UTC (weekend: quiet)"
    assert (held.promoted, world.registry.tags[ref("top")]) == (held.candidate, held.candidate)
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.RUNNING
    sweep(world)
    assert (world.states()["top"], world.deployer.patches) == (held, [])  # nothing is written each minute
    sweep(world, after=7200)
    assert world.statuses() == {"top": "done", "app": "done"}
    assert world.deployer.running[str(workload("web"))] == f"{HOST}/top@{held.promoted}"
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.ENDED


def test_removing_a_freeze_lets_go_and_another_one_does_not(make_world: MakeWorld) -> None:
    world = company(make_world)
    freeze(world)
    world.push_base()
    world.drive()
    freeze(world, "longer", hours=5)
    world.time += 1
    world.app.freezes.remove("weekend", who="bob", why="over early")
    sweep(world)
    assert world.states()["top"].reason.endswith("until Fri 2027-01-15 13:00 UTC (longer: quiet)")
    world.app.freezes.remove("longer", who="bob", why="over early")
    sweep(world)
    assert world.statuses()["top"] == "done"
    assert actions(world)[:4] == [
        ("unfreeze", "freeze longer", "bob"),
        ("unfreeze", "freeze weekend", "bob"),
        ("freeze", "freeze longer", "ann"),
        ("freeze", "freeze weekend", "ann"),
    ]


def test_which_environments_are_frozen(make_world: MakeWorld) -> None:
    named = Workload(**{**_fields(workload("api")), "environment": "prod-eu"})
    world = make_world(
        registration("top", BASE, deployments=[workload("web")]),
        registration("app", ref("top"), deployments=[named]),
        registration("both", ref("top"), deployments=[named, workload("x")]),
    )
    freeze(world, environment="prod-*")
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done", "app": "held", "both": "held"}  # one frozen place holds it whole
    assert [name for name, _ in world.deployer.patches] == [str(workload("web"))]


def _fields(item: Workload) -> dict[str, Any]:
    return {name: getattr(item, name) for name in ("cluster", "namespace", "kind", "name", "container")}


def test_a_freeze_that_begins_between_plan_and_patch_is_seen(make_world: MakeWorld) -> None:
    """A message may be handled hours after it was sent: nothing is patched by what was true then."""
    world = late_freeze(make_world)
    assert world.statuses() == {"top": "held", "app": "done"}
    assert (world.deployer.patches, world.states()["top"].rollouts) == ([], ())


def test_without_the_look_right_before_it_would_be_patched(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule taken away, to see that the test above can fail."""
    monkeypatch.setattr(rolling, "missing", lambda *_, **__: {})
    assert late_freeze(make_world).deployer.patches != []


def late_freeze(make_world: MakeWorld) -> World:
    world = company(make_world)
    world.push_base()
    deliver = world.deliver

    def late(name: str, body: str) -> None:
        if '"kind":"watch"' in body and not world.app.freezes.rules():
            freeze(world)
        deliver(name, body)

    world.deliver = late  # type: ignore[method-assign]  # a test's own clock
    world.drive()
    return world


def test_a_rollout_under_way_is_watched_to_its_end_inside_a_freeze(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = halfway(make_world, monkeypatch)
    assert world.statuses() == {"top": "held"}
    assert [name for name, _ in world.deployer.patches] == [str(workload("a"))]
    state = world.states()["top"]
    assert {rollout.former for rollout in state.rollouts} == {OLD}
    sweep(world, after=7200)
    assert world.statuses() == {"top": "done"}
    assert [name for name, _ in world.deployer.patches] == [str(workload("a")), str(workload("b"))]


def test_a_rollout_under_way_goes_back_inside_a_freeze(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = halfway(make_world, monkeypatch, unhealthy={"a"})
    assert world.statuses() == {"top": "failed"}
    assert world.deployer.patches[-1] == (str(workload("a")), OLD)
    assert str(workload("b")) not in dict(world.deployer.patches)


def test_a_rollout_under_way_that_is_slow_is_waited_for_inside_a_freeze(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = halfway(make_world, monkeypatch, slow={"a"}, until=600)
    assert world.statuses() == {"top": "deploying"}
    world.slow.clear()
    world.drive()
    assert world.statuses() == {"top": "held"}


def halfway(
    make_world: MakeWorld,
    monkeypatch: pytest.MonkeyPatch,
    *,
    unhealthy: set[str] = frozenset(),  # type: ignore[assignment]  # never changed
    slow: set[str] = frozenset(),  # type: ignore[assignment]
    until: float = 86_400.0,
) -> World:
    """A freeze begins when the first of two workloads was patched and the second was not."""
    world = make_world(registration("top", BASE, deployments=[workload("a"), workload("b")]))
    world.unhealthy |= unhealthy
    world.slow |= slow
    patch = world.deployer.patch

    def cut_off(target: Workload, image: str, *, cause: str) -> None:
        if target.name == "b" and not world.app.freezes.rules():
            freeze(world)
            raise TemporaryError("the cluster does not answer")
        patch(target, image, cause=cause)

    monkeypatch.setattr(world.deployer, "patch", cut_off)
    world.push_base()
    world.drive(until=until)
    return world


def test_a_rule_that_cannot_be_understood_freezes_everything(make_world: MakeWorld) -> None:
    """Fail closed: nobody may say that nothing is frozen."""
    world = company(make_world)
    freeze(world)
    world.push_base()
    world.drive()
    newer = {"v": VERSION + 1, "name": "newer"}
    world.app.store.commit("freezes", "freezes", [Put(row="newer", value=newer, etag=None)])
    with pytest.raises(PermanentError, match="freeze newer was added by a newer program"):
        world.app.freezes.rules()
    sweep(world, after=7200)
    assert world.statuses()["top"] == "held"
    world.app.operator.approve(world.cascade, ["top"], who="ann", why="urgent", despite_freeze=True)
    world.drive()
    assert world.states()["top"].failed_stage is Stage.DEPLOY
    assert world.deployer.patches == []
    world.app.freezes.remove("newer", who="ann", why="wrong program")
    world.app.operator.replay(world.cascade, "top", who="ann", why="again")
    world.drive()
    assert world.statuses()["top"] == "done"


def test_the_book_of_freezes(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world()
    book = world.app.freezes
    freeze(world)
    with pytest.raises(InputError, match="there is a freeze weekend already"):
        freeze(world)
    with pytest.raises(InputError, match="needs a reason"):
        book.remove("weekend", who="ann", why=" ")
    for name in ("nope", ""):
        with pytest.raises(NotFoundError, match="no freeze"):
            book.remove(name, who="ann", why="x")
    monkeypatch.setattr(world.app.store, "get", lambda *_: None)
    with pytest.raises(ConflictError):  # two at once: one of them
        freeze(world)
    assert [rule.name for rule in book.rules()] == ["weekend"]


# Approvals.


def test_an_approval_lets_one_digest_through(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "held", "app": "done"}
    assert world.states()["top"].reason == "before its rollout: waits for approval"
    sweep(world, after=7 * 86_400)
    assert world.statuses()["top"] == "held"  # it has no deadline
    bulk = world.app.operator.approve(world.cascade, ["top", "app"], who="ann", why="tried it")
    assert told(bulk) == {"done": ["top"], "left": ["app"], "failed": []}
    assert bulk.left[0].why == "app does not wait for an approval: it is done"
    trail = next(entry for entry in entries(world.app.store) if entry["subject"].endswith("/top"))
    assert (trail["action"], trail["who"], trail["why"]) == ("approve", "ann", "tried it")
    assert trail["before"]["holds"] == {"approval": "waits for approval"}
    assert (trail["after"]["approved"], trail["after"]["digest"]) == (["approval"], world.states()["top"].promoted)
    world.drive()
    assert world.statuses()["top"] == "done"
    assert len(world.deployer.patches) == 1


def test_an_approval_during_a_freeze_stays_given(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    freeze(world)
    world.push_base()
    world.drive()
    assert set(world.states()["top"].holds) == {Hold.APPROVAL, Hold.FREEZE}
    assert told(world.app.operator.approve(world.cascade, who="ann", why="fine"))["done"] == ["top"]
    world.drive()
    assert set(world.states()["top"].holds) == {Hold.FREEZE}
    with pytest.raises(NotFoundError, match="no image nope in cascade"):
        world.app.operator.approve(world.cascade, ["nope"], who="ann", why="fine")
    assert told(world.app.operator.approve(world.cascade, who="ann", why="fine"))["done"] == []
    sweep(world, after=7200)
    assert world.statuses()["top"] == "done"


def test_a_freeze_that_begins_while_an_approval_is_waited_for(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    world.push_base()
    world.drive()
    freeze(world)
    sweep(world)
    assert "waits for approval; c is frozen until" in world.states()["top"].reason
    world.app.operator.approve(world.cascade, who="ann", why="fine", despite_freeze=True)
    world.drive()
    assert world.statuses()["top"] == "done"
    assert next(entries(world.app.store))["after"]["approved"] == ["approval", "freeze"]


# Holds by a person.


def fan(make_world: MakeWorld) -> World:
    """top -> left -> low, top -> right, one at a time."""
    return make_world(
        registration("top", BASE, deployments=[workload("web")]),
        registration("left", ref("top")),
        registration("right", ref("top")),
        registration("low", ref("left")),
        slots=1,
    )


def test_a_whole_cascade_is_held_under_way_and_released(make_world: MakeWorld) -> None:
    world = fan(make_world)
    world.takes |= {"left": 10, "right": 10}
    world.push_base()
    world.drive(until=30)
    assert world.statuses() == {"top": "done", "left": "building", "right": "ready", "low": "waiting"}
    bulk = world.app.operator.hold_all(world.cascade, who="ann", why="look first")
    assert told(bulk) == {"done": ["low", "left", "right"], "left": [], "failed": []}
    assert {item.image: item.why for item in bulk.done} == {
        "low": "to be held by ann: look first, when it could begin",
        "left": "to be held by ann: look first, before its promotion",
        "right": "",
    }
    again = world.app.operator.hold_all(world.cascade, who="bob", why="too")
    assert told(again) == {"done": [], "left": ["low", "right", "left"], "failed": []}
    before = dict(world.registry.tags)
    world.drive()
    assert world.statuses() == {"top": "done", "left": "held", "right": "held", "low": "waiting"}
    assert {tag: world.registry.tags[tag] for tag in before} == before
    assert world.app.engine.pool().running == {}
    shown = {row.image: row.why for row in rows(list(world.states().values()), now=world.time)}
    assert shown["low"] == "waits for left; to be held by ann: look first, when it could begin"
    sweep(world, after=30 * 86_400)
    assert world.statuses() == {"top": "done", "left": "held", "right": "held", "low": "waiting"}
    scanned = len(world.scanner.scanned)
    bulk = world.app.operator.release_all(world.cascade, who="bob", why="looked")
    assert told(bulk) == {"done": ["left", "low", "right"], "left": [], "failed": []}
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    built = [request.repository for request in world.builder.requests]
    assert sorted(built) == [
        "left",
        "low",
        "right",
        "top",
    ]  # what was held before its promotion was not built twice
    assert len(world.scanner.scanned) == scanned + 3  # but scanned again
    assert {(action, who) for action, _, who in actions(world)} >= {("hold", "ann"), ("release", "bob")}
    assert told(world.app.operator.release_all(world.cascade, who="bob", why="x"))["done"] == []


def test_one_image_is_held_and_released(make_world: MakeWorld) -> None:
    world = fan(make_world)
    world.takes["top"] = 5
    world.push_base()
    world.drive(until=10)
    operator = world.app.operator
    assert operator.hold(world.cascade, "top", who="ann", why="look").status is Status.BUILDING
    world.drive()
    assert (world.statuses()["top"], world.statuses()["left"]) == ("held", "waiting")
    answer = ask(world, "low")
    assert [link.image for link in answer.waits[0]] == ["low", "left", "top"]
    assert "before its promotion: held by ann: look; it goes on by itself after `groundswell release" in (
        answer.waits[0][-1].reason
    )
    assert ask(world, "top").told.endswith("before its promotion: held by ann: look")
    with pytest.raises(InputError, match="top is held before its promotion"):
        operator.replay(world.cascade, "top", who="ann", why="x")
    left = operator.replay_all(world.cascade, stage=Stage.BUILD, who="ann", why="x").left
    assert {item.why for item in left if item.image == "top"} == {"is held before its promotion: held by ann: look"}
    operator.release(world.cascade, "top", who="ann", why="looked")
    world.drive()
    assert set(world.statuses().values()) == {"done"}


def test_nothing_more_is_patched_while_a_person_holds_a_rollout(make_world: MakeWorld) -> None:
    world = make_world(
        registration("top", BASE, deployments=[workload("web")]),
        registration("app", ref("top"), deployments=[workload("api")]),
    )
    operator, deliver = world.app.operator, world.deliver
    world.push_base()

    def quick(name: str, body: str) -> None:
        """A hold between the plan of a rollout and its patch."""
        if '"kind":"watch"' in body and not world.deployer.patches:
            for image, state in world.states().items():
                if state.status is Status.DEPLOYING and Hold.PERSON not in state.holds:
                    operator.hold(world.cascade, image, who="ann", why="look")
        deliver(name, body)

    world.deliver = quick  # type: ignore[method-assign]  # somebody at the keyboard
    freeze(world)
    world.drive()
    world.deliver = deliver  # type: ignore[method-assign]
    operator.hold_all(world.cascade, who="ann", why="look")
    sweep(world, after=7200)  # two in one place: the freezes are read once
    assert world.statuses() == {"top": "held", "app": "held"}
    assert {state.reason for state in world.states().values()} == {"before its rollout: held by ann: look"}
    assert world.deployer.patches == []
    operator.release_all(world.cascade, who="ann", why="looked")
    world.deliver = quick  # type: ignore[method-assign]
    world.drive()
    assert "deploying" not in world.statuses().values()
    assert set(world.statuses().values()) == {"held"}
    assert world.deployer.patches == []


@pytest.mark.parametrize("act", ["hold", "release"])
def test_what_is_wrong_with_what_was_asked(make_world: MakeWorld, act: str) -> None:
    world = fan(make_world)
    operator = world.app.operator
    for needs_reason in (getattr(operator, act), getattr(operator, f"{act}_all")):
        arguments = ("c",) if needs_reason == getattr(operator, f"{act}_all") else ("c", "top")
        with pytest.raises(InputError, match="needs a reason"):
            needs_reason(*arguments, who="ann", why=" ")
        with pytest.raises(NotFoundError):
            needs_reason(*arguments, who="ann", why="x")
    with pytest.raises(InputError, match="needs a reason"):
        operator.approve("c", who="ann", why="")


def test_a_held_rollout_is_called_off_and_made_after_all(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    world.push_base()
    world.drive()
    bulk = world.app.operator.cancel_all(world.cascade, who="ann", why="not today")
    assert told(bulk) == {"done": ["top"], "left": [], "failed": []}
    world.drive()
    assert world.statuses() == {"top": "cancelled", "app": "done"}
    assert world.app.engine.records.header(world.cascade).value.phase is Phase.ENDED
    bulk = world.app.operator.replay_failed(world.cascade, who="ann", why="after all")
    assert [(item.image, item.stage) for item in bulk.done] == [("top", Stage.DEPLOY)]
    world.drive()
    assert world.statuses()["top"] == "held"  # an approval of its own
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive()
    assert world.statuses()["top"] == "done"
    assert len(world.builder.requests) == 2


# What moves meanwhile.


def test_a_newer_push_is_built_again_and_wants_an_approval_of_its_own(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    world.push_base()
    world.drive()
    world.push_base("sha256:base2")
    world.drive()
    assert (len(world.cascades), world.statuses()) == (1, {"top": "held", "app": "done"})
    assert world.states()["top"].attempt == 2
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive()
    assert world.deployer.patches == [(str(workload("web")), f"{HOST}/top@{world.registry.tags[ref('top')]}")]


def test_a_later_push_takes_over_what_waits_for_its_approval(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    world.push_base()
    world.drive()
    first = world.cascade
    world.time += JOINS
    world.push_base("sha256:base2")
    world.drive()
    assert (world.statuses(first)["top"], world.statuses()) == ("held", {"top": "held", "app": "done"})
    sweep(world)
    assert world.statuses(first)["top"] == "superseded"
    assert world.states(first)["top"].reason == (
        f"cascade {world.cascade} promoted a newer image while its rollout was held"
    )
    assert world.app.engine.records.header(first).value.phase is Phase.ENDED
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive()
    newest = f"{HOST}/top@{world.registry.tags[ref('top')]}"
    assert world.deployer.patches == [(str(workload("web")), newest)]


def on_two_bases(make_world: MakeWorld, **top: Any) -> World:
    world = make_world(registration("top", BASE, build=[TOOLS], deployments=[workload("web")], **top))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(TOOLS, image_of(["sha256:tools0"]))
    world.app.bases.note(TOOLS, digest=world.registry.tags[TOOLS])
    world.registry.on_push = world.webhook
    return world


def test_a_cascade_of_another_base_does_not_wait_for_a_held_rollout(make_world: MakeWorld) -> None:
    world = on_two_bases(make_world)
    freeze(world)
    world.push_base()
    world.drive()
    first = world.cascade
    world.sources["top"] = "2"
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    assert (world.statuses(first), world.statuses()) == ({"top": "held"}, {"top": "held"})
    sweep(world, after=7200)
    assert (world.statuses(first), world.statuses()) == ({"top": "superseded"}, {"top": "done"})
    assert world.deployer.patches == [(str(workload("web")), f"{HOST}/top@{world.registry.tags[ref('top')]}")]


def test_an_image_that_came_out_unchanged_takes_nothing_over(make_world: MakeWorld) -> None:
    """Else nobody would roll out what the older cascade promoted."""
    world = on_two_bases(make_world)
    freeze(world)
    world.push_base()
    world.drive()
    first, promoted = world.cascade, world.states()["top"].promoted
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    assert (world.statuses(first), world.statuses()) == ({"top": "held"}, {"top": "unchanged"})
    sweep(world, after=7200)
    assert world.statuses(first) == {"top": "done"}
    assert world.deployer.patches == [(str(workload("web")), f"{HOST}/top@{promoted}")]


def test_what_is_approved_too_late_is_not_rolled_out(make_world: MakeWorld) -> None:
    world = on_two_bases(make_world, approval="required")
    world.push_base()
    world.drive()
    first = world.cascade
    world.sources["top"] = "2"
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    world.app.operator.approve(first, who="ann", why="fine")
    world.drive()
    state = world.states(first)["top"]
    assert (state.status, state.reason) == (
        Status.SUPERSEDED,
        f"its tag was moved to {world.registry.tags[ref('top')]} while it was held",
    )
    assert world.deployer.patches == []


def test_a_later_cascade_waits_for_the_release_of_what_a_person_holds(make_world: MakeWorld) -> None:
    world = on_two_bases(make_world, approval="required")
    world.push_base()
    world.drive()
    first = world.cascade
    operator = world.app.operator
    operator.hold(first, "top", who="ann", why="look")
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    assert world.statuses() == {"top": "waiting"}
    sweep(world)
    assert world.statuses() == {"top": "waiting"}
    operator.release(first, "top", who="ann", why="looked")
    lose_everything(world)  # the news of it
    sweep(world)
    assert (world.statuses(first), world.statuses()) == ({"top": "held"}, {"top": "unchanged"})


def test_a_replay_does_not_wait_for_a_held_rollout_of_another_cascade(make_world: MakeWorld) -> None:
    world = on_two_bases(make_world, approval="required")
    world.push_base()
    world.drive()
    first = world.cascade
    world.broken.add("top")
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    assert (world.statuses(first), world.statuses()) == ({"top": "held"}, {"top": "failed"})
    sweep(world)
    assert world.statuses(first) == {"top": "held"}  # nothing newer was promoted
    world.broken.clear()
    world.app.operator.replay(world.cascade, "top", who="ann", why="mended")
    world.drive()
    assert world.statuses() == {"top": "unchanged"}


def test_a_later_cascade_that_is_gone_takes_nothing_over(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = on_two_bases(make_world, approval="required")
    world.push_base()
    world.drive()
    first = world.cascade
    world.sources["top"] = "2"
    world.push_base("sha256:tools1", TOOLS)
    world.drive()
    records, rebuild = world.app.engine.records, world.app.engine.records.rebuild

    def gone(cascade: str, image: str) -> Any:
        if cascade != first:
            raise NotFoundError("archived")
        return rebuild(cascade, image)

    monkeypatch.setattr(records, "rebuild", gone)
    monkeypatch.setattr(records, "open", lambda: [first])
    sweep(world)
    assert world.statuses(first) == {"top": "held"}


def test_a_base_that_is_built_again_takes_what_is_held_with_it(make_world: MakeWorld) -> None:
    world = make_world(
        registration("top", BASE),
        registration("app", ref("top"), deployments=[workload("web")], approval="required"),
    )
    world.push_base()
    world.drive()
    assert world.statuses() == {"top": "done", "app": "held"}
    old = world.states()["app"].promoted
    world.sources["top"] = "2"
    world.app.operator.replay(world.cascade, "top", who="ann", why="new source")
    world.drive()
    assert world.statuses() == {"top": "done", "app": "held"}
    state = world.states()["app"]
    assert (state.attempt, state.promoted == old) == (2, False)
    assert state.proof["base_digest"] == world.registry.tags[ref("top")]
    world.app.operator.approve(world.cascade, who="ann", why="fine")
    world.drive()
    assert world.deployer.patches == [(str(workload("web")), f"{HOST}/app@{state.promoted}")]


# Crashes, doubles, disorder.


@pytest.mark.parametrize("seed", range(4))
def test_holds_in_disorder_and_twice(make_world: MakeWorld, seed: int) -> None:
    world = fan(make_world)
    freeze(world)
    world.takes["left"] = 3
    world.push_base()
    rng = random.Random(seed)
    world.drive(rng=rng, double=True, until=20)
    world.app.operator.hold_all(world.cascade, who="ann", why="look")
    world.drive(rng=rng, double=True)
    assert not {"building", "promoting", "deploying", "ready"} & set(world.statuses().values())
    world.app.operator.release_all(world.cascade, who="ann", why="looked")
    world.drive(rng=rng, double=True)
    assert world.statuses() == {"top": "held", "left": "done", "right": "done", "low": "done"}
    world.time += 7200
    world.app.sweep.cascades()
    world.drive(rng=rng, double=True)
    assert set(world.statuses().values()) == {"done"}
    assert len(world.deployer.patches) == 1
    stable = [entry for entry in world.registry.history if entry[0] == ref("low")]
    assert len(set(stable)) == len(stable)  # promoted once


@pytest.mark.parametrize("lost", ["approved", "thawed", "released"])
def test_what_a_crash_left_unsent_is_found(make_world: MakeWorld, lost: str) -> None:
    world = company(make_world, approval="required")
    if lost == "thawed":
        freeze(world)
    world.push_base()
    world.drive()
    operator = world.app.operator
    if lost == "released":
        operator.hold(world.cascade, "top", who="ann", why="look")
    operator.approve(world.cascade, who="ann", why="fine")
    if lost == "released":
        operator.release(world.cascade, "top", who="ann", why="looked")
    if lost == "thawed":
        world.time += 7200
        world.app.sweep.cascades()
    assert world.statuses()["top"] == "deploying"
    lose_everything(world)
    for _ in range(40):
        sweep(world)
    assert world.statuses() == {"top": "done", "app": "done"}
    assert len(world.deployer.patches) == 1


def test_news_that_was_lost_reaches_what_is_held(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be built on the new base and held against the old one."""
    world = fan(make_world)
    world.takes["left"] = 5
    world.push_base()
    world.drive(until=20)
    assert world.statuses()["right"] == "ready"
    world.app.operator.hold(world.cascade, "right", who="ann", why="look")
    world.drive()
    engine, sent = world.app.engine, world.app.engine._sent
    monkeypatch.setattr(engine, "_sent", lambda these: sent(c for c in these if c.kind is not Kind.NEWS))
    world.sources["top"] = "2"
    world.app.operator.replay(world.cascade, "top", who="ann", why="new source")
    world.drive()
    monkeypatch.undo()
    assert world.states()["right"].waits["top"].digest != world.registry.tags[ref("top")]
    sweep(world)
    assert world.states()["right"].waits["top"].digest == world.registry.tags[ref("top")]
    world.app.operator.release(world.cascade, "right", who="ann", why="looked")
    world.drive()
    assert (world.statuses()["right"], world.states()["right"].no_cache) == ("done", False)


def test_a_place_in_line_that_was_not_given_back_is_found(make_world: MakeWorld) -> None:
    world = fan(make_world)
    world.takes["top"] = 3
    world.push_base()
    world.drive(until=3)
    lose_everything(world)
    sweep(world, after=1000)
    world.app.operator.hold_all(world.cascade, who="ann", why="look")
    lose_everything(world)
    for _ in range(3):
        sweep(world)
    assert world.app.engine.pool().running == {}
    world.app.operator.release_all(world.cascade, who="ann", why="looked")
    for _ in range(40):
        sweep(world)
    assert set(world.statuses().values()) == {"done"}


# Looking.


def test_a_held_rollout_is_no_stale_image(make_world: MakeWorld) -> None:
    world = company(make_world, approval="required")
    world.push_base()
    world.drive()
    state = world.states()["top"]
    assert explain(state) == (
        Cause.NOT_YET,
        f"cascade {world.cascade}: held before its rollout: waits for approval",
    )
    assert "it goes on by itself after `groundswell approve" in ask(world, "top").waits[0][-1].reason
    building = replace(state, status=Status.BUILDING, held_at=None)
    assert explain(building) == (Cause.NOT_YET, f"cascade {world.cascade}: building")
