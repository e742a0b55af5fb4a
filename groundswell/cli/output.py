"""How a command prints: `--output` beside `--json`, on every command that has a document to print."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any

import typer

from groundswell.errors import InputError


class Form(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


_OPTION = typer.Option(
    "--output", "-o", show_default=False, help="How to print it; `name`: ids or names alone, a line each."
)
_LISTS = {"images": "image", "workloads": "workload", "done": "image", "changes": "image", "unregistered": ""}
"""Where documents that are not lists have what they are about, and what that is called."""
_NAMES = ("push", "cascade", "id", "name", "image", "workload", "subject", "cause", "month")

_form = [Form.JSON]


def render(document: Any) -> str:
    """A document in the form that was asked for, without a line end."""
    if _form[0] is Form.YAML:
        import yaml

        plain = json.loads(json.dumps(document, default=str))
        text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False)
        return text.rstrip("\n")
    if _form[0] is Form.NAME:
        return "\n".join(names(document))
    return json.dumps(document, indent=2, sort_keys=False, default=str)


def names(document: Any) -> Iterator[str]:
    """What a document lists, by name; of one that lists nothing, its own name."""
    if isinstance(document, list):
        yield from _called(document, _NAMES)
    elif isinstance(document, Mapping):
        lists = [key for key in _LISTS if isinstance(document.get(key), list)]
        for key in lists:
            yield from _called(document[key], (_LISTS[key],))
        if not lists:
            yield from _called([document], _NAMES)


def _called(entries: list[Any], keys: tuple[str, ...]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif found := [entry[key] for key in keys if entry.get(key)]:
            yield str(found[0])


def add_output(app: typer.Typer) -> None:
    """Give the commands of an app `--output`."""
    for each in app.registered_commands:
        if each.callback is not None:
            each.callback = formed(each.callback)


def formed(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with `--output`, where it has `--json`; else as it is."""
    signature = inspect.signature(command, eval_str=True)
    if "as_json" not in signature.parameters or "output" in signature.parameters:
        return command
    option = inspect.Parameter(
        "output", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[Form | None, _OPTION]
    )

    @wraps(command)
    def run(*args: Any, output: Form | None = None, **given: Any) -> Any:
        if output is Form.TABLE and given["as_json"]:
            raise InputError("--json and --output table exclude each other")
        _form[0] = output if output in (Form.YAML, Form.NAME) else Form.JSON
        if output not in (None, Form.TABLE):
            given["as_json"] = True
        return command(*args, **given)

    parameters = [*signature.parameters.values(), option]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # as inspect has it
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    del run.__wrapped__
    return run
