"""Reads infra/*.bicep into trees. The parser is no compiler: what only Azure knows (shapes, names) is unchecked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource of one file; `config` is what it is made of, without its loop or condition."""

    file: str
    name: str
    type: str
    existing: bool
    config: Mapping[str, Any]


@cache
def trees() -> Mapping[str, Mapping[str, Any]]:
    """The tree of each file, by its path below infra/."""
    parser = BicepParser()
    files = sorted(INFRA.rglob("*.bicep"))
    return {str(file.relative_to(INFRA)): parser.parse(file_path=file) for file in files}


def _plain(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The innermost configuration: `if` and `for` wrap it, in either order."""
    inner = config.get("config")
    return _plain(inner) if isinstance(inner, dict) else config


def resources(type_: str = "") -> list[Resource]:
    """All resources, or those of a type, of every file."""
    return [
        Resource(
            file=file,
            name=name,
            type=found["type"],
            existing=found["existing"],
            config=_plain(found["config"]),
        )
        for file, tree in trees().items()
        for name, found in tree.get("resources", {}).items()
        if not type_ or found["type"] == type_
    ]


def modules() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(name, path, parameters given) of each module that main.bicep uses."""
    for name, module in trees()["main.bicep"]["modules"].items():
        yield name, module["detail"]["path"], _plain(module["config"]).get("params", {})


def texts(tree: object) -> Iterator[str]:
    """Every text and name in a tree, keys too."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield str(key)
            yield from texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from texts(value)
    elif isinstance(tree, str):
        yield tree
