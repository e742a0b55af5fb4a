"""The pool's laws, and the paths that order it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.schedule import Entry, Pool, admit, grant, release


def entry(image: str, *, priority: float = 1.0, turn: int = 1, cascade: str = "c", since: float = 0.0) -> Entry:
    return Entry(cascade=cascade, image=image, turn=turn, priority=priority, since=since)


def test_the_longest_path_goes_first_and_the_limit_holds() -> None:
    pool = Pool()
    for name, priority in (("short", 1.0), ("long", 9.0), ("middle", 5.0)):
        pool = admit(pool, entry(name, priority=priority))
    pool, granted = grant(pool, 2)
    assert [item.image for item in granted] == ["long", "middle"]
    assert grant(pool, 2)[1] == ()
    pool, granted = grant(release(pool, "c", "long", up_to=1), 2)
    assert [item.image for item in granted] == ["short"]


def test_the_earlier_of_two_equals_goes_first() -> None:
    pool = admit(admit(Pool(), entry("b", since=2.0)), entry("z", since=1.0))
    assert grant(pool, 1)[1][0].image == "z"


def test_one_image_never_has_two_slots() -> None:
    pool = admit(admit(Pool(), entry("a", cascade="c1")), entry("a", cascade="c2"))
    pool, granted = grant(pool, 4)
    assert len(granted) == 1


def test_a_doubled_request_changes_nothing_and_a_newer_one_takes_its_place() -> None:
    pool, _ = grant(admit(Pool(), entry("a", turn=3)), 1)
    assert admit(pool, entry("a", turn=3)) is pool
    assert admit(pool, entry("a", turn=2)) is pool
    newer = admit(pool, entry("a", turn=4))
    assert newer.running == {}
    assert newer.waiting["c/a"].turn == 4


def test_a_late_release_does_not_take_a_newer_entry() -> None:
    pool = admit(Pool(), entry("a", turn=4))
    assert release(pool, "c", "a", up_to=3) is pool
    assert release(pool, "c", "nobody", up_to=3) is pool
    assert release(pool, "c", "a", up_to=4) == Pool()


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 5), st.floats(0, 100), st.booleans())),
    st.integers(1, 4),
)
def test_the_limit_holds_whatever_happens(steps: list[tuple[str, int, float, bool]], slots: int) -> None:
    pool = Pool()
    for image, turn, priority, leave in steps:
        if leave:
            pool = release(pool, "c", image, up_to=turn)
        else:
            pool = admit(pool, entry(image, turn=turn, priority=priority))
        pool, granted = grant(pool, slots)
        assert len(pool.running) <= slots
        assert not set(pool.running) & set(pool.waiting)
        assert all(pool.running["c/" + item.image] == item for item in granted)
        if pool.waiting:
            assert len(pool.running) == slots


def test_entries_are_values() -> None:
    assert replace(entry("a"), turn=2) == entry("a", turn=2)
