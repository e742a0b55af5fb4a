"""A scan as a task of ACR Tasks: one step in which a scanner writes its report, one that attaches it to the image.

Pure: settings and a reference go in, YAML comes out. A step's line goes through YAML, through the service's
templates and through a shell, so nothing is quoted here but everything checked: what is not on a short list of
characters is refused. The only templates are the run's own id, by which its report is told from anybody else's, and
the names of secret values.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graph.reference import Reference
from groundswell.errors import PermanentError
from groundswell.scanners import Kind, ScannerSettings

ARTIFACT = "application/vnd.groundswell.scan.v1"
"""The artifact type of an attached report."""
REPORT = "application/vnd.groundswell.scan.report.v1"
DATABASE = "application/vnd.groundswell.scan.database.v1+json"
"""The media types of its layers: what the scanner wrote; what Trivy's database says of itself."""
SCANNER, RUN = "dev.groundswell.scanner", "dev.groundswell.run"
"""Its annotations: which scanner, and which run."""

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PLACE = re.compile(r"\{\w+\}")
_FILE = "report.json"
_CACHE = "trivy"
_RUN_ID = "{{.Run.ID}}"
_ATTACH_SECONDS = 120
_SPARE_SECONDS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a run is started with. `name` is the same for the same scan of the same image: its idempotency key.

    `timeout` is the run's in seconds, `secrets` the values that the text names.
    """

    name: str
    text: str
    timeout: int
    pool: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def task(name: str, scanner: ScannerSettings, reference: Reference, *, attacher: str) -> Task:
    """The scan of `reference` (by digest) by the scanner that policies call `name`; `attacher` is oras's image.

    Raises PermanentError for a reference that cannot stand in a step.
    """
    if not _DIGEST.fullmatch(reference.digest or ""):
        raise PermanentError(f"{reference} has no sha256 digest: only a digest is scanned, because tags move")
    image = f"{reference.registry}/{reference.repository}@{reference.digest}"
    if not _SAFE.fullmatch(image) or not image[0].isalnum():
        raise PermanentError(f"{image!r} has characters that cannot stand in a step of a task")
    words = _trivy(scanner, image) if scanner.kind is Kind.TRIVY else _command(scanner, reference, image)
    env = [f"{name}={value}" for name, value in scanner.env.items()]
    env += [f"{name}={_value(name)}" for name in scanner.secrets]
    steps = [
        _step("scan", [scanner.image, *words], scanner.timeout, env=env, ignore=scanner.ignore_exit),
        _step("attach", [attacher, *_attach(name, scanner, image)], _ATTACH_SECONDS),
    ]
    text = "\n".join(["version: v1.1.0", "steps:", *steps, ""])
    return Task(
        name=f"gs-scan-{hashlib.sha256(f'{name}\n{text}'.encode()).hexdigest()[:40]}",
        text=text,
        timeout=scanner.timeout + _ATTACH_SECONDS + _SPARE_SECONDS,
        pool=scanner.pool or None,
        secrets=scanner.secrets,
    )


def _trivy(scanner: ScannerSettings, image: str) -> list[str]:
    """All that is found is in the report, so the exit status says only whether Trivy worked."""
    words = ["image", "--format", "json", "--output", _FILE, "--cache-dir", _CACHE, "--image-src", "remote"]
    words += ["--scanners", "vuln", "--list-all-pkgs", "--no-progress", "--timeout", f"{scanner.timeout}s"]
    words += ["--db-repository", scanner.database] if scanner.database else []
    words += ["--java-db-repository", scanner.java_database] if scanner.java_database else []
    return [*words, image]


def _command(scanner: ScannerSettings, reference: Reference, image: str) -> list[str]:
    values = {
        "{image}": image,
        "{report}": _FILE,
        "{registry}": reference.registry,
        "{repository}": reference.repository,
        "{digest}": str(reference.digest),
        **{f"{{{name}}}": _value(name) for name in scanner.secrets},
    }
    return [_filled(word, values) for word in scanner.command.split()]


def _value(secret: str) -> str:
    """As the task names it; the service puts in what the request gives, and keeps it out of the log."""
    return f"{{{{.Values.{secret}}}}}"


def _filled(word: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[0]], word)


def _attach(name: str, scanner: ScannerSettings, image: str) -> list[str]:
    files = [f"{_FILE}:{REPORT}"]
    files += [f"{_CACHE}/db/metadata.json:{DATABASE}"] if scanner.kind is Kind.TRIVY else []
    words = ["attach", "--artifact-type", ARTIFACT]
    words += ["--annotation", f"{SCANNER}={name}", "--annotation", f"{RUN}={_RUN_ID}"]
    return [*words, image, *files]


def _step(name: str, words: Sequence[str], timeout: int, *, env: Sequence[str] = (), ignore: bool = False) -> str:
    lines = [f"  - id: {name}", f"    cmd: {json.dumps(' '.join(words))}", f"    timeout: {timeout}"]
    lines += ["    ignoreErrors: true"] if ignore else []
    lines += ["    env:", *(f"      - {json.dumps(each)}" for each in env)] if env else []
    return "\n".join(lines)
