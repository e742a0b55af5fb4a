"""Looks for known vulnerabilities in the locked packages of the app, with pip-audit.

0: none is known, but for those that tools/audit-allowed.json lets pass until a day:
`{"GHSA-…": {"until": "2027-03-31", "why": "…"}}`. 1: some are known, or that file is wrong. Where the data (PyPI's)
cannot be reached, or knows only some of the packages, it says so and what was not looked at, and is 0 as far as
that goes: a clone without a network can still be checked. pip-audit itself calls what it could not look up "no
known vulnerability", so each package's answer is looked at here.
"""

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = ROOT / "tools" / "audit-allowed.json"
_TIMEOUT = 90.0
_MOST_DAYS = 180
"""A longer exception is none that anybody will look at again."""
_UNREACHABLE = ("ConnectionError", "connection", "Timeout", "timed out", "resolve", "network", "Max retries", "SSL")

type Answer = tuple[int, str, str]
"""Exit code, standard output, standard error."""


class AuditError(Exception):
    """The audit cannot be made; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    package: str
    version: str
    ids: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        repair = f"fixed in {', '.join(self.fixed)}" if self.fixed else "no repair is known"
        return f"{self.package} {self.version}: {self.ids[0]} ({repair})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`looked` counts the packages that were looked up, `skipped` names those that were not."""

    flaws: tuple[Flaw, ...]
    looked: int
    skipped: tuple[str, ...]


def read(text: str) -> Found:
    """What pip-audit's JSON says. Raises AuditError when it is none."""
    try:
        packages = json.loads(text)["dependencies"]
        flaws = tuple(
            Flaw(
                package=package["name"],
                version=package["version"],
                ids=(flaw["id"], *flaw.get("aliases", ())),
                fixed=tuple(flaw.get("fix_versions", ())),
            )
            for package in packages
            for flaw in package.get("vulns", ())
        )
        skipped = tuple(package["name"] for package in packages if "skip_reason" in package)
    except (ValueError, KeyError, TypeError) as exc:
        raise AuditError("pip-audit gave a report that is none") from exc
    return Found(flaws=flaws, looked=len(packages) - len(skipped), skipped=skipped)


def allowed(text: str, today: dt.date) -> set[str]:
    """The ids that may pass today. Raises AuditError for an entry that is not one."""
    try:
        entries: Mapping[str, Any] = json.loads(text)
        pairs = [
            (name, dt.date.fromisoformat(entry["until"]), str(entry["why"])) for name, entry in entries.items()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise AuditError(f"{ALLOWED.name}: each entry needs `until`, a day, and `why`") from exc
    for name, until, why in pairs:
        if not why.strip() or (until - today).days > _MOST_DAYS:
            raise AuditError(f"{ALLOWED.name}: {name} needs a reason, and a day within {_MOST_DAYS} days")
    return {name for name, until, _ in pairs if until >= today}


def pip_audit(requirements: Path) -> Answer:
    """Every version and hash is in the lock, so nothing is resolved or installed."""
    try:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("pip-audit")), "--requirement", str(requirements)),
                *("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"Timeout: no answer in {_TIMEOUT:.0f} s"
    return done.returncode, done.stdout, done.stderr


def audit(answer: Answer, passing: set[str]) -> tuple[int, list[str]]:
    """The exit code, and what is said."""
    code, output, errors = answer
    if not output.strip():
        last = (errors.strip().splitlines() or ["it said nothing"])[-1]
        if code and any(word in errors for word in _UNREACHABLE):
            return 0, [f"not audited: the data cannot be reached ({last[:200]})"]
        return 1, [f"pip-audit failed with {code}: {last[:200]}"]
    found = read(output)
    counted = [flaw for flaw in found.flaws if not passing & set(flaw.ids)]
    said = [str(flaw) for flaw in counted]
    said += [f"{flaw} is let pass by {ALLOWED.name}" for flaw in found.flaws if flaw not in counted]
    if found.skipped and not found.looked:
        said.append(
            f"not audited: none of the {len(found.skipped)} packages is known where the data was looked for"
        )
    elif found.skipped:
        said.append(f"not audited, because nothing is known of them: {', '.join(found.skipped)}")
    if found.looked:
        said.append(f"{found.looked} packages audited, {len(counted)} findings")
    return (1 if counted else 0), said


def main(
    arguments: Sequence[str],
    ask: Callable[[Path], Answer] = pip_audit,
    allowed_file: Path = ALLOWED,
    today: dt.date | None = None,
) -> int:
    parser = argparse.ArgumentParser(description="Look for known vulnerabilities in the locked packages.")
    parser.add_argument("requirements", nargs="?", type=Path, default=ROOT / "requirements.txt")
    options = parser.parse_args(arguments)
    try:
        passing = allowed(allowed_file.read_text("utf-8"), today or dt.datetime.now(dt.UTC).date())
        code, said = audit(ask(options.requirements), passing)
    except AuditError as exc:
        code, said = 1, [str(exc)]
    for line in said:
        print(f"audit: {line}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
