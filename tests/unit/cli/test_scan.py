"""`groundswell scan` as a person meets it: what it prints where, and how it exits."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from groundswell.cli import common, main
from groundswell.cli import scan as command


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(common.console, "width", 250)
    (tmp_path / "vendor").mkdir()
    Path("Dockerfile").write_text("ARG V=1\nFROM base:$V AS one\nFROM scratch\nCOPY --from=one / /\n")
    Path("vendor/Dockerfile").write_text("FRM x\n")
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, ["scan", *args])


def rows(*args: str) -> list[dict[str, Any]]:
    result = run(*args, "--json")
    assert result.exit_code == 0
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_json_is_one_array_with_the_keys_that_others_depend_on() -> None:
    first, second = rows(".")
    assert {
        "path": "Dockerfile",
        "target": None,
        "platform": "linux/amd64",
        "runtime": None,
        "build": ["docker.io/library/base:1"],
        "unneeded": [],
        "unresolved": [],
        "error": None,
    }.items() <= first.items()
    assert (second["path"], second["error"]) == ("vendor/Dockerfile", "line 1: unknown instruction: FRM")
    assert rows("Dockerfile") == [first]
    assert rows(".", "--skip-vendored") == [first]
    assert rows("vendor", ".", "Dockerfile") == [first, second]


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "env")

    def bases(*args: str) -> object:
        (row,) = rows("Dockerfile", *args)
        return row["platform"], row["target"], row["runtime"], row["build"]

    assert bases("--build-arg", "V=2") == ("linux/amd64", None, None, ["docker.io/library/base:2"])
    assert bases("--build-arg", "V") == ("linux/amd64", None, None, ["docker.io/library/base:env"])
    assert bases("--build-arg", "MISSING", "--target", "one", "--platform", "linux/arm64") == (
        "linux/arm64",
        "one",
        "docker.io/library/base:1",
        [],
    )
    assert bases("--build-context", "base:1=docker-image://r.io/x:1") == ("linux/amd64", None, None, ["r.io/x:1"])
    assert bases("--build-context", "one=docker-image://r.io/x:1", "--target", "one")[2:] == ("r.io/x:1", [])  # type: ignore[index]
    for wrong in (["--build-context", "x"], ["--build-arg", "=x"], ["--format", "dot", "--json"]):
        result = run(".", *wrong)
        assert "--" in str(result.exception)


def test_the_table_is_for_people() -> None:
    shown = run(".").stdout
    assert "scratch" in shown
    assert "docker.io/library/base:1" in shown
    assert "line 1: unknown instruction: FRM" in shown
    assert "2 builds, 1 of them cannot be read" in shown
    assert "platform" not in shown
    assert "target" not in shown
    Path("compose.yaml").write_text("services: {web: {build: {context: ., platforms: [linux/arm64]}}}")
    shown = run(".").stdout
    assert "web" in shown
    assert "linux/arm64" in shown
    Path("empty").mkdir()
    assert "no builds here" in run("empty").stdout


@pytest.mark.parametrize(
    ("form", "begins"), [("dot", "digraph"), ("mermaid", "flowchart"), ("graphml", "<graphml")]
)
def test_graphs(form: str, begins: str) -> None:
    result = run(".", "--format", form)
    assert result.stdout.startswith(begins)
    assert "docker.io/library/base:1" in result.stdout


def test_a_path_that_cannot_be_read_is_one_line_and_exit_2_and_the_rest_is_there() -> None:
    result = run("none", "Dockerfile", "--json")
    assert result.exit_code == 2
    assert result.stderr == "error: none: cannot be read: No such file or directory\n"
    assert [row["path"] for row in json.loads(result.stdout)] == ["Dockerfile"]


def test_workloads() -> None:
    Path("pod.yaml").write_text(
        "kind: Pod\nmetadata: {name: p, namespace: n}\nspec: {containers: [{name: c, image: a}]}\n"
    )
    Path("bad.yaml").write_text("image: [")
    Path("chart.yaml").write_text("spec:\n  image: {{ x }}\n")
    found = rows("--workloads", ".")
    assert found[1] == {
        "path": "pod.yaml",
        "kind": "Pod",
        "namespace": "n",
        "name": "p",
        "container": "c",
        "raw": "a",
        "reference": "docker.io/library/a:latest",
        "error": None,
    }
    assert [(row["path"], row["reference"]) for row in found] == [
        ("chart.yaml", None),
        ("pod.yaml", "docker.io/library/a:latest"),
        ("bad.yaml", None),
    ]
    shown = run("--workloads", ".").stdout
    assert "Pod n/p" in shown
    assert "helm template" in shown
    assert "not valid YAML" in shown
    Path("empty").mkdir()
    assert "no workloads here" in run("--workloads", "empty").stdout


def test_names_with_markup_are_printed_as_they_are() -> None:
    Path("[red]x.Dockerfile").write_text("FROM scratch\n")
    assert "[red]x.Dockerfile" in run(".").stdout


def test_the_bar_is_shown_only_when_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[bool] = []
    monkeypatch.setattr(command.Progress, "start", lambda progress: started.append(True))
    run(".")
    assert not started
    monkeypatch.setattr(command, "_PATIENCE", -1.0)
    assert run(".").exit_code == 0
    assert started
