"""Several scanners asked together: all that the policy demands, none twice for nothing, none forgotten."""

from dataclasses import dataclass, field

import pytest

from graph.reference import Reference
from groundswell.errors import GroundswellError, TemporaryError
from groundswell.scan.panel import Panel
from groundswell.scan.port import NotYetError, Report

SUBJECT = Reference(registry="r.example.com", repository="app", tag=None, digest="sha256:" + "a" * 64)


@dataclass
class Fake:
    name: str
    fails: list[GroundswellError] = field(default_factory=list)
    asked: int = 0

    def scan(self, reference: Reference) -> Report:
        self.asked += 1
        if self.fails:
            raise self.fails.pop(0)
        return Report(scanner=self.name, digest=reference.digest or "", os="debian 12", findings=())


def panel(*fakes: Fake, here: tuple[str, ...] = ()) -> Panel:
    return Panel({fake.name: fake for fake in fakes}, here=here)


@pytest.mark.parametrize(
    ("required", "asked"),
    [
        pytest.param((), ["a"], id="the first, where none is named"),
        pytest.param(("b",), ["b"], id="the one"),
        pytest.param(("c", "a"), ["a", "c"], id="two"),
        pytest.param(("b", "stranger"), ["b"], id="one that there is not: the gate says so"),
        pytest.param(
            ("stranger",), ["a"], id="only one that there is not: not nothing, or there is no report at all"
        ),
    ],
)
def test_who_is_asked(required: tuple[str, ...], asked: list[str]) -> None:
    fakes = [Fake("a"), Fake("b"), Fake("c")]
    reports = panel(*fakes).reports(SUBJECT, required)
    assert [report.scanner for report in reports] == asked
    assert [fake.name for fake in fakes if fake.asked] == asked


def test_all_that_is_awaited_is_begun_at_once_and_named() -> None:
    slow, slower = Fake("a", [NotYetError("run cf1")]), Fake("b", [NotYetError("run cf2"), NotYetError("run cf2")])
    both = panel(slow, slower)
    with pytest.raises(NotYetError, match="run cf1; run cf2"):
        both.reports(SUBJECT, ("a", "b"))
    with pytest.raises(NotYetError, match=r"^run cf2$"):
        both.reports(SUBJECT, ("a", "b"))
    assert [report.scanner for report in both.reports(SUBJECT, ("a", "b"))] == ["a", "b"]


def test_who_works_here_works_once() -> None:
    here, elsewhere = Fake("a"), Fake("b", [NotYetError("run"), NotYetError("run")])
    both = panel(here, elsewhere, here=("a",))
    for _ in range(2):
        with pytest.raises(NotYetError):
            both.reports(SUBJECT, ("a", "b"))
    assert here.asked == 0
    assert {report.scanner for report in both.reports(SUBJECT, ("a", "b"))} == {"a", "b"}
    assert here.asked == 1


def test_a_failure_is_told_and_not_waited_over() -> None:
    failing, awaited = Fake("a", [TemporaryError("away")]), Fake("b", [NotYetError("run")])
    with pytest.raises(TemporaryError, match="away"):
        panel(failing, awaited).reports(SUBJECT, ("a", "b"))
