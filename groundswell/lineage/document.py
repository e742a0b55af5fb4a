"""Reads a `lineage.yaml`: YAML to registrations without edges, every complaint with its line.

The JSON Schema beside this file is the one description of the format: editors complete and check with it, and so do
we. Aliases are refused: a few lines of them can stand for gigabytes.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from groundswell.build.port import Source
from groundswell.deploy.port import Kind, Workload
from groundswell.errors import InputError
from groundswell.lineage.model import REBUILD, Registration, git_workload

MAX_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 100
"""Levels of a document; to read more takes time that grows with their square."""

_URL = re.compile(r"//[^\s'\"]*+")
_LONGEST = 200

type _Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One image of the file. `path` is its build context relative to the file, `line` where it stands."""

    registration: Registration
    path: str
    line: int


def parse(text: str, *, name: str = "lineage.yaml") -> tuple[Entry, ...]:
    """The images of a lineage document, edges still empty.

    Raises InputError with one line per complaint, each `NAME:LINE: what is wrong`.
    """
    document, lines = checked(text, name, _validator())
    return tuple(_entries(document, lines, name))


def checked(text: str, name: str, schema: Validator) -> tuple[Any, "_Lines"]:
    """A YAML (or JSON) document that `schema` takes, and where its values stand. Raises InputError as `parse`."""
    if len(text.encode()) > MAX_BYTES:
        raise InputError(f"{name}: larger than {MAX_BYTES // 1024 // 1024} MiB; split it into several files")
    document, lines = _load(text, name)
    errors = sorted(schema.iter_errors(document), key=lambda error: lines.of(tuple(error.absolute_path)))
    if errors:
        raise InputError("\n".join(f"{name}:{_line(error, lines)}: {_say(error)}" for error in errors[:20]))
    return document, lines


def check_git(url: str, where: str) -> None:
    """Raise InputError, beginning with `where`, when a lineage file could not name this git repository."""
    errors = validator({"$ref": "#/$defs/git", "$defs": schema()["$defs"]}).iter_errors(url)
    for error in errors:
        raise InputError(f"{where}: {error.message}")


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of the format."""
    text = resources.files("groundswell.lineage").joinpath("lineage.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _pattern(_: Validator, pattern: str, text: Any, of: Any) -> Iterator[ValidationError]:
    """In ECMAScript `$` is the end of the text; in Python it stands before a last newline too.

    `patternErrorMessage` is what editors say instead, and so do we: without the value, which may hold a password.
    """
    if isinstance(text, str) and not re.search(pattern.replace("$", r"\Z"), text):
        yield ValidationError(of.get("patternErrorMessage") or f"{text!r} does not match {pattern!r}")


def _unique(_: Validator, wanted: bool, items: Any, of: Any) -> Iterator[ValidationError]:  # noqa: ARG001  # a keyword's signature
    """By their texts, because the library compares every two of what it cannot sort: minutes for 100 kB of lists.

    The items of our arrays are texts and objects; what is equal but not the same text is refused otherwise.
    """
    if wanted and isinstance(items, list) and len(set(map(repr, items))) < len(items):
        yield ValidationError(f"{items!r} has non-unique elements")


def _format(_: Validator, kind: str, text: Any, of: Any) -> Iterator[ValidationError]:  # noqa: ARG001  # a keyword's signature
    """Days that a pattern takes, but no calendar has."""
    if kind == "date" and isinstance(text, str):
        try:
            dt.date.fromisoformat(text)
        except ValueError:
            yield ValidationError(f"{text!r} is no day, such as 2026-12-31")


validator: Callable[[Mapping[str, Any]], Validator] = extend(  # type: ignore[no-untyped-call]  # without annotations
    Draft202012Validator, {"format": _format, "pattern": _pattern, "uniqueItems": _unique}
)
"""What holds documents against the JSON Schema it is given. Patterns are read as JSON Schema has them."""


@cache
def _validator() -> Validator:
    return validator(schema())


class _Loader(yaml.SafeLoader):
    """Leaves days as they are written: `2026-12-31` is a text in JSON, and so it is here."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Lines:
    """Where each value of a document stands, by its path."""

    def __init__(self) -> None:
        self._at: dict[_Path, int] = {}

    def add(self, path: _Path, line: int) -> None:
        self._at[path] = line

    def of(self, path: _Path) -> int:
        while path and path not in self._at:
            path = path[:-1]
        return self._at.get(path, 1)


def _load(text: str, name: str) -> tuple[Any, _Lines]:
    lines = _Lines()
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                raise InputError(f"{name}:{line}: aliases (*{event.anchor}) are not allowed; write the value out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise InputError(f"{name}:{line}: nested more than {_MAX_DEPTH} deep")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            raise InputError(f"{name}:1: the file is empty; it needs `version: 1`")
        _walk(node, (), lines, name)
        return _Loader(text).get_single_data(), lines
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise InputError(f"{where}: not valid YAML: {exc.problem or exc.context}") from exc
    except (yaml.YAMLError, ValueError) as exc:
        raise InputError(f"{name}: not valid YAML: {exc}") from exc


def _walk(node: yaml.Node, path: _Path, lines: _Lines, name: str) -> None:
    lines.add(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines, name)
    elif isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{name}:{line}: a key must be plain text")
            if key.value in seen:
                raise InputError(f"{name}:{line}: {key.value!r} is given twice")
            seen.add(key.value)
            _walk(value, (*path, key.value), lines, name)
            lines.add((*path, key.value), line)


def _line(error: ValidationError, lines: _Lines) -> int:
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})  # type: ignore[union-attr]  # this validator sits in an object
        unknown = next((key for key in error.instance if key not in known), None)
        return lines.of((*path, unknown)) if unknown is not None else lines.of(path)
    return lines.of(path)


def _say(error: ValidationError) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"{where.lstrip('.')}: {said(error)}" if where else said(error)


def said(error: ValidationError) -> str:
    """What a complaint says, cut short, and without the password of a URL that stands in the wrong place.

    `errorMessage` is what editors say instead, and so do we.
    """
    own = error.schema.get("errorMessage") if isinstance(error.schema, dict) else None
    message = _URL.sub(_without_user, own or error.message)
    return message if len(message) <= _LONGEST else message[:_LONGEST] + "..."


def _without_user(url: re.Match[str]) -> str:
    before, _, rest = url[0].rpartition("@")
    return f"//…@{rest}" if before else url[0]


def _entries(document: Mapping[str, Any], lines: _Lines, name: str) -> Iterator[Entry]:
    seen: dict[str, int] = {}
    for index, image in enumerate(document["images"]):
        line = lines.of(("images", index, "name"))
        registry = image.get("registry") or document.get("registry")
        source = image.get("source") or document.get("source")
        if registry is None:
            raise InputError(f"{name}:{line}: {image['name']} has no registry; give one, or `registry:` at the top")
        if source is None:
            raise InputError(f"{name}:{line}: {image['name']} has no source; give one, or `source:` at the top")
        if image["name"] in seen:
            raise InputError(f"{name}:{line}: {image['name']} is named twice, first in line {seen[image['name']]}")
        seen[image["name"]] = line
        path = image.get("path", ".")
        yield Entry(registration=registration(image, registry, source, path), path=path, line=line)


def registration(image: Mapping[str, Any], registry: str, source: Mapping[str, str], path: str) -> Registration:
    """An image of the format, already held against its schema, as a registration without edges.

    `path` is its build context, a folder of the repository.
    """
    deployments: Sequence[Mapping[str, Any]] = image.get("deployments", ())
    return Registration(
        name=image["name"],
        registry=registry,
        repository=image.get("repository", image["name"]),
        tags=tuple(image["tags"]),
        tag_patterns=tuple(image.get("tag_patterns", ())),
        source=Source(
            location=source["git"], ref=source.get("ref", "main"), path="" if path == "." else path.strip("/")
        ),
        dockerfile=image.get("dockerfile", "Dockerfile"),
        target=image.get("target"),
        build_args=image.get("build_args", {}),
        platforms=tuple(image.get("platforms", ("linux/amd64",))),
        agent_pool=image.get("agent_pool"),
        builder=image.get("builder"),
        owner=image.get("owner", ""),
        labels=image.get("labels", {}),
        gate=image.get("gate", {}),
        approval=image.get("approval"),
        rings=tuple(image.get("rings", ())),
        strategy=image.get("strategy", REBUILD),
        deployments=tuple(
            git_workload({"image": f"{registry}/{image.get('repository', image['name'])}", **entry})
            if entry["kind"] == Kind.GIT
            else Workload(
                cluster=entry["cluster"],
                namespace=entry["namespace"],
                kind=Kind(entry["kind"]),
                name=entry["name"],
                container=entry["container"],
                environment=entry.get("environment"),
            )
            for entry in deployments
        ),
    )
