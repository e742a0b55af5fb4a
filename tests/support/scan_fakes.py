"""Runs and a registry in memory, for tests of what a scan run may leave behind."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graph.reference import Reference
from groundswell.build.port import Run, RunStatus
from groundswell.errors import GroundswellError, PermanentError
from groundswell.scan.run import RunScanner
from groundswell.scan.task import ARTIFACT, DATABASE, REPORT, RUN, SCANNER
from groundswell.scanners import read
from tests.support.world import HOST

NOW = 1_800_000_000.0
DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
CONFIG = "sha256:" + "1d" * 32
IMAGE = Reference(registry=HOST, repository="top", tag=None, digest=DIGEST)
SCANNER_IMAGE = f"{HOST}/tools/trivy@{OTHER}"
ORAS = f"{HOST}/tools/oras@{OTHER}"
TRIVY = {"kind": "trivy", "image": SCANNER_IMAGE}
REPORTS = Path(__file__).parents[1] / "unit/scan/reports"

type Json = dict[str, Any]


def command(format_: str, **more: Any) -> Json:
    return {"kind": "command", "image": SCANNER_IMAGE, "command": "{image} {report}", "format": format_, **more}


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, dt.UTC).isoformat()


def flaw(**changes: Any) -> Json:
    found = {
        "VulnerabilityID": "CVE-1",
        "PkgName": "zlib1g",
        "InstalledVersion": "1",
        "FixedVersion": "2",
        "Severity": "CRITICAL",
    }
    return {**found, **changes}


def trivy_report(digest: str = DIGEST, *flaws: Json, family: str = "debian", name: str = "12.5") -> Json:
    """What Trivy writes of an image with one package."""
    packages = [{"Name": "zlib1g", "Version": "1"}]
    results = [{"Class": "os-pkgs", "Type": family, "Packages": packages, "Vulnerabilities": list(flaws)}]
    metadata = {"OS": {"Family": family, "Name": name}, "RepoDigests": [f"{HOST}/top@{digest}"]}
    return {"SchemaVersion": 2, "Metadata": metadata, "Results": results}


@dataclass
class FakeRuns:
    """Each run is `status` from the start; `begun` are all that there were."""

    status: RunStatus = RunStatus.SUCCEEDED
    names: dict[str, str] = field(default_factory=dict)
    begun: list[Json] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    said: str = "line 1\n\x1b[31mFATAL\x1b[0m no such image\n"
    log_fails: GroundswellError | None = None
    forget_fails: GroundswellError | None = None

    def find(self, registry: str, name: str) -> Run | None:
        assert registry == HOST
        return self._run(self.names[name]) if name in self.names else None

    def run(
        self, registry: str, name: str, text: str, *, secrets: Mapping[str, str], timeout: int, pool: str | None
    ) -> Run:
        assert registry == HOST
        self.begun.append({"name": name, "text": text, "secrets": secrets, "timeout": timeout, "pool": pool})
        self.names[name] = f"cf{len(self.begun)}"
        return self._run(self.names[name])

    def _run(self, run: str) -> Run:
        wrong = self.status.ended and self.status is not RunStatus.SUCCEEDED
        return Run(id=run, status=self.status, error=f"the run ended as {self.status}" if wrong else "")

    def forget(self, registry: str, name: str) -> None:
        assert registry == HOST
        if self.forget_fails:
            raise self.forget_fails
        self.forgotten.append(name)
        self.names.pop(name, None)

    def log(self, registry: str, run_id: str) -> str:
        assert registry == HOST
        if self.log_fails:
            raise self.log_fails
        return self.said


@dataclass(frozen=True, kw_only=True)
class Bytes:
    content: bytes


@dataclass
class FakeArtifacts:
    """Manifests and blobs by digest (or tag); `listed` are descriptors, None where there is no such list."""

    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    listed: list[Json] | None = field(default_factory=list)

    def find(self, reference: Reference) -> Bytes | None:
        content = self.manifests.get(reference.digest or reference.tag or "")
        return None if content is None else Bytes(content=content)

    def blob(self, reference: Reference, limit: int) -> bytes:
        assert limit
        if reference.digest not in self.blobs:
            raise PermanentError(f"no blob {reference}")
        return self.blobs[reference.digest]

    def referrers(self, subject: Reference) -> tuple[Mapping[str, Any], ...] | None:
        assert subject.digest
        return None if self.listed is None else tuple(self.listed)

    def put(self, content: bytes) -> str:
        self.blobs[digest_of(content)] = content
        return digest_of(content)

    def attach(
        self,
        report: bytes,
        *,
        run: str = "cf1",
        scanner: str = "trivy",
        subject: str = DIGEST,
        kind: str = ARTIFACT,
        database: bytes | None = None,
        created: str | None = None,
        at: float = NOW,
        annotated: bool = True,
        **changes: Any,
    ) -> Json:
        """Attach as oras does; returns the manifest. `changes` replace its parts."""
        layers = [{"mediaType": REPORT, "digest": self.put(report), "size": len(report)}]
        if database is not None:
            layers.append({"mediaType": DATABASE, "digest": self.put(database), "size": len(database)})
        notes = {SCANNER: scanner, RUN: run, "org.opencontainers.image.created": created or moment(at)}
        manifest = {
            "artifactType": kind,
            "subject": {"digest": subject},
            "layers": layers,
            "annotations": notes,
            **changes,
        }
        content = json.dumps(manifest).encode()
        self.manifests[digest_of(content)] = content
        entry: Json = {"digest": digest_of(content), "artifactType": kind}
        if annotated:
            entry["annotations"] = notes
        if self.listed is None:
            tag = DIGEST.replace(":", "-")
            before = json.loads(self.manifests.get(tag, b'{"manifests": []}'))["manifests"]
            self.manifests[tag] = json.dumps({"manifests": [*before, entry]}).encode()
        else:
            self.listed.append(entry)
        return manifest


def database(at: float = NOW) -> bytes:
    return json.dumps({"Version": 2, "UpdatedAt": moment(at)}).encode()


@dataclass
class Scanning:
    """A scanner in a run, with what it meets."""

    name: str = "trivy"
    entry: Json = field(default_factory=lambda: dict(TRIVY))
    runs: FakeRuns = field(default_factory=FakeRuns)
    artifacts: FakeArtifacts = field(default_factory=FakeArtifacts)
    time: float = NOW
    max_report: int = 1 << 20

    @property
    def scanner(self) -> RunScanner:
        return RunScanner(
            self.name,
            read({self.name: self.entry}, setting="S")[self.name],
            runs=self.runs,
            artifacts=self.artifacts,
            attacher=ORAS,
            max_report=self.max_report,
            now=lambda: self.time,
        )
