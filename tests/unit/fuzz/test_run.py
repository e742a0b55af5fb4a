"""The fuzzer's runner: a short run of every target, and what it tells of a finding."""

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.__main__ import NAMES, main, outcome

ROOT = Path(__file__).resolve().parents[3]
STATS = "stat::number_of_executed_units: 12\n"


def test_a_short_run_of_every_target_finds_nothing(tmp_path: Path) -> None:
    """The same seed each time; `make fuzz` looks for longer."""
    pytest.importorskip("atheris", reason="it has no wheel for this machine; the corpus is replayed all the same")
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--seconds", "10", "--jobs", "2", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" ok\n") == len(NAMES)
    assert "no finding" in done.stdout


def folder(tmp_path: Path, log: str, **files: bytes) -> Path:
    (tmp_path / "log").write_text(log)
    for name, content in files.items():
        (tmp_path / name.replace("_", "-")).write_bytes(content)
    return tmp_path


def test_what_counts_as_good(tmp_path: Path) -> None:
    assert outcome("x", 0, folder(tmp_path, STATS)).good
    assert not outcome("x", 0, folder(tmp_path, "nothing was tried")).good
    assert not outcome("x", 0, folder(tmp_path, STATS, crash_0a=b"x")).good


def test_the_input_of_a_process_that_was_ended_is_kept(tmp_path: Path) -> None:
    found = outcome("x", -9, folder(tmp_path, "killed", now=(3).to_bytes(8) + b"abcdef"))
    assert (found.good, found.finding) == (False, tmp_path / "crash-last")
    assert (tmp_path / "crash-last").read_bytes() == b"abc"


def test_a_target_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["nonsense"])
    assert "no target is called nonsense; there are acr-task, " in capsys.readouterr().err
