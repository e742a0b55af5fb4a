"""The last scan of each image, kept to compare the next candidate with what production runs.

It saves a scan, and is no more than that: it never stands for the scan of a candidate, and one that is not there,
or was made with other advisories, is made again. There is one record per image and scanner, so it does not grow.
"""

import logging
from dataclasses import asdict, replace

from groundswell.errors import PermanentError
from groundswell.scan.port import Finding, Package, Report, Severity
from groundswell.store.port import ANY, Documents, Put

logger = logging.getLogger(__name__)

_TABLE = "scans"
_VERSION = 1
"""Of a kept report: one that another program kept is scanned again, not guessed at."""


class ScanBook:
    def __init__(self, store: Documents) -> None:
        self._store = store

    def find(self, image: str, digest: str, like: Report) -> Report | None:
        """The kept scan of `digest`, when the scanner and the advisories of `like` made it."""
        record = self._store.get(_TABLE, image, like.scanner)
        if record is None or record.value["v"] != _VERSION:
            return None
        value = record.value["report"]
        if (value["digest"], value["database_at"]) != (digest, like.database_at):
            return None
        findings = tuple(Finding(**{**each, "severity": Severity(each["severity"])}) for each in value["findings"])
        packages = None if value["packages"] is None else tuple(Package(**each) for each in value["packages"])
        return Report(**{**value, "findings": findings, "packages": packages})

    def keep(self, image: str, report: Report) -> None:
        """Keep `report` in place of the image's last, unless it could not be compared or is too large to store."""
        if report.database_at is None:
            return
        lean = replace(report, findings=tuple(replace(finding, title="") for finding in report.findings))
        try:
            self._store.commit(
                _TABLE, image, [Put(row=report.scanner, value={"v": _VERSION, "report": asdict(lean)}, etag=ANY)]
            )
        except PermanentError as exc:
            logger.warning("scan not kept", extra={"image": image, "digest": report.digest, "why": str(exc)})
