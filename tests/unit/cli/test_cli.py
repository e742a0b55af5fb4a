"""The command as a person meets it: what it prints, how it exits, what it says when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.cascade.push import Push
from groundswell.cli import common, main
from groundswell.errors import (
    ConflictError,
    GroundswellError,
    InputError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)
from groundswell.settings import BuildServer
from tests.support.world import BASE, HOST, World, ref, registration
from tests.unit.api.test_every_operation import IDS


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path, registration("top", BASE, owner="platform"), registration("app", ref("top")))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_no_cascades_yet(world: World) -> None:
    assert "no cascades yet" in run("cascades").output
    assert json.loads(run("cascades", "--json").output) == []


def test_the_list_and_one_cascade(world: World) -> None:
    world.broken.add("app")
    world.push_base()
    world.drive()
    listed = json.loads(run("cascades", "--json").output)
    assert [(entry["cascade"], entry["images"], entry["open"], entry["phase"]) for entry in listed] == [
        (world.cascade, 2, 0, "ended")
    ]
    assert world.cascade in run("cascades").output
    shown = json.loads(run("cascades", world.cascade, "--json").output)
    assert {image["image"]: (image["status"], image["stage"]) for image in shown["images"]} == {
        "top": ("done", None),
        "app": ("failed", "build"),
    }
    top = next(image for image in shown["images"] if image["image"] == "top")
    assert top["new_digest"] == world.registry.tags[ref("top")]
    assert top["old_digest"] not in ("", top["new_digest"])
    table = run("cascades", world.cascade).output
    assert "failed (build)" in table
    assert "its log ends: step 1 | boom" in table


def test_watching_without_a_terminal_prints_a_line_per_move_and_ends(world: World) -> None:
    world.push_base()
    world.drive()
    result = run("cascades", world.cascade, "--watch")
    assert result.exit_code == 0
    assert "2/2" in result.output
    assert "promoted; nothing runs it" in result.output


def test_watching_needs_an_id(world: World) -> None:
    result = run("cascades", "--watch")
    assert isinstance(result.exception, InputError)


def test_replay_and_cancel_and_their_trail(world: World) -> None:
    world.broken.add("top")
    world.push_base()
    world.drive()
    world.broken.clear()
    result = run("replay", world.cascade, "top", "--from", "build", "--reason", "repaired")
    assert "top: ready" in result.output
    world.drive()
    assert world.statuses() == {"top": "done", "app": "done"}
    trail = json.loads(run("audit", "--json").output)
    assert (trail[0]["action"], trail[0]["who"], trail[0]["why"]) == ("replay", "ann", "repaired")
    assert "repaired" in run("audit").output
    assert isinstance(run("cancel", world.cascade, "top", "--reason", "x").exception, InputError)
    assert run("replay", world.cascade, "top").exit_code == 2  # no reason given
    run("replay", world.cascade, "top", "--reason", "red \x1b[31malert\x07\nsecond line")
    assert "red alert second line" in run("audit").output
    assert "\x1b" not in run("audit").output + run("audit", "--json").output
    assert run("replay", world.cascade, "top", "--from", "dance", "--reason", "x").exit_code == 2


def test_a_replay_is_of_what_changed_unless_it_is_forced(world: World) -> None:
    world.push_base()
    world.drive()
    run("replay", world.cascade, "top", "--from", "build", "--reason", "once more")
    world.drive()
    (top,) = [
        image
        for image in json.loads(run("cascades", world.cascade, "--json").output)["images"]
        if image["image"] == "top"
    ]
    assert (top["status"], top["run"]) == ("unchanged", "")
    assert top["why"] == f"already built from the same inputs by cascade {world.cascade}"
    assert set(top["inputs"]) == {"key", "revision", "bases"}
    shown = run("why", "top").output
    assert f"key {top['inputs']['key'][:12]}: source at {top['inputs']['revision'][:12]}" in shown
    assert f"on {BASE} {world.registry.tags[BASE].removeprefix('sha256:')[:12]}" in shown
    assert "1 replayed" not in run("replay", world.cascade, "top", "--force", "--reason", "packages").output
    world.drive()
    assert len(world.builder.requests) == 3
    again = json.loads(run("replay", world.cascade, "--all", "--force", "--reason", "packages", "--json").output)
    assert [item["stage"] for item in again["done"]] == ["build", "build"]
    world.drive()
    assert len(world.builder.requests) == 5
    assert isinstance(
        run("replay", world.cascade, "top", "--force", "--from", "scan", "--reason", "x").exception, InputError
    )


def test_why_says_what_is_not_known_of_the_inputs(world: World) -> None:
    world.revisions.down = PermanentError("no such host")
    world.push_base()
    world.drive()
    assert (
        "it is built in any case: the revision of its source is not known: no such host" in run("why", "top").output
    )


def test_pushes(world: World) -> None:
    world.push_base()
    world.drive()
    results = [entry["result"] for entry in json.loads(run("pushes", "--json").output)]
    assert "cascade" in results
    assert "mirror/debian:12" in run("pushes").output


def test_a_push_without_a_tag_is_shown_by_its_digest(world: World) -> None:
    push = Push(
        id="e1",
        registry="acr.example.com",
        repository="mirror/debian",
        tag="",
        digest=f"sha256:{'ab' * 32}",
        source="webhook",
    )
    world.app.intake.handle(push.to_text())
    world.app.intake.handle(replace(push, id="e2", digest="").to_text())
    world.app.intake.handle(replace(push, id="e3", tag="nope", digest="").to_text())
    shown = [line.split()[2] for line in run("pushes").output.splitlines()[1:]]
    assert sorted(shown) == [
        "acr.example.com/mirror/debian",
        "acr.example.com/mirror/debian:nope",
        "acr.example.com/mirror/debian@abababababab",
    ]


def test_lineage_show_and_schema(world: World) -> None:
    shown = json.loads(run("lineage", "show", "--json").output)
    assert [image["name"] for image in shown] == ["app", "top"]
    assert "platform" in run("lineage", "show").output
    assert json.loads(run("lineage", "schema").output)["title"] == "Groundswell lineage"


def test_lineage_register_shows_what_it_changes(world: World, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\n")
    (tmp_path / "lineage.yaml").write_text(
        "version: 1\nregistry: acr.example.com\nsource: {git: 'https://g.example.com/x.git'}\n"
        "images:\n- {name: top, tags: ['1'], owner: web}\n- {name: new, tags: ['1']}\n"
    )
    dry = run("lineage", "register", str(tmp_path), "--dry-run").output
    assert "+ new" in dry
    assert "owner: platform -> web" in dry
    assert "2 would be registered" in dry
    assert "new" not in [item.name for item in world.app.catalog.registrations()]
    document = json.loads(run("lineage", "register", str(tmp_path), "--json").output)
    assert [change["image"] for change in document["changes"]] == ["top", "new"]
    assert "0 registered, 2 unchanged" in run("lineage", "register", str(tmp_path)).output


def test_logs_without_control_characters(world: World) -> None:
    world.push_base()
    world.drive()
    world.builder.log_text = "ok\x1b]0;title\x07\n"
    result = run("runs", "logs", "r0")
    assert isinstance(result.exception, InputError)  # no registry is configured in this world
    azure = BuildServer(kind="azure-pipelines", url="https://dev.azure.com/x", project="p", pipeline=1, slots=1)
    world.app.settings = replace(world.app.settings, registries={HOST: IDS}, builders={"azure": azure})
    assert run("runs", "logs", "r0").output == run("runs", "logs", "r0", "--registry", HOST).output == "ok\n\n"
    assert "not configured" in str(run("runs", "logs", "r0", "--registry", "acr.example.net").exception)
    world.builder.runs["azure:531"] = world.builder.runs["r0"]
    assert run("runs", "logs", "azure:531").output == "ok\n\n"  # its id says where it is


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (NotFoundError("x"), 3),
        (ConflictError("x"), 4),
        (TemporaryError("x"), 5),
        (PermanentError("x"), 1),
    ],
)
def test_exit_codes(error: GroundswellError, code: int) -> None:
    assert main.exit_code(error) == code


def test_an_error_is_one_line_and_no_stack_trace(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["groundswell", "cascades", "nope"])
    with pytest.raises(SystemExit) as caught:
        main.main()
    assert caught.value.code == 3
    assert capsys.readouterr().err == "error: no cascade nope; `groundswell cascades` lists them\n"


def test_an_error_that_quotes_somebody_does_not_act_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise PermanentError("first\n\x1b[31msecond\x1b[0m")

    monkeypatch.setattr(main, "app", fail)
    with pytest.raises(SystemExit):
        main.main()
    assert capsys.readouterr().err == "error: first\nsecond\n"


@pytest.mark.parametrize("arguments", [["--version"], ["lineage", "schema"], ["--help"]])
def test_output_that_cannot_be_written_is_an_error(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "groundswell.cli.main", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, "error: the output cannot be written: No space left on device\n")


def test_the_version() -> None:
    assert run("--version").output == f"groundswell {version('groundswell')}\n"
