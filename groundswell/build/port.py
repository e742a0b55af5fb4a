"""The build port: one container build as a run of a build service."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

MAX_NAME = 50
MAX_LOG = 1 << 20
"""Bytes of a log that are read: its end, where the cause of a failure is."""

_AZURE_REPOS = re.compile(r"dev\.azure\.com|[a-z0-9-]+\.visualstudio\.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the build context comes from.

    `location` is a git URL (`https://host/repo.git`) or the URL of a tarball; `ref` and `path` (a folder) apply
    to git only.
    """

    location: str
    ref: str = ""
    path: str = ""

    @property
    def is_git(self) -> bool:
        """What ACR's builder clones; it takes any other URL for a tarball (Azure/acr-builder, util/url.go)."""
        parts = urlsplit(self.location)
        if parts.query:
            return False
        if parts.path.endswith(".git"):
            return True
        azure_repos = parts.scheme == "https" and _AZURE_REPOS.fullmatch(parts.netloc)
        return bool(azure_repos and parts.path.partition("/_git/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One build. `name` is the idempotency key: starting the same name twice builds once ([a-z0-9-], <= 50).

    `builder` is a name from GROUNDSWELL_BUILDERS, None for ACR Tasks; `timeout` (seconds) and `pool` are for these.
    """

    name: str
    registry: str
    repository: str
    tag: str
    source: Source
    dockerfile: str = "Dockerfile"
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    platform: str = "linux/amd64"
    no_cache: bool = False
    timeout: int = 3600
    pool: str | None = None
    builder: str | None = None


class RunStatus(StrEnum):
    """Statuses as ACR Tasks names them."""

    QUEUED = "Queued"
    STARTED = "Started"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"
    ERROR = "Error"
    TIMEOUT = "Timeout"

    @property
    def ended(self) -> bool:
        return self not in (RunStatus.QUEUED, RunStatus.STARTED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run as the service reports it; `error` is the service's own message when it did not succeed.

    `resumed` says that an earlier start began it, whatever that one asked for.
    """

    id: str
    status: RunStatus
    error: str = ""
    resumed: bool = False


class Builder(Protocol):
    """Raises TemporaryError (throttled, unreachable) or PermanentError (refused: bad request, not permitted)."""

    def start(self, request: BuildRequest) -> Run:
        """Start the build, or return the run that an earlier start of the same name began."""
        ...

    def observe(self, registry: str, run_id: str) -> Run: ...

    def cancel(self, registry: str, run_id: str) -> None:
        """Ask the run to stop; nothing happens when it has ended."""
        ...

    def named(self, registry: str) -> Mapping[str, Run]:
        """Every build of a registry whose name was not forgotten, anybody's, with its run.

        Pipelines keep no names: of theirs, what goes on is listed, of any registry.
        """
        ...

    def forget(self, registry: str, name: str) -> None:
        """Drop the idempotency key of a build that has ended; its run and log stay."""
        ...

    def log(self, registry: str, run_id: str) -> str:
        """The run's log so far, as text."""
        ...
