"""Rounds over real records: what people are told of what the product does, and where they are told it."""

import pytest

from groundswell.cascade.model import Hold
from groundswell.cascade.status import Stage
from groundswell.channels import Kind, Severity
from groundswell.errors import TemporaryError
from tests.support.notices import channel, deliveries, kinds, listen, minutes
from tests.support.world import HOST, World, ref, registration, workload


def test_without_channels_nothing_is_read_or_kept(world: World) -> None:
    world.broken = {"web"}
    world.push_base()
    world.drive()
    world.app.watch.run()
    world.app.watch.gave_up("pushes", "x")
    assert list(world.app.store.scan("notices", "notices")) == []


def test_a_failure_that_stands_is_told_and_its_end_too(world: World) -> None:
    sender = listen(world)
    world.app.watch.run()
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 1)
    assert sender.sent == []
    minutes(world, 2)
    assert kinds(sender) == [Kind.ENDED, Kind.FAILED]
    ended, failed = (notice for _, notice in sender.sent)
    assert ended.title == f"cascade {world.cascade} has ended: 2 done, 1 failed"
    assert "to look at: web" in ended.text
    assert ended.teams == ("platform", "shop")
    assert failed.title == "web failed at build"
    assert "its log ends: step 1 | boom" in failed.text
    assert (failed.subjects, failed.teams, failed.cascade) == (("web",), ("shop",), world.cascade)
    minutes(world, 5)
    assert len(sender.sent) == 2
    world.broken = set()
    world.app.operator.replay(world.cascade, "web", who="ann", why="repaired")
    world.drive()
    minutes(world, 1)
    assert kinds(sender)[2:] == [Kind.HEALED]
    healed = sender.sent[2][1]
    assert (healed.title, healed.heals, healed.was) == ("web: no longer failed", failed.id, Kind.FAILED)
    minutes(world, 70)
    assert kinds(sender)[3:] == [Kind.ENDED]  # it began again, and has ended again


def test_what_heals_within_the_delay_is_not_told(world: World) -> None:
    sender = listen(world)
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 1)
    world.broken = set()
    world.app.operator.replay(world.cascade, "web", who="ann", why="repaired")
    world.drive()
    minutes(world, 5)
    assert kinds(sender) == [Kind.ENDED]


def test_a_newer_cascade_heals_what_failed_in_an_older_one(world: World) -> None:
    sender = listen(world)
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 4)
    world.time += 7200.0
    world.broken = set()
    world.push_base("sha256:base2")
    world.drive()
    minutes(world, 1)
    assert kinds(sender)[2:] == [Kind.HEALED]
    assert sender.sent[2][1].cascade == world.cascade


def test_many_that_fail_for_one_cause_are_one_notice(world: World) -> None:
    sender = listen(world)
    world.broken = {"web", "api"}
    world.push_base()
    world.drive()
    minutes(world, 4)
    (failed,) = [notice for _, notice in sender.sent if notice.kind is Kind.FAILED]
    assert (failed.subjects, failed.count) == (("api", "web"), 2)


def test_rejected_and_rolled_back(world: World) -> None:
    sender = listen(world)
    world.vulnerable, world.unhealthy = {"api"}, {"web"}
    world.push_base()
    world.drive()
    minutes(world, 4)
    told = {notice.kind: notice for _, notice in sender.sent}
    assert set(told) == {Kind.ENDED, Kind.REJECTED, Kind.ROLLED_BACK}
    assert told[Kind.REJECTED].title == "api was rejected by the gate"
    assert "CVE-1" in told[Kind.REJECTED].text
    assert told[Kind.ROLLED_BACK].title == "web was rolled back"
    assert told[Kind.ROLLED_BACK].severity is Severity.CRITICAL


def test_an_approval_that_is_waited_for(world: World) -> None:
    sender = listen(world)
    image = registration("web", ref("top"), owner="shop", deployments=[workload("web")], approval="required")
    world.app.catalog.register([image], who="ann")
    world.push_base()
    world.drive()
    assert Hold.APPROVAL in world.states()["web"].holds
    minutes(world, 4)
    assert kinds(sender) == [Kind.APPROVAL]
    assert f"groundswell approve {world.cascade} web" in sender.sent[0][1].text
    world.app.operator.approve(world.cascade, ["web"], despite_freeze=False, who="ann", why="checked")
    world.drive()
    minutes(world, 10)
    assert kinds(sender) == [Kind.APPROVAL, Kind.ENDED]


def test_drift_and_its_release(world: World) -> None:
    sender = listen(world)
    world.push_base()
    world.drive()
    world.deployer.running[str(workload("web"))] = f"{HOST}/web@sha256:somebody"
    world.push_base("sha256:base2")
    world.drive()
    minutes(world, 6)
    (drift,) = [notice for _, notice in sender.sent if notice.kind is Kind.DRIFT]
    assert drift.subjects == (str(workload("web")),)
    assert drift.teams == ("shop",)
    assert "sha256:somebody" in drift.text
    world.app.workloads.release(str(workload("web")), who="ann", why="mine")
    minutes(world, 6)
    (healed,) = [notice for _, notice in sender.sent if notice.kind is Kind.HEALED]
    assert healed.heals == drift.id


def test_what_runs_and_would_be_refused(world: World) -> None:
    sender = listen(world)
    world.push_base()
    world.drive()
    minutes(world, 4)
    sender.sent.clear()

    def rounds() -> None:
        world.time += 86_400.0
        world.app.rescan.take_stock()
        world.app.rescan.scan()

    world.vulnerable = {"web"}
    rounds()
    minutes(world, 6)
    (alert,) = [notice for _, notice in sender.sent]
    assert (alert.kind, alert.title) == (Kind.REFUSED, "web runs and would be refused by now")
    assert "CVE-1" in alert.text
    world.vulnerable = set()
    rounds()
    minutes(world, 6)
    assert kinds(sender) == [Kind.REFUSED, Kind.HEALED]
    assert "the last scan passes" in sender.sent[1][1].text


def test_messages_that_were_given_up(world: World) -> None:
    sender = listen(world)
    for text in ("not ours: tell-nobody", "not ours: tell-nobody", "another"):
        world.app.poisoned("rebuilds", text)
    minutes(world, 1)
    (poison,) = [notice for _, notice in sender.sent]
    assert (poison.kind, poison.count, poison.severity) == (Kind.POISON, 2, Severity.CRITICAL)
    assert "tell-nobody" not in poison.text
    minutes(world, 3)
    assert len(sender.sent) == 1
    world.time += 3600.0
    world.app.poisoned("rebuilds", "another")
    minutes(world, 1)
    assert len(sender.sent) == 2


def test_orphaned_runs(world: World) -> None:
    sender = listen(world)
    world.app.watch.orphaned(HOST, "r1")
    world.app.watch.orphaned(HOST, "r1")
    minutes(world, 2)
    assert [(notice.kind, notice.count) for _, notice in sender.sent] == [(Kind.ORPHAN, 1)]


def test_channels_are_told_what_they_want_and_the_end_of_it(world: World) -> None:
    sender = listen(
        world,
        shop=channel(url="https://shop", teams=("shop",)),
        platform=channel(url="https://platform", teams=("platform",), kinds=(Kind.FAILED,)),
        loud=channel(url="https://loud", severity=Severity.WARNING),
    )
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 4)
    world.broken = set()
    world.app.operator.replay(world.cascade, "web", stage=Stage.BUILD, who="ann", why="repaired")
    world.drive()
    minutes(world, 1)
    told: dict[str, list[Kind]] = {}
    for url, notice in sender.sent:
        told.setdefault(url, []).append(notice.kind)
    assert told == {
        "https://shop": [Kind.ENDED, Kind.FAILED, Kind.HEALED],
        "https://loud": [Kind.FAILED, Kind.HEALED],
    }


def test_a_cascade_that_ended_between_two_rounds_is_not_missed(world: World) -> None:
    sender = listen(world)
    world.push_base()
    world.app.intake.handle(world.app.store.receive("pushes")[0].body)
    minutes(world, 1)  # it is under way
    world.drive()
    for _ in range(3):
        world.app.sweep.cascades()  # it is off the list of open ones before the next round
    world.time += 1200.0
    minutes(world, 4)
    assert kinds(sender) == [Kind.ENDED]


def test_nor_one_that_began_since(world: World) -> None:
    sender = listen(world)
    minutes(world, 1)
    world.push_base()
    world.drive()
    for _ in range(3):
        world.app.sweep.cascades()
    assert world.app.engine.records.open() == []
    minutes(world, 4)
    assert kinds(sender) == [Kind.ENDED]


def test_what_was_replayed_between_two_rounds_is_not_missed(world: World) -> None:
    sender = listen(world)
    world.push_base()
    world.drive()
    minutes(world, 4)
    world.app.sweep.cascades()
    world.time += 86_400.0
    minutes(world, 1)
    assert kinds(sender) == [Kind.ENDED]
    world.broken = {"api"}
    world.app.operator.replay(world.cascade, "api", stage=Stage.BUILD, force=True, who="ann", why="once more")
    world.drive()
    world.app.sweep.cascades()
    minutes(world, 4)
    assert kinds(sender)[1:] == [Kind.ENDED, Kind.FAILED]


def test_what_ended_is_not_read_again_and_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    listen(world)
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 5)
    read = []
    records = world.app.engine.records
    monkeypatch.setattr(records, "rebuilds", lambda cascade, **_: read.append(cascade) or iter(()))
    minutes(world, 5)
    assert read == []


def test_a_cascade_that_is_gone_is_let_go(world: World) -> None:
    sender = listen(world)
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 4)
    assert len(sender.sent) == 2
    (listed,) = world.app.engine.records.listed()
    world.app.sweep.cascades()
    world.app.engine.records.remove(listed)
    minutes(world, 2)
    assert len(sender.sent) == 2
    keys = [record.row for record in world.app.store.scan("notices", "notices", prefix="topic:image")]
    assert keys == []


def test_of_two_who_look_at_once_one_tells(world: World) -> None:
    sender, other = listen(world), world.another()
    listen(world, other)
    world.broken = {"web"}
    world.push_base()
    world.drive()
    minutes(world, 1)
    world.time += 300.0
    ours = world.app.watch._box
    real = ours.remember

    def late(*args: object) -> None:
        ours.remember = real  # type: ignore[method-assign]  # the other comes first, once
        other.watch.run()
        real(*args)  # type: ignore[arg-type]  # as given

    ours.remember = late  # type: ignore[method-assign]  # as above
    world.app.watch.run()
    minutes(world, 2)
    assert len(deliveries(world.app)) == 2
    assert len(sender.sent) == 2


def test_a_store_that_fails_does_not_make_it_forget(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = listen(world)
    world.broken = {"web"}
    world.push_base()
    world.drive()
    commit = world.app.store.commit

    def down(table: str, *args: object) -> list[str]:
        if table == "notices":
            raise TemporaryError("the store is down")
        return commit(table, *args)  # type: ignore[arg-type]  # as given

    with monkeypatch.context() as patch:
        patch.setattr(world.app.store, "commit", down)
        world.time += 300.0
        with pytest.raises(TemporaryError):
            world.app.watch.run()
    minutes(world, 3)
    assert kinds(sender) == [Kind.ENDED, Kind.FAILED]
