"""docs/diagrams.md is as the code is, and leaves nothing out."""

import pytest

from groundswell.cascade import events
from groundswell.cascade.status import Status
from tools import diagrams


def kinds(of: type) -> set[str]:
    """By name: a class with slots is made twice."""
    below = {each for child in of.__subclasses__() for each in kinds(child)}
    return below or {of.__name__}


def test_the_page_is_as_the_code_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert diagrams.main(["--check"]) == 0, capsys.readouterr().err


def test_a_page_that_is_behind_is_noticed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(diagrams, "EVENTS", diagrams.EVENTS[1:5])
    assert diagrams.main(["--check"]) == 1
    assert "python -m tools.diagrams" in capsys.readouterr().err


def test_every_kind_of_event_is_tried() -> None:
    assert kinds(events.Event) - {"RingEvent"} == {type(event).__name__ for event in diagrams.EVENTS}


def test_every_status_is_come_to_and_left() -> None:
    moves = diagrams.moves()
    assert {new for _, new in moves} == set(Status)
    assert {old for old, _ in moves} == set(Status)
