"""Every command's help: an example that is a command, and one sentence that says the same wherever it stands."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from groundswell.cli import main
from groundswell.cli.commands import COMMANDS, loaded


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from walk(each, (*path, name))


EVERY = [found for name, entry in COMMANDS.items() for found in walk(loaded(name, entry), (name,))]
LEAVES = [(path, command) for path, command in EVERY if not hasattr(command, "commands")]


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_help_has_an_example_that_is_understood(path: tuple[str, ...], command: Any) -> None:
    shown = CliRunner().invoke(main.app, [*path, "--help"])
    assert shown.exit_code == 0
    examples = re.findall(r"Example: groundswell (.*?)(?:\n\s*\n|$)", command.help or "", re.DOTALL)
    assert examples, "its help needs an Example:"
    for example in examples:
        words = shlex.split(re.split(r" [<>|] ", " ".join(example.split()))[0])
        if words[0] == "--context":
            words = words[2:]
        assert tuple(words[: len(path)]) == path
        command.make_context(" ".join(path), words[len(path) :], resilient_parsing=False)  # no UsageError


@pytest.mark.parametrize("name", COMMANDS)
def test_what_the_list_says_is_what_the_command_says(name: str) -> None:
    command = loaded(name, COMMANDS[name])
    first = " ".join((command.help or "").split("\n\n")[0].split())
    assert not set(words(COMMANDS[name].about)) - set(words(first))


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def test_the_list_of_commands_imports_none() -> None:
    import subprocess
    import sys

    probe = (
        "import sys\nfrom groundswell.cli import main\nsys.argv = ['groundswell', '--help']\n"
        "try:\n    main.main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('rich', 'fastapi', 'pydantic', 'azure', 'networkx', 'yaml', 'http.client')\n"
        "print('LOADED', [name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_exit_codes_are_told() -> None:
    shown = " ".join(CliRunner().invoke(main.app, ["--help"]).output.split())
    for code in sorted({*main.EXIT_CODES.values(), 6, 7}):
        assert re.search(rf"\b{code}\b", shown), code


def test_no_command_is_left_out() -> None:
    assert isinstance(main.app, typer.Typer)
    shown = CliRunner().invoke(main.app, ["--help"]).output
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    assert CliRunner().invoke(main.app, ["nope"]).exit_code == 2
