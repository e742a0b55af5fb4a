"""Filters of run lists."""

import datetime as dt

import pytest

from groundswell.build.port import RunStatus
from groundswell.local.tasks.errors import ArmError
from groundswell.local.tasks.filters import run_filter
from groundswell.local.tasks.model import OutputImage, Run

RUN = Run(
    id="cf4",
    resource="/r",
    run_type="QuickBuild",
    created=dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    platform={"os": "linux"},
    status=RunStatus.SUCCEEDED,
    task="it's",
    outputs=[OutputImage(registry="r", repository="app", tag="1", digest="sha256:abc")],
)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("", True),
        ("Status eq 'Succeeded'", True),
        ("status EQ 'Failed'", False),
        ("Status ne 'Failed' and RunType eq 'QuickBuild'", True),
        ("Status eq 'Failed' or RunId eq 'cf4'", True),
        ("Status eq 'Failed' and RunId eq 'x' or RunId eq 'cf4'", True),
        ("RunId eq 'cf4' or Status eq 'Failed' and RunId eq 'x'", True),
        ("TaskName eq 'it''s'", True),
        ("contains(OutputImageManifests, 'app@sha256:abc')", True),
        ("contains(OutputImageManifests, 'app@sha256:abd')", False),
        ("CreateTime ge 2026-01-01T00:00:00Z and CreateTime lt 2026-01-03T00:00:00Z", True),
        ("CreateTime gt 2026-02-01T00:00:00Z", False),
        ("Status eq 'a and b'", False),
    ],
)
def test_filters(text: str, taken: bool) -> None:
    assert run_filter(text)(RUN) is taken


@pytest.mark.parametrize(
    "text",
    ["Status", "Nope eq 'x'", "Status eq 'x' xor RunId eq 'y'", "not Status eq 'x'", "Status eq 'x' and", "("],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ArmError) as caught:
        run_filter(text)
    assert (caught.value.status, caught.value.code) == (400, "InvalidFilter")


def test_a_run_is_the_same_after_it_was_kept() -> None:
    assert Run.load(RUN.document()) == RUN
