"""The gate: what a report must not hold for an image to be promoted. Pure, so that a verdict can be repeated."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from groundswell.scan.port import Finding, Report, Severity

_MAX_REASONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Refuse findings of `threshold` and above, with `fixable_only` those that a newer version repairs.

    `allow_no_os` is the owner's word that the image holds no operating system. The default is the product's:
    no fixable CRITICAL.
    """

    threshold: Severity = Severity.CRITICAL
    fixable_only: bool = True
    allow_no_os: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome for one digest. `reasons` are sentences for people, worst first, empty when passed.

    `counts` holds every severity by name, findings that the policy lets through included.
    """

    passed: bool
    digest: str
    scanner: str
    os: str
    reasons: tuple[str, ...]
    counts: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "reasons": list(self.reasons), "counts": dict(self.counts)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Verdict":
        return cls(**{**document, "reasons": tuple(document["reasons"])})


def judge(report: Report, policy: Policy) -> Verdict:
    """The verdict of `policy` on `report`. The order of the findings makes no difference."""
    reasons = [] if report.os or policy.allow_no_os else [_NO_OS]
    refused = {finding for finding in report.findings if _refuses(policy, finding)}
    reasons += [_sentence(finding) for finding in sorted(refused, key=_worst_first)]
    if len(reasons) > _MAX_REASONS:
        reasons = [*reasons[:_MAX_REASONS], f"and {len(reasons) - _MAX_REASONS} more"]
    return Verdict(
        passed=not reasons,
        digest=report.digest,
        scanner=report.scanner,
        os=report.os,
        reasons=tuple(reasons),
        counts={
            severity.name: sum(finding.severity is severity for finding in report.findings) for severity in Severity
        },
    )


_NO_OS = (
    "the scanner found no operating system in the image, so no findings proves nothing; "
    "if there is none, register the image with gate: {os: none}"
)


def _refuses(policy: Policy, finding: Finding) -> bool:
    return finding.severity >= policy.threshold and bool(finding.fixed or not policy.fixable_only)


def _worst_first(finding: Finding) -> tuple[int, str, str, str]:
    return -finding.severity, finding.id, finding.package, finding.installed


def _sentence(finding: Finding) -> str:
    repair = f"fixed in {finding.fixed}" if finding.fixed else "not fixed yet"
    return f"{finding.id} ({finding.severity.name}) in {finding.package} {finding.installed}: {repair}"
