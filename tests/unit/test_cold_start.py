"""What a cold start imports: a webhook is answered, and a message taken, before anything heavy is needed."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "aiohttp",
    "azure.containerregistry",
    "azure.core",
    "azure.data",
    "azure.identity",
    "azure.keyvault",
    "azure.mgmt",
    "azure.monitor",
    "azure.storage",
    "cryptography",
    "fastapi",
    "graph.dockerfile",
    "groundswell.api",
    "groundswell.cli",
    "groundswell.local",
    "hcl2",
    "jinja2",
    "jsonschema",
    "jwt",
    "kubernetes",
    "networkx",
    "numpy",
    "opentelemetry.exporter",
    "opentelemetry.instrumentation",
    "opentelemetry.sdk",
    "pydantic",
    "regex",
    "requests",
    "rich",
    "sqlite3",
    "starlette",
    "typer",
    "urllib3",
    "yaml",
)
_PROBE = "import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"


def imported(module: str) -> set[str]:
    """The modules, and the packages that they are in, of a fresh process that imported `module`."""
    ran = subprocess.run(
        [sys.executable, "-c", _PROBE.format(module=module)], capture_output=True, check=True, text=True
    )
    return set(json.loads(ran.stdout))


@pytest.fixture(scope="module")
def cold() -> set[str]:
    return imported("function_app")


@pytest.mark.parametrize("module", HEAVY)
def test_a_cold_start_leaves_the_heavy_ones_alone(cold: set[str], module: str) -> None:
    assert not {name for name in cold if name == module or name.startswith(f"{module}.")}


def test_the_triggers_are_there(cold: set[str]) -> None:
    assert {"functions.workers", "functions.webhooks", "functions.timers", "functions.http"} <= cold


def test_the_probe_sees_what_is_imported() -> None:
    assert {"networkx", "networkx.classes"} <= imported("networkx")
