"""How often one may ask."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.access import buckets
from groundswell.access.buckets import Buckets


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    bucket = Buckets(rate=2, burst=3, clock=clock)
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take("b") == 0
    clock.time += 0.5
    assert [bucket.take("a"), bucket.take("a")] == [0, 0.5]
    clock.time += 100
    assert [bucket.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_small_rate_lets_one_through() -> None:
    assert Buckets(rate=0.1, burst=0.5).take("a") == 0


@given(st.lists(st.floats(0, 10), max_size=200))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    clock = Clock()
    bucket = Buckets(rate=1, burst=5, clock=clock)
    granted = 0
    for pause in pauses:
        clock.time += pause
        wait = bucket.take("a")
        granted += wait == 0
        assert wait <= 1
    assert granted <= 5 + clock.time + 1e-6


def test_they_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "_MOST", 2)
    bucket = Buckets(rate=1e-9, burst=1)
    assert [bucket.take(key) for key in "abc"] == [0, 0, 0]
    assert bucket.take("c") > 0
    assert bucket.take("b") > 0
    assert bucket.take("a") == 0
