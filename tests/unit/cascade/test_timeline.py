"""What each image spent its time on, and the chain of images that determined the end of a cascade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.cascade.decide import HISTORY
from groundswell.cascade.model import Moment, Outcome, Rebuild, Wait
from groundswell.cascade.status import Status
from groundswell.cascade.timeline import Phase, Row, Timeline, timeline

NOW = 1000.0


def state(image: str, *moves: tuple[Status, float], on: tuple[str, ...] = (), priority: float = 0.0) -> Rebuild:
    return Rebuild(
        cascade="c",
        image=image,
        status=moves[-1][0],
        waits={base: Wait(outcome=Outcome.PENDING) for base in on},
        history=tuple(Moment(status=status, at=at) for status, at in moves),
        priority=priority,
    )


def done(image: str, begun: float, ended: float, *, on: tuple[str, ...] = (), planned: float = 0.0) -> Rebuild:
    moves = [(Status.READY, begun), (Status.BUILDING, begun + 1), (Status.DONE, ended)]
    return state(image, *([(Status.WAITING, planned)] if on else []), *moves, on=on)


def told(states: list[Rebuild]) -> Timeline:
    return timeline(states, start=0.0, now=NOW, kept=HISTORY)


def row(*moves: tuple[Status, float], kept: int = HISTORY) -> Row:
    (found,) = timeline([state("a", *moves)], start=0.0, now=NOW, kept=kept).rows
    return found


def names(found: Timeline) -> list[tuple[str, float, float]]:
    return [(link.image, link.start, link.end) for link in found.path]


def test_a_row_is_what_its_moments_say() -> None:
    moves = [
        (Status.WAITING, 0.0),
        (Status.READY, 10.0),
        (Status.BUILDING, 12.0),
        (Status.FAILED, 20.0),
        (Status.VERIFYING, 50.0),
        (Status.SCANNING, 51.0),
        (Status.HELD, 52.0),
        (Status.PROMOTING, 60.0),
        (Status.DEPLOYING, 61.0),
        (Status.DONE, 65.0),
    ]
    found = row(*moves)
    assert [(span.phase.value, span.seconds) for span in found.spans] == [
        ("waiting", 10.0),
        ("queued", 2.0),
        ("building", 8.0),
        ("stopped", 30.0),
        ("verifying", 1.0),
        ("scanning", 1.0),
        ("held", 8.0),
        ("promoting", 1.0),
        ("deploying", 4.0),
    ]
    assert (found.end, found.worked) == (65.0, 15.0)


def test_what_goes_on_lasts_until_now_and_what_was_left_out_is_not_known() -> None:
    moves = [(Status.WAITING, 0.0), (Status.BUILDING, 5.0), (Status.READY, 9.0)]
    assert row(*moves).spans[-1].end == NOW
    assert row(*moves, kept=3).spans[0].phase is Phase.UNKNOWN


def test_clocks_that_differ_make_no_span_go_backwards() -> None:
    moves = [(Status.READY, 5.0), (Status.BUILDING, 4.0), (Status.DONE, 7.0)]
    (span,) = row(*moves).spans
    assert (span.phase, span.start, span.end) == (Phase.BUILDING, 5.0, 7.0)


def test_the_path_leads_through_the_base_that_came_last() -> None:
    found = told(
        [
            done("root", 0.0, 10.0),
            done("slow", 10.0, 60.0, on=("root",)),
            done("fast", 10.0, 20.0, on=("root",)),
            done("top", 60.0, 80.0, on=("fast", "slow", "mirror/debian:12")),
            done("side", 20.0, 30.0, on=("fast",)),
        ]
    )
    assert names(found) == [("root", 0.0, 10.0), ("slow", 10.0, 60.0), ("top", 60.0, 80.0)]
    assert [span.phase.value for span in found.path[1].spans] == ["queued", "building"]


def test_of_what_is_under_way_it_ends_now_where_the_longest_way_is_left() -> None:
    found = told(
        [
            done("root", 0.0, 10.0),
            state("long", (Status.READY, 10.0), (Status.BUILDING, 12.0), on=("root",), priority=9.0),
            state("short", (Status.READY, 10.0), (Status.BUILDING, 11.0), on=("root",), priority=1.0),
            state("top", (Status.WAITING, 0.0), on=("long",), priority=99.0),
        ]
    )
    assert names(found) == [("root", 0.0, 10.0), ("long", 10.0, NOW)]


@pytest.mark.parametrize(
    ("base", "freed"),
    [
        ([(Status.READY, 0.0), (Status.PROMOTING, 8.0), (Status.HELD, 9.0), (Status.DONE, 30.0)], 9.0),
        ([(Status.READY, 0.0), (Status.HELD, 3.0), (Status.DEPLOYING, 9.0), (Status.DONE, 30.0)], 9.0),
        ([(Status.READY, 0.0), (Status.DEPLOYING, 9.0), (Status.FAILED, 30.0)], 9.0),
        ([(Status.READY, 0.0), (Status.REJECTED, 5.0), (Status.READY, 6.0), (Status.DONE, 9.0)], 9.0),
        ([(Status.READY, 0.0), (Status.DONE, 9.0), (Status.READY, 50.0), (Status.DONE, 60.0)], 9.0),
        ([(Status.READY, 0.0), (Status.DONE, 10.5)], 10.0),  # its clock is ahead
    ],
    ids=["held", "held before", "rollout failed", "replayed", "again later", "clock"],
)
def test_a_base_counts_until_its_dependants_could_go_on(base: list[tuple[Status, float]], freed: float) -> None:
    top = state("top", (Status.WAITING, 0.0), (Status.READY, 10.0), (Status.DONE, 100.0), on=("base",))
    (first, second) = told([state("base", *base), top]).path
    assert (first.image, second.image, second.end) == ("base", "top", 100.0)
    assert first.end == second.start == pytest.approx(freed, abs=0.6)


def test_of_nothing_there_is_no_path() -> None:
    found = told([])
    assert (found.rows, found.path, found.start, found.end) == ((), (), 0.0, 0.0)


@st.composite
def cascades(draw: st.DrawFn) -> list[Rebuild]:
    """Rebuilds that wait for some of those before them, with any history."""
    found: list[Rebuild] = []
    for number in range(draw(st.integers(1, 8))):
        on = draw(st.sets(st.sampled_from([each.image for each in found]), max_size=3)) if found else set()
        moves = draw(st.lists(st.tuples(st.sampled_from(Status), st.floats(0, 900)), min_size=1, max_size=8))
        found.append(state(f"i{number}", *moves, on=tuple(sorted(on)), priority=draw(st.floats(0, 9))))
    return found


@given(cascades(), st.integers(1, 9))
def test_laws(states: list[Rebuild], kept: int) -> None:
    found = timeline(states, start=100.0, now=NOW, kept=kept)
    for each in found.rows:
        assert found.start <= each.start <= each.end <= found.end
        edges = [each.start, *(span.end for span in each.spans)]
        assert [span.start for span in each.spans] == edges[:-1]  # they cover the time, none over another
        assert edges[-1] == each.end
        assert all(span.seconds > 0 for span in each.spans)
    waits = {each.image: each.waits for each in states}
    for one, other in zip(found.path, found.path[1:], strict=False):
        assert one.image in waits[other.image]
        assert one.end == other.start
    assert all(link.start <= link.end for link in found.path)
    assert found.path[-1].end == max(each.end for each in found.rows)
    for link in found.path:
        assert sum(span.seconds for span in link.spans) <= link.end - link.start + 1e-6
