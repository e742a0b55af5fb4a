"""Scanners' words and scores as our severities. Pure.

What nobody here knows is UNKNOWN, which is not the least severity but none: the gate says what it is taken for.
Scores are CVSS's, in the bands of its specification (version 3.1, section 5) that GitHub uses for SARIF too.
"""

from groundswell.scan.port import Severity

_WORDS = {
    word: severity
    for severity, words in {
        Severity.CRITICAL: "critical",
        Severity.HIGH: "high important",
        Severity.MEDIUM: "medium moderate",
        Severity.LOW: "low minor negligible unimportant info informational none",
    }.items()
    for word in words.split()
}


def named(word: str) -> Severity:
    """The severity that a scanner calls `word`, in whatever case."""
    return _WORDS.get(word.strip().lower(), Severity.UNKNOWN)


def scored(score: float | None) -> Severity:
    """The severity of a CVSS score; none, zero, and what is no such score are UNKNOWN."""
    if score is None or score <= 0:
        return Severity.UNKNOWN
    if score >= 9.0:
        return Severity.CRITICAL
    if score >= 7.0:
        return Severity.HIGH
    return Severity.MEDIUM if score >= 4.0 else Severity.LOW
