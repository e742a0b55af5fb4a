"""groundswell policy: what images' scans are held to, beyond what each one says itself."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from groundswell.cli.client import segment
from groundswell.cli.common import Json, cell, columns, console, print_json

app = typer.Typer(no_args_is_help=True, help="The policy of the gate: for every image, for a team, in force.")


@app.command("set")
def set_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, as YAML or JSON.")],
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")],
) -> None:
    """Put a policy in force, in place of the last one. What images say themselves stays.

    Example: groundswell policy set policy.yaml --reason "log4j is banned"
    """
    from groundswell.cli.chosen import client
    from groundswell.lineage.policy_document import parse

    document = parse(_read(file), str(file), lambda named: _read_beside(file, named))
    api = client()
    before = api.get("/policy")
    changed = api.put("/policy", document, reason=reason) != before
    console.print("in force within half a minute" if changed else "nothing to change: it is in force already")


@app.command("show")
def show(
    image: Annotated[str | None, typer.Option(help="What this image is held to, and where that is said.")] = None,
    as_json: Json = False,
) -> None:
    """Show the policy in force, or what it comes to for one image.

    Example: groundswell policy show --image shop/web
    """
    from groundswell.cli.chosen import client

    if image is None:
        _show(client().get("/policy"), as_json=as_json)
        return
    rows = client().get(f"/policy/images/{segment(image)}")["gate"]
    if as_json:
        print_json({"image": image, "gate": rows})
        return
    table = columns("what", "value", "from")
    for key, row in rows.items():
        table.add_row(key, cell(_brief(key, row["value"])), cell(", ".join(row["from"])))
    console.print(table)


@app.command("schema")
def schema_() -> None:
    """Print the JSON Schema of the policy file, for your editor.

    Example: groundswell policy schema > policy.schema.json
    """
    from groundswell.lineage.policy_document import schema

    print_json(schema())


def _show(document: Any, *, as_json: bool) -> None:
    import yaml

    if as_json:
        print_json(document)
        return
    if not any((document["global"], document["teams"], document["vex"], document.get("rings"))):
        console.print("no policy is set: images are held to their own gates and to the defaults")
        return
    shown = {key: value for key, value in document.items() if value}
    shown["vex"] = [{key: each[key] for key in ("file", "expires")} for each in document["vex"]]
    typer.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=False), nl=False)


def _brief(key: str, value: Any) -> str:
    if key == "vex":
        return ", ".join(f"{each['file']} until {each['expires']}" for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def _read(file: Path) -> str:
    from groundswell.errors import InputError

    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "not UTF-8"
        raise InputError(f"{file} cannot be read: {why}") from exc


def _read_beside(policy: Path, named: str) -> str:
    """A file that the policy names, which must lie in its folder."""
    from groundswell.errors import InputError

    folder = policy.resolve().parent
    file = (folder / named).resolve()
    if not file.is_relative_to(folder):
        raise InputError(f"{policy}: {named} leads out of the policy's folder")
    return _read(file)
