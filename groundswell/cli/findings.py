"""A verdict as text, finding by finding: what is refused, whose it is, and what production has too."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from groundswell.scan.verdict import Line

_BLAME = {"base": ", from its base", "image": ", from its own layers", "both": ", from its base and its own layers"}


def lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What a kept verdict says beyond its reasons: the comparison, what to know, then a line a finding."""
    from groundswell.cascade.view import short
    from groundswell.scan.verdict import Verdict

    verdict = Verdict.from_json(document)
    if verdict.policy:
        yield f"held to {verdict.policy}"
    if verdict.compared:
        tally = ", ".join(f"{verdict.tally[name]} {name}" for name in ("new", "carried", "fixed"))
        yield f"compared with {short(verdict.compared)}, which production runs: {tally}"
    yield from verdict.notes
    yield from map(_line, (*verdict.findings, *verdict.fixed))
    if verdict.findings and verdict.left_out:
        yield f"and {verdict.left_out} more findings, not kept"


def _line(line: "Line") -> str:
    mark = "refused" if line.refused else "allowed" if line.allowed else ""
    what = f"{line.id} {line.severity} in {line.package} {line.installed}".rstrip()
    repair = f", fixed in {line.fixed}" if line.fixed else ""
    said = ", ".join(f"{scanner} {severity}" for scanner, severity in line.said.items())
    allowed = f" ({line.allowed})" if line.allowed else ""
    return f"{mark:8}{line.state:8}{what}{repair}{_BLAME.get(line.blame, '')}; {said or line.why}{allowed}"
