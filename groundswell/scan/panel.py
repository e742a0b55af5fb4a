"""All scanners that there are, asked together: each that the policy demands, and all of them must have reported."""

from collections.abc import Collection, Mapping

from graph.reference import Reference
from groundswell.scan.port import NotYetError, Report, Scanner


class Panel:
    """`scanners` by the names that policies call them, the first being asked where a policy names none.

    Those in `here` do their work while they are asked: they are, once nobody else's report is awaited any more, so
    that each scans once.
    """

    def __init__(self, scanners: Mapping[str, Scanner], *, here: Collection[str] = ()) -> None:
        self._scanners = scanners
        self._here = here

    def reports(self, reference: Reference, required: Collection[str]) -> list[Report]:
        """A report of each of the `required` scanners that there are; that one is missing is the gate's to say.

        Raises NotYetError, with all that is awaited, until every one is there; and what a scanner raises.
        """
        chosen = [name for name in self._scanners if name in required] or list(self._scanners)[:1]
        reports: list[Report] = []
        awaited: list[str] = []
        for name in sorted(chosen, key=lambda each: each in self._here):
            if awaited and name in self._here:
                continue
            try:
                reports.append(self._scanners[name].scan(reference))
            except NotYetError as exc:
                awaited.append(str(exc))
        if awaited:
            raise NotYetError("; ".join(awaited))
        return reports
