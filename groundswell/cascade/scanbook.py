"""The last scan of each image, kept to compare the next candidate with what production runs.

It saves a scan, and is no more than that: it never stands for the scan of a candidate, and one that is not there,
or was made with other advisories, is made again. There is one record per image and scanner, so it does not grow.

What passed is held in this process until it is promoted, and written in one commit with the good build; it is lost
when another process promotes it. So the scans are in the table of good builds.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace

from groundswell.cascade.goodbook import TABLE
from groundswell.errors import NewerError, PermanentError
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.store.port import ANY, Documents, Put
from groundswell.store.recent import Recent

logger = logging.getLogger(__name__)

_ROW = "scan:"
_VERSION = 1
"""Of a kept report: one that another program kept is scanned again, not guessed at."""
_HELD = 100


class ScanBook:
    def __init__(self, store: Documents) -> None:
        self._store = store
        self._held: Recent[tuple[str, str], tuple[Put, ...]] = Recent(_HELD)

    def find(self, image: str, digest: str, like: Report) -> Report | None:
        """The kept scan of `digest`, when the scanner and the advisories of `like` made it."""
        try:
            record = self._store.get(TABLE, image, _ROW + like.scanner)
        except NewerError:
            return None
        if record is None or record.value["v"] != _VERSION:
            return None
        value = record.value["report"]
        if (value["digest"], value["database_at"]) != (digest, like.database_at):
            return None
        findings = tuple(Finding(**{**each, "severity": Severity(each["severity"])}) for each in value["findings"])
        packages = None if value["packages"] is None else tuple(Package(**each) for each in value["packages"])
        return Report(**{**value, "findings": findings, "packages": packages})

    def hold(self, image: str, reports: Sequence[Report]) -> None:
        """Remember the scans of one digest until it is promoted, but for those that could not be compared."""
        comparable = [report for report in reports if report.database_at is not None]
        for digest in {report.digest for report in comparable}:
            self._held.put((image, digest), tuple(_put(report) for report in comparable))

    def held(self, image: str, digest: str) -> tuple[Put, ...]:
        """What to write in the table of good builds, now that `digest` is promoted."""
        return self._held.get((image, digest), ())

    def keep(self, image: str, report: Report) -> None:
        """Keep `report` in place of the image's last, unless it could not be compared or is too large to store."""
        if report.database_at is None:
            return
        try:
            self._store.commit(TABLE, image, [_put(report)])
        except PermanentError as exc:
            logger.warning("scan not kept", extra={"image": image, "digest": report.digest, "why": str(exc)})


def _put(report: Report) -> Put:
    lean = replace(report, findings=tuple(replace(finding, title="") for finding in report.findings))
    return Put(row=_ROW + report.scanner, value={"v": _VERSION, "report": asdict(lean)}, etag=ANY)
