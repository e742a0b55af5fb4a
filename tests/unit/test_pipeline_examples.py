"""examples/pipelines as far as it can be held to the product: well formed, with our parameters, words and codes."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from groundswell.build.parameters import NAME, parameters
from groundswell.build.port import BuildRequest, Source
from groundswell.cli import main, wait

EXAMPLES = Path(__file__).parents[2] / "examples" / "pipelines"
DOCS = Path(__file__).parents[2] / "docs"
REQUEST = BuildRequest(
    name="gs-1", registry="r", repository="a", tag="1", source=Source(location="https://host/repo.git")
)
_GROUNDSWELL = re.compile(r"\bgroundswell ([a-z]+)\b((?:(?!groundswell )[^|)'`\n])*)")


def azure(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((EXAMPLES / name / "azure-pipelines.yml").read_text())
    return document


def jenkins(name: str) -> str:
    return (EXAMPLES / name / "Jenkinsfile").read_text()


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in document["jobs"] for step in job["steps"]]


def test_the_builder_of_azure_pipelines_takes_our_parameters_and_no_other() -> None:
    pipeline = azure("builder")
    told = parameters(REQUEST)
    declared = {each["name"]: each for each in pipeline["parameters"]}
    assert set(declared) == set(told)
    # The service takes no empty value where there is no default, and we send none.
    assert {name for name, each in declared.items() if "default" in each} == {
        name for name, value in told.items() if not value
    }
    assert {each["type"] for each in declared.values()} == {"string"}
    assert pipeline["name"] == f"${{{{ parameters.{NAME} }}}}"
    assert pipeline["variables"] == {name: f"${{{{ parameters.{name} }}}}" for name in told if name != NAME}
    assert (pipeline["trigger"], pipeline["pr"]) == ("none", "none")


def test_the_builder_of_jenkins_takes_our_parameters_and_no_other() -> None:
    assert set(re.findall(r"(?:string|text)\(name: '(\w+)'", jenkins("builder"))) == set(parameters(REQUEST))
    assert "text(name: 'GS_BUILD_ARGS')" in jenkins("builder")  # it has lines


@pytest.mark.parametrize("text", [str(steps(azure("builder"))), jenkins("builder")])
def test_no_parameter_is_written_into_a_script(text: str) -> None:
    assert "${{" not in text
    assert not re.search(r'sh "|sh """|\$\{params', text)
    assert "build.sh" in text


def test_the_script_reads_what_it_is_told_and_is_well_formed() -> None:
    script = EXAMPLES / "builder" / "build.sh"
    read = set(re.findall(r"\$\{?(GS_\w+)", script.read_text()))
    assert read == set(parameters(REQUEST)) - {NAME}
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=10)


@pytest.mark.parametrize("name", ["builder", "step"])
def test_a_jenkinsfile_is_closed_everywhere(name: str) -> None:
    code = re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|//[^\n]*", "", jenkins(name))
    open_: list[str] = []
    pairs = {"}": "{", ")": "(", "]": "["}
    for character in code:
        if character in pairs.values():
            open_.append(character)
        elif character in pairs:
            assert open_.pop() == pairs[character]
    assert open_ == []
    assert code.strip().startswith("pipeline {")


def commands() -> list[tuple[str, set[str]]]:
    """Each word of groundswell that stands in them, with its options."""
    texts = [jenkins("step"), (DOCS / "pipelines.md").read_text()]
    texts += [str(step.get("inputs", {}).get("inlineScript", "")) for step in steps(azure("step"))]
    found = [match for text in texts for match in _GROUNDSWELL.findall(text)]
    return [(word, set(re.findall(r"--[a-z][a-z-]*", rest))) for word, rest in found]


def test_every_word_of_groundswell_in_them_is_one_that_there_is() -> None:
    known = typer.main.get_command(main.app)
    seen = set()
    for word, options in commands():
        found = known.get_command(None, word)  # type: ignore[attr-defined]  # a group of click's
        assert found is not None, word
        assert options <= {option for each in found.params for option in each.opts}, word
        seen.add((word, *sorted(options)))
    assert {("push", "--json", "--reason"), ("wait", "--timeout", "--until")} <= seen


def test_the_exit_codes_are_those_that_the_documents_tell() -> None:
    table = dict(re.findall(r"^\| (\d) \| ([^|]+) \|", (DOCS / "pipelines.md").read_text(), re.MULTILINE))
    assert set(table) == {"0", "1", "2", "3", "4", "5", "6", "7", "8"}
    assert "rejected" in table[str(wait.REJECTED)]
    assert "time is up" in table["5"]
    assert set(map(str, main.EXIT_CODES.values())) <= set(table)
    assert f"code == {wait.REJECTED}" in jenkins("step")
    assert f"{wait.REJECTED})" in str(steps(azure("step")))
