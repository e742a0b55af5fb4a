"""The locks and pyproject.toml: no change to one goes unnoticed without the other (tools/lock.py)."""

from pathlib import Path

import pytest

from tools import lock

PROJECT = """
[project]
requires-python = ">=3.13"
dependencies = ["networkx>=3"]
[project.optional-dependencies]
dev = ["pytest"]
[dependency-groups]
checkov = ["checkov==3"]
[tool.uv]
override-dependencies = ["pycep-parser==1"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name in lock._LOCKS:
        body = f"networkx==3.7 --hash=sha256:{'0' * 64}\n"
        (tmp_path / name).write_text(f"{lock._NOTE}{lock._SEAL}{lock.seal(tmp_path, body)}\n{body}")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_locks_as_made_pass(root: Path) -> None:
    assert lock.main(["--check"], root) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("networkx>=3", "networkx>=4"),
        ('["pytest"]', '["pytest", "ruff"]'),
        (">=3.13", ">=3.14"),
        ("checkov==3", "checkov==4"),
        ("parser==1", "parser==2"),
    ],
)
def test_a_changed_dependency_is_out_of_step(
    root: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(root / "pyproject.toml", old, new)
    assert lock.main(["--check"], root) == 1
    assert "requirements-dev.txt is not what was locked from pyproject.toml" in capsys.readouterr().err


def test_the_rest_of_pyproject_does_not_matter(root: Path) -> None:
    edit(root / "pyproject.toml", '["pytest"]', '[\n  "pytest", # with a comment\n]\n[tool.ruff]\nline-length = 9')
    assert lock.main(["--check"], root) == 0


@pytest.mark.parametrize(
    ("old", "new"), [("3.7", "3.8"), ("000", "111"), (lock._SEAL, "# "), ("do not edit", "edit")]
)
def test_a_lock_edited_by_hand_is_out_of_step(root: Path, old: str, new: str) -> None:
    edit(root / "requirements.txt", old, new)
    assert lock.problem(root, "requirements.txt") is not None
    assert lock.problem(root, "requirements-dev.txt") is None


def test_a_missing_lock_is_named(root: Path) -> None:
    (root / "requirements.txt").unlink()
    assert lock.problem(root, "requirements.txt") == "requirements.txt is missing"


def test_a_resolver_that_writes_an_address_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compile_with_an_index(command: list[str], **_: object) -> None:
        Path(command[-1]).write_text("--index-url https://mirror.example/simple\nnetworkx==3.7\n")

    monkeypatch.setattr("tools.lock.subprocess.run", compile_with_an_index)
    before = (root / "requirements.txt").read_text()
    with pytest.raises(SystemExit, match="an address"):
        lock.lock(root, "requirements.txt", upgrade=False)
    assert (root / "requirements.txt").read_text() == before
