"""The registration form: its fields as the API takes them, a registration as its fields, complaints by field. Pure.

What is rare (labels, gate, rings, deployments) is one field, written as in lineage.yaml.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import yaml

from groundswell.api.bodies import Json
from groundswell.api.images import encode
from groundswell.api.problems import Fault
from groundswell.errors import InputError
from groundswell.lineage.document import checked, schema, validator
from groundswell.lineage.model import REBUILD, Registration

DOCKERFILE, MORE = "dockerfile_content", "more"

FIELDS: Mapping[str, str] = {
    "name": "Name",
    "owner": "Owner",
    "registry": "Registry",
    "repository": "Repository",
    "tags": "Stable tags",
    "tag_patterns": "Tags that never move",
    "git": "Git repository",
    "ref": "Branch, tag or commit",
    "path": "Folder",
    "dockerfile": "Dockerfile",
    "target": "Target",
    "build_args": "Build args",
    "platform": "Platform",
    DOCKERFILE: "Text of the Dockerfile",
    "strategy": "Onto a new base",
    "builder": "Builder",
    "agent_pool": "Agent pool",
    "approval": "Approval",
    MORE: "Labels, gate, rings and deployments",
}
"""The fields, in their order, and what they are called."""

LONG = ("build_args", DOCKERFILE, MORE)
"""Those of several lines."""

DEFAULTS: Mapping[str, str] = {
    "ref": "main",
    "path": ".",
    "dockerfile": "Dockerfile",
    "platform": "linux/amd64",
    "strategy": REBUILD,
}

HINTS: Mapping[str, str] = {
    "name": "lower-case letters and digits, with . _ - / between them, such as shop/web",
    "registry": "a login server, such as contoso.azurecr.io",
    "repository": "lower-case letters and digits, with . _ - / between them",
    "tags": "letters, digits and . _ - in each, not beginning with gs-; the first is the one shown",
    "tag_patterns": "globs such as 1.4.*",
    "ref": "a branch, a tag or a commit",
    "path": "a folder of the repository, without .. in front",
    "dockerfile": "a path below the folder",
    "platform": "such as linux/amd64",
    "builder": "a name from GROUNDSWELL_BUILDERS",
    "agent_pool": "3 to 20 letters, digits and dashes",
}

_NEEDED = ("name", "registry", "tags", "git")
_MORE = ("labels", "gate", "rings", "deployments")
_PLACES: Mapping[str, str] = {
    "source/git": "git",
    "source/ref": "ref",
    "source/path": "path",
    "platforms": "platform",
    **dict.fromkeys(_MORE, MORE),
}
_LINE = re.compile(r"^more:(\d+)(?::\d+)?: ", re.MULTILINE)
_PATTERN = re.compile(r"(?s)^(.*) does not match .*")

type Texts = Mapping[str, str]
type Wrong = Mapping[str, Sequence[str]]
"""Complaints by field."""


def sent(texts: Texts) -> tuple[Json, Wrong]:
    """What the API is sent for an image (but its name), and what is wrong with the fields alone."""
    wrong: dict[str, list[str]] = {}
    for name in _NEEDED:
        if not texts[name]:
            wrong[name] = ["is needed" if name not in HINTS else f"is needed: {HINTS[name]}"]
    document: Json = {
        "registry": texts["registry"],
        "tags": _several(texts["tags"]),
        "source": {"git": texts["git"], "ref": texts["ref"] or "main", "path": texts["path"] or "."},
        "platforms": [texts["platform"] or DEFAULTS["platform"]],
        "strategy": texts["strategy"] or REBUILD,
        "owner": texts["owner"],
        DOCKERFILE: texts[DOCKERFILE],
    }
    for name in ("repository", "dockerfile", "target", "builder", "agent_pool"):
        if texts[name]:
            document[name] = texts[name]
    if texts["tag_patterns"]:
        document["tag_patterns"] = _several(texts["tag_patterns"])
    if texts["builder"] and texts["agent_pool"]:
        wrong["agent_pool"] = ["only ACR Tasks has agent pools: take this out, or the builder"]
    if texts["approval"]:
        document["approval"] = "required"
    try:
        document["build_args"] = _pairs(texts["build_args"])
    except InputError as exc:
        wrong["build_args"] = [str(exc)]
    try:
        document |= _more(texts[MORE])
    except InputError as exc:
        wrong[MORE] = _LINE.sub(r"line \1: ", str(exc)).splitlines()
    return document, wrong


def of(image: Registration) -> dict[str, str]:
    """The fields of an image that is registered; the text of its Dockerfile is not kept."""
    seen = encode(image)
    more = {name: seen[name] for name in _MORE if seen[name]}
    return {
        "name": image.name,
        "owner": image.owner,
        "registry": image.registry,
        "repository": "" if image.repository == image.name else image.repository,
        "tags": ", ".join(image.tags),
        "tag_patterns": ", ".join(image.tag_patterns),
        "git": seen["source"]["git"],
        "ref": seen["source"]["ref"],
        "path": seen["source"]["path"],
        "dockerfile": image.dockerfile,
        "target": image.target or "",
        "build_args": "\n".join(f"{key}={value}" for key, value in image.build_args.items()),
        "platform": image.platforms[0],
        DOCKERFILE: "",
        "strategy": image.strategy,
        "builder": image.builder or "",
        "agent_pool": image.agent_pool or "",
        "approval": image.approval or "",
        MORE: yaml.safe_dump(_plain(more), sort_keys=False, allow_unicode=True) if more else "",
    }


def placed(faults: Iterable[Fault]) -> Wrong:
    """The API's complaints at the fields that they are about."""
    wrong: dict[str, list[str]] = {}
    for fault in faults:
        pointer = str(fault.get("pointer", fault.get("parameter", ""))).removeprefix("#").removeprefix("/")
        head, _, rest = pointer.partition("/")
        name = _PLACES.get(pointer) or _PLACES.get(head) or (head if head in FIELDS else MORE)
        detail = str(fault["detail"])
        if (found := _PATTERN.match(detail)) and name in HINTS:
            detail = f"{found[1]} is not what it must be: {HINTS[name]}"
        where = f"{pointer.replace('/', '.')}: " if name == MORE else f"{rest}: " if name == "build_args" else ""
        wrong.setdefault(name, []).append(where + detail)
    return wrong


def same_build(wanted: Registration, known: Registration) -> bool:
    """Whether a Dockerfile would be resolved the same for both, as long as its text is the same."""
    return (wanted.dockerfile, wanted.target, wanted.build_args, wanted.platforms, wanted.source) == (
        known.dockerfile,
        known.target,
        known.build_args,
        known.platforms,
        known.source,
    )


@cache
def _more_schema() -> Json:
    definitions = schema()["$defs"]
    properties = {name: definitions["image"]["properties"][name] for name in _MORE}
    return {"type": "object", "additionalProperties": False, "properties": properties, "$defs": definitions}


def _more(text: str) -> Json:
    """Raises InputError with a line per complaint."""
    if not text.strip():
        return {}
    document: Json = checked(text, MORE, validator(_more_schema()))[0]
    return document


def _several(text: str) -> list[str]:
    return [each for each in re.split(r"[\s,]+", text) if each]


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.strip().partition("=")
        if line.strip() and not (key and equals):
            raise InputError(f"line {number}: must be NAME=VALUE")
        if key in found:
            raise InputError(f"line {number}: {key[:50]} is given twice")
        if key:
            found[key] = value
    return found


def _plain(value: object) -> object:
    """As YAML writes it: lists for tuples, texts for the words of an enumeration."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
