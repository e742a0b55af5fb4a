"""The laws of folding: nothing is lost or shown twice, no circles, and what failed is never hidden among others."""

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.dashboard.drawing.folding import LIMIT, PART, Folded, fold

type Graph = dict[str, list[str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Of up to 30 images of three teams; each may stand on any before it."""
    count = draw(st.integers(0, 30))
    names = [f"{draw(st.sampled_from('abc'))}/{number:02d}" for number in range(count)]
    return {
        name: draw(st.lists(st.sampled_from(names[:number]), max_size=3)) if number else []
        for number, name in enumerate(names)
    }


def some(graph: Graph) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(graph)), unique=True) if graph else st.just([])


def item_of(folded: Folded) -> dict[str, str]:
    return {image: key for key, images in folded.items.items() for image in images}


def ancestors(graph: Graph, names: list[str]) -> set[str]:
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += graph[name]
    return found


@given(st.data(), graphs(), st.integers(1, 12))
def test_each_image_is_in_one_box_and_each_edge_between_theirs(
    data: st.DataObject, graph: Graph, limit: int
) -> None:
    bad, opened = data.draw(some(graph)), data.draw(some(graph))
    folded = fold(graph, bad=bad, opened=opened, limit=limit)
    assert sorted(image for images in folded.items.values() for image in images) == sorted(graph)
    of = item_of(folded)
    edges = {(of[parent], of[name]) for name in graph for parent in graph[name]}
    assert edges == {(parent, key) for key, parents in folded.parents.items() for parent in parents}
    assert all(key == images[0] for key, images in folded.items.items())


@given(st.data(), graphs(), st.integers(1, 12))
def test_what_is_folded_has_no_circles(data: st.DataObject, graph: Graph, limit: int) -> None:
    folded = fold(graph, bad=data.draw(some(graph)), opened=data.draw(some(graph)), limit=limit)
    tuple(TopologicalSorter(folded.parents).static_order())  # raises CycleError


@given(st.data(), graphs(), st.integers(1, 12))
def test_what_failed_is_never_hidden(data: st.DataObject, graph: Graph, limit: int) -> None:
    bad = data.draw(some(graph))
    folded = fold(graph, bad=bad, limit=limit)
    for images in folded.items.values():
        assert len({image in bad for image in images}) == 1
    if len(ancestors(graph, bad)) <= limit // 2:
        assert all(folded.items[name] == (name,) for name in ancestors(graph, bad))
    elif len(bad) <= limit // 2:
        assert all(folded.items[name] == (name,) for name in bad)


@given(graphs())
def test_few_are_not_folded(graph: Graph) -> None:
    folded = fold(graph)
    assert len(folded.items) == len(graph)
    assert {name: set(parents) for name, parents in folded.parents.items()} == {n: set(graph[n]) for n in graph}


@given(st.data(), graphs(), st.integers(1, 12))
def test_no_more_boxes_than_fit_but_one_a_layer(data: st.DataObject, graph: Graph, limit: int) -> None:
    bad = data.draw(some(graph))
    folded = fold(graph, bad=bad, limit=limit)
    assert len(folded.items) <= max(limit, limit // 2 + 2 * folded.layers)


@given(st.data(), graphs(), st.integers(1, 12))
def test_the_order_of_the_records_does_not_matter(data: st.DataObject, graph: Graph, limit: int) -> None:
    bad = data.draw(some(graph))
    shuffled = {name: graph[name][::-1] for name in data.draw(st.permutations(sorted(graph)))}
    assert fold(graph, bad=bad, limit=limit) == fold(shuffled, bad=bad[::-1], limit=limit)


@given(graphs(), st.integers(1, 6))
def test_opening_every_box_shows_every_image(graph: Graph, limit: int) -> None:
    folded = fold(graph, opened=list(fold(graph, limit=limit).items), limit=limit)
    assert len(folded.items) == len(graph)


def test_a_large_box_opens_in_parts_and_each_of_them_further() -> None:
    graph: Graph = {"a/base": [], **{f"b/{number:04d}": ["a/base"] for number in range(2 * PART + 5)}}
    assert sorted(map(len, fold(graph).items.values())) == [1, 2 * PART + 5]
    once = fold(graph, opened=["b/0000"])
    assert sorted(map(len, once.items.values())) == [1, 5, PART, PART]
    second = once.items[f"b/{PART:04d}"]
    twice = fold(graph, opened=["b/0000", second[0]])
    assert len(twice.items) == 3 + PART
    assert twice.parents[second[7]] == ("a/base",)
    again = fold(graph, opened=["b/0000", "b/0000"])  # the first part has the name of the whole
    assert again.items["b/0001"] == ("b/0001",)


def test_above_is_kept_what_folds_beneath() -> None:
    """12 frameworks of 20 services each: frameworks stay, services fold by what they stand on."""
    graph: Graph = {"base": []}
    for number in range(12):
        graph[f"f/{number}"] = ["base"]
        graph |= {f"s/{number}-{service}": [f"f/{number}"] for service in range(20)}
    folded = fold(graph, bad=["s/3-7"])
    assert len(folded.items) == 1 + 12 + 12 + 1
    assert all(folded.items[f"f/{number}"] == (f"f/{number}",) for number in range(12))
    assert folded.items["s/3-7"] == ("s/3-7",)
    assert folded.parents["s/3-0"] == ("f/3",)


@pytest.mark.parametrize("failing", [1, 30, 39])
def test_many_failures_of_many_images(failing: int) -> None:
    graph: Graph = {"base": [], **{f"s/{number:04d}": ["base"] for number in range(1_000)}}
    bad = [f"s/{number:04d}" for number in range(failing)]
    folded = fold(graph, bad=bad)
    assert all(folded.items[name] == (name,) for name in bad)
    assert len(folded.items) == failing + 2 <= LIMIT


def test_more_failures_than_can_be_shown_share_a_box() -> None:
    graph: Graph = {"base": [], **{f"s/{number:04d}": ["base"] for number in range(1_000)}}
    folded = fold(graph, bad=[f"s/{number:04d}" for number in range(0, 1_000, 2)])
    assert sorted(map(len, folded.items.values())) == [1, 500, 500]


def test_what_stands_alone_does() -> None:
    graph: Graph = {**{f"r/{number}": [] for number in range(90)}}
    assert fold(graph, alone=["r/5"]).items["r/5"] == ("r/5",)


def test_a_circle_in_the_records_is_cut() -> None:
    folded = fold({"a": ["c"], "b": ["a"], "c": ["b", "c"]})
    assert folded.parents == {"a": (), "b": ("a",), "c": ("b",)}
