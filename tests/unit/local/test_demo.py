"""When the demo goes on by hand, and what it shows of long output. The story itself is tests/e2e/test_demo.py."""

import pytest

from groundswell.cascade.model import Hold, Rebuild
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.status import Status
from groundswell.local.demo import at_rest, part_of

APPROVAL = {Hold.APPROVAL: "production waits for approval"}
BAKE = {Hold.BAKE: "staging bakes"}


def header(phase: Phase) -> Header:
    return Header(id="c", base="b", digest="d", source="webhook", total=2, open=1, phase=phase, started_at=0.0)


def rebuild(status: Status, holds: dict[Hold, str] | None = None) -> Rebuild:
    return Rebuild(cascade="c", image=status, status=status, waits={}, holds=holds or {})


@pytest.mark.parametrize(
    ("phase", "states", "rests"),
    [
        (Phase.PLANNING, [], False),
        (Phase.RUNNING, [rebuild(Status.DONE), rebuild(Status.BLOCKED)], True),
        (Phase.RUNNING, [rebuild(Status.DONE), rebuild(Status.HELD, APPROVAL)], True),
        (Phase.RUNNING, [rebuild(Status.BUILDING), rebuild(Status.HELD, APPROVAL)], False),
        (Phase.RUNNING, [rebuild(Status.HELD, BAKE)], False),
        (Phase.RUNNING, [rebuild(Status.DEPLOYING, APPROVAL)], False),
    ],
)
def test_it_rests_when_only_a_person_can_go_on(phase: Phase, states: list[Rebuild], rests: bool) -> None:
    assert at_rest(header(phase), states) is rests


LINES = [
    "web is done",
    "  moves      ready",
    "             done",
    "  scan       passed",
    "             held to clean",
    "  tags       promoted",
    "             moved",
]


@pytest.mark.parametrize(
    ("heading", "shown"),
    [
        ("moves", ["web is done", *LINES[1:3], "  …"]),
        ("scan", ["web is done", "  …", *LINES[3:5], "  …"]),
        ("tags", ["web is done", "  …", *LINES[5:]]),
        ("rings", ["web is done", "  …"]),
    ],
)
def test_a_part_of_what_a_command_prints(heading: str, shown: list[str]) -> None:
    assert list(part_of(LINES, heading)) == shown
