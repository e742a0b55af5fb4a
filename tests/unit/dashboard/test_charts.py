"""Where columns and lines stand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.dashboard.charts import BOTTOM, TOP, Chart, Told, counts, shares, times


def told(*values: float, start: int = 1) -> list[Told]:
    """A month after another, from `start` of 2026, each with one part."""
    return [
        Told(
            month=f"{2026 + (start - 1 + ago) // 12}-{(start - 1 + ago) % 12 + 1:02d}",
            parts=(("ok", value),),
            told="",
        )
        for ago, value in enumerate(values)
    ]


def scale(chart: Chart) -> list[str]:
    return [tick.text for tick in chart.ticks]


@pytest.mark.parametrize(
    ("seconds", "lines"),
    [
        (0.0, ["0", "1 s"]),
        (3.2, ["0", "1 s", "2 s", "3 s", "4 s"]),
        (61.0, ["0", "30 s", "1 min", "1 min 30 s"]),
        (20 * 60.0, ["0", "5 min", "10 min", "15 min", "20 min"]),
        (2 * 3600.0, ["0", "30 min", "1 h", "1 h 30 min", "2 h"]),
        (30 * 3600.0, ["0", "12 h", "1 d", "1 d 12 h"]),
        (9 * 86_400.0, ["0", "5 d", "10 d"]),
        (300 * 86_400.0, ["0", "100 d", "200 d", "300 d"]),
    ],
)
def test_lines_of_time(seconds: float, lines: list[str]) -> None:
    assert scale(times(told(seconds))) == lines


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (0.0, ["0", "1"]),
        (0.25, ["0", "0.1", "0.2", "0.3"]),
        (3.0, ["0", "1", "2", "3"]),
        (17.0, ["0", "5", "10", "15", "20"]),
        (1234.0, ["0", "500", "1,000", "1,500"]),
    ],
)
def test_lines_of_counts(count: float, lines: list[str]) -> None:
    assert scale(counts(told(count))) == lines


@given(st.floats(0.01, 1e8))
def test_a_scale_reaches_what_is_drawn_and_has_few_lines(most: float) -> None:
    for chart in (times(told(most)), counts(told(most))):
        ((bar,),) = (column.bars for column in chart.columns)
        assert bar.y1 == BOTTOM == chart.ticks[0].y
        assert TOP <= bar.y2 < BOTTOM
        assert chart.ticks[-1].y == TOP
        assert 2 <= len(chart.ticks) <= 6
        assert all(before.y > after.y for before, after in pairwise(chart.ticks))


def test_shares_stand_on_each_other_and_times_in_each_other() -> None:
    month = Told(month="2026-11", parts=(("most", 0.75), ("half", 0.25)), told="")
    (on,), (inside,) = shares([month]).columns, times([month]).columns
    middle = BOTTOM - (BOTTOM - TOP) * 0.75
    assert [(bar.kind, bar.y1, bar.y2) for bar in on.bars] == [("most", BOTTOM, middle), ("half", middle - 1, TOP)]
    assert [bar.y1 for bar in inside.bars] == [BOTTOM, BOTTOM]


def test_what_is_nothing_is_not_drawn_and_what_is_little_is_seen() -> None:
    first, second = shares(
        [
            Told(month="2026-11", parts=(("ok", 0.0), ("bad", 1.0)), told=""),
            Told(month="2026-12", parts=(("ok", 0.9999), ("bad", 0.0001)), told=""),
        ]
    ).columns
    assert [(bar.kind, bar.y1, bar.y2) for bar in first.bars] == [("bad", BOTTOM, TOP)]
    assert all(bar.y1 - bar.y2 >= 1 for bar in second.bars)
    assert len(second.bars) == 2
    assert times(told(0.0, 0.0)).empty
    assert not times(told(0.0, 1.0)).empty


NAMES = [
    (3, 11, ["Nov", "Dec", "Jan"], ["", "", "2027"]),
    (3, 6, ["Jun", "Jul", "Aug"], ["2026", "", ""]),
    (5, 9, ["Sep", "Oct", "Nov", "Dec", "Jan"], ["2026", "", "", "", "2027"]),
]


@pytest.mark.parametrize(("count", "start", "names", "years"), NAMES)
def test_months_are_named_and_a_year_where_it_begins(
    count: int, start: int, names: list[str], years: list[str]
) -> None:
    columns = times(told(*[1.0] * count, start=start)).columns
    assert [column.name for column in columns] == names
    assert [column.year for column in columns] == years


@pytest.mark.parametrize(("count", "size", "named"), [(1, 12, 1), (12, 12, 12), (24, 36, 8), (60, 60, 10)])
def test_of_many_months_some_are_named(count: int, size: int, named: int) -> None:
    chart = times(told(*[1.0] * count))
    assert chart.size == size
    assert sum(bool(column.name) for column in chart.columns) == named
    assert sum(bool(column.name) and not column.minor for column in chart.columns) in ((named + 1) // 2, named)
    assert chart.columns[0].left == 0
    assert chart.columns[-1].left + chart.width == pytest.approx(100, abs=0.02)


def test_no_month_is_no_column() -> None:
    assert times([]).columns == ()
    assert times([]).empty
