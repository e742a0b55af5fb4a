"""What a push would do, and how long it would take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.impact import Forecast, beside, critical_path, dependants_of, forecast, impact, remaining_paths
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


@st.composite
def lineages(draw: st.DrawFn) -> tuple[Lineage, list[str]]:
    """Some images on some bases and on each other, and everything that can be pushed."""
    bases = [f"r.io/{name}:{tag}" for name in ("p", "q", "r") for tag in ("1", "2")]
    nodes: list[Node] = []
    for number in range(draw(st.integers(0, 8))):
        below = [*bases, *(f"r.io/i{k}:1" for k in range(number))]
        stands = draw(st.lists(st.sampled_from(below), min_size=1, max_size=3, unique=True))
        pin = draw(st.sampled_from(["", "", "@sha256:" + "0" * 64]))
        nodes.append(
            Node(
                name=f"i{number}",
                publishes=(f"r.io/i{number}:1",),
                runtime=stands[0] + pin,
                build=tuple(stands[1:]),
            )
        )
    return Lineage(nodes), [*bases, *(f"r.io/{node.name}:1" for node in nodes)]


@given(lineages())
def test_what_rebuilds_an_image_in_common_is_beside_each_other(found: tuple[Lineage, list[str]]) -> None:
    lineage, references = found
    images = {name: {affected.image for affected in impact(lineage, name).images} for name in references}
    for one in references:
        assert beside(lineage, one) & set(references) == {
            other for other in references if images[one] & images[other]
        }


@given(lineages(), st.data())
def test_several_pushes_at_once_rebuild_what_each_of_them_does(
    found: tuple[Lineage, list[str]], data: st.DataObject
) -> None:
    lineage, references = found
    pushed = data.draw(st.lists(st.sampled_from(references), min_size=1, max_size=3, unique=True))
    together = impact(lineage, *pushed)
    alone = [impact(lineage, reference) for reference in pushed]
    assert {each.image for each in together.images} == {each.image for one in alone for each in one.images}
    assert set(together.held) == {edge for one in alone for edge in one.held}
    for affected in together.images:
        edges = {
            edge for one in alone for each in one.images if each.image == affected.image for edge in each.edges
        }
        assert edges <= set(affected.edges)
