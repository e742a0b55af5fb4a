"""BuildKit's own verdicts on written and on generated Dockerfiles."""

import json
from pathlib import Path
from typing import Any

import pytest

from graph.dockerfile import DockerfileError, resolve

CASES = Path(__file__).parent / "cases"


def load(name: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = json.loads((CASES / name).read_text())["cases"]
    return cases


@pytest.mark.parametrize("case", load("dockerfile_references.json"), ids=lambda case: case["id"])
def test_written(case: dict[str, Any]) -> None:
    arguments = {
        "build_args": case["args"],
        "target": case["target"],
        "platform": case["platform"],
        "build_platform": case["build_platform"],
        "contexts": case["contexts"],
        "onbuild": case["onbuild"],
    }
    expect = case["expect"]
    if expect["error"]:
        with pytest.raises(DockerfileError) as caught:
            resolve(case["dockerfile"], **arguments)
        assert expect["error"] in caught.value.reason
        return
    found = resolve(case["dockerfile"], **arguments)
    assert (found.runtime or None) == (expect["runtime"] or None)
    assert list(found.build) == sorted(expect["build"])
    assert list(found.unneeded) == sorted(expect["unreachable"])


@pytest.mark.parametrize("case", load("dockerfile_generated.json"), ids=lambda case: case["dockerfile"][:20])
def test_generated(case: dict[str, Any]) -> None:
    arguments = {"build_args": case["args"], "target": case["target"], "platform": case["platform"]}
    if case["error"]:
        with pytest.raises(DockerfileError) as caught:
            resolve(case["dockerfile"], **arguments)
        said = case["message"]
        if said.startswith("dockerfile parse error on line "):
            line, _, said = said.removeprefix("dockerfile parse error on line ").partition(": ")
            assert caught.value.line == int(line)
        # Which of several circles, or of several bad names, is told first is chance in BuildKit too.
        chance = ("circular dependency", "failed to parse stage name", "failed to parse platform")
        alike = any(said.startswith(words) and caught.value.reason.startswith(words) for words in chance)
        assert caught.value.reason == said or alike
        return
    found = resolve(case["dockerfile"], **arguments)
    assert found.runtime == case["runtime"]
    assert list(found.build) == sorted({image.partition(" ")[0] for image in case["build"]})
    needed = {image.rpartition(" ")[0] for image in case["needed"]}
    assert needed == {*found.build, *([found.runtime] if found.runtime else [])}


CHANCE = ("circular dependency", "failed to parse stage name", "failed to parse platform")
DEFAULTS = {"args": {}, "target": None, "platform": "linux/amd64", "build_platform": "linux/amd64"}
OURS = {"name can't start with": "stage name can't start with"}


@pytest.mark.parametrize("case", load("dockerfile_corners.json"), ids=lambda case: ascii(case["dockerfile"][:30]))
def test_corners(case: dict[str, Any]) -> None:
    case = {**DEFAULTS, "error": None, "line": None, "runtime": None, "needed": [], **case}
    arguments = {
        "build_args": case["args"],
        "target": case["target"],
        "platform": case["platform"],
        "build_platform": case["build_platform"],
    }
    if case["error"] is None:
        found = resolve(case["dockerfile"], **arguments)
        assert found.runtime == case["runtime"]
        assert {*found.build, *filter(None, [found.runtime])} == set(case["needed"])
        return
    with pytest.raises(DockerfileError) as caught:
        resolve(case["dockerfile"], **arguments)
    said = case["error"]
    for theirs, ours in OURS.items():
        said = said.replace(f", {theirs}", f", {ours}")
    alike = any(said.startswith(words) and caught.value.reason.startswith(words) for words in CHANCE)
    assert caught.value.reason == said or alike
    # BuildKit counts a directive's line from 0, and says nothing of where some others are.
    if case["line"] and caught.value.reason == said and not said.startswith(("only one", *CHANCE)):
        assert caught.value.line == case["line"]
