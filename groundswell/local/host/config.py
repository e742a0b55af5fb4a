"""host.json and local.settings.json, as far as this host heeds them.

Defaults are those of Microsoft's host.json reference.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.errors import InputError

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")
_MAX_BATCH = 32
_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Times in seconds. `retry` is host.json's visibilityTimeout: how long a failed message stays hidden."""

    batch: int = 16
    threshold: int = 8
    retry: float = 0.0
    max_poll: float = 60.0
    max_dequeue: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    queues: Queues
    route_prefix: str
    timeout: float | None


def read(app_dir: Path) -> HostConfig:
    """The host.json of an app. Raises InputError when it cannot be read, naming the value at fault."""
    path = app_dir / "host.json"
    document = _object(path)
    extensions = _section(document, "extensions", path)
    queues = _section(extensions, "queues", path)
    http = _section(extensions, "http", path)
    if queues.get("messageEncoding", "base64") != "base64":
        raise InputError(f"{path}: messageEncoding must be base64, which is what the store writes")
    batch = _whole(queues, "batchSize", 16, path, low=1, high=_MAX_BATCH)
    timeout = document.get("functionTimeout", "00:30:00")
    return HostConfig(
        queues=Queues(
            batch=batch,
            threshold=_whole(queues, "newBatchThreshold", batch // 2, path, low=0),
            retry=timespan(queues.get("visibilityTimeout", "00:00:00")),
            max_poll=timespan(queues.get("maxPollingInterval", "00:01:00")),
            max_dequeue=_whole(queues, "maxDequeueCount", 5, path, low=1),
        ),
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        timeout=None if str(timeout) == "-1" else timespan(timeout),
    )


def timespan(text: object) -> float:
    """`[d.]hh:mm:ss[.fff]` in seconds."""
    found = _TIMESPAN.fullmatch(str(text))
    if found is None:
        raise InputError(f"host.json: {text!r} is not a time span (hh:mm:ss)")
    days, hours, minutes, seconds = found.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def put_values(path: Path) -> None:
    """Put a settings file's `Values` into the environment, but for those set already, as `func start` does."""
    document = _object(path)
    if document.get("IsEncrypted"):
        raise InputError(f"{path} is encrypted: run `func settings decrypt` first")
    for name, value in _section(document, "Values", path).items():
        os.environ.setdefault(name, str(value))


def expanded(value: str, values: Mapping[str, str], owner: str) -> str:
    """`value` of a binding of the function `owner`, with app settings in the place of `%NAME%`.

    Raises InputError when there is no such setting.
    """

    def look_up(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise InputError(f"function {owner}: app setting {found[1]} is missing, which {value!r} needs")
        return values[found[1]]

    return _SETTING.sub(look_up, value)


def _object(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} cannot be read: {exc}") from exc
    if not isinstance(document, dict):
        raise InputError(f"{path} must hold a JSON object")
    return document


def _section(parent: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    section = parent.get(name, {})
    if not isinstance(section, dict):
        raise InputError(f"{path}: {name} must be an object")
    return section


def _whole(
    section: Mapping[str, Any], name: str, default: int, path: Path, *, low: int, high: int | None = None
) -> int:
    value = section.get(name, default)
    if type(value) is not int or value < low or (high is not None and value > high):
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InputError(f"{path}: {name} must be a whole number {bounds}, not {value!r}")
    return value
