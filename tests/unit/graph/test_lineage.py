"""The lineage graph: edges, impact, order, pins, circles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.lineage import EdgeKind, Lineage, LineageError, Node, dependants_of

PIN = "@sha256:" + "a" * 64


def node(name: str, runtime: str | None, *build: str, tags: tuple[str, ...] = ("1",)) -> Node:
    return Node(name=name, publishes=tuple(f"r.io/{name}:{tag}" for tag in tags), runtime=runtime, build=build)


def test_impact_is_transitive_ordered_and_says_what_waits_for_what() -> None:
    lineage = Lineage(
        [
            node("bottom", "r.io/left:1", "r.io/right:1"),
            node("left", "r.io/top:1"),
            node("right", "r.io/top:1"),
            node("top", "r.io/base:1"),
            node("apart", "r.io/other:1"),
        ]
    )
    impact = lineage.impact("r.io/base:1")
    assert [(a.image, a.depth, a.waits_for) for a in impact.images] == [
        ("top", 1, ()),
        ("left", 2, ("top",)),
        ("right", 2, ("top",)),
        ("bottom", 3, ("left", "right")),
    ]
    assert [edge.kind for edge in impact.images[-1].edges] == [EdgeKind.RUNTIME, EdgeKind.BUILD]
    assert dependants_of(impact) == {
        "top": ("left", "right"),
        "left": ("bottom",),
        "right": ("bottom",),
        "bottom": (),
    }
    assert lineage.bases() == ("r.io/base:1", "r.io/left:1", "r.io/other:1", "r.io/right:1", "r.io/top:1")
    assert lineage.publisher("r.io/top:1") == "top"
    assert lineage.publisher("r.io/base:1") is None
    assert sorted(lineage.graph.edges) == [
        ("left", "bottom"),
        ("right", "bottom"),
        ("top", "left"),
        ("top", "right"),
    ]


def test_tags_decide() -> None:
    lineage = Lineage(
        [node("top", "r.io/base:1", tags=("1", "2")), node("a", "r.io/top:2"), node("b", "r.io/top:3")]
    )
    assert [a.image for a in lineage.impact("r.io/base:1").images] == ["top", "a"]
    assert [a.image for a in lineage.impact("r.io/top:1").images] == []
    assert [a.image for a in lineage.impact("r.io/top:3").images] == ["b"]


def test_pins_hold_back_and_are_named_with_or_without_a_tag() -> None:
    lineage = Lineage(
        [
            node("tagged", "r.io/base:1" + PIN),
            node("bare", "r.io/base" + PIN),
            node("deep", "r.io/top:1" + PIN),
            node("top", "r.io/base:1"),
            node("on-pinned", "r.io/tagged:1"),
        ]
    )
    impact = lineage.impact("r.io/base:1")
    assert [a.image for a in impact.images] == ["top"]
    assert sorted((edge.image, edge.base) for edge in impact.pinned) == [
        ("bare", "r.io/base" + PIN),
        ("deep", "r.io/top:1" + PIN),
        ("tagged", "r.io/base:1" + PIN),
    ]
    assert "r.io/base" not in lineage.bases()


def test_a_circle_is_refused_with_its_path() -> None:
    with pytest.raises(LineageError, match=r"in a circle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"):
        Lineage([node("a", "r.io/c:1"), node("b", "r.io/a:1"), node("c", "r.io/b:1")])


def test_a_sibling_tag_of_its_own_is_legal() -> None:
    lineage = Lineage([node("a", "r.io/a:0", tags=("0", "1"))])
    assert [x.waits_for for x in lineage.impact("r.io/a:0").images] == [()]


def test_two_publishers_of_one_tag_are_refused() -> None:
    twin = Node(name="twin", publishes=("r.io/a:1",), runtime=None)
    with pytest.raises(LineageError, match="published by both a and twin"):
        Lineage([node("a", None), twin])


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40))
def test_bases_always_come_before_what_stands_on_them(pairs: list[tuple[int, int]]) -> None:
    bases: dict[int, set[int]] = {number: set() for number in range(12)}
    for one, other in pairs:
        if one != other:
            bases[max(one, other)].add(min(one, other))
    lineage = Lineage(node(f"i{n}", "r.io/base:1", *(f"r.io/i{b}:1" for b in sorted(bases[n]))) for n in bases)
    order = [affected.image for affected in lineage.impact("r.io/base:1").images]
    assert sorted(order) == sorted(f"i{n}" for n in bases)
    for n, below in bases.items():
        assert all(order.index(f"i{b}") < order.index(f"i{n}") for b in below)
