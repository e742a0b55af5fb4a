"""A graph as DOT, Mermaid and GraphML: the same text each time, and names that cannot break out."""

import re

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.formats import Form, render

FORMS: list[Form] = ["dot", "mermaid", "graphml"]
HOSTILE = 'a"]; evil --> x\n\\"#quot;</node><!--\x00'


def sample(*, backwards: bool = False) -> "nx.DiGraph[str]":
    graph: nx.DiGraph[str] = nx.DiGraph()
    edges = [
        ("r.io/base:1", "app", {"kind": "runtime", "pinned": False}),
        ("r.io/base:1", "web", {"kind": "runtime", "pinned": True}),
        ("r.io/tool:1", "app", {"kind": "build", "pinned": False}),
        ("r.io/syntax:1", "app", {"kind": "frontend", "pinned": False}),
    ]
    for base, image, attributes in reversed(edges) if backwards else edges:
        graph.add_edge(base, image, **attributes)
    graph.nodes["app"]["label"] = "the app"
    return graph


def test_dot() -> None:
    assert render(sample(), "dot") == (
        "digraph lineage {\n"
        "  rankdir=LR;\n"
        "  node [shape=box];\n"
        '  "app" [label="the app"];\n'
        '  "r.io/base:1";\n'
        '  "r.io/syntax:1";\n'
        '  "r.io/tool:1";\n'
        '  "web";\n'
        '  "r.io/base:1" -> "app";\n'
        '  "r.io/base:1" -> "web" [label="pinned"];\n'
        '  "r.io/syntax:1" -> "app" [style=dotted, label="frontend"];\n'
        '  "r.io/tool:1" -> "app" [style=dashed];\n'
        "}\n"
    )


def test_mermaid() -> None:
    assert render(sample(), "mermaid") == (
        "flowchart LR\n"
        '  n0["the app"]\n'
        '  n1["r.io/base:1"]\n'
        '  n2["r.io/syntax:1"]\n'
        '  n3["r.io/tool:1"]\n'
        '  n4["web"]\n'
        "  n1 --> n0\n"
        "  n1 -->|pinned| n4\n"
        "  n2 -.->|frontend| n0\n"
        "  n3 -.-> n0\n"
    )


def test_graphml_comes_back() -> None:
    found = nx.parse_graphml(render(sample(), "graphml"))
    assert dict(found.nodes(data=True)) == dict(sample().nodes(data=True))
    assert {edge[:2]: edge[2] for edge in found.edges(data=True)} == {
        edge[:2]: edge[2] for edge in sample().edges(data=True)
    }


@pytest.mark.parametrize("form", FORMS)
def test_the_order_is_that_of_the_names(form: Form) -> None:
    assert render(sample(), form) == render(sample(backwards=True), form)


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_graph_is_a_graph(form: Form) -> None:
    assert render(nx.DiGraph(), form).endswith("\n")


def test_hostile_names_stay_names() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edge(HOSTILE, "b")
    dot, mermaid = render(graph, "dot").splitlines(), render(graph, "mermaid").splitlines()
    assert len(dot) == 7
    assert all(re.fullmatch(r'  "(?:[^"\\]|\\.)*"(?: -> "(?:[^"\\]|\\.)*")?;', line) for line in dot[3:6])
    assert len(mermaid) == 4
    assert all(re.fullmatch(r'  n[01]\["[^"\[\]<>]*"\]', line) for line in mermaid[1:3])
    assert list(nx.parse_graphml(render(graph, "graphml")).nodes) == [
        HOSTILE.replace("\n", "\ufffd").replace("\x00", "\ufffd"),
        "b",
    ]


@given(st.text(max_size=30))
def test_any_name_can_be_rendered(name: str) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_edge(name, "end", kind="build", pinned=True)
    for form in FORMS:
        render(graph, form).encode("utf-8")
    assert len(render(graph, "dot").splitlines()) == len(render(graph, "mermaid").splitlines()) + 3
    assert len(nx.parse_graphml(render(graph, "graphml"))) == len(graph)
