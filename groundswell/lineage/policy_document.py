"""Reads a policy document: YAML or JSON, every complaint with its line, the OpenVEX files that it names with it.

The JSON Schema beside this file describes it; a gate in it is the one of `lineage.schema.json`.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from groundswell.errors import InputError
from groundswell.lineage.document import checked, validator
from groundswell.lineage.document import schema as lineage_schema
from groundswell.lineage.policies import Document
from groundswell.scan.vex import statements

_MAX_VEX = 1024 * 1024


@cache
def schema() -> Mapping[str, Any]:
    """The JSON Schema of the document, with the definitions that it shares with the lineage's."""
    text = resources.files("groundswell.lineage").joinpath("policy.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    shared = lineage_schema()["$defs"]
    return {
        **loaded,
        "$defs": {key: shared[key] for key in ("gate", "date", "age", "glob", "reason", "path", "rings")},
    }


def parse(text: str, name: str, read: Callable[[str], str]) -> Document:
    """The policy in a YAML or JSON text; `read` gives the text of an OpenVEX file that it names.

    Raises InputError with a line per complaint, each `NAME:LINE: what is wrong`.
    """
    document, lines = checked(text, name, validator(schema()))
    vex = []
    for index, entry in enumerate(document.get("vex", ())):
        where = f"{name}:{lines.of(('vex', index))}"
        vex.append({**entry, "document": _vex(read(entry["file"]), f"{where}: {entry['file']}")})
    found = {"version": 1, "global": document.get("global", {}), "teams": document.get("teams", {}), "vex": vex}
    return {**found, "rings": document["rings"]} if "rings" in document else found


def _vex(text: str, where: str) -> Any:
    if len(text) > _MAX_VEX:
        raise InputError(f"{where}: larger than {_MAX_VEX // 1024 // 1024} MiB; split it")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{where}: not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise InputError(f"{where}: not an OpenVEX document")
    try:
        statements(document, 0.0)
    except InputError as exc:
        raise InputError(f"{where}: {exc}") from exc
    return document
