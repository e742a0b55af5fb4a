"""The coverage gate on a project of two packages (tools/coverage_gate.py), measured for real."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = "def sign(x):\n    if x < 0:\n        return -1\n    return 1\n"


def gate(folder: Path, calls: str) -> tuple[int, str]:
    """Exit code and output of the gate after running `calls` against both packages."""
    (folder / ".coveragerc").write_text("[run]\nbranch = true\n")
    for package in ("graph", "groundswell/cascade"):
        (folder / package).mkdir(parents=True)
        (folder / package / "code.py").write_text(CODE)
    (folder / "run.py").write_text(
        f"from graph.code import sign\nfrom groundswell.cascade.code import sign as other\n{calls}\n"
    )
    python = [sys.executable, "-m", "coverage", "run"]
    subprocess.run([*python, "run.py"], cwd=folder, check=True)
    done = subprocess.run(
        [sys.executable, ROOT / "tools/coverage_gate.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def test_all_lines_and_branches_pass(tmp_path: Path) -> None:
    code, out = gate(tmp_path, "sign(1), sign(-1), other(1), other(-1)")
    assert code == 0, out
    assert "coverage of groundswell/cascade: 100.0 % of lines, 100.0 % of branches" in out


@pytest.mark.parametrize("calls", ["sign(1), sign(-1), other(-1)", "sign(1), other(1), other(-1)"])
def test_one_package_below_fails(tmp_path: Path, calls: str) -> None:
    code, out = gate(tmp_path, calls)
    assert code == 1
    assert "50.0 % of branches" in out
    assert "coverage is too low" in out


def test_nothing_measured_fails(tmp_path: Path) -> None:
    code, out = gate(tmp_path, "sign(1), sign(-1)\nimport os; os.remove('groundswell/cascade/code.py')")
    assert code != 0, out
