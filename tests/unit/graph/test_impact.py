"""What a push would do, and how long it would take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.impact import Forecast, critical_path, dependants_of, forecast, impact, remaining_paths
from graph.lineage import EdgeKind, Lineage, Node


def diamond() -> Lineage:
    def node(name: str, runtime: str, *build: str) -> Node:
        return Node(name=name, publishes=(f"r.io/{name}:1",), runtime=runtime, build=build)

    return Lineage(
        [
            node("a", "r.io/base:1"),
            node("b", "r.io/a:1"),
            node("c", "docker.io/library/alpine:3", "r.io/a:1"),
            node("d", "r.io/b:1", "r.io/c:1", "r.io/base:1"),
        ]
    )


SECONDS = {"a": 1.0, "b": 5.0, "c": 2.0, "d": 3.0}


def test_an_image_stands_on_what_moves_at_run_time_or_for_its_build_alone() -> None:
    kinds = {affected.image: affected.kind for affected in impact(diamond(), "r.io/base:1").images}
    assert kinds == dict.fromkeys("abd", EdgeKind.RUNTIME) | {"c": EdgeKind.BUILD}


def test_remaining_paths_and_the_critical_one() -> None:
    dependants = dependants_of(impact(diamond(), "r.io/base:1").images)
    paths = remaining_paths(dependants, SECONDS)
    assert paths == {"a": 9.0, "b": 8.0, "c": 5.0, "d": 3.0}
    assert critical_path(dependants, paths) == ("a", "b", "d")
    assert critical_path({}, {}) == ()


@pytest.mark.parametrize(("slots", "seconds", "order"), [(1, 11.0, "abcd"), (2, 9.0, "abcd"), (9, 9.0, "abcd")])
def test_the_forecast_plays_the_scheduler(slots: int, seconds: float, order: str) -> None:
    images = impact(diamond(), "r.io/base:1").images
    paths = remaining_paths(dependants_of(images), SECONDS)
    assert forecast(images, paths, SECONDS, slots) == Forecast(order=tuple(order), seconds=seconds)


def test_nothing_takes_no_time() -> None:
    assert forecast((), {}, {}, 3) == Forecast(order=(), seconds=0.0)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30),
    st.lists(st.floats(0.5, 50), min_size=10, max_size=10),
    st.integers(1, 4),
)
def test_no_forecast_beats_the_bound_or_is_twice_as_long(
    pairs: list[tuple[int, int]], times: list[float], slots: int
) -> None:
    """Graham's bound for list scheduling: at most work / slots + the critical path."""
    bases: dict[int, set[int]] = {number: set() for number in range(10)}
    for one, other in pairs:
        if one != other:
            bases[max(one, other)].add(min(one, other))
    lineage = Lineage(
        Node(
            name=f"i{n}",
            publishes=(f"r.io/i{n}:1",),
            runtime="r.io/base:1",
            build=tuple(f"r.io/i{b}:1" for b in sorted(bases[n])),
        )
        for n in bases
    )
    images = impact(lineage, "r.io/base:1").images
    seconds = {f"i{n}": times[n] for n in bases}
    dependants = dependants_of(images)
    paths = remaining_paths(dependants, seconds)
    found = forecast(images, paths, seconds, slots)
    longest, work = max(paths.values()), sum(times)
    assert max(longest, work / slots) - 1e-6 <= found.seconds <= longest + work / slots + 1e-6
    for n, below in bases.items():
        assert all(found.order.index(f"i{b}") < found.order.index(f"i{n}") for b in below)
    assert sum(seconds[image] for image in critical_path(dependants, paths)) == pytest.approx(longest)
