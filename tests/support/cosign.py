"""The real cosign, where there is one: on PATH, or where tools/fetch_cosign.py puts it."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from groundswell.local.paths import home
from tests.support.acr import PASSWORD, USER, Acr


def binary() -> str:
    """Its path. Skips the test where there is none."""
    found = shutil.which("cosign") or str(home() / "cosign" / "cosign")
    if not Path(found).is_file():
        pytest.skip("there is no cosign here: python tools/fetch_cosign.py gets the one of Debian 13")
    return found


class Cosign:
    """Runs it against a look-alike, logged in, with a home of its own and without the internet."""

    def __init__(self, acr: Acr, folder: Path) -> None:
        self._binary = binary()
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"auths": {acr.registry.login_server: {"auth": login}}}))
        self._environment = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder),
            "SSL_CERT_FILE": str(acr.certificates.ca),
            "COSIGN_PASSWORD": "",
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._binary, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
