"""The demo as a person runs it, on both stores, and the stack that stays up. Real parts throughout."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from groundswell.local.paths import ROOT, home

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

ENDS = {
    "images": 16,
    "done": 13,
    "rejected": 1,
    "failed": 1,  # its rollout: it does not start
    "blocked": 0,
    "unchanged": 1,
    "no_worse": 1,
    "rebased": 1,
    "pinned": 1,
    "replayed": 1,
    "approved": 1,
    "rolled_out": 10,
    "rolled_back": 1,
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A state folder of its own; Debian packages that were downloaded before are used again."""
    folder = tmp_path_factory.mktemp("home")
    packages = home() / "packages"
    packages.mkdir(exist_ok=True)
    (folder / "packages").symlink_to(packages)
    return {**os.environ, "GROUNDSWELL_HOME": str(folder), "COLUMNS": "160"}


@pytest.mark.parametrize("store", ["sqlite", "azurite"])
def test_the_demo_ends_as_its_scenario_says(environment: dict[str, str], store: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.local.demo", "--store", store],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=540,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    ends = {name: result[name] for name in ENDS}
    assert ends == ENDS
    assert 0 < result["bound_seconds"] <= result["seconds"]
    assert "is not certified" in done.stdout  # the failed image's cause
    assert "refused carried CVE-2026-90010 CRITICAL in libfolio2" in done.stdout  # the rejected one's
    assert "not clean: 1 refused finding is carried, production has the same" in done.stdout
    assert "container web: CrashLoopBackOff" in done.stdout
    assert "production (approval): held" in done.stdout
    assert "approved by" in done.stdout
    assert "all as the scenario says" in done.stdout


@pytest.fixture
def running(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "groundswell.local.up", "--free-ports"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    lines: list[str] = []
    with process:
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        yield process, lines
        if process.poll() is None:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_stack_stays_up_until_it_is_told_to_stop(
    running: tuple[subprocess.Popen[str], list[str]], environment: dict[str, str], number: signal.Signals
) -> None:
    process, lines = running
    addresses = dict(line.split(maxsplit=1) for line in lines if "http" in line and "azure" not in line)
    answer = requests.get(f"{addresses['functions'].strip()}/healthz", timeout=10)
    assert answer.json() == {"status": "ok"}
    (token,) = [line.split()[2] for line in lines if line.startswith("API token")]
    images = f"{addresses['functions'].strip()}/api/v1/lineage/images"
    assert requests.get(images, timeout=10).status_code == 401
    assert requests.get(images, headers={"Authorization": f"Bearer {token}"}, timeout=10).json()["images"] == []
    settings = Path(environment["GROUNDSWELL_HOME"]) / "local.settings.json"
    assert settings.exists()
    listed = subprocess.run(
        [sys.executable, "-m", "groundswell.cli.main", "lineage", "show"],
        env={**environment, "GROUNDSWELL_SETTINGS": str(settings)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "nothing registered" in listed.stdout
    process.send_signal(number)
    assert process.wait(90) == 0
    assert not settings.exists()
