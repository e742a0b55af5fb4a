"""The Trivy adapter: one process a scan, straight from the registry, without the internet.

Every scan has a folder of its own for home, temporary files, report and log, removed at the end whatever happens.
It is the working folder too, so that no stray trivy.yaml or .trivyignore can hide findings. The database is shared
and only read, the layer cache is in memory, so scans run side by side. Credentials go through the environment,
never through arguments, which other users of the machine can see.
"""

import logging
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from graph.reference import Reference
from groundswell import clock
from groundswell.errors import PermanentError, TemporaryError
from groundswell.scan.database import check_age, read_contents
from groundswell.scan.port import Report
from groundswell.scan.report import parse

type Credentials = Callable[[str], tuple[str, str]]
"""User and password for a registry (by host)."""

MAX_AGE = 7 * 86400.0
MAX_REPORT = 64 * 2**20

_CLEAN, _FOUND = 0, 10  # exit statuses; Trivy ends with 1 for every failure, so findings get a number of their own
_RETRY = 15.0
_TAIL = 1000
_GRACE = 60  # Trivy's own limit is later than ours, so that a timeout has one cause
_SEPARATOR = re.compile(r"[\s,]")
_PASSED_ON = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_DIR")
_log = logging.getLogger(__name__)


class TrivyScanner:
    """Scans with the Trivy `binary` and the database in its cache folder `cache`; safe to share between threads.

    `max_age` and `timeout` are in seconds; `max_report` in bytes.
    """

    def __init__(
        self,
        binary: str | os.PathLike[str],
        cache: str | os.PathLike[str],
        credentials: Credentials | None = None,
        *,
        timeout: float = 120.0,
        max_age: float = MAX_AGE,
        max_report: int = MAX_REPORT,
        now: clock.Clock = clock.now,
    ) -> None:
        self._binary = os.fspath(binary)
        self._cache = Path(cache).absolute()
        self._credentials = credentials
        self._timeout = timeout
        self._max_age = max_age
        self._max_report = max_report
        self._now = now

    def scan(self, reference: Reference) -> Report:
        """See `Scanner.scan`."""
        if reference.digest is None:
            raise PermanentError(f"{reference} has no digest: only a digest is scanned, because tags move")
        contents = read_contents(self._cache)
        check_age(contents.updated_at, now=self._now(), max_age=self._max_age)
        image = f"{reference.registry}/{reference.repository}@{reference.digest}"
        started = self._now()
        with tempfile.TemporaryDirectory(prefix="groundswell-scan-") as name:
            folder = Path(name)
            status = self._run(image, folder, self._environment(reference.registry, folder))
            content = self._report(image, folder, status)
        report = parse(
            content,
            digest=reference.digest,
            buckets=contents.buckets,
            scanned_at=started,
            database_at=contents.updated_at.timestamp(),
        )
        if bool(report.findings) != (status == _FOUND):
            raise TemporaryError(
                f"Trivy ended with {status} but reported {len(report.findings)} findings", delay=_RETRY
            )
        _log.info(
            "scanned",
            extra={"image": image, "findings": len(report.findings), "seconds": round(self._now() - started, 3)},
        )
        return report

    def _command(self, image: str, folder: Path) -> list[str]:
        return [
            *(self._binary, "image", "--format", "json", "--output", str(folder / "report.json")),
            *("--cache-dir", str(self._cache), "--cache-backend", "memory", "--image-src", "remote"),
            *("--offline-scan", "--skip-db-update", "--skip-java-db-update", "--no-progress"),
            *("--scanners", "vuln", "--list-all-pkgs", "--exit-code", str(_FOUND)),
            *("--timeout", f"{self._timeout + _GRACE:.0f}s", image),
        ]

    def _environment(self, registry: str, folder: Path) -> Mapping[str, str]:
        """Only what Trivy needs: nothing of this process's own settings and secrets."""
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"HOME": str(folder), "TMPDIR": str(folder), "PATH": os.defpath}
        if authorities := os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE"):
            environment["SSL_CERT_FILE"] = authorities
        if self._credentials is not None:
            user, password = self._credentials(registry)
            if _SEPARATOR.search(user + password):
                raise PermanentError(
                    f"the login for {registry} has a comma or a space, which Trivy takes for several logins"
                )
            environment |= {"TRIVY_USERNAME": user, "TRIVY_PASSWORD": password}
        return environment

    def _run(self, image: str, folder: Path, environment: Mapping[str, str]) -> int:
        with (folder / "log").open("wb") as log:
            try:
                process = subprocess.Popen(
                    self._command(image, folder),
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as exc:
                raise PermanentError(
                    f"Trivy cannot be started from {self._binary} ({exc.strerror}): "
                    "set GROUNDSWELL_TRIVY to its path"
                ) from exc
            try:
                return process.wait(self._timeout)
            except subprocess.TimeoutExpired as exc:
                raise TemporaryError(f"Trivy did not end in {self._timeout:g} s on {image}", delay=_RETRY) from exc
            finally:
                _end(process)

    def _report(self, image: str, folder: Path, status: int) -> bytes:
        if status not in (_CLEAN, _FOUND):
            raise TemporaryError(
                f"Trivy failed with {status} on {image}: {_last_words(folder / 'log')}", delay=_RETRY
            )
        path = folder / "report.json"
        try:
            size = path.stat().st_size
            if size > self._max_report:
                raise PermanentError(
                    f"Trivy's report on {image} has {size} bytes, more than the {self._max_report} allowed"
                )
            return path.read_bytes()
        except OSError as exc:
            raise TemporaryError(f"Trivy left no report on {image} ({exc.strerror})", delay=_RETRY) from exc


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing running, whatever interrupted the wait: the whole process group goes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_words(log: Path) -> str:
    """The cause from the end of the log, on one line and cut."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4 * _TAIL))
        words = " ".join(file.read().decode(errors="replace").split())
    _, _, cause = words.rpartition("Fatal error")
    return cause.strip()[:_TAIL] or "no message"
