"""No test of the command sees the contexts, the service or the settings of whoever runs it."""

from pathlib import Path

import pytest

from groundswell.cli import chosen


@pytest.fixture(autouse=True)
def config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    for name in ("CONTEXT", "URL", "CA", "TOKEN", "STORE"):
        monkeypatch.delenv(f"GROUNDSWELL_{name}", raising=False)
    chosen.ask_for("")
    return folder / "groundswell"
