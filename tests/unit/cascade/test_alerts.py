"""The rules of alerts: what is due, what is raised and resolved, and when a rebuild is wanted."""

from dataclasses import replace

import pytest

from groundswell.cascade import alerts
from groundswell.cascade.alerts import EVERY, KEPT, RETRY, SHOWN, WAITS, Alert, Kind, Remedy, Running
from groundswell.scan.policy import OnNewFinding
from groundswell.scan.verdict import Line, Verdict

NOW = 1_800_000_000.0
DIGEST = "sha256:" + "ab" * 32
SEEN = Running(
    image="top", reference=f"acr.example.com/top@{DIGEST}", workloads=frozenset({"c/n/deployment/w[app]"})
)
NEW = alerts.runs(None, SEEN)
AGAIN = Remedy(image="top", why="a build may bring newer packages")
NOTHING = Remedy(image="", why="no newer package version repairs it yet")


def line(flaw: str = "CVE-1", *, fixed: str = "2", blame: str = "", refused: bool = True) -> Line:
    return Line(id=flaw, package="p", installed="1", fixed=fixed, severity="CRITICAL", refused=refused, blame=blame)


def verdict(*lines: Line, reasons: tuple[str, ...] = ()) -> Verdict:
    why = (*reasons, *(each.id for each in lines if each.refused))
    return Verdict(
        passed=not why, digest=DIGEST, scanner="fake", os="debian 12", reasons=why, counts={}, findings=lines
    )


def refused(*lines: Line, now: float = NOW, before: Alert = NEW, remedy: Remedy = AGAIN) -> Alert:
    return alerts.judged(before, verdict(*(lines or (line(),))), remedy, now=now)


def test_what_runs_is_scanned_once_a_day_and_what_went_wrong_sooner() -> None:
    assert (NEW.kind, NEW.digest, NEW.row) == (Kind.UNSEEN, DIGEST, f"top@{DIGEST}")
    assert alerts.due(NEW, now=NOW)
    clean = alerts.judged(NEW, verdict(line(refused=False)), NOTHING, now=NOW)
    assert (clean.kind, clean.open, clean.raised) == (Kind.CLEAN, False, False)
    wrong = alerts.failed(NEW, "boom", now=NOW)
    for alert, seconds in ((clean, EVERY), (refused(), EVERY), (wrong, RETRY)):
        assert not alerts.due(alert, now=NOW + seconds - 1)
        assert alerts.due(alert, now=NOW + seconds)
    resolved = alerts.judged(wrong, verdict(), NOTHING, now=NOW)
    assert not alerts.due(resolved, now=NOW + RETRY)
    assert not alerts.due(replace(NEW, workloads=()), now=NOW)


def test_a_refused_finding_is_an_alert_until_it_is_gone() -> None:
    first = refused()
    assert (first.kind, first.open, first.first_seen, first.last_seen) == (Kind.REFUSED, True, NOW, NOW)
    second = refused(line(), line("CVE-2"), before=first, now=NOW + EVERY)
    assert (second.first_seen, second.last_seen, len(second.findings)) == (NOW, NOW + EVERY, 2)
    resolved = alerts.judged(second, verdict(), NOTHING, now=NOW + 2 * EVERY)
    assert (resolved.open, resolved.raised, resolved.resolved_at) == (False, True, NOW + 2 * EVERY)
    kept = alerts.judged(resolved, verdict(), NOTHING, now=resolved.resolved_at + KEPT)
    assert kept.resolved_at == resolved.resolved_at
    forgotten = alerts.judged(replace(kept, answered=("x",)), verdict(), NOTHING, now=kept.resolved_at + KEPT + 1)
    assert (forgotten.kind, forgotten.answered, forgotten.workloads) == (Kind.CLEAN, (), NEW.workloads)
    back = refused(before=kept, now=NOW + 9 * EVERY)
    assert (back.open, back.first_seen) == (True, NOW + 9 * EVERY)


def test_what_cannot_be_scanned_is_an_alert_of_its_own_and_hides_none() -> None:
    void = alerts.judged(NEW, verdict(reasons=("no operating system",)), NOTHING, now=NOW)
    assert (void.kind, void.trouble) == (Kind.UNSCANNABLE, "no operating system")
    both = alerts.failed(refused(), "boom", now=NOW + 1)
    assert (both.kind, both.trouble, both.findings) == (Kind.REFUSED, "boom", (line(),))
    assert alerts.wants(both, OnNewFinding.REBUILD, ()) == both
    resolved = alerts.judged(both, verdict(), NOTHING, now=NOW + 2)
    again = alerts.failed(resolved, "bang", now=NOW + 3)
    assert (again.kind, again.findings, again.first_seen) == (Kind.UNSCANNABLE, (), NOW + 3)


def test_a_report_is_awaited_but_not_for_ever() -> None:
    waits = alerts.awaited(NEW, "at work", now=NOW)
    assert (waits.awaited, waits.kind) == (NOW, Kind.UNSEEN)
    assert alerts.due(waits, now=NOW + 1)
    assert alerts.awaited(waits, "at work", now=NOW + WAITS) == waits
    late = alerts.awaited(waits, "at work", now=NOW + WAITS + 1)
    assert (late.kind, late.trouble, late.awaited) == (Kind.UNSCANNABLE, "no report after 2 h: at work", 0.0)


def test_what_does_not_run_any_more_is_dropped_and_an_alert_of_it_after_a_while() -> None:
    assert alerts.gone(NEW, now=NOW) is None
    left = alerts.gone(refused(), now=NOW + 5)
    assert left
    assert (left.workloads, left.resolved_at, left.open) == ((), NOW + 5, False)
    assert alerts.gone(left, now=NOW + 5 + KEPT) == left
    assert alerts.gone(left, now=NOW + 6 + KEPT) is None
    back = alerts.runs(left, SEEN)
    assert alerts.due(back, now=NOW + 6)
    assert alerts.runs(refused(), SEEN) == refused()
    many = replace(SEEN, workloads=frozenset(f"w{number}" for number in range(SHOWN + 1)))
    assert len(alerts.runs(None, many).workloads) == SHOWN


def test_a_record_is_read_as_it_was_written() -> None:
    alert = replace(refused(), answered=("a",), cascade="c", wanted="top", begun=True)
    assert Alert.from_json(alert.to_json()) == alert


@pytest.mark.parametrize(
    ("found", "base", "moved_on", "image", "says"),
    [
        ((line(fixed=""),), "base", "", "", "no newer package"),
        ((line(blame="base"),), "base", "sha256:1", "", "moved on to sha256:1"),
        ((line(blame="base"),), "base", "", "base", "comes with its base, base"),
        ((line(blame="both"),), "base", "", "base", "comes with its base, base"),
        ((line(blame="image"), line(blame="base", fixed="")), "base", "", "top", "a build may bring"),
        ((line(blame="base"),), "", "", "top", "a build may bring"),
    ],
)
def test_what_may_mend_it(found: tuple[Line, ...], base: str, moved_on: str, image: str, says: str) -> None:
    mends = alerts.remedy(found, image="top", base=base, moved_on=moved_on)
    assert mends.image == image
    assert says in mends.why


def test_a_rebuild_is_wanted_once_for_each_repair_and_only_where_the_policy_says_so() -> None:
    alert = refused(line(), line("CVE-2", fixed=""))
    assert alerts.wants(alert, OnNewFinding.ALERT, ()) == alert
    wanted = alerts.wants(alert, OnNewFinding.REBUILD, ())
    assert (wanted.wanted, wanted.answered, alerts.unfinished(wanted)) == ("top", ("CVE-1 p 2",), True)
    assert alerts.wants(wanted, OnNewFinding.REBUILD, ()) == wanted
    begun = replace(wanted, cascade="c1", begun=True)
    assert alerts.wants(begun, OnNewFinding.REBUILD, ()) == begun
    another = alerts.wants(refused(line(), line("CVE-3"), before=begun), OnNewFinding.REBUILD, ())
    assert (another.answered, another.cascade, another.begun) == (("CVE-1 p 2", "CVE-3 p 2"), "", False)
    newer = replace(alert, digest="sha256:new")
    assert alerts.wants(newer, OnNewFinding.REBUILD, [begun]) == newer
    elsewhere = replace(begun, wanted="base")
    assert alerts.wants(newer, OnNewFinding.REBUILD, [elsewhere]).wanted == "top"
    assert alerts.impossible(wanted).wanted == ""


def test_nothing_is_wanted_of_what_is_resolved_or_cannot_be_mended() -> None:
    helpless = refused(line(fixed=""), remedy=NOTHING)
    resolved = alerts.judged(refused(), verdict(), NOTHING, now=NOW)
    for alert in (helpless, resolved):
        assert alerts.wants(alert, OnNewFinding.REBUILD, ()) == alert
    left = alerts.gone(alerts.wants(refused(), OnNewFinding.REBUILD, ()), now=NOW)
    assert left
    assert not alerts.unfinished(left)


def test_the_reason_names_a_few() -> None:
    assert alerts.why(refused(line())) == f"CVE-1 in top@{DIGEST}, which runs"
    several = refused(*(line(f"CVE-{number}") for number in range(5)))
    assert alerts.why(several).startswith("CVE-0, CVE-1, CVE-2 and 2 more in top@")
