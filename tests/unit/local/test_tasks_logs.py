"""Logs: secrets are masked however they arrive, and the size has an end."""

from pathlib import Path

import pytest

from groundswell.local.tasks.logs import RunLog


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_secret_is_masked_wherever_its_pieces_are_cut(tmp_path: Path, cut: int) -> None:
    text = b"say s3cr3t-word now\n"
    log = RunLog(tmp_path / "log", secrets=["s3cr3t-word", "s3cr3t"])
    log.feed(text[:cut])
    log.feed(text[cut:])
    log.close()
    assert (tmp_path / "log").read_bytes() == b"say *** now\n"


def test_each_line_of_a_secret_is_masked(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log", secrets=["first-half\nother-half"])
    log.feed(b"+ first-half\n+ other-half")
    log.line("and other-half again")
    log.close()
    text = (tmp_path / "log").read_text()
    assert "half" not in text
    assert text.count("***") == 3


def test_lines_are_there_before_the_log_is_closed(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log")
    log.feed(b"one\ntw")
    assert (tmp_path / "log").read_bytes() == b"one\n"
    log.text("three")
    assert (tmp_path / "log").read_bytes() == b"one\ntw\nthree\n"
    log.close()


def test_the_log_stops_at_its_limit(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log", limit=100)
    for _ in range(50):
        log.feed(b"0123456789\n")
    log.close()
    content = (tmp_path / "log").read_bytes()
    assert content[:100] == (b"0123456789\n" * 10)[:100]
    assert b"the log has reached its limit" in content
    assert len(content) < 200
