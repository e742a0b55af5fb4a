"""What stands on an older base than there is now, since when, and why."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from groundswell.cascade.stale import Cause, Report, survey, unregistered
from groundswell.cascade.status import Status
from groundswell.errors import TemporaryError
from groundswell.lineage.discovery import discover
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]
TOOLS = f"{HOST}/mirror/tools:1"


def look(world: World) -> Report:
    app = world.app
    return survey(
        catalog=app.catalog,
        bases=app.bases,
        records=app.engine.records,
        registry=app.registry,
        deployer=lambda: app.deployer,
    )


def causes(report: Report) -> dict[str, Cause]:
    return {item.image: item.cause for item in report.images}


def test_nothing_is_stale_before_a_push_and_after_its_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]), registration("app", ref("top")))
    for target in world.app.catalog.registration("top").deployments:
        world.deployer.running[str(target)] = f"{HOST}/top@{world.registry.tags[ref('top')]}"
    assert look(world) == Report(images=(), workloads=(), unread=())
    world.push_base()
    world.drive()
    assert look(world) == Report(images=(), workloads=(), unread=())


def test_a_push_that_was_not_seen_yet_makes_all_stale(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    digest = world.push_base()
    report = look(world)
    assert causes(report) == {"top": Cause.NOT_YET, "app": Cause.BLOCKED}
    top = report.images[1]
    assert (top.base, top.current, top.since) == (BASE, digest, None)
    assert "was not dealt with yet" in top.detail
    assert report.images[0].detail == "stands on top, which is stale"


@pytest.mark.parametrize(
    ("spoil", "cause", "says"),
    [
        ("broken", Cause.FAILED, "build: run r0 ended as Failed"),
        ("vulnerable", Cause.REJECTED, "CVE-1"),
    ],
)
def test_what_failed_or_was_rejected_says_so(make_world: MakeWorld, spoil: str, cause: Cause, says: str) -> None:
    world = make_world(registration("top", BASE, owner="platform"), registration("app", ref("top")))
    getattr(world, spoil).add("top")
    pushed = world.push_base()
    at = world.time
    world.drive()
    report = look(world)
    assert causes(report) == {"top": cause, "app": Cause.BLOCKED}
    top = report.images[1]
    assert says in top.detail
    assert (top.owner, top.current) == ("platform", pushed)
    assert top.since is not None
    assert at <= top.since <= world.time
    document = report.to_json()["images"][1]
    assert (document["why"], document["stands_on"], document["edge"]) == (cause.value, None, "runtime")


def test_under_way_cancelled_and_moved_back(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    old = world.registry.tags[ref("top")]
    world.takes = {"top": 10}
    world.push_base()
    world.drive(until=15)
    assert (causes(look(world)), look(world).images[0].detail) == (
        {"top": Cause.NOT_YET},
        f"cascade {world.cascade}: building",
    )
    world.app.operator.cancel(world.cascade, "top", who="ann", why="not now")
    assert causes(look(world)) == {"top": Cause.STOPPED}
    world.push_base("sha256:base2")
    world.drive()
    assert causes(look(world)) == {}
    world.registry.tags[ref("top")] = old
    assert look(world).images[0].detail.endswith("its tag was moved back since")


def test_pins_say_what_to_change(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    pin = f"{BASE}@{world.registry.tags[BASE]}"
    world.register(registration("pinned", pin), registration("on-it", ref("pinned")))
    assert causes(look(world)) == {}
    world.push_base()
    world.drive()
    report = look(world)
    assert causes(report) == {"pinned": Cause.PINNED, "on-it": Cause.BLOCKED}
    assert report.images[1].stands_on == pin.partition("@")[2]
    assert pin in report.images[1].detail


def test_a_pin_without_a_tag_is_held_against_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.register(registration("bare", f"{HOST}/mirror/debian@{world.registry.tags[BASE]}"))
    world.registry.put(f"{HOST}/mirror/debian:latest", image_of(["sha256:newest"]))
    assert causes(look(world)) == {}


def test_a_tag_that_never_moves_is_told(make_world: MakeWorld) -> None:
    top = replace(registration("top", BASE), tag_patterns=("1.*",))
    world = make_world(top, registration("app", f"{HOST}/top:1.4"))
    world.registry.tags[f"{HOST}/top:1.4"] = world.registry.tags[ref("top")]
    assert causes(look(world)) == {}
    world.push_base()
    world.drive()
    (app,) = look(world).images
    assert (app.cause, app.current) == (Cause.FIXED_TAG, world.registry.tags[ref("top")])
    assert app.detail == f"{HOST}/top:1.4 does not move; {ref('top')} is newer"


def test_a_build_base_is_judged_by_its_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, build=[TOOLS]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(TOOLS, image_of(["sha256:tools0"]))
    world.app.bases.note(TOOLS, digest=world.registry.tags[TOOLS])
    world.registry.on_push = world.webhook
    assert causes(look(world)) == {}
    world.broken.add("app")
    world.registry.put(TOOLS, image_of(["sha256:tools1"]))
    world.drive()
    (app,) = look(world).images
    assert (app.base, app.kind.value, app.cause) == (TOOLS, "build", Cause.FAILED)


def test_what_was_registered_after_the_base_had_moved(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.push_base()
    world.drive()
    late = registration("late", BASE)
    world.app.catalog.register([late], who="ann")
    world.registry.put(ref("late"), image_of(["sha256:base0", "sha256:own"]))
    (found,) = look(world).images
    assert (found.image, found.cause) == ("late", Cause.NOT_REGISTERED)
    assert world.cascade in found.detail


def test_what_was_built_before_its_base_was_known(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.registry.put(ref("top"), image_of(["sha256:before", "sha256:own"]))
    (found,) = look(world).images
    assert (found.cause, found.current) == (Cause.NOT_REGISTERED, world.registry.tags[BASE])
    assert found.detail.startswith(f"it was built before {BASE} moved")


def test_one_that_is_blocked_names_its_cascade(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", BASE, build=[ref("top")]))
    world.broken.add("top")
    world.push_base()
    world.drive()
    found = {item.image: item for item in look(world).images}
    assert (found["app"].cause, found["app"].detail) == (
        Cause.BLOCKED,
        f"cascade {world.cascade}: blocked by top",
    )


def test_an_image_that_was_never_built_claims_no_base(make_world: MakeWorld) -> None:
    world = make_world(registration("app", None, build=[BASE], deployments=[workload("web")]))
    world.broken.add("app")
    world.push_base()
    world.drive()
    del world.registry.tags[ref("app")]
    report = look(world)
    assert [(item.cause, item.stands_on) for item in report.images] == [(Cause.FAILED, "")]
    assert report.workloads == ()  # there is nothing to compare what it runs with
    assert report.unread == (f"{ref('app')}: not in its registry",)


def test_records_that_are_gone_are_said_to_be_gone(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.broken.add("top")
    world.push_base()
    world.drive()
    (listed,) = world.app.engine.records.begun_before(world.time + 1)
    world.app.engine.records.remove(listed)
    (found,) = look(world).images
    assert found.detail == f"what cascade {listed.id} made of it is no longer recorded; tell the push again"


def test_a_workload_that_was_left_behind_says_why(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web"), workload("job")]))
    target = str(world.app.catalog.registration("top").deployments[0])
    world.unhealthy.add("web")
    world.push_base()
    world.drive()
    assert world.states()["top"].status is Status.FAILED
    report = look(world)
    assert causes(report) == {}
    behind = {item.workload: item for item in report.workloads}
    assert (behind[target].cause, behind[target].runs) == (Cause.FAILED, "sha256:old")
    assert behind[target].current == world.registry.tags[ref("top")]
    assert "crash loop" in behind[target].detail
    assert report.to_json()["workloads"][0]["why"] == "failed"


def test_a_workload_that_runs_a_stale_image_is_stale(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    for target in world.app.catalog.registration("top").deployments:
        world.deployer.running[str(target)] = f"{HOST}/top@{world.registry.tags[ref('top')]}"
    world.broken.add("top")
    world.push_base()
    world.drive()
    (found,) = look(world).workloads
    assert (found.cause, found.current) == (Cause.FAILED, world.registry.tags[ref("top")])
    assert found.detail.startswith("its image is stale: ")


def test_what_cannot_be_read_is_told_and_the_rest_is_looked_at(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE, deployments=[workload("gone")]), registration("new", BASE))
    world.deployer.running.clear()
    del world.registry.tags[ref("new")]
    report = look(world)
    assert report.images == report.workloads == ()
    assert report.unread == (
        f"{ref('new')}: not in its registry",
        "c/n/deployment/gone[app]: c/n/deployment/gone[app] does not exist",
    )
    world.registry.down = TemporaryError("away")
    assert f"{BASE}: away" in look(world).unread


def test_strangers_on_what_a_registered_base_was_are_found_by_their_layers(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    old = world.registry.tags[BASE]
    world.registry.put(f"{HOST}/apps/lost:1", image_of(["sha256:base0", "sha256:lost"]))
    world.registry.put(f"{HOST}/apps/own:1", image_of(["sha256:something-else"]))
    pushed = world.push_base()
    world.drive()
    with world.app.catalog.lineage() as lineage:
        report = discover(world.registry, HOST, lineage)
        (lost,) = unregistered(report, lineage, world.app.bases)
    assert (lost.image, lost.base, lost.stands_on, lost.current) == (f"{HOST}/apps/lost:1", BASE, old, pushed)
    assert lost.cause is Cause.NOT_REGISTERED
    assert lost.since is not None


def test_strangers_that_name_their_base_are_judged_by_what_they_say(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    old = world.registry.tags[BASE]
    told = {"org.opencontainers.image.base.name": BASE, "org.opencontainers.image.base.digest": old}
    behind = replace(image_of(["sha256:base0", "sha256:behind"]), annotations=told)
    world.registry.put(f"{HOST}/apps/behind:1", behind)
    pushed = world.push_base()
    world.drive()
    world.registry.put(f"{HOST}/apps/fresh:1", image_of(["sha256:base1", "sha256:fresh"]))
    with world.app.catalog.lineage() as lineage:
        report = discover(world.registry, HOST, lineage)
        (stale,) = unregistered(report, lineage, world.app.bases)
    assert report.found[f"{HOST}/apps/fresh:1"]
    assert (stale.image, stale.base, stale.stands_on) == (f"{HOST}/apps/behind:1", BASE, old)
    assert stale.current == pushed
