"""What a run does: its source, its limits and its steps. Made from a request, carried out by the runner."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from typing import Self

from groundswell.build.port import RunStatus
from groundswell.local.tasks.errors import RunError

_TEMPLATE = re.compile(r"\{\{\s*\.(\w+)\.(\w+)\s*\}\}")
_ALIAS = re.compile(r"\$(ID|Registry|RegistryName|Date|OS|Architecture|Commit|Branch|TaskName)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One `docker build`; paths are relative to the source."""

    images: tuple[str, ...]
    dockerfile: str = "Dockerfile"
    context: str = "."
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    no_cache: bool = False
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One container run: the image, then its command; no command means the image's own."""

    image: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step. `after` names the steps it waits for; timeout 0 leaves it to that of the run."""

    id: str
    action: Build | Push | Command
    after: tuple[str, ...] = ()
    timeout: int = 600
    retries: int = 0
    retry_delay: int = 0
    ignore_errors: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What a task may name: `{{.Run.ID}}`, `{{.Values.x}}` and the aliases such as `$Registry`."""

    run: Mapping[str, str]
    values: Mapping[str, str]

    @classmethod
    def of(
        cls, *, run_id: str, registry: str, registry_name: str, platform: Platform, task: str, now: dt.datetime
    ) -> Self:
        run = {
            "ID": run_id,
            "Registry": registry,
            "RegistryName": registry_name,
            "Date": now.strftime("%Y%m%d-%H%M%Sz"),
            "OS": platform.os,
            "Architecture": platform.architecture,
            "TaskName": task,
            "Commit": "",
            "Branch": "",
        }
        return cls(run=run, values={})

    def with_source(self, *, commit: str, branch: str) -> Self:
        return replace_fields(self, run={**self.run, "Commit": commit, "Branch": branch})

    def with_values(self, values: Mapping[str, str]) -> Self:
        return replace_fields(self, values={**self.values, **values})

    def expand(self, text: str) -> str:
        """`text` with templates and aliases replaced. RunError names one that has no value."""
        text = _TEMPLATE.sub(self._template, text)
        return _ALIAS.sub(lambda match: self.run[match[1]], text)

    def _template(self, match: re.Match[str]) -> str:
        known = {"Run": self.run, "Values": self.values}.get(match[1])
        if known is None or match[2] not in known:
            raise RunError(f"the task names {match[0]}, which has no value", RunStatus.ERROR)
        return known[match[2]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A request that was accepted. `steps` is called when the run starts, for only then are the variables known."""

    run_type: str
    source: str
    timeout: int
    platform: Platform
    steps: Callable[[Variables], tuple[Step, ...]]
    pool: str | None = None
    task: str | None = None
    trigger_token: str | None = None
    archived: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)
    logins: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    own_login: bool = True
    """Whether the run may log in to its own registry."""
