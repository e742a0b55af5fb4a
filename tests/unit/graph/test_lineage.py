"""The lineage graph: edges, impact, order, pins, circles."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.impact import dependants_of, impact
from graph.lineage import EdgeKind, Lineage, LineageError, Node

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
    found = impact(lineage, "r.io/base:1")
    assert [(a.image, a.depth, a.waits_for) for a in found.images] == [
        ("top", 1, ()),
        ("left", 2, ("top",)),
        ("right", 2, ("top",)),
        ("bottom", 3, ("left", "right")),
    ]
    assert [edge.kind for edge in found.images[-1].edges] == [EdgeKind.RUNTIME, EdgeKind.BUILD]
    assert dependants_of(found.images) == {
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
    assert [a.image for a in impact(lineage, "r.io/base:1").images] == ["top", "a"]
    assert [a.image for a in impact(lineage, "r.io/top:1").images] == []
    assert [a.image for a in impact(lineage, "r.io/top:3").images] == ["b"]


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
    found = impact(lineage, "r.io/base:1")
    assert [a.image for a in found.images] == ["top"]
    assert sorted((edge.image, edge.base) for edge in found.held) == [
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
    assert [x.waits_for for x in impact(lineage, "r.io/a:0").images] == [()]


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
    order = [affected.image for affected in impact(lineage, "r.io/base:1").images]
    assert sorted(order) == sorted(f"i{n}" for n in bases)
    for n, below in bases.items():
        assert all(order.index(f"i{b}") < order.index(f"i{n}") for b in below)


# Tag patterns and frontends: reported, not carried on.


def test_a_tag_that_only_a_pattern_publishes_is_held() -> None:
    top = Node(
        name="top", publishes=("r.io/top:1",), runtime="r.io/base:1", patterns=("r.io/top:1.*", "r.io/top:*")
    )
    other = Node(name="other", publishes=("r.io/top:1.9",), runtime=None)
    lineage = Lineage([top, other, node("a", "r.io/top:1"), node("b", "r.io/top:1.4"), node("c", "r.io/top:1.9")])
    assert [lineage.publisher(f"r.io/top:{tag}") for tag in ("1", "1.4", "1.9", "2")] == [
        "top",
        "top",
        "other",
        "top",
    ]
    found = impact(lineage, "r.io/base:1")
    assert [affected.image for affected in found.images] == ["top", "a"]
    assert [(edge.image, edge.base, edge.pinned) for edge in found.held] == [("b", "r.io/top:1.4", False)]
    lineage.apply({"top": replace(top, patterns=())})
    assert lineage.publisher("r.io/top:1.4") is None
    assert impact(lineage, "r.io/base:1").held == ()
    assert [affected.image for affected in impact(lineage, "r.io/top:1.4").images] == ["b"]


def test_of_two_patterns_the_longer_decides() -> None:
    wide = Node(name="wide", publishes=("r.io/x:1",), runtime=None, patterns=("r.io/x:1*",))
    close = Node(name="close", publishes=("r.io/x:1.2",), runtime=None, patterns=("r.io/x:1.2.*",))
    assert Lineage([wide, close]).publisher("r.io/x:1.2.7") == "close"
    assert Lineage([close, wide]).publisher("r.io/x:1.3") == "wide"


def test_a_frontend_is_kept_apart() -> None:
    one = replace(node("a", "r.io/base:1"), frontend="docker.io/docker/dockerfile:1" + PIN)
    lineage = Lineage([one])
    assert lineage.built_by("docker.io/docker/dockerfile:1") == ("a",)
    assert lineage.bases() == ("r.io/base:1",)
    assert impact(lineage, "docker.io/docker/dockerfile:1").images == ()
    lineage.apply({"a": None})
    assert lineage.built_by("docker.io/docker/dockerfile:1") == ()


# Changing a loaded lineage.


def test_a_change_is_seen_at_once_and_can_be_undone() -> None:
    lineage = Lineage([node("top", "r.io/base:1"), node("app", "r.io/top:1")])
    undo = lineage.apply({"app": node("app", "r.io/base:2"), "leaf": node("leaf", "r.io/app:1"), "top": None})
    assert sorted(item.name for item in lineage) == ["app", "leaf"]
    assert [a.image for a in impact(lineage, "r.io/base:2").images] == ["app", "leaf"]
    assert lineage.bases() == ("r.io/app:1", "r.io/base:2")
    lineage.apply(undo)
    assert lineage.edges("leaf") == ()
    assert [a.image for a in impact(lineage, "r.io/base:1").images] == ["top", "app"]


def test_a_refused_change_leaves_everything_as_it_was() -> None:
    before = [node("a", None), node("b", "r.io/a:1"), node("c", "r.io/b:1")]
    lineage = Lineage(before)
    with pytest.raises(LineageError, match=r"in a circle: (a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)"):
        lineage.apply(
            {"a": node("a", "r.io/c:1"), "d": node("d", "r.io/c:1"), "c": node("c", "r.io/b:1", tags=("1", "2"))}
        )
    with pytest.raises(LineageError, match="published by both"):
        lineage.apply({"b": None, "x": Node(name="x", publishes=("r.io/x:1", "r.io/a:1"), runtime="r.io/c:1")})
    assert same(lineage, Lineage(before))


def same(one: Lineage, other: Lineage) -> bool:
    """Equal in all that can be asked."""
    references = {base for lineage in (one, other) for base in lineage.bases()}
    return (
        {item.name: item for item in one} == {item.name: item for item in other}
        and set(one.graph.edges) == set(other.graph.edges)
        and set(one.graph.nodes) == set(other.graph.nodes)
        and one.bases() == other.bases()
        and all(one.dependants(base) == other.dependants(base) for base in references)
        and all(impact(one, base) == impact(other, base) for base in references)
        and all(one.publisher(f"r.io/{n}:{t}") == other.publisher(f"r.io/{n}:{t}") for n in "abcd" for t in "123")
    )


NODES = st.builds(
    lambda name, tags, runtime, build, glob: Node(
        name=name,
        publishes=tuple(f"r.io/{name if tag != '3' else 'a'}:{tag}" for tag in sorted(tags)),
        runtime=runtime,
        build=tuple(sorted(build)),
        patterns=(f"r.io/{name}:*",) if glob else (),
    ),
    st.sampled_from("abcd"),
    st.sets(st.sampled_from("123"), min_size=1),
    st.none()
    | st.sampled_from([f"r.io/{n}:{t}" for n in "abcd" for t in "12"] + ["r.io/base:1", "r.io/a:1" + PIN]),
    st.sets(st.sampled_from([f"r.io/{n}:1" for n in "abcd"]), max_size=2),
    st.booleans(),
)


@given(st.lists(st.lists(NODES | st.sampled_from("abcd"), max_size=3), max_size=6))
def test_a_changed_lineage_is_the_one_built_anew(steps: list[list[Node | str]]) -> None:
    """Any sequence of changes, refused ones too, leads to what the constructor makes of what is left."""
    lineage, nodes = Lineage(), dict[str, Node]()
    for step in steps:
        changes = {
            item if isinstance(item, str) else item.name: None if isinstance(item, str) else item for item in step
        }
        wanted = {name: item for name, item in (nodes | changes).items() if item is not None}
        try:
            expected = Lineage(wanted.values())
        except LineageError:
            with pytest.raises(LineageError):
                lineage.apply(changes)
        else:
            undo = lineage.apply(changes)
            assert same(lineage, expected)
            lineage.apply(undo)
            assert same(lineage, Lineage(nodes.values()))
            lineage.apply(changes)
            nodes = wanted
        assert same(lineage, Lineage(nodes.values()))
