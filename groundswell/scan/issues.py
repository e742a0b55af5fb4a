"""What several scanners found, as one list: an issue per flaw and package, with who said what. Pure.

Where scanners differ the worse word counts: the highest severity, a repair when one of them knows it, and something
is cleared only when everyone who found it clears it. So no further report can make an image look better.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from groundswell.scan.policy import Ban, Policy
from groundswell.scan.port import Finding, Package, Report, Severity

FORBIDDEN = "never"
"""The id of an issue that is no flaw, but a package that the policy forbids."""

type Key = tuple[str, str]
"""Flaw and package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One flaw in one package. `severity` is as reported, `weight` what the policy takes it for.

    `said` holds each scanner's severity by name; `findings` is empty for a forbidden package, whose reason `why`
    is.
    """

    id: str
    package: str
    installed: str
    fixed: str
    severity: Severity
    weight: Severity
    layers: frozenset[str]
    said: Mapping[str, Severity] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    why: str = ""

    @property
    def key(self) -> Key:
        return self.id, self.package

    @property
    def fixable(self) -> bool:
        """Whether a newer version repairs it, for all that is known."""
        return any(finding.fixed or not finding.fix_known for finding in self.findings)


def issues(reports: Sequence[Report], policy: Policy) -> dict[Key, Issue]:
    """Everything that was found, and every forbidden package, by key and in the order of the keys."""
    found: dict[Key, list[tuple[str, Finding]]] = defaultdict(list)
    banned: dict[Key, list[tuple[Package, Ban]]] = defaultdict(list)
    for report in reports:
        for finding in report.findings:
            found[finding.id, finding.package].append((report.scanner, finding))
        for package in report.packages or ():
            for ban in policy.never:
                if ban.covers(package):
                    banned[FORBIDDEN, package.name].append((package, ban))
    merged = [_flaw(key, entries, policy) for key, entries in found.items()]
    merged += [_forbidden(key, entries) for key, entries in banned.items()]
    return {issue.key: issue for issue in sorted(merged, key=lambda issue: issue.key)}


def _flaw(key: Key, entries: Sequence[tuple[str, Finding]], policy: Policy) -> Issue:
    findings = [finding for _, finding in entries]
    worst = max(findings, key=lambda finding: (policy.weighs(finding), finding.severity))
    said: dict[str, Severity] = {}
    for scanner, finding in sorted(
        entries, key=lambda entry: (entry[0], policy.weighs(entry[1]), entry[1].severity)
    ):
        said[scanner] = finding.severity
    return Issue(
        id=key[0],
        package=key[1],
        installed=_joined(finding.installed for finding in findings),
        fixed=_joined(finding.fixed for finding in findings),
        severity=worst.severity,
        weight=policy.weighs(worst),
        layers=frozenset(finding.layer for finding in findings if finding.layer),
        said=said,
        findings=tuple(findings),
        why=max(finding.title for finding in findings),
    )


def _forbidden(key: Key, entries: Sequence[tuple[Package, Ban]]) -> Issue:
    return Issue(
        id=key[0],
        package=key[1],
        installed=_joined(package.version for package, _ in entries),
        fixed="",
        severity=Severity.CRITICAL,
        weight=Severity.CRITICAL,
        layers=frozenset(package.layer for package, _ in entries if package.layer),
        why=_joined(ban.reason for _, ban in entries),
    )


def _joined(texts: Iterable[str]) -> str:
    return ", ".join(sorted({text for text in texts if text}))
