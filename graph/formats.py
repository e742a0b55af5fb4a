"""A graph as text for other programs: DOT, Mermaid, GraphML. Pure.

Nodes may have a `label`; edges may have a `kind` (runtime, build or frontend) and `pinned`. The order is that of
the names, so the same graph is the same text. Names are escaped, whatever is in them.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import networkx as nx

type Form = Literal["dot", "mermaid", "graphml"]

_LINES = {"build": "dashed", "frontend": "dotted"}
_ARROWS = {"build": "-.->", "frontend": "-.->"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile(r"[^A-Za-z0-9 _./:@+,=-]")


def render(graph: "nx.DiGraph[str]", form: Form) -> str:
    """The graph in one of the languages, ending in a line break."""
    match form:
        case "dot":
            return _dot(graph)
        case "mermaid":
            return _mermaid(graph)
        case "graphml":
            return _graphml(graph)


def _nodes(graph: "nx.DiGraph[str]") -> list[tuple[str, str]]:
    """Names and labels."""
    return [(name, str(graph.nodes[name].get("label") or name)) for name in sorted(graph)]


def _edges(graph: "nx.DiGraph[str]") -> list[tuple[str, str, str, bool]]:
    """Base, dependant, kind, and whether it is pinned."""
    return [
        (base, image, str(data.get("kind") or "runtime"), bool(data.get("pinned")))
        for base, image in sorted(graph.edges)
        for data in [graph.edges[base, image]]
    ]


def _dot(graph: "nx.DiGraph[str]") -> str:
    """Source of the quoting: graphviz.org, doc/info/lang.html. A backslash is doubled, for labels have escapes."""

    def quoted(text: str) -> str:
        clean = _CONTROL.sub("\ufffd", text.replace("\n", " "))
        return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    for name, label in _nodes(graph):
        lines.append(f"  {quoted(name)}" + (f" [label={quoted(label)}];" if label != name else ";"))
    for base, image, kind, pinned in _edges(graph):
        attributes = [f"style={_LINES[kind]}"] if kind in _LINES else []
        attributes += [f'label="{"pinned" if pinned else kind}"'] if pinned or kind == "frontend" else []
        shown = f" [{', '.join(attributes)}]" if attributes else ""
        lines.append(f"  {quoted(base)} -> {quoted(image)}{shown};")
    return "\n".join([*lines, "}", ""])


def _mermaid(graph: "nx.DiGraph[str]") -> str:
    """Names are numbered, for Mermaid's own cannot hold references; labels have entities for what it would read."""

    def quoted(text: str) -> str:
        clean = _CONTROL.sub("\ufffd", text.replace("\n", " "))
        return '"' + _SPECIAL.sub(lambda found: f"#{ord(found[0])};", clean) + '"'

    number = {name: f"n{index}" for index, (name, _) in enumerate(_nodes(graph))}
    lines = ["flowchart LR"]
    lines += [f"  {number[name]}[{quoted(label)}]" for name, label in _nodes(graph)]
    for base, image, kind, pinned in _edges(graph):
        word = "|pinned|" if pinned else f"|{kind}|" if kind == "frontend" else ""
        lines.append(f"  {number[base]} {_ARROWS.get(kind, '-->')}{word} {number[image]}")
    return "\n".join([*lines, ""])


def _graphml(graph: "nx.DiGraph[str]") -> str:
    """XML cannot hold control characters at all; they are replaced."""

    def clean(value: Any) -> Any:
        return _CONTROL.sub("\ufffd", value) if isinstance(value, str) else value

    def attributes(data: Mapping[str, Any]) -> dict[str, Any]:
        return {key: clean(value) for key, value in sorted(data.items()) if value is not None}

    copy: nx.DiGraph[str] = nx.DiGraph()
    for name in sorted(graph):
        copy.add_node(clean(name), **attributes(graph.nodes[name]))
    for base, image in sorted(graph.edges):
        copy.add_edge(clean(base), clean(image), **attributes(graph.edges[base, image]))
    return "\n".join([*nx.generate_graphml(copy), ""])
