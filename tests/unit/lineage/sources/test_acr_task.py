"""ACR task files: the builds of their steps, and the images that they run."""

from typing import Any

import pytest

from tests.unit.lineage.sources.conftest import Files

RUN = "a variable or an alias of the run, known only when it runs"


def of(name: str) -> str:
    return f"docker.io/library/{name}"


def task(files: Files, steps: str, **options: Any) -> dict[str, Any]:
    files.write("acr-task.yaml", f"version: v1.1.0\nsteps:\n{steps}")
    return {
        name.removeprefix("acr-task.yaml").removeprefix("#"): outcome
        for name, outcome in files.short(files.scan("acr-task.yaml", **options)).items()
    }


def test_build_steps_take_the_options_of_docker_build(files: Files) -> None:
    files.write("Dockerfile", "FROM a AS one\nFROM b\n")
    files.write("app/Dockerfile", "ARG V\nARG TARGETARCH\nFROM app:$V-$TARGETARCH\n")
    files.write("docker/My File", "FROM named\n")
    found = task(
        files,
        """
  - build: .
  - id: stage
    build: -t $Registry/x:$ID -t y --target one -f Dockerfile .
  - id: app
    build: --build-arg V=1 --platform linux/arm64 -f app/Dockerfile --no-cache app
  - id: joined
    build: --build-arg=V=2 --platform=linux/arm64 --file=app/Dockerfile --tag=x --cache-from y app
  - id: context
    build: --build-arg V -t x app
  - id: quoted
    build: -f "docker/My File" --label 'a b' .
  - push: [x]
""",
        environment={"V": "env"},
    )
    assert found == {
        "acb_step_0": (of("b:latest"), ()),
        "stage": (of("a:latest"), ()),
        "app@linux/arm64": (of("app:1-arm64"), ()),
        "joined@linux/arm64": (of("app:2-arm64"), ()),
        "context": (of("app:env-amd64"), ()),
        "quoted": (of("named:latest"), ()),
    }


def test_cmd_steps_run_images(files: Files) -> None:
    found = task(
        files,
        """
  - cmd: mcr.microsoft.com/tool:1 run --it
  - cmd: --rm -e A=b --network=host -it other arg
  - cmd: az acr login
  - cmd: bash -c 'echo hi'
  - cmd: $Registry/mine:$ID
  - cmd: "{{.Run.Registry}}/mine:{{.Run.ID}}"
  - cmd: $Registry/mine:$ID again
""",
    )
    assert found == {"": [("$Registry/mine:$ID", RUN), ("{{.Run.Registry}}/mine:{{.Run.ID}}", RUN)]}
    (row,) = files.scan("acr-task.yaml")
    assert row.resolution is not None
    assert row.resolution.build == (of("other:latest"), "mcr.microsoft.com/tool:1")
    assert row.resolution.runtime is None


def test_contexts_of_the_run_and_of_git_are_not_known_here(files: Files) -> None:
    found = task(
        files,
        """
  - {id: git, build: "-t x https://github.com/a/b.git#main"}
  - {id: values, build: "-f $File ."}
""",
    )
    why = "the Dockerfile is fetched when it is built; it is not in this tree"
    assert found == {"git": [("https://github.com/a/b.git#main", why)], "values": [("$File", why)]}


def test_the_working_directory_and_the_root_are_tried(files: Files) -> None:
    files.write(".git/HEAD", "")
    files.write("src/Dockerfile", "FROM src\n")
    files.write("ci/x.acr.yaml", "steps:\n  - {build: ., workingDirectory: src}\nworkingDirectory: none\n")
    files.write("ci/y.acr.yaml", "steps:\n  - build: src\n")
    assert files.short(files.scan("ci")) == {
        "ci/x.acr.yaml#acb_step_0": (of("src:latest"), ()),
        "ci/y.acr.yaml#acb_step_0": (of("src:latest"), ()),
    }


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("build: -t x", "build: names 0 build contexts, must be one"),
        ("build: a b", "build: names 2 build contexts, must be one"),
        ("build: -f", "build: argument -f/--file: expected one argument"),
        ("build: 'x \"'", "build: no closing quotation"),
        ("build: [a]", "build: must be a command line"),
        ("build: missing", "there is no folder missing, which is its build context"),
        ("build: ../..", "leads out of"),
        ("cmd: --rm", "cmd: names no image"),
        ("cmd: UPPER", "cmd: 'UPPER' is no image: invalid reference format"),
        ("cmd: ''", "cmd: must be a command line"),
    ],
)
def test_what_is_wrong_with_a_step_is_its_row(files: Files, step: str, says: str) -> None:
    files.write("ok/Dockerfile", "FROM alpine\n")
    found = task(files, f"  - id: bad\n    {step}\n  - id: good\n    build: -f ok/Dockerfile ok\n")
    assert found.pop("good") == (of("alpine:latest"), ())
    assert says in found.pop("bad")
    assert not found


def test_a_yaml_of_any_name_is_a_task_when_its_steps_are(files: Files) -> None:
    files.write("Dockerfile", "FROM alpine\n")
    files.write("any.yml", "version: v1.1.0\nsteps:\n  - build: .\n  - push: [x]\n")
    files.write("pipeline.yml", "steps:\n  - script: docker build .\n  - task: Docker@2\n")
    files.write("action.yml", "runs:\n  steps:\n  - run: make build\n")
    files.write("mixed.yml", "steps:\n  - build: .\n  - script: x\n")
    files.write("odd.yml", "steps: {build: .}\n")
    files.write("broken.yml", "steps: [\n")
    files.write("binary.yml", b"steps:\n\xff")
    assert files.all() == {
        "Dockerfile": (of("alpine:latest"), ()),
        "any.yml#acb_step_0": (of("alpine:latest"), ()),
    }


@pytest.mark.parametrize(
    ("text", "says"), [("a: 1", "no list of `steps`"), ("steps: [", "not valid YAML"), ("- 1", "no")]
)
def test_what_is_wrong_with_the_file_is_one_row(files: Files, text: str, says: str) -> None:
    files.write("acr-task.yaml", text)
    found = files.all()
    assert list(found) == ["acr-task.yaml"]
    assert says in found["acr-task.yaml"]
