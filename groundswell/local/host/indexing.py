"""What the worker library makes of an app: its functions, with their routes, queues and schedules."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.errors import PermanentError

_SECONDS = 60
_ERROR = re.compile(r"^error: (.*)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionInfo:
    """One function. `trigger` is the binding's type (`httpTrigger`); what another kind of trigger has is None."""

    name: str
    trigger: str
    route: str | None = None
    methods: tuple[str, ...] = ()
    auth_level: str | None = None
    queue: str | None = None
    connection: str | None = None
    schedule: str | None = None


def index(app_dir: Path) -> list[FunctionInfo]:
    """The functions of an app, in a process of its own, because the library keeps them in module globals.

    Raises PermanentError with the library's words when it refuses the app.
    """
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.local.host", str(app_dir), "--index"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        found = _ERROR.search(done.stderr)
        raise PermanentError((found[1] if found else done.stderr).strip())
    return [_info(json.loads(line)) for line in done.stdout.splitlines()]


def _info(document: dict[str, Any]) -> FunctionInfo:
    trigger: dict[str, Any] = document["trigger"]
    level = trigger.get("authLevel")
    return FunctionInfo(
        name=document["name"],
        trigger=trigger["type"],
        route=trigger.get("route"),
        methods=tuple(trigger.get("methods") or ()),
        auth_level=level and str(level).lower(),
        queue=trigger.get("queueName"),
        connection=trigger.get("connection"),
        schedule=trigger.get("schedule"),
    )
