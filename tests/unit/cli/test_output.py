"""`--output`: the same document in other forms."""

from typing import Annotated, Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from groundswell.cli.common import Json, console, print_json
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
