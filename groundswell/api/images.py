"""Images as clients send and see them, in the words of lineage.yaml.

The format's own JSON Schema describes and checks what is sent: an image as it stands there, without `name` (the
path has it) and `path` (a part of `source` here), and with the text of its Dockerfile, which the server cannot read
from a checkout.
"""

import json
import posixpath
from collections.abc import Mapping
from functools import cache
from typing import Any

from graph.dockerfile import DockerfileError
from groundswell.api.bodies import LONGEST, Json, checked
from groundswell.api.problems import InvalidError, TooLargeError
from groundswell.api.shapes.parts import inlined
from groundswell.api.times import spelled
from groundswell.errors import InputError
from groundswell.lineage.catalog import Change
from groundswell.lineage.dockerfile import with_edges
from groundswell.lineage.document import registration, schema
from groundswell.lineage.model import Registration, to_json

MAX_REGISTRATION = 256 * 1024
"""Bytes of an image as it is stored: its history, which keeps two versions in a line, must be storable too."""

MOST = 10_000
"""Images in one request."""

_DOCKERFILE = "dockerfile_content"


@cache
def sent() -> Json:
    """The JSON Schema of what is sent."""
    definitions = schema()["$defs"]
    image: Json = inlined(definitions["image"], definitions)
    fields: Json = dict(image["properties"])
    del fields["name"]
    path = fields.pop("path")
    fields["source"] = {
        **fields["source"],
        "properties": {**fields["source"]["properties"], "path": path},
        "description": "Where ACR Tasks finds the sources, and the Dockerfile with them.",
    }
    fields["dockerfile"] = {**fields["dockerfile"], "description": "Relative to the source's path."}
    fields[_DOCKERFILE] = {
        "type": "string",
        "pattern": r"^[^\u0000]*$",
        "description": "The text of that Dockerfile: what the image stands on is read from it; it is not kept.",
    }
    return {
        **image,  # what the format demands of several fields together stays
        "required": ["registry", "source", "tags", _DOCKERFILE],
        "properties": fields,
    }


@cache
def sent_many() -> Json:
    """The JSON Schema of several, each with its name."""
    one = sent()
    named = {
        **one,
        "required": ["name", *one["required"]],
        "properties": {"name": schema()["$defs"]["name"], **one["properties"]},
    }
    return {"type": "array", "minItems": 1, "maxItems": MOST, "items": named}


@cache
def seen() -> Json:
    """The JSON Schema of what is seen: all that was sent but the Dockerfile, and the edges instead."""
    reference = {"type": ["string", "null"], "description": "Canonical."}
    fields = {
        "name": {"type": "string"},
        **{name: field for name, field in sent()["properties"].items() if name != _DOCKERFILE},
        "runtime": {**reference, "description": "The end of the FROM chain, canonical; null for scratch."},
        "build": {"type": "array", "items": {"type": "string"}, "description": "Whatever else the build needs."},
        "frontend": {**reference, "description": "The image that `# syntax=` names."},
    }
    return {"type": "object", "additionalProperties": False, "required": sorted(fields), "properties": fields}


def decode(name: str, body: bytes) -> Registration:
    """The image `name` as sent, with the edges of its Dockerfile.

    Raises NotJsonError, TooLargeError, and InvalidError that points at what is wrong.
    """
    return resolved(name, checked(body, sent()))


def resolved(name: str, sent_: Json, at: str = "#") -> Registration:
    """An image that was held against the schema, with the edges of its Dockerfile; `at` points to it in the body.

    Raises as `decode`.
    """
    wanted = _resolved(described(name, sent_, at), sent_[_DOCKERFILE], at)
    if len(json.dumps(to_json(wanted))) > MAX_REGISTRATION:
        raise TooLargeError(
            f"without the text of its Dockerfile, {name} is larger than {MAX_REGISTRATION // 1024} KiB"
        )
    return wanted


def described(name: str, sent_: Json, at: str = "#") -> Registration:
    """The same without its edges. Raises InvalidError where it leads out of its repository."""
    document = {key: value for key, value in sent_.items() if key not in (_DOCKERFILE, "name")}
    source: Json = document["source"]
    path: str = source.get("path", ".")
    _confine(f"{at}/source/path", path)
    wanted = registration({**document, "name": name}, document["registry"], source, path)
    _confine(f"{at}/dockerfile", f"{path}/{wanted.dockerfile}")
    return wanted


def encode(item: Registration) -> Json:
    """The image as seen."""
    return {name: _shown(name, value) for name, value in to_json(item).items()}


def encode_change(change: Change | None) -> Json:
    """What a registration changes, or would; None when the image is that way already."""
    if change is None:
        return {"action": "unchanged", "fields": {}}
    return {"action": change.action.value, "fields": _fields(change.fields)}


def encode_past(line: Mapping[str, Any]) -> Json:
    """A line of an image's history. Times are UTC."""
    return {**line, "at": spelled(line["at"]), "fields": _fields(line["fields"])}


def _resolved(wanted: Registration, text: str, at: str) -> Registration:
    try:
        return with_edges(wanted, text)
    except DockerfileError as exc:
        place = {"line": exc.line, "column": exc.column}
        detail = f"line {exc.line}, column {exc.column}: {exc.reason}"
        raise InvalidError([{"pointer": f"{at}/{_DOCKERFILE}", "detail": detail[:LONGEST], **place}]) from exc
    except InputError as exc:
        raise InvalidError([{"pointer": f"{at}/{_DOCKERFILE}", "detail": str(exc)[:LONGEST]}]) from exc


def _confine(pointer: str, path: str) -> None:
    if posixpath.normpath(path).split("/")[0] == "..":
        raise InvalidError([{"pointer": pointer, "detail": f"{path[:LONGEST]} leads out of the repository"}])


def _fields(fields: Mapping[str, Any]) -> Json:
    return {
        name: {"before": _shown(name, before), "after": _shown(name, after)}
        for name, (before, after) in fields.items()
    }


def _shown(name: str, value: Any) -> Any:
    """A stored field in the words of lineage.yaml: they differ for the source."""
    if name == "source" and value:
        return {"git": value["location"], "ref": value["ref"], "path": value["path"] or "."}
    return value
