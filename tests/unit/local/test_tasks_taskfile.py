"""Task YAML: what is read, how variables are replaced, and what is refused by name."""

import datetime as dt

import pytest

from groundswell.build.port import RunStatus
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.plan import Build, Command, Platform, Push, Variables
from groundswell.local.tasks.taskfile import parse

VARIABLES = (
    Variables.of(
        run_id="cf4",
        registry="acr.example.com",
        registry_name="acr",
        platform=Platform(),
        task="nightly",
        now=dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
    )
    .with_source(commit="abc", branch="main")
    .with_values({"x": "42"})
)


def test_every_kind_of_step() -> None:
    steps = parse(
        """
version: v1.1.0
stepTimeout: 90
env: {A: 1}
steps:
  - build: -t $Registry/app:{{.Run.ID}} -t {{.Run.Registry}}/app:latest -f "dir/My Dockerfile" --build-arg K=a=b
      --target last --no-cache --platform linux/arm64 src
  - id: send
    push:
      - $Registry/app:{{.Run.ID}}
    timeout: 30
  - cmd: $Registry/tool sh -c 'echo {{.Values.x}} {{ .Run.Branch }}'
    env: [B=2]
    retries: 2
    retryDelay: 3
    ignoreErrors: true
""",
        VARIABLES,
    )
    build, push, command = steps
    assert build.id == "acb_step_0"
    assert build.action == Build(
        images=("acr.example.com/app:cf4", "acr.example.com/app:latest"),
        dockerfile="dir/My Dockerfile",
        context="src",
        target="last",
        arguments=(("K", "a=b"),),
        no_cache=True,
        platform="linux/arm64",
    )
    assert (build.timeout, build.after, build.env) == (90, (), {"A": "1"})
    assert push.action == Push(images=("acr.example.com/app:cf4",))
    assert (push.id, push.timeout, push.after) == ("send", 30, ("acb_step_0",))
    assert command.action == Command(image="acr.example.com/tool", words=("sh", "-c", "echo 42 main"))
    assert (command.retries, command.retry_delay, command.ignore_errors) == (2, 3, True)
    assert (command.after, command.env) == (("send",), {"A": "1", "B": "2"})


def test_when_says_what_a_step_waits_for() -> None:
    steps = parse(
        "steps: [{id: a, cmd: x}, {id: b, cmd: x, when: ['-']}, {id: c, cmd: x, when: [a, b]}, {cmd: x}]", VARIABLES
    )
    assert [step.after for step in steps] == [(), (), ("a", "b"), ("c",)]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("steps: [", "not YAML"),
        ("- a", "must be a mapping with a list of steps"),
        ("steps: []", "must be a mapping with a list of steps"),
        ("steps: [x]", "step 0 must be a mapping"),
        ("version: v9\nsteps: [{cmd: x}]", "version 'v9'"),
        ("volumes: []\nsteps: [{cmd: x}]", "the task has keys that are not supported: volumes"),
        (
            "steps: [{id: a, cmd: x, detach: true, ports: 1}]",
            "step a has keys that are not supported: detach, ports",
        ),
        ("steps: [{id: a, cmd: x, push: y}]", "step a must have exactly one of build, push and cmd"),
        ("steps: [{id: a}]", "step a must have exactly one of"),
        ("steps: [{id: a, cmd: x}, {id: a, cmd: x}]", "step a is there twice"),
        ("steps: [{id: a, cmd: x, when: [b]}, {id: b, cmd: x}]", "step a waits for 'b', which is no earlier step"),
        ('steps: [{id: a, cmd: "x \'y"}]', "step a: cmd: No closing quotation"),
        ("steps: [{id: a, cmd: -it x}]", "options of docker run (-it)"),
        ("steps: [{id: a, cmd: ''}]", "cmd must be a command line"),
        ("steps: [{id: a, build: -t x:1}]", "step a: build: the following arguments are required: context"),
        ("steps: [{id: a, build: --squash .}]", "step a: build: unrecognized arguments: --squash"),
        ("steps: [{id: a, build: --build-arg K .}]", "--build-arg K needs a value"),
        ("steps: [{id: a, push: [1]}]", "step a: push must be a list of names"),
        ("steps: [{id: a, cmd: x, timeout: -1}]", "step a: timeout must be a number"),
        ("steps: [{id: a, cmd: x, retries: true}]", "step a: retries must be a number"),
        ("steps: [{id: a, cmd: x, env: [K]}]", "env must be a list of NAME=VALUE"),
        ("steps: [{cmd: '{{.Values.nope}}'}]", "{{.Values.nope}}, which has no value"),
        ("steps: [{cmd: '{{.Run.Nope}}'}]", "{{.Run.Nope}}, which has no value"),
        ("steps: [{cmd: '{{.Other.ID}}'}]", "{{.Other.ID}}, which has no value"),
    ],
)
def test_what_cannot_be_done_is_an_error_with_its_name(task: str, said: str) -> None:
    with pytest.raises(RunError) as caught:
        parse(task, VARIABLES)
    assert said in str(caught.value)
    assert caught.value.status is RunStatus.ERROR
