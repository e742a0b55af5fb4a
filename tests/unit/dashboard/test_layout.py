"""The laws of the picture of a graph: edges lead to the right, boxes keep apart, and it is the same each time."""

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.dashboard.drawing.layers import layered, ordered
from groundswell.dashboard.drawing.layout import GAP_X, Size, lay_out, spread

type Graph = tuple[dict[str, Size], dict[str, list[str]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Of up to 25 boxes; each may stand on any before it, twice the same among them."""
    count = draw(st.integers(0, 25))
    names = [f"image-{number}" for number in range(count)]
    side = st.integers(10, 300)
    sizes = {name: Size(width=draw(side), height=draw(side)) for name in names}
    parents = {
        name: draw(st.lists(st.sampled_from(names[:number]), max_size=3)) if number else []
        for number, name in enumerate(names)
    }
    return {name: sizes[name] for name in draw(st.permutations(names))}, parents


@given(graphs())
def test_every_edge_leads_to_a_higher_layer_and_to_the_right(graph: Graph) -> None:
    sizes, parents = graph
    layout = lay_out(sizes, parents)
    assert {(way.start, way.end) for way in layout.ways} == {(p, n) for n in sizes for p in parents[n]}
    for way in layout.ways:
        start, end = layout.boxes[way.start], layout.boxes[way.end]
        assert start.layer < end.layer
        assert way.points[0] == (start.x + start.width, start.middle)
        assert way.points[-1] == (end.x, end.middle)
        assert [x for x, _ in way.points] == sorted(x for x, _ in way.points)
        assert len(way.points) % 2 == 1 or end.layer - start.layer >= 1
        for number, (one, two) in enumerate(pairwise(way.points)):
            assert number % 2 or one[1] == two[1]  # straight within a layer
            assert not number % 2 or two[0] - one[0] == GAP_X  # and a curve between two


@given(graphs())
def test_a_box_is_one_layer_after_its_highest_parent(graph: Graph) -> None:
    sizes, parents = graph
    boxes = lay_out(sizes, parents).boxes
    for name, box in boxes.items():
        assert box.layer == max((boxes[parent].layer for parent in parents[name]), default=-1) + 1


@given(graphs())
def test_no_two_boxes_overlap_and_all_are_inside(graph: Graph) -> None:
    sizes, parents = graph
    layout = lay_out(sizes, parents)
    assert layout.boxes.keys() == sizes.keys()
    for name, box in layout.boxes.items():
        assert (box.width, box.height) == (sizes[name].width, sizes[name].height)
        assert 0 <= box.x <= layout.width - box.width
        assert 0 <= box.y <= layout.height - box.height
    for one, two in combinations(layout.boxes.values(), 2):
        beside = one.x + one.width < two.x or two.x + two.width < one.x
        assert beside or one.y + one.height < two.y or two.y + two.height < one.y


@given(graphs())
def test_no_edge_passes_behind_a_box(graph: Graph) -> None:
    layout = lay_out(*graph)
    for way in layout.ways:
        for (left, y), (right, _) in list(pairwise(way.points))[::2]:
            for box in layout.boxes.values():
                assert not (left < box.x + box.width and box.x < right and box.y < y < box.y + box.height)


@given(graphs())
def test_the_same_graph_is_laid_out_the_same(graph: Graph) -> None:
    sizes, parents = graph
    shuffled = {name: list(reversed(parents[name])) for name in reversed(parents)}
    again = {name: list(reversed(others)) for name, others in shuffled.items()}
    assert lay_out(sizes, parents) == lay_out(dict(sizes), again)


@given(st.lists(st.floats(-1e4, 1e4), max_size=12).flatmap(lambda wanted: st.tuples(
    st.just(wanted), st.lists(st.floats(0, 100), min_size=max(0, len(wanted) - 1), max_size=max(0, len(wanted) - 1))
)))  # fmt: skip
def test_places_keep_their_distance_and_nothing_moves_without_need(given_: tuple[list[float], list[float]]) -> None:
    wanted, needed = given_
    places = spread(wanted, needed)
    assert len(places) == len(wanted)
    for (one, two), distance in zip(pairwise(places), needed, strict=True):
        assert two - one >= distance - 1e-6
    assert sum(places) == pytest.approx(sum(wanted), abs=1e-5)  # each block stands at the mean of what it wants
    if all(two - one > distance for (one, two), distance in zip(pairwise(wanted), needed, strict=True)):
        assert places == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("wanted", "needed", "places"),
    [
        ([], [], []),
        ([5.0], [], [5.0]),
        ([0.0, 0.0], [10.0], [-5.0, 5.0]),
        ([0.0, 100.0, 100.0], [10.0, 10.0], [0.0, 95.0, 105.0]),
        ([3.0, 2.0, 1.0], [1.0, 1.0], [1.0, 2.0, 3.0]),
    ],
)
def test_places(wanted: list[float], needed: list[float], places: list[float]) -> None:
    assert spread(wanted, needed) == pytest.approx(places)


def test_crossings_that_can_be_avoided_are() -> None:
    parents = {"x": ["c"], "y": ["b"], "z": ["a"]}
    assert ordered([["a", "b", "c"], ["x", "y", "z"]], parents)[1] == ("z", "y", "x")


def test_a_circle_in_the_records_is_drawn_all_the_same() -> None:
    assert layered(["a", "b", "c"], {"a": ["c"], "b": ["a"], "c": ["b"]}) == {"a": 0, "b": 1, "c": 2}


def test_many_long_edges_lead_straight_to_their_boxes() -> None:
    """Of a chain of 400 in which all stand on the first too; room in every layer passed would be too much."""
    names = [f"image-{number:03d}" for number in range(400)]
    parents = {name: [names[0], names[number - 1]] for number, name in enumerate(names) if number}
    layout = lay_out({name: Size(width=100, height=40) for name in names}, parents)
    assert max(len(way.points) for way in layout.ways) == 3
    assert max(box.layer for box in layout.boxes.values()) == 399
