"""The gate: what scanners' reports must not hold for an image to be promoted. Pure, so a verdict can be repeated.

It fails closed. Nothing is passed for want of a report, of a required scanner, of a fresh scan, or of a recognised
system; a severity that nobody rated is taken for the worst. The laws that `tests/unit/scan/test_gate_laws.py`
holds: the order of findings makes no difference, no further finding makes an image pass, a stricter threshold
passes no more, and `no-worse` passes all that `clean` passes.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from graph.reference import Reference
from groundswell.scan.issues import FORBIDDEN, Issue, Key, issues
from groundswell.scan.policy import Allowance, Mode, Policy, cleared
from groundswell.scan.port import Report, Severity
from groundswell.scan.purl import Purl
from groundswell.scan.verdict import MAX_FINDINGS, MAX_FIXED, Line, Verdict, cut, shortened

_AHEAD = 600.0
"""Seconds by which clocks may differ; a report from further in the future is not believed."""


def judge(
    reports: Sequence[Report],
    policy: Policy,
    *,
    subject: Reference,
    now: float,
    current: Sequence[Report] | None = None,
    base_layers: Collection[str] | None = None,
) -> Verdict:
    """The verdict of `policy` on `subject` (by digest), from what the scanners said of it.

    `current` is what they say of the image that production runs, None when there is none or it cannot be scanned;
    `base_layers` the diff_ids of the base, None when they are not known. `now` is in seconds since the epoch. What
    is refused whatever production runs (no report, a stale one) is refused in both modes.
    """
    case = _Case(policy, subject, now=now, reports=reports, current=current, base_layers=base_layers)
    void = list(_conditions(reports, policy, subject, now))
    refused = sorted(case.refused(), key=_worst_first)
    counting = [issue for issue in refused if not case.tolerated(issue)]
    reasons = [*void, *(case.sentence(issue) for issue in counting)]
    return Verdict(
        passed=not reasons,
        digest=subject.digest or "",
        scanner="; ".join(dict.fromkeys(report.label for report in reports)),
        os=next((report.os for report in reports if report.os), ""),
        reasons=shortened(reasons),
        counts={
            severity.name: sum(issue.severity is severity for issue in case.found.values() if issue.findings)
            for severity in Severity
        },
        policy=describe(policy),
        compared=next((report.digest for report in current or ()), ""),
        findings=tuple(case.lines()),
        fixed=tuple(case.fixed_lines()),
        tally=case.tally(),
        notes=shortened(list(case.notes(len(refused) - len(counting)))),
    )


class _Case:
    """One image under one policy: what was found in it, and what is to be said of each."""

    def __init__(
        self,
        policy: Policy,
        subject: Reference,
        *,
        now: float,
        reports: Sequence[Report],
        current: Sequence[Report] | None,
        base_layers: Collection[str] | None,
    ) -> None:
        self._policy = policy
        self._image = Purl.of(subject)
        self._now = now
        self._base = base_layers
        self._before: Mapping[Key, Issue] | None = issues(current, policy) if current else None
        self.found = issues(reports, policy)
        self._allowed = {key: self._allowance(issue) for key, issue in self.found.items()}

    def refused(self) -> list[Issue]:
        return [issue for issue in self.found.values() if self._refuses(issue)]

    def tolerated(self, issue: Issue) -> bool:
        """Refused by itself, but no reason to keep production on what has it too."""
        return self._policy.mode is Mode.NO_WORSE and self._state(issue) == "carried"

    def tally(self) -> dict[str, int]:
        states = [self._state(issue) for issue in self.found.values()]
        return {
            "refused": len(self.refused()),
            "allowed": sum(map(bool, self._allowed.values())),
            "forbidden": sum(not issue.findings for issue in self.found.values()),
            "new": states.count("new"),
            "carried": states.count("carried"),
            "fixed": len(self._gone()),
        }

    def lines(self) -> Iterator[Line]:
        """The worst findings: those that are refused first."""
        ranked = sorted(self.found.values(), key=lambda issue: (not self._refuses(issue), _worst_first(issue)))
        return (self._line(issue, self._state(issue)) for issue in ranked[:MAX_FINDINGS])

    def fixed_lines(self) -> Iterator[Line]:
        gone = sorted(self._gone(), key=_worst_first)
        return (self._line(issue, "fixed") for issue in gone[:MAX_FIXED])

    def notes(self, carried: int) -> Iterator[str]:
        if carried:
            findings = "finding is" if carried == 1 else "findings are"
            yield f"not clean: {carried} refused {findings} carried, production has the same"
        if self._policy.mode is Mode.NO_WORSE and self._before is None:
            yield "there is no scan of what production runs to compare with, so it must be clean"
        for entry in self._policy.allow:
            if self._now >= entry.expires and any(entry.covers(*key) for key in self.found):
                yield f"the allowance of {entry.id} expired on {_day(entry)} ({entry.reason})"

    def sentence(self, issue: Issue) -> str:
        """Why it is refused, and whose it is."""
        whose = {"base": ", from its base", "image": ", from its own layers"}.get(self._blame(issue), "")
        what = f"{issue.package} {issue.installed}".strip()
        if not issue.findings:
            return cut(f"{what} is never allowed{f' ({issue.why})' if issue.why else ''}{whose}")
        repair = f"fixed in {issue.fixed}" if issue.fixed else "not fixed yet"
        if issue.fixable and not issue.fixed:
            repair = "whether it is fixed is not said"
        return f"{cut(issue.id)} ({issue.severity.name}) in {cut(what)}: {cut(repair)}{whose}"

    def _refuses(self, issue: Issue) -> bool:
        if self._allowed[issue.key]:
            return False
        if not issue.findings:
            return True
        return issue.weight >= self._policy.threshold and (issue.fixable or not self._policy.fixable_only)

    def _allowance(self, issue: Issue) -> str:
        """Why it may pass though it was found, empty when it may not; a forbidden package never may."""
        if not issue.findings:
            return ""
        for entry in self._policy.allow:
            if self._now < entry.expires and entry.covers(*issue.key):
                return f"until {_day(entry)}: {entry.reason}"
        cleared_by = [self._cleared(issue, number) for number in range(len(issue.findings))]
        return max(cleared_by) if all(cleared_by) else ""

    def _cleared(self, issue: Issue, number: int) -> str:
        finding = issue.findings[number]
        return cleared(finding, self._policy, image=self._image, now=self._now) or finding.cleared

    def _state(self, issue: Issue) -> str:
        if self._before is None:
            return ""
        return "carried" if issue.key in self._before else "new"

    def _gone(self) -> list[Issue]:
        return [issue for key, issue in (self._before or {}).items() if key not in self.found]

    def _blame(self, issue: Issue) -> str:
        if self._base is None or not issue.layers:
            return ""
        sides = {"base" if layer in self._base else "image" for layer in issue.layers}
        return sides.pop() if len(sides) == 1 else "both"

    def _line(self, issue: Issue, state: str) -> Line:
        live = state != "fixed"
        return Line(
            id=cut(issue.id),
            package=cut(issue.package),
            installed=cut(issue.installed),
            fixed=cut(issue.fixed),
            severity=issue.severity.name,
            refused=live and self._refuses(issue),
            state=state,
            blame=self._blame(issue) if live else "",
            allowed=cut(self._allowed[issue.key]) if live else "",
            why=cut(issue.why),
            said={scanner: severity.name for scanner, severity in issue.said.items()},
        )


def describe(policy: Policy) -> str:
    """The policy in one line: `clean: no fixable CRITICAL`."""
    named = "severity" if policy.threshold is Severity.UNKNOWN else policy.threshold.name
    above = "" if policy.threshold is Severity.CRITICAL else " or worse"
    fixable = "fixable " if policy.fixable_only else ""
    scanners = f", by {' and '.join(policy.scanners)}" if policy.scanners else ""
    return f"{policy.mode}: no {fixable}{named}{above}{scanners}"


def _conditions(reports: Sequence[Report], policy: Policy, subject: Reference, now: float) -> Iterator[str]:
    """What makes any finding, or none, worth nothing; a sentence each."""
    if not reports:
        yield "no scanner has reported, and no report is no pass"
        return
    reported = {report.scanner for report in reports}
    for scanner in sorted(set(policy.scanners) - reported):
        yield f"{scanner} must scan it, but has not reported"
    for report in reports:
        if not subject.digest or report.digest != subject.digest:
            yield f"the report of {report.scanner} is about {report.digest or 'no digest'}, not {subject.digest}"
        yield from stale(report, policy, now)
    named = any(report.os for report in reports)
    unsaid = policy.allow_unsaid_os and not any(report.says_os for report in reports)
    if not (named or unsaid or policy.allow_no_os):
        yield _NO_OS if any(report.says_os for report in reports) else _UNSAID_OS
    if policy.never and all(report.packages is None for report in reports):
        yield "packages are forbidden, but no scanner has listed the packages that there are"


def stale(report: Report, policy: Policy, now: float) -> Iterator[str]:
    """What is wrong with the age of a scan, or of what it knew: never a pass, and mended by another scan."""
    looks: Iterable[tuple[str, float | None, float | None]] = (
        ("scan", report.scanned_at, policy.max_scan_age),
        ("database", report.database_at, policy.max_database_age),
    )
    for what, at, longest in looks:
        if at is None:
            if longest is not None:
                yield f"the report of {report.scanner} does not say how old its {what} is"
        elif at > now + _AHEAD:
            yield f"the {what} of {report.scanner} is dated in the future, {_time(at)}"
        elif longest is not None and now - at > longest:
            yield (
                f"the {what} of {report.scanner} is from {_time(at)}, "
                f"older than the {longest / 3600:g} hours allowed; scan again"
            )


_NO_OS = (
    "the scanner found no operating system in the image, so no findings proves nothing; "
    "if there is none, register the image with gate: {os: none}"
)
_UNSAID_OS = (
    "no report can say which operating system was recognised, so no findings proves nothing; "
    "require a scanner that does, or take the risk with gate: {os: unsaid}"
)


def _worst_first(issue: Issue) -> tuple[bool, int, int, str, str]:
    return issue.id != FORBIDDEN, -issue.weight, -issue.severity, issue.id, issue.package


def _day(entry: Allowance) -> str:
    """The last day on which it counts."""
    return f"{dt.datetime.fromtimestamp(entry.expires - 1, dt.UTC):%Y-%m-%d}"


def _time(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M}Z"
