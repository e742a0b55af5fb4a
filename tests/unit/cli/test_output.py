"""`--output`: the same document in other forms."""

import io
from typing import Annotated, Any

import pytest
import typer
import yaml
from rich.console import Console
from typer.testing import CliRunner

from groundswell.cli.common import Json, cell, columns, console, print_json
from groundswell.cli.output import formed, names
from groundswell.errors import InputError

DOCUMENT = [{"cascade": "a1", "base": "x"}, {"cascade": "b2", "base": "y"}]


def shown(*words: str) -> Any:
    app = typer.Typer()

    def look(name: Annotated[str, typer.Argument()] = "n", as_json: Json = False) -> None:
        if as_json:
            print_json(DOCUMENT)
        else:
            console.print(f"table of {name}")

    app.command()(formed(look))
    return CliRunner().invoke(app, list(words))


def test_forms() -> None:
    assert shown().output == shown("-o", "table").output == "table of n\n"
    assert shown("m", "-o", "json").output == shown("m", "--json").output
    assert yaml.safe_load(shown("-o", "yaml").output) == DOCUMENT
    assert shown("-o", "name").output == "a1\nb2\n"
    assert shown("--json", "-o", "name").output == "a1\nb2\n"
    assert shown("--json").output.startswith("[\n")  # a form does not outlive its command
    assert isinstance(shown("--json", "-o", "table").exception, InputError)
    assert shown("-o", "xml").exit_code == 2


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"cascade": "c", "images": [{"image": "a"}, {"image": "b"}]}, ["a", "b"]),
        ({"images": [{"image": "a"}], "workloads": [{"workload": "w", "image": "a"}], "unread": []}, ["a", "w"]),
        ({"cascade": "c", "done": [{"image": "a"}], "left": [{"image": "b"}], "failed": []}, ["a"]),
        ({"unregistered": ["x"], "left_standing": {}}, ["x"]),
        ({"push": "p", "urgent": True}, ["p"]),
        ({"cascade": "c", "image": "a", "status": "done"}, ["c"]),
        ({"base": "b", "images": [{"image": "a"}], "workloads": [{"image": "a", "name": "n"}]}, ["a"]),
        ([{"id": "p1", "cascade": ""}], ["p1"]),
        ({"global": {}}, []),
    ],
)
def test_names(document: Any, found: list[str]) -> None:
    assert list(names(document)) == found


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_table_fits_and_cuts_nothing(width: int) -> None:
    table = columns("cascade", "base", "digest", "began", "seconds", right=("seconds",))
    base = "localhost:5443/mirror/debian-slim-with-a-long-name:12"
    table.add_row(*map(cell, ("0vgb0zjjdr", base, "86a339c118ba", "2026-11-30 21:05:35Z", 193.1)))
    narrow = Console(width=width, file=io.StringIO(), record=True)
    narrow.print(table)
    lines = narrow.export_text().rstrip("\n").split("\n")
    assert max(map(len, lines)) <= width
    told = next(line for line in lines if line.startswith("0vgb0zjjdr"))
    assert "86a339c118ba" in told
    assert "…" not in "".join(lines)
