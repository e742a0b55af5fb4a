"""How the gate's scanners are set up: what GROUNDSWELL_SCANNERS holds, checked before anything is begun.

A cmd step of ACR Tasks is one line of text. The service expands templates and aliases in it, and hands it to a
shell (Azure/acr-builder, `docs/task.md` and `builder/`). So no word of a step may hold anything that one of them
reads: what is allowed is a short list of characters, and everything else is refused by the name of its field.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import InputError

PLACES = ("{image}", "{report}", "{registry}", "{repository}", "{digest}")
"""What a command may hold for the image, and for the file that it is to write; besides, {NAME} for a secret."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_WORD = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SUBSCRIPTION = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BUCKET = re.compile(r"[A-Za-z0-9 .:_-]{1,100}")
_POOL = re.compile(r"[A-Za-z0-9-]{3,20}")
_SHORTEST, _LONGEST = 60, 2400


class Kind(StrEnum):
    BINARY = "binary"  # Trivy beside the app
    TRIVY = "trivy"  # Trivy as a step of an ACR Tasks run
    COMMAND = "command"  # any scanner as a step of such a run
    DEFENDER = "defender"  # Microsoft Defender for Containers, asked through Azure Resource Graph


_FIELDS: Mapping[Kind, frozenset[str]] = {
    Kind.BINARY: frozenset(),
    Kind.TRIVY: frozenset({"image", "database", "java_database", "covers", "pool", "timeout", "env", "secrets"}),
    Kind.COMMAND: frozenset(
        {"image", "command", "format", "ignore_exit", "pool", "timeout", "env", "secrets"},
    ),
    Kind.DEFENDER: frozenset({"subscriptions"}),
}
FORMATS = ("aqua", "cyclonedx", "sarif", "twistcli")
"""What a command may write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScannerSettings:
    """One scanner. Raises InputError without a name: `read` puts it before.

    `image` is the step's, by digest. `command` is what follows it, with PLACES; `format` what it writes.
    `ignore_exit` is for scanners that end with an error when they find something: then the report alone counts.
    `database` and `java_database` are where Trivy gets its advisories from, Trivy's own places when empty; `covers`
    names what of them this program does not know yet (`debian 14`). `env` is shown to everybody, `secrets` to
    nobody. `pool` is an agent pool, `timeout` in seconds. `subscriptions` are asked by Defender's query; those of
    GROUNDSWELL_REGISTRIES when there are none.
    """

    kind: Kind
    image: str = ""
    command: str = ""
    format: str = ""
    ignore_exit: bool = False
    database: str = ""
    java_database: str = ""
    covers: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool: str = ""
    timeout: int = 900
    subscriptions: tuple[str, ...] = ()

    @property
    def in_a_run(self) -> bool:
        """Whether it is a step of a run of ACR Tasks, which attaches its report."""
        return self.kind in (Kind.TRIVY, Kind.COMMAND)

    def __post_init__(self) -> None:
        if self.in_a_run:
            pinned("the image", self.image)
            _check_run(self)
        if self.kind is Kind.COMMAND:
            _check_command(self)
        for place in (self.database, self.java_database):
            if place and not (_WORD.fullmatch(place) and place[0].isalnum()):
                raise InputError(f"{place!r} is not where a database of Trivy can be: give registry/repository:2")
        if unknown := [each for each in self.covers if not _BUCKET.fullmatch(each)]:
            raise InputError(f"covers {unknown[0]!r} is no part of Trivy's database, as `debian 14` is")
        if unknown := [each for each in self.subscriptions if not _SUBSCRIPTION.fullmatch(each)]:
            raise InputError(f"{unknown[0]!r} is not the id of a subscription")


def pinned(what: str, image: str) -> None:
    """InputError unless `image` names one image for ever: by digest."""
    if not image:
        raise InputError(f"{what} is missing: give registry/repository@sha256:…")
    try:
        reference = Reference.parse(image)
    except InvalidReferenceError as exc:
        raise InputError(f"{what} {image!r} is no image ({exc})") from exc
    if reference.digest is None:
        raise InputError(f"{what} {image!r} must name a digest (registry/repository@sha256:…), because tags move")


def read(document: Mapping[str, Any], *, setting: str) -> dict[str, ScannerSettings]:
    """The scanners by name, in the document's order. InputError names the setting, the scanner and the field."""
    found = {}
    for name, entry in document.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"setting {setting}: a scanner is named by a-z, 0-9 and -, not {name!r}")
        try:
            found[name] = _scanner(entry)
        except InputError as exc:
            raise InputError(f"setting {setting}: {name}: {exc}") from exc
        if found[name].kind is Kind.BINARY and name != "trivy":
            raise InputError(
                f"setting {setting}: {name}: the binary is Trivy, whose reports are of `trivy`: name it so"
            )
    return found


def _scanner(entry: object) -> ScannerSettings:
    if not isinstance(entry, dict) or entry.get("kind") not in tuple(Kind):
        raise InputError(f"it must be an object whose kind is one of {', '.join(Kind)}")
    kind, given = Kind(entry["kind"]), {key: value for key, value in entry.items() if key != "kind"}
    if strange := sorted(set(given) - _FIELDS[kind]):
        raise InputError(
            f"{kind} has no {strange[0]!r}; it has {', '.join(sorted(_FIELDS[kind])) or 'nothing else'}"
        )
    types = {each.name: each.type for each in fields(ScannerSettings)}
    return ScannerSettings(kind=kind, **{key: _value(key, value, types[key]) for key, value in given.items()})


def _value(key: str, value: object, wanted: object) -> Any:
    if wanted == tuple[str, ...]:
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        raise InputError(f"{key} must be a list of texts")
    if wanted == Mapping[str, str]:
        if isinstance(value, dict) and all(isinstance(each, str) for each in value.values()):
            return value
        raise InputError(f"{key} must be an object of texts")
    if type(value) is not wanted:
        raise InputError(f"{key} must be of type {getattr(wanted, '__name__', wanted)}, not {value!r}")
    return value


def _check_run(scanner: ScannerSettings) -> None:
    if not _SHORTEST <= scanner.timeout <= _LONGEST:
        raise InputError(f"timeout must be from {_SHORTEST} to {_LONGEST} seconds, not {scanner.timeout}")
    if scanner.pool and not _POOL.fullmatch(scanner.pool):
        raise InputError(f"pool {scanner.pool!r} is not the name of an agent pool")
    for name, value in (*scanner.env.items(), *scanner.secrets.items()):
        if not _VARIABLE.fullmatch(name):
            raise InputError(f"{name!r} is not the name of a variable")
        if not _WORD.fullmatch(value):
            raise InputError(
                f"the value of {name} has characters that a shell reads; allowed are letters, digits and _@%+=:,./-"
            )
    if twice := sorted(set(scanner.env) & set(scanner.secrets)):
        raise InputError(f"{twice[0]} is in env and in secrets: leave it in one")


def _check_command(scanner: ScannerSettings) -> None:
    if scanner.format not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}, not {scanner.format!r}")
    for word in scanner.command.split():
        left = word
        for place in (*PLACES, *(f"{{{name}}}" for name in scanner.secrets)):
            left = left.replace(place, "x")
        if not _WORD.fullmatch(left):
            raise InputError(
                f"command: {word!r} has characters that a shell or a task's template reads; allowed are letters, "
                f"digits, _@%+=:,./-, {' '.join(PLACES)} and the names of secrets, as {{TOKEN}}"
            )
    if "{report}" not in scanner.command:
        raise InputError("command must say where the report goes: {report}")
    if "{image}" not in scanner.command and "{digest}" not in scanner.command:
        raise InputError("command must say what to scan: {image}, or {digest} with {registry} and {repository}")
