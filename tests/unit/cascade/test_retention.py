"""What is old goes, what is needed stays, and an interrupted round is gone on with."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.audit import entries
from groundswell.cascade import archive as archive_module
from groundswell.cascade import records as records_module
from groundswell.cascade import retention as retention_module
from groundswell.cascade.archive import Archive, summary
from groundswell.cascade.codec import rebuild_to_json
from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.records import Header, Phase, index_row
from groundswell.cascade.retention import SECONDS, Cleared, Policy, Retention
from groundswell.cascade.status import Stage, Status
from groundswell.clock import inverted
from groundswell.errors import ConflictError, NotFoundError, PermanentError, TemporaryError
from groundswell.store.port import ANY, Delete, Put
from tests.support.world import BASE, HOST, World, image_of, ref, registration

type MakeWorld = Callable[..., World]

DAY = 86_400.0
TOOLS = f"{HOST}/mirror/tools:1"


def retention(world: World, **policy: Any) -> Retention:
    app = world.app
    every = {"cascades": 90 * DAY, "pushes": 90 * DAY, "archive": True, "archived": 730 * DAY}
    return Retention(
        records=app.engine.records,
        archive=app.archive,
        yearbook=app.yearbook,
        failures=app.failures,
        bases=app.bases,
        intake=app.intake,
        catalog=app.catalog,
        policy=Policy(**every | policy),
        clock=app.clock,
    )


def cascaded(make_world: MakeWorld, times: int) -> World:
    """A world in which the base was pushed `times` times, and each cascade has ended."""
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    for number in range(1, times + 1):
        world.push_base(f"sha256:base{number}")
        world.drive()
    world.app.sweep.cascades()
    return world


def rows(world: World, table: str, partition: str) -> list[str]:
    return [record.row for record in world.app.store.scan(table, partition)]


def test_an_old_cascade_goes_into_the_archive_and_the_newest_stays(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    newer, older = world.cascades
    before, pushes = world.states(older), len(world.results())
    world.time += 91 * DAY
    assert retention(world).run() == Cleared(cascades=1, pushes=pushes)
    assert world.cascades == [newer]
    assert rows(world, "cascades", older) == []
    assert rows(world, "index", "images") == [f"app:{newer}", f"top:{newer}"]
    kept = {state.image: state for state in world.app.archive.rebuilds(older)}
    assert kept == {image: summary(state) for image, state in before.items()}
    top = kept["top"]
    assert (top.status, top.run, top.promoted) == (Status.DONE, before["top"].run, before["top"].promoted)
    assert (top.proof, top.verdict["passed"]) == (before["top"].proof, True)
    header = world.app.archive.header(older)
    assert header is not None
    assert (header.id, header.phase, header.total) == (older, Phase.ENDED, 2)
    assert [each.id for each in world.app.archive.recent(now=world.time)] == [older]
    assert retention(world).run() == Cleared()


def test_what_is_not_old_enough_stays_and_nothing_goes_when_kept_for_ever(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    pushes = len(world.results())
    world.time += 89 * DAY
    assert retention(world).run() == Cleared()
    world.time += 5000 * DAY
    assert retention(world, cascades=0, pushes=0, archived=0).run() == Cleared()
    assert (len(world.cascades), len(world.results())) == (2, pushes)


def test_a_cascade_counts_from_its_end_not_from_its_beginning(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    records, older = world.app.engine.records, world.cascades[1]
    stored = records.header(older)
    late = replace(stored.value, ended_at=world.time + 50 * DAY)
    world.app.store.commit("cascades", older, [Put(row="cascade", value=_document(late), etag=ANY)])
    world.time += 120 * DAY
    assert retention(world).run().cascades == 0
    unknown = replace(stored.value, ended_at=None)  # one that was given up before it was planned
    world.app.store.commit("cascades", older, [Put(row="cascade", value=_document(unknown), etag=ANY)])
    assert retention(world).run().cascades == 1


def _document(header: Header) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(asdict(header)))
    return document


def test_without_the_archive_nothing_is_kept(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    older = world.cascades[1]
    world.time += 91 * DAY
    assert retention(world, archive=False).run().cascades == 1
    assert world.app.archive.header(older) is None
    with pytest.raises(NotFoundError, match=f"no cascade {older}"):
        world.app.engine.records.header(older)


def test_the_audit_trail_is_never_touched(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    world.app.operator.replay(world.cascades[1], "top", stage=Stage.SCAN, who="ann", why="look again")
    world.drive()
    world.app.sweep.cascades()
    trail = list(entries(world.app.store, limit=1000))
    assert trail
    world.time += 5000 * DAY
    assert retention(world).run().cascades == 1
    assert list(entries(world.app.store, limit=1000)) == trail


def test_an_open_cascade_and_those_it_follows_stay(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, build=[TOOLS]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(TOOLS, image_of(["sha256:tools0"]))
    world.app.bases.note(TOOLS, digest=world.registry.tags[TOOLS])
    world.registry.on_push = world.webhook
    world.takes = {"app": 1000}
    world.push_base()
    world.drive(until=20)
    followed = world.cascade
    world.time += 1
    world.registry.put(TOOLS, image_of(["sha256:tools1"]))
    world.drive(until=20)
    following = world.cascade
    world.app.operator.cancel(followed, "app", who="ann", why="x")
    world.app.engine.records.delist(followed)
    for reference in (BASE, TOOLS):  # both bases have moved on since
        world.app.bases.note(reference, digest="sha256:later", cascade="later")
    world.time += 91 * DAY
    assert retention(world).run().cascades == 0
    assert world.app.engine.records.has(following)
    world.app.engine.records.delist(following)
    assert retention(world).run().cascades == 1  # it is not ended, but nothing follows the other any more
    assert world.cascades == [following]


def test_one_on_the_open_list_stays_for_a_replay_of_it_may_be_about_to_begin(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    records, older = world.app.engine.records, world.cascades[1]
    records.enlist(older)
    world.time += 91 * DAY
    assert (retention(world).run().cascades, records.header(older).value.phase) == (0, Phase.ENDED)
    records.delist(older)
    assert retention(world).run().cascades == 1


def test_why_and_stale_can_tell_of_every_image_after_any_round(make_world: MakeWorld) -> None:
    """An image that failed long ago is still explained by the cascade in which it failed."""
    world = cascaded(make_world, 1)
    world.broken.add("top")
    world.push_base("sha256:bad")
    world.drive()
    world.app.sweep.cascades()
    failed, done = world.cascades
    world.time += 1000 * DAY
    assert retention(world).run().cascades == 0
    assert set(world.cascades) == {failed, done}  # "done" is what the stable tags stand at


@pytest.mark.parametrize("archive", [True, False])
def test_a_round_that_is_killed_between_any_two_writes_is_gone_on_with(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, archive: bool
) -> None:
    monkeypatch.setattr(archive_module, "_TOGETHER", 1)
    for moment in range(20):
        world = cascaded(make_world, 2)
        newer, older = world.cascades
        kept = [summary(state) for state in world.app.engine.records.rebuilds(older)]
        world.time += 91 * DAY
        commit, calls = world.app.store.commit, 0

        def dies(*args: Any, commit: Any = commit, moment: int = moment) -> list[str]:
            nonlocal calls
            calls += 1
            if calls > moment:
                raise TemporaryError("killed")
            result: list[str] = commit(*args)
            return result

        with monkeypatch.context() as patch:
            patch.setattr(records_module, "MAX_COMMIT", 1)
            patch.setattr(world.app.store, "commit", dies)
            try:
                retention(world, archive=archive).run()
            except TemporaryError:
                killed = True
            else:
                killed = False
        assert {header.id for header in world.app.engine.records.recent(10)} <= {newer, older}
        retention(world, archive=archive).run()
        assert world.cascades == [newer]
        assert rows(world, "cascades", older) == []
        assert rows(world, "index", "cascades") == [index_row(world.app.engine.records.header(newer).value)]
        assert list(world.app.archive.rebuilds(older)) == (kept if archive else [])
        assert [each.id for each in world.app.archive.recent(now=world.time)] == ([older] if archive else [])
        if not killed:
            return
    raise AssertionError("the round never came to its end")


def test_one_that_is_replayed_while_it_is_removed_stays_and_is_not_in_the_archive(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = cascaded(make_world, 2)
    older = world.cascades[1]
    world.time += 91 * DAY
    keep = Archive.keep

    def replayed(self: Archive, header: Header, rebuilds: list[Rebuild]) -> None:
        keep(self, header, rebuilds)
        world.app.operator.replay(older, "top", stage=Stage.SCAN, who="ann", why="look again")

    monkeypatch.setattr(Archive, "keep", replayed)
    assert retention(world).run().cascades == 0
    assert world.app.archive.header(older) is None
    assert list(world.app.archive.recent(now=world.time)) == []
    assert world.statuses(older)["top"] == "scanning"


def test_one_whose_header_moves_without_the_archive_stays_too(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = cascaded(make_world, 2)
    world.time += 91 * DAY

    def moved(_: object) -> None:
        raise ConflictError("somebody was faster")

    monkeypatch.setattr(world.app.engine.records, "remove", moved)
    assert retention(world, archive=False).run().cascades == 0
    assert len(world.cascades) == 2


def test_one_that_cannot_be_archived_stays_and_does_not_keep_the_others(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = cascaded(make_world, 3)
    newest, middle, oldest = world.cascades
    world.time += 91 * DAY
    keep = Archive.keep

    def refuses(self: Archive, header: Header, rebuilds: list[Rebuild]) -> None:
        if header.id == middle:
            raise PermanentError("too large")
        keep(self, header, rebuilds)

    monkeypatch.setattr(Archive, "keep", refuses)
    cleared = retention(world).run()
    assert (cleared.cascades, cleared.kept_back) == (1, 1)
    assert world.cascades == [newest, middle]
    assert world.app.archive.header(oldest) is not None


def test_a_round_does_only_so_much_and_the_next_goes_on(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = cascaded(make_world, 4)
    monkeypatch.setattr(retention_module, "MOST", 2)
    world.time += 91 * DAY
    first = retention(world).run()
    assert (first.cascades, first.more) == (2, True)
    second = retention(world).run()
    assert (second.cascades, second.more) == (1, False)
    world.time += 700 * DAY
    assert [(each.archived, each.more) for each in (retention(world).run(), retention(world).run())] == [
        (2, True),
        (1, False),
    ]
    assert list(world.app.archive.recent(now=world.time)) == []


@pytest.mark.parametrize("table", ["cascades", "archive"])
def test_a_round_ends_when_its_time_is_up(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    world = cascaded(make_world, 4)
    world.time += 91 * DAY
    if table == "archive":
        retention(world).run()
        world.time += 700 * DAY
    commit = world.app.store.commit

    def slow(where: str, *args: Any) -> list[str]:
        if where == table:
            world.time += SECONDS
        return commit(where, *args)

    monkeypatch.setattr(world.app.store, "commit", slow)
    cleared = retention(world).run()
    assert (cleared.cascades, cleared.archived) == ((1, 0) if table == "cascades" else (0, 1))
    assert cleared.more
    assert cleared.pushes == 0


def test_a_large_cascade_is_archived_in_parts_and_deleted_in_batches(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 1)
    records, (state, *_) = world.app.engine.records, world.states().values()
    many = [replace(state, cascade="large", image=f"team/{number:04d}") for number in range(1234)]
    began = world.time
    header = Header(
        id="large", base=BASE, digest="d", source="s", started_at=began, ended_at=began, total=1234, open=0
    )
    records.create(replace(header, phase=Phase.ENDED), many)
    world.time += 91 * DAY
    assert retention(world).run().cascades == 1
    assert rows(world, "cascades", "large") == []
    assert len(rows(world, "archive", "large")) == 14
    assert [each.image for each in world.app.archive.rebuilds("large")] == [each.image for each in many]


def test_the_archive_forgets_in_the_end(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    older = world.cascades[1]
    world.time += 91 * DAY
    retention(world).run()
    world.time += 640 * DAY
    assert retention(world, archived=0).run().archived == 0
    assert retention(world).run().archived == 1
    assert rows(world, "archive", older) == []
    assert list(world.app.archive.recent(now=world.time)) == []
    with pytest.raises(NotFoundError, match=f"no cascade {older}; "):
        world.app.engine.records.header(older)


def test_only_old_lines_of_the_push_log_go(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    log: list[Any] = []
    for number in range(250):
        at = world.time - number * DAY
        log.append(Put(row=f"{inverted(at)}-{number}", value={"at": at, "id": number}, etag=ANY))
    for start in range(0, 250, 50):
        world.app.store.commit("pushes", "pushes", log[start : start + 50])
    assert retention(world).run().pushes == 160
    assert [entry["id"] for entry in world.app.intake.log(1000)] == list(range(90))
    assert retention(world).run().pushes == 0


def test_the_longest_texts_are_cut_and_the_rest_stays_as_it_was() -> None:
    state = Rebuild(
        cascade="c",
        image="app",
        status=Status.REJECTED,
        waits={},
        reason="r" * 5000,
        spec={"name": "app"},
        proof={"run": "r0"},
        verdict={"passed": False, "reasons": [f"CVE-{number}" for number in range(51)]},
        history=tuple(Moment(status=Status.READY, at=float(at), reason="m" * 5000) for at in range(60)),
    )
    kept = summary(state)
    assert (len(kept.reason), kept.proof, kept.spec) == (1000, {"run": "r0"}, {})
    assert kept.verdict == {"passed": False, "reasons": [f"CVE-{number}" for number in range(5)]}
    assert [moment.at for moment in kept.history] == [0.0, *map(float, range(50, 60))]
    assert len(json.dumps(rebuild_to_json(kept))) * 100 < 2_000_000  # of which 780 kB compressed are taken
    assert summary(kept) == kept


# Whatever happens.

STEPS = st.lists(
    st.sampled_from(
        ["base", "tools", "break", "mend", "replay", "cancel", "a little", "a month", "a year", "round"]
    ),
    min_size=4,
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_happens_cascades_are_whole_and_what_explains_the_images_is_there(
    make_world: MakeWorld, steps: list[str]
) -> None:
    world = make_world(
        registration("top", BASE), registration("app", ref("top")), registration("job", BASE, build=[TOOLS])
    )
    world.registry.put(TOOLS, image_of(["sha256:tools"]))
    whole: dict[str, int] = {}
    trail: list[Any] = list(entries(world.app.store, limit=10_000))
    for number, step in enumerate(steps):
        do(world, step, number)
        whole |= {cascade: len(world.states(cascade)) for cascade in world.cascades}
        grown = list(entries(world.app.store, limit=10_000))
        assert grown[len(grown) - len(trail) :] == trail
        trail = grown
        for cascade, images in whole.items():
            live, kept = world.states(cascade), list(world.app.archive.rebuilds(cascade))
            assert (len(live), len(kept)) in ((images, 0), (0, images), (0, 0)), f"{cascade} is in two halves"
            assert world.app.engine.records.has(cascade) == bool(live)
        assert {base.cascade for base in world.app.bases.all().values() if base.cascade} <= set(world.cascades)
        assert set(world.app.engine.records.open()) <= set(world.cascades)


def do(world: World, step: str, number: int) -> None:
    match step:
        case "base" | "tools":
            world.push_base(f"sha256:{number}", BASE if step == "base" else TOOLS)
        case "break":
            world.broken.add("top")
        case "mend":
            world.broken.clear()
        case "replay" if world.cascades:
            world.app.operator.replay_failed(world.cascades[-1], who="ann", why="x")
        case "cancel" if world.cascades:
            world.app.operator.cancel_all(world.cascade, who="ann", why="x")
        case "round":
            world.app.sweep.run()
            world.app.retention.run()
        case "a little":
            world.drive(until=7)
        case "a month" | "a year":
            world.drive()
            world.app.sweep.run()
            world.time += (31 if step == "a month" else 365) * DAY
        case _:
            return


# What people are told of one that is gone.


@pytest.fixture
def archived(make_world: MakeWorld) -> tuple[World, str]:
    world = cascaded(make_world, 2)
    older = world.cascades[1]
    world.time += 91 * DAY
    retention(world).run()
    return world, older


def test_nobody_replays_or_cancels_what_is_in_the_archive(archived: tuple[World, str]) -> None:
    world, cascade = archived
    operator = world.app.operator
    trail = len(list(entries(world.app.store, limit=1000)))
    for act in (
        lambda: operator.replay(cascade, "top", who="ann", why="x"),
        lambda: operator.replay_failed(cascade, who="ann", why="x"),
        lambda: operator.cancel(cascade, "top", who="ann", why="x"),
        lambda: operator.cancel_all(cascade, who="ann", why="x"),
    ):
        with pytest.raises(NotFoundError, match=f"cascade {cascade} is in the archive"):
            act()
    assert len(list(entries(world.app.store, limit=1000))) == trail
    assert cascade not in world.app.engine.records.open()


def test_a_listed_cascade_whose_removal_was_interrupted_is_not_shown(make_world: MakeWorld) -> None:
    world = cascaded(make_world, 2)
    newer, older = world.cascades
    world.app.store.commit("cascades", older, [Delete(row="cascade", etag=ANY)])
    assert world.cascades == [newer]
