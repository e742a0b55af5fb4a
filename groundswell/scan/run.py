"""A scanner that works as a run of ACR Tasks: started once, looked at again, its report read from the registry.

The run has a name that follows from what is scanned, by whom and how, so whoever asks again finds it. Its report
leaves it as an artifact attached to the image, never by way of the log. A name is forgotten with what went wrong
under it, so that the next call begins anew; and with a report that is too old to be called a scan of today.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from graph.reference import Reference
from groundswell import clock, printable
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan import formats
from groundswell.scan.attached import Artifacts, Attached, attached, config_of
from groundswell.scan.coverage import PUBLISHED
from groundswell.scan.database import check_age, collected_at
from groundswell.scan.port import NotYetError, Report
from groundswell.scan.report import parse
from groundswell.scan.source import Source
from groundswell.scan.task import task
from groundswell.scanners import Kind, ScannerSettings

FRESH = 900.0
"""Seconds for which a report stands for a scan that is asked for again: while others are awaited, after a crash."""
MAX_AGE = 7 * 86400.0

_RETRY = 15.0
_TAIL_LINES, _TAIL_CHARS = 6, 600
_REMEDY = "see where the scanner's setting `database` points"
_log = logging.getLogger(__name__)


class Status(Protocol):
    @property
    def ended(self) -> bool: ...


class Seen(Protocol):
    """A run as it is now: see `groundswell.build.port.Run`."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> Status: ...

    @property
    def error(self) -> str: ...


class Runs(Protocol):
    """Runs of a registry's tasks, by names of ours: see `groundswell.build.acr_tasks`."""

    def find(self, registry: str, name: str) -> Seen | None: ...

    def run(
        self, registry: str, name: str, text: str, *, secrets: Mapping[str, str], timeout: int, pool: str | None
    ) -> Seen: ...

    def forget(self, registry: str, name: str) -> None: ...

    def log(self, registry: str, run_id: str) -> str: ...


type Reader = Callable[[Attached, Reference], Report]


class RunScanner:
    """The scanner that policies call `name`, as `settings` say. Safe to share between threads.

    `attacher` is the image of oras; `max_age` of Trivy's database is in seconds.
    """

    def __init__(
        self,
        name: str,
        settings: ScannerSettings,
        *,
        runs: Runs,
        artifacts: Artifacts,
        attacher: str,
        max_age: float = MAX_AGE,
        max_report: int = formats.MAX_REPORT,
        now: clock.Clock = clock.now,
    ) -> None:
        self._name = name
        self._settings = settings
        self._runs = runs
        self._artifacts = artifacts
        self._attacher = attacher
        self._max_age = max_age
        self._max_report = max_report
        self._now = now
        self._read: Reader = self._trivy if settings.kind is Kind.TRIVY else self._other

    def scan(self, reference: Reference) -> Report:
        """See `Scanner.scan`."""
        wanted = task(self._name, self._settings, reference, attacher=self._attacher)
        registry = reference.registry
        run = self._runs.find(registry, wanted.name)
        if run is None:
            run = self._runs.run(
                registry,
                wanted.name,
                wanted.text,
                secrets=wanted.secrets,
                timeout=wanted.timeout,
                pool=wanted.pool,
            )
            _log.info("scan begun", extra={"scanner": self._name, "image": str(reference), "run": run.id})
            raise NotYetError(f"{self._name} was begun as run {run.id}")
        if not run.status.ended:
            raise NotYetError(f"{self._name} is at work as run {run.id}, which is {run.status}")
        try:
            report = self._report(reference, run)
        except GroundswellError:
            self._forget(registry, wanted.name)
            raise
        if report is None:
            self._forget(registry, wanted.name)
            raise NotYetError(f"{self._name} is begun anew: run {run.id} is over for too long")
        return report

    def _report(self, reference: Reference, run: Seen) -> Report | None:
        """The report of a run that has ended, None when it is of an earlier time."""
        if run.error:
            raise TemporaryError(self._why(reference.registry, run), delay=_RETRY)
        found = attached(self._artifacts, reference, scanner=self._name, run=run.id, max_bytes=self._max_report)
        if found is None:
            raise TemporaryError(
                f"run {run.id} of {self._name} succeeded, but attached no report to {reference}", delay=_RETRY
            )
        return None if self._now() - found.at > FRESH else self._read(found, reference)

    def _trivy(self, found: Attached, reference: Reference) -> Report:
        if found.database is None:
            raise PermanentError("Trivy's report came without what its database says of itself")
        try:
            collected = collected_at(found.database)
        except (ValueError, KeyError, TypeError) as exc:
            raise TemporaryError(f"what Trivy's database says of itself cannot be read ({exc})") from exc
        check_age(collected, now=self._now(), max_age=self._max_age, remedy=_REMEDY)
        return parse(
            found.content,
            digest=str(reference.digest),
            buckets=PUBLISHED.union(self._settings.covers),
            scanned_at=found.at,
            database_at=collected.timestamp(),
            scanner=self._name,
        )

    def _other(self, found: Attached, reference: Reference) -> Report:
        source = Source(
            scanner=self._name,
            digest=str(reference.digest),
            image_id=config_of(self._artifacts, reference),
            made_at=found.at,
        )
        return formats.read(self._settings.format, found.content, source, max_bytes=self._max_report)

    def _why(self, registry: str, run: Seen) -> str:
        ended = f"run {run.id} of {self._name} ended as {run.status}"
        try:
            log = self._runs.log(registry, run.id)
        except (PermanentError, TemporaryError) as exc:
            return f"{ended}: {run.error} (its log cannot be read: {exc})"
        said = [line for each in log.splitlines() if (line := printable.line(each).strip())]
        tail = " | ".join(said[-_TAIL_LINES:])[-_TAIL_CHARS:]
        return f"{ended}; its log ends: {tail}" if tail else f"{ended}: {run.error}"

    def _forget(self, registry: str, name: str) -> None:
        try:
            self._runs.forget(registry, name)
        except (PermanentError, TemporaryError) as exc:
            _log.warning("scan not forgotten", extra={"scanner": self._name, "task": name, "why": str(exc)})
