"""The import rules: what counts as pure (tools/import_contracts.py), and that .importlinter leaves nothing out."""

import configparser
from pathlib import Path

import pytest
from grimp import ImportGraph

from tools.import_contracts import PureContract

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = {"source_modules": ["pure.core"], "allowed_modules": ["networkx", "lower"]}


def kept(importer: str, imported: str) -> bool:
    graph = ImportGraph()
    for name in ("pure", "pure.core", "pure.core.part"):
        graph.add_module(name)
    graph.add_import(importer=importer, imported=imported, line_number=1, line_contents=f"import {imported}")
    contract = PureContract("test", session_options={}, contract_options=OPTIONS)
    return contract.check(graph, verbose=False).kept


@pytest.mark.parametrize(
    "imported", ["networkx", "lower", "lower.part", "json", "logging", "collections", "pure.core"]
)
def test_pure_code_may_import(imported: str) -> None:
    assert kept("pure.core.part", imported)


@pytest.mark.parametrize(
    "imported", ["yaml", "azure", "os", "subprocess", "time", "random", "lowermost", "pure.edge"]
)
def test_pure_code_may_not_import(imported: str) -> None:
    assert not kept("pure.core.part", imported)
    assert not kept("pure.core", imported)


def test_code_around_the_pure_part_may() -> None:
    assert kept("pure", "subprocess")


def test_every_part_of_the_product_has_its_layer() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    layers = set(config["importlinter:contract:layers"]["layers"].replace("|", " ").split())
    layers = {layer.strip("()") for layer in layers}
    parts = {
        f"groundswell.{path.stem}"
        for path in (ROOT / "groundswell").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").is_file()
    }
    assert parts - layers == set()
