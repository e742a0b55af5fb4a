"""The laws of a pool: the limit, one slot an image, the longest path first, fair shares, urgency, no starving."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade import schedule
from groundswell.cascade.schedule import PATIENCE, Entry, Pool, admit, grant, holds, key, release, row


def entry(
    image: str,
    *,
    priority: float = 1.0,
    turn: int = 1,
    cascade: str = "c",
    since: float = 0.0,
    urgent: bool = False,
) -> Entry:
    return Entry(cascade=cascade, image=image, turn=turn, priority=priority, since=since, urgent=urgent)


@dataclass(kw_only=True)
class Desk:
    """A pool with its lines in memory; every change fills the free slots."""

    slots: int
    now: float = 0.0
    pool: Pool = field(default_factory=Pool)
    rows: dict[str, Entry] = field(default_factory=dict)

    def admit(self, *entries: Entry) -> list[str]:
        for each in entries:
            if not holds(self.pool, each):
                self.pool = admit(self.pool, each)
                self.rows[row(each.cascade, each.image, each.priority)] = each
        return self.fill()

    def release(self, image: str, *, cascade: str = "c", turn: int = 1) -> list[str]:
        self.pool = release(self.pool, cascade, image, up_to=turn)
        return self.fill()

    def fill(self) -> list[str]:
        self.pool, granted = grant(self.pool, self.slots, self.front, now=self.now)
        for each in granted:
            del self.rows[row(each.cascade, each.image, each.priority)]
        return [each.image for each in granted]

    def front(self, cascade: str) -> Iterator[Entry]:
        return iter([self.rows[name] for name in sorted(self.rows) if name.startswith(cascade + "/")])

    def check(self) -> None:
        running = self.pool.running
        images = [each.image for each in running.values()]
        assert len(running) <= self.slots
        assert len(set(images)) == len(images)
        assert {each.cascade for each in self.rows.values()} <= set(self.pool.lines)
        if len(running) < self.slots:
            assert {each.image for each in self.rows.values()} <= set(images)

    def shares(self) -> Counter[str]:
        return Counter(each.cascade for each in self.pool.running.values())


def test_the_longest_path_goes_first_and_the_limit_holds() -> None:
    desk = Desk(slots=2)
    lengths = {"short": 1.0, "long": 9.0, "middle": 5.0}
    assert desk.admit(*(entry(name, priority=priority) for name, priority in lengths.items())) == ["long", "middle"]
    assert desk.fill() == []
    assert desk.release("long") == ["short"]


def test_of_two_equals_the_first_by_name_goes_first() -> None:
    desk = Desk(slots=1)
    assert desk.admit(entry("z"), entry("b")) == ["b"]


@given(st.dictionaries(st.text("abc", min_size=1), st.floats(0, 1e6), min_size=1), st.integers(1, 4))
def test_with_one_cascade_nothing_but_the_path_counts(paths: dict[str, float], slots: int) -> None:
    desk = Desk(slots=slots)
    order = desk.admit(*(entry(image, priority=seconds) for image, seconds in paths.items()))
    for image in order:
        desk.now += PATIENCE
        order += desk.release(image)
    assert order == sorted(paths, key=lambda image: (-round(paths[image] * 1000), image))


def test_one_image_never_has_two_slots() -> None:
    desk = Desk(slots=4)
    assert desk.admit(entry("a", cascade="c1"), entry("a", cascade="c2")) == ["a"]
    assert desk.fill() == []
    assert desk.release("a", cascade="c1") == ["a"]
    assert set(desk.pool.running) == {"c2/a"}


def test_an_image_that_is_being_built_elsewhere_holds_nobody_up() -> None:
    desk = Desk(slots=2)
    desk.admit(entry("a", cascade="c1"))
    assert desk.admit(entry("a", cascade="c2", priority=9), entry("b", cascade="c2")) == ["b"]


def test_a_doubled_request_changes_nothing_and_a_newer_one_takes_its_place() -> None:
    pool, _ = grant(admit(Pool(), entry("a", turn=3)), 1, lambda _: [entry("a", turn=3)], now=0.0)
    assert admit(pool, entry("a", turn=3)) is pool
    assert admit(pool, entry("a", turn=2)) is pool
    newer = admit(pool, entry("a", turn=4))
    assert newer.running == {}
    assert set(newer.lines) == {"c"}


def test_a_late_release_does_not_take_a_newer_slot() -> None:
    pool = Pool(running={"c/a": entry("a", turn=4)})
    assert release(pool, "c", "a", up_to=3) is pool
    assert release(pool, "c", "nobody", up_to=3) is pool
    assert release(pool, "c", "a", up_to=4) == Pool()


def test_a_line_with_nobody_left_is_forgotten() -> None:
    desk = Desk(slots=2)
    desk.admit(entry("a"))
    assert desk.pool.lines == {}


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_rows_sort_as_paths_do(one: float, other: float) -> None:
    longer = round(one * 1000) > round(other * 1000)
    assert (row("c", "a", one) < row("c", "a", other)) == longer


# Shares between cascades.


def test_a_huge_cascade_does_not_starve_a_small_one() -> None:
    desk = Desk(slots=4)
    desk.admit(*(entry(f"h{number:03}", cascade="huge", priority=1000.0) for number in range(500)))
    desk.now = 1.0
    desk.admit(*(entry(f"s{number}", cascade="small", priority=1.0, since=1.0) for number in range(3)))
    assert desk.release("h000", cascade="huge") == ["s0"]
    assert desk.release("h001", cascade="huge") == ["s1"]
    assert desk.release("s0", cascade="small") == ["s2"]
    assert desk.shares() == {"huge": 2, "small": 2}


@given(st.integers(1, 8), st.integers(2, 4), st.randoms(use_true_random=False))
def test_cascades_with_enough_to_do_have_equal_shares(slots: int, cascades: int, rng: random.Random) -> None:
    desk = Desk(slots=slots)
    names = [f"c{number}" for number in range(cascades)]
    for name in names:
        desk.admit(*(entry(f"{name}-{number}", cascade=name, priority=rng.random()) for number in range(40)))
    for _ in range(3 * slots):
        each = rng.choice(list(desk.pool.running.values()))
        desk.release(each.image, cascade=each.cascade)
    for name in list(desk.pool.running)[:]:
        each = desk.pool.running[name]
        desk.release(each.image, cascade=each.cascade)
    counts = [desk.shares()[name] for name in names]
    assert max(counts) - min(counts) <= 1


def test_an_urgent_cascade_overtakes() -> None:
    desk = Desk(slots=2)
    desk.admit(*(entry(f"n{number}", priority=100.0) for number in range(9)))
    desk.admit(*(entry(f"u{number}", cascade="u", priority=1.0, urgent=True) for number in range(3)))
    assert desk.release("n0") == ["u0"]
    assert desk.release("n1") == ["u1"]
    assert desk.release("u0", cascade="u") == ["u2"]
    assert desk.release("u1", cascade="u") == ["n2"]


def test_a_cascade_becomes_urgent_with_its_next_request() -> None:
    desk = Desk(slots=1)
    desk.admit(entry("a", cascade="first"), entry("b", cascade="second"), entry("c", cascade="third"))
    desk.admit(entry("d", cascade="third", urgent=True))
    assert desk.release("a", cascade="first") == ["c"]


def _longest_wait(*, urgent: int, normal: int, slots: int, step: float) -> float:
    """Normal cascades beside urgent ones that always want more: the longest that one went without a slot."""
    desk = Desk(slots=slots)
    for number in range(urgent):
        desk.admit(*(entry(f"u{number}-{k}", cascade=f"u{number}", urgent=True) for k in range(2 * slots + 2)))
    for number in range(normal):
        desk.admit(*(entry(f"n{number}-{k}", cascade=f"n{number}") for k in range(200)))
    served = {f"n{number}": 0.0 for number in range(normal)}
    longest, rounds = 0.0, round(3 * PATIENCE / step) + 3 * normal
    for _ in range(rounds):
        desk.now += step
        done = next(iter(desk.pool.running.values()))
        desk.release(done.image, cascade=done.cascade)
        if done.cascade.startswith("u"):
            desk.admit(entry(done.image, cascade=done.cascade, since=desk.now, turn=done.turn + 1, urgent=True))
        newest = list(desk.pool.running.values())[-1]
        if newest.cascade in served:
            served[newest.cascade] = desk.now
        desk.check()
        longest = max(longest, *(desk.now - at for at in served.values()))
    return longest


_SHAPES = pytest.mark.parametrize(("urgent", "normal", "slots"), [(1, 1, 1), (1, 3, 2), (3, 4, 4)])


@_SHAPES
def test_nothing_starves(urgent: int, normal: int, slots: int) -> None:
    """A cascade waits PATIENCE, and then for one release each of those that waited as long."""
    step = 30.0
    longest = _longest_wait(urgent=urgent, normal=normal, slots=slots, step=step)
    assert longest <= PATIENCE + (normal + urgent) * step


@_SHAPES
def test_without_patience_it_would_starve(
    urgent: int, normal: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "PATIENCE", float("inf"))
    assert _longest_wait(urgent=urgent, normal=normal, slots=slots, step=30.0) >= 3 * PATIENCE


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", "c3"]),
        st.sampled_from("abcdef"),
        st.integers(1, 5),
        st.integers(0, 100),
        st.booleans(),
        st.sampled_from([0.0, 1.0, PATIENCE, -5.0]),
    ),
    max_size=60,
)


@given(_STEPS, st.integers(1, 4))
def test_whatever_happens(steps: list[tuple[str, str, int, int, bool, float]], slots: int) -> None:
    """The limit holds, no image has two slots, no slot stays free for nothing, and all are granted in the end."""
    desk = Desk(slots=slots)
    for cascade, image, turn, priority, leave, passed in steps:
        desk.now += passed
        if leave:
            desk.release(image, cascade=cascade, turn=turn)
        else:
            urgent = cascade == "c3"
            desk.admit(entry(image, cascade=cascade, turn=turn, priority=priority, since=desk.now, urgent=urgent))
        desk.check()
    for _ in range(len(steps)):
        for each in list(desk.pool.running.values()):
            desk.release(each.image, cascade=each.cascade, turn=each.turn)
            desk.check()
    assert desk.rows == {}
    assert desk.pool == Pool()


def test_places_are_named_by_cascade_and_image() -> None:
    assert key("c", "team/a") == "c/team/a"
