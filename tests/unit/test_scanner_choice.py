"""Which scanners there are, as the settings say: each asked by its name, as far as it gets without a service."""

import json
from pathlib import Path
from typing import Any

import pytest

from groundswell import settings
from groundswell.errors import PermanentError
from groundswell.wiring import App
from tests.support.acr import Credential
from tests.support.scan_fakes import IMAGE, ORAS, TRIVY, command


def app(tmp_path: Path, scanners: dict[str, Any]) -> App:
    values = {
        "GROUNDSWELL_STORE": f"sqlite:///{tmp_path / 'x.db'}",
        "GROUNDSWELL_SCANNERS": json.dumps(scanners),
        "GROUNDSWELL_ORAS_IMAGE": ORAS,
        "GROUNDSWELL_TRIVY_CACHE": str(tmp_path),
    }
    made = App(settings.parse(values))
    vars(made)["credential"] = Credential(None)
    return made


@pytest.mark.parametrize(
    ("scanners", "asked", "said"),
    [
        pytest.param({}, (), "Trivy's database in .* cannot be read", id="none: the binary"),
        pytest.param({"trivy": {"kind": "binary"}}, ("trivy",), "Trivy's database in", id="the binary"),
        pytest.param(
            {"trivy": TRIVY}, ("trivy",), "has no entry in the setting GROUNDSWELL_REGISTRIES", id="a run"
        ),
        pytest.param({"mine": command("sarif")}, (), "has no entry in the setting", id="a command"),
        pytest.param({"defender": {"kind": "defender"}}, (), "defender has no subscription to ask", id="Defender"),
        pytest.param(
            {"trivy": TRIVY, "defender": {"kind": "defender"}}, ("defender",), "no subscription", id="one of two"
        ),
    ],
)
def test_each_is_what_the_settings_say(
    tmp_path: Path, scanners: dict[str, Any], asked: tuple[str, ...], said: str
) -> None:
    with pytest.raises(PermanentError, match=said):
        app(tmp_path, scanners).panel.reports(IMAGE, asked)
