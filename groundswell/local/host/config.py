"""host.json, as far as this host heeds it. Defaults are those of Microsoft's host.json reference."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from groundswell.errors import InputError

_TIMESPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


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
    """The host.json of an app. Raises InputError when it cannot be read."""
    path = app_dir / "host.json"
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise InputError(f"{path} cannot be read: {exc}") from exc
    extensions = document.get("extensions", {})
    queues = extensions.get("queues", {})
    if queues.get("messageEncoding", "base64") != "base64":
        raise InputError(f"{path}: messageEncoding must be base64, which is what the store writes")
    batch = int(queues.get("batchSize", 16))
    timeout = str(document.get("functionTimeout", "00:30:00"))
    return HostConfig(
        queues=Queues(
            batch=batch,
            threshold=int(queues.get("newBatchThreshold", batch // 2)),
            retry=timespan(queues.get("visibilityTimeout", "00:00:00")),
            max_poll=timespan(queues.get("maxPollingInterval", "00:01:00")),
            max_dequeue=int(queues.get("maxDequeueCount", 5)),
        ),
        route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
        timeout=None if timeout == "-1" else timespan(timeout),
    )


def timespan(text: object) -> float:
    """`[d.]hh:mm:ss[.fff]` in seconds."""
    found = _TIMESPAN.fullmatch(str(text))
    if found is None:
        raise InputError(f"host.json: {text!r} is not a time span (hh:mm:ss)")
    days, hours, minutes, seconds = found.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
