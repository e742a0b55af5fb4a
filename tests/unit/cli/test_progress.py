"""A cascade on a terminal: whole, and as frames that fit."""

import io
import re
from collections.abc import Sequence

import pytest
from rich.console import Console, RenderableType

from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.rows import rows
from groundswell.cascade.status import Stage, Status
from groundswell.cascade.view import Row
from groundswell.cli import cascades
from groundswell.cli.common import make_console
from groundswell.cli.progress import frame, print_whole, whole
from tests.support.world import BASE, World, ref, registration, workload

REASON = "CVE-2026-90010 (CRITICAL) in libfolio2 2.4.1-1: fixed in 2.4.1-2; " * 4 + "the end"
DIGEST = "sha256:" + "ab" * 32


def rebuild(image: str, status: Status, *, reason: str = "", began: float = 1.0) -> Rebuild:
    return Rebuild(
        cascade="0tyq0aff2b",
        image=image,
        status=status,
        reason=reason,
        failed_stage=Stage.BUILD if status is Status.FAILED else None,
        previous=DIGEST,
        promoted=DIGEST if status is Status.DONE else "",
        waits={},
        history=()
        if status is Status.WAITING
        else (Moment(at=began, status=Status.BUILDING), Moment(at=began + 2, status=status)),
    )


def header(states: Sequence[Row], pinned: int = 1) -> Header:
    return Header(
        id="0tyq0aff2b",
        base="contoso.azurecr.io/mirror/debian:12",
        digest=DIGEST,
        source="webhook",
        started_at=0.0,
        total=len(states),
        open=1,
        pinned=tuple((f"shop/pinned-{number}", f"x@{DIGEST}") for number in range(pinned)),
    )


def looked(world: World) -> tuple[Header, Sequence[Row]]:
    records = world.app.engine.records
    header = records.header(world.cascade).value
    return header, rows(list(records.rebuilds(world.cascade)), now=world.time)


def company(size: int) -> Sequence[Row]:
    """Most are done or waiting; the last ones in the table's own order fail, are rejected, or under way."""
    states = [rebuild(f"shop/done-{n:03}", Status.DONE, reason="promoted", began=n) for n in range(size)]
    states += [rebuild(f"shop/wait-{n:03}", Status.WAITING, reason="waits for 3") for n in range(size)]
    states.append(rebuild("backoffice/reports", Status.FAILED, reason=REASON, began=1000))
    states.append(rebuild("backoffice/invoices", Status.REJECTED, reason=REASON, began=1001))
    states.append(rebuild("frameworks/web", Status.SCANNING, reason="candidate scanned", began=1002))
    return rows(states, now=2000.0)


def lines(shown: RenderableType, width: int, height: int = 25) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(shown)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 99, 100, 160])
@pytest.mark.parametrize("height", [5, 24, 50])
@pytest.mark.parametrize("size", [0, 3, 60])
def test_a_frame_fits_its_terminal(width: int, height: int, size: int) -> None:
    states = company(size)
    drawn = lines(frame(header(states), states, now=2000.0, width=width, height=height), width, height)
    assert len(drawn) < height  # a line is left for the cursor
    assert max(map(len, drawn)) <= width


def test_every_image_has_one_line_and_a_readable_reason_at_80_columns() -> None:
    states = company(3)
    drawn = lines(frame(header(states), states, now=2000.0, width=80, height=24), 80)
    assert len(drawn) == 2 + len(states) + 1
    rejected = next(line for line in drawn if line.startswith("backoffice/invoices"))
    assert re.search(r"rejected +2\.0 +CVE-2026-90010 \(CRITICAL\) in libf.*…$", rejected)
    assert "abababababab" not in "\n".join(drawn[1:-1])
    wide = lines(frame(header(states), states, now=2000.0, width=120, height=24), 120)
    assert "abababababab" in next(line for line in wide if line.startswith("backoffice/invoices"))


def test_what_matters_comes_first_where_not_all_have_room() -> None:
    states = company(60)
    drawn = lines(frame(header(states), states, now=2000.0, width=80, height=12), 80)
    assert [line.split()[0] for line in drawn[2:5]] == [
        "frameworks/web",
        "backoffice/reports",
        "backoffice/invoices",
    ]
    assert drawn[-1] == "… and 116 more: 55 waiting, 60 done, 1 pinned"


def test_the_whole_has_every_reason_to_its_end() -> None:
    states = company(60)
    drawn = "\n".join(lines(whole(header(states), states, now=2000.0, width=80), 80))
    assert drawn.count("shop/") == 60 + 60 + 1
    assert "the end" in drawn
    assert "more" not in drawn


def test_where_there_is_no_terminal_the_whole_is_wide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    states = company(1)
    print_whole(make_console(), header(states), states, now=2000.0)
    shown = capsys.readouterr().out.splitlines()
    assert 80 < max(map(len, shown)) <= 140
    assert "abababababab" in next(line for line in shown if line.startswith("backoffice/invoices"))


def test_a_reason_does_not_act_on_the_terminal() -> None:
    failed = rebuild("app", Status.FAILED, reason="red \x1b[31malert\nsecond [bold]line[/]")
    states = rows([failed], now=9.0)
    for shown in (
        frame(header(states), states, now=9.0, width=160, height=24),
        whole(header(states), states, now=9.0, width=160),
    ):
        assert "red alert second [bold]line[/]" in "\n".join(lines(shown, 160))


def test_following_on_a_terminal_ends_with_the_whole(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(
        tmp_path_factory.mktemp("w"),
        registration("top", BASE),
        *(registration(f"a{n}", ref("top")) for n in range(9)),
    )
    world.push_base()
    world.drive()
    console = Console(file=io.StringIO(), width=80, height=6, force_terminal=True)
    monkeypatch.setattr(cascades, "console", console)
    cascades.follow(lambda: looked(world))
    world.close()
    assert isinstance(console.file, io.StringIO)
    assert all(f"a{n} " in console.file.getvalue() for n in range(9))


@pytest.mark.parametrize("terminal", [True, False])
def test_following_may_end_before_the_cascade_does(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    top = registration("top", BASE, deployments=[workload("web")], approval="required")
    world = World(tmp_path_factory.mktemp("w"), top)
    world.push_base()
    world.drive()
    console = Console(file=io.StringIO(), width=80, height=6, force_terminal=terminal)
    monkeypatch.setattr(cascades, "console", console)
    found = cascades.follow(lambda: looked(world), until=lambda _, rows: rows[0].status == Status.HELD)
    world.close()
    assert found.phase is Phase.RUNNING
