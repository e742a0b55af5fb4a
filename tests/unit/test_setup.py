"""tools/setup, in a clone of its own where outside commands are stand-ins that write down how they were called."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = (
    *("awk", "bash", "cat", "cp", "cut", "dirname", "env", "flock", "id", "mkdir"),
    *("rm", "sed", "sha256sum", "sleep", "sort", "tail"),
)
TOOLS = ("buildah", "chromium", "docker-registry", "dpkg-deb", "git", "make", "newuidmap", "node", "npm")

# Answers as Python, `python -m venv` and `pip` do, as far as the set-up can tell.
FAKE_PYTHON = """#!/bin/bash
[[ ${FAKE_VERSION:-new} == new ]] || { echo "pyenv: python3.13: command not found" >&2; exit 127; }
case "$*" in
    "-I -c "*) echo "$0" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*)
        echo "$*" >>"$CALLS"
        [[ -z ${PIP_FAILS:-} ]] || { echo "ERROR: no route to the index"; exit 1; }
        sleep "${PIP_SECONDS:-0}" ;;
esac
"""


class Clone:
    """A clone with the set-up's inputs, and a PATH that holds nothing but stand-ins and coreutils."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a clone"  # the space is on purpose
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        (self.folder / "tools").mkdir(parents=True)
        for name in ("setup", "steps.sh", "find-python", "install-packages"):
            shutil.copy(ROOT / "tools" / name, self.folder / "tools" / name)
        for name in ("pyproject.toml", "requirements-dev.txt", "package.json", "package-lock.json"):
            (self.folder / name).write_text(f"{name}\n")
        for name in SYSTEM:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        for name in TOOLS:
            self.command(name)
        self.command("npm", 'echo "npm $*" >>"$CALLS"; mkdir -p node_modules')
        self.command("apt-get", "exit 1")
        self.python = self.script(folder / "python", FAKE_PYTHON)
        self.release = folder / "os-release"
        self.release.write_text('ID=debian\nVERSION_ID="12"\n')
        self.log = folder / "calls"
        self.env = {
            "PATH": str(self.bin),
            "HOME": str(folder / "home"),
            "CALLS": str(self.log),
            "GROUNDSWELL_PYTHON": str(self.python),
            "GROUNDSWELL_OS_RELEASE": str(self.release),
        }

    def script(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path

    def command(self, name: str, body: str = "exit 0") -> None:
        self.script(self.bin / name, f"#!/bin/bash\n{body}\n")

    def start(self, script: str = "setup", **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.folder / "tools" / script],
            cwd="/",
            env=self.env | env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # no terminal, as in CI: sudo cannot ask
        )

    def run(self, script: str = "setup", **env: str) -> tuple[int, str]:
        with self.start(script, **env) as process:
            out, _ = process.communicate(timeout=30)
            return process.returncode, out

    def calls(self) -> list[str]:
        """What was called since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.write_text("")
        return [re.sub(r" --(disable|require|no|ignore)-[a-z-]+", "", line) for line in lines]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


INSTALL = ["-m pip install -r requirements-dev.txt", "-m pip install --editable ."]


def test_the_second_time_nothing_is_called(clone: Clone) -> None:
    code, out = clone.run()
    assert code == 0, out
    assert clone.calls() == [*INSTALL, "npm ci"]
    assert clone.run() == (0, "setup: ready\n")
    assert clone.calls() == []


@pytest.mark.parametrize(
    ("changed", "calls"),
    [("requirements-dev.txt", INSTALL), ("pyproject.toml", INSTALL), ("package-lock.json", ["npm ci"])],
)
def test_only_what_a_changed_file_feeds_is_made_again(clone: Clone, changed: str, calls: list[str]) -> None:
    clone.run()
    clone.calls()
    (clone.folder / changed).write_text("changed\n")
    assert clone.run()[0] == 0
    assert clone.calls() == calls


def test_a_clone_without_npm_packages_runs_no_npm(clone: Clone) -> None:
    (clone.folder / "package-lock.json").unlink()
    assert clone.run()[0] == 0
    assert clone.calls() == INSTALL


def test_a_moved_clone_gets_a_new_environment(clone: Clone) -> None:
    clone.run()
    clone.calls()
    clone.folder = clone.folder.rename(clone.folder.with_name("moved"))
    assert clone.run()[0] == 0
    assert clone.calls() == INSTALL


def test_an_environment_whose_python_is_gone_is_made_again(clone: Clone) -> None:
    clone.run()
    clone.calls()
    (clone.folder / ".venv/bin/python").unlink()
    assert clone.run()[0] == 0
    assert clone.calls() == INSTALL


def test_a_failed_step_names_itself_its_cause_and_remedy_and_is_tried_again(clone: Clone) -> None:
    code, out = clone.run(PIP_FAILS="1")
    assert code == 1
    assert "  | ERROR: no route to the index" in out
    assert "setup: this step failed: installing the Python packages of requirements-dev.txt" in out
    assert "setup: remedy: make PyPI" in out
    clone.calls()
    assert clone.run()[0] == 0
    assert clone.calls() == [*INSTALL, "npm ci"]


def test_two_at_once_install_once(clone: Clone) -> None:
    with clone.start(PIP_SECONDS="0.5") as first, clone.start(PIP_SECONDS="0.5") as second:
        outs = [process.communicate(timeout=30)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outs
    assert clone.calls() == [*INSTALL, "npm ci"]
    assert sum("another set-up is at work in this clone" in out for out in outs) == 1


def test_elsewhere_than_on_debian_12_missing_tools_point_to_the_dev_container(clone: Clone) -> None:
    clone.release.write_text("ID=fedora\nVERSION_ID=42\n")
    assert clone.run()[0] == 0  # nothing is missing
    (clone.bin / "buildah").unlink()
    code, out = clone.run()
    assert code == 1
    assert "missing: buildah" in out
    assert ".devcontainer" in out


def test_a_user_without_sudo_is_told_what_an_administrator_must_run(clone: Clone) -> None:
    clone.command("id", "echo 1000")
    (clone.bin / "buildah").unlink()
    (clone.bin / "node").unlink()
    code, out = clone.run()
    assert code == 1
    assert "ask an administrator to run: apt-get install --no-install-recommends buildah nodejs" in out


def test_a_user_whose_sudo_cannot_ask_is_told_the_command(clone: Clone) -> None:
    clone.command("id", "echo 1000")
    clone.command("sudo", "exit 1")
    (clone.bin / "docker-registry").unlink()
    code, out = clone.run()
    assert code == 1
    assert "run first: sudo apt-get install --no-install-recommends docker-registry" in out


def test_sudo_runs_the_packages_part_and_nothing_else(clone: Clone) -> None:
    clone.command("id", "echo 1000")
    clone.command("sudo", 'echo "sudo $*" >>"$CALLS"')
    (clone.bin / "newuidmap").unlink()
    code, out = clone.run()
    assert code == 0, out
    assert clone.calls() == [
        "sudo -n true",
        f"sudo {clone.folder}/tools/install-packages uidmap",
        *INSTALL,
        "npm ci",
    ]


def test_without_a_python_uv_is_asked_and_its_failure_says_what_to_do(clone: Clone) -> None:
    del clone.env["GROUNDSWELL_PYTHON"]
    clone.command("python3", "exit 0")  # too old to print its path, but able to make an environment
    clone.command("uv", 'echo "uv $*" >>"$CALLS"; echo "error: Failed to download"; exit 2')
    code, out = clone.run()
    assert code == 1
    assert clone.calls() == ["uv python install 3.13"]
    assert "this step failed: downloading Python 3.13 with uv" in out
    assert "pyenv install 3.13" in out
    assert "GROUNDSWELL_PYTHON=" in out


def test_a_named_python_that_does_not_run_is_refused_by_name(clone: Clone) -> None:
    code, out = clone.run(FAKE_VERSION="old")
    assert code == 1
    assert f"GROUNDSWELL_PYTHON={clone.python} is not a CPython >= 3.13 that runs" in out


def test_a_shim_that_refuses_is_passed_over_for_pyenvs_own_python(clone: Clone) -> None:
    del clone.env["GROUNDSWELL_PYTHON"]
    clone.command("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    assert clone.run("find-python")[0] == 1
    pythons = [clone.folder / f"home/.pyenv/versions/3.13.{patch}/bin/python" for patch in (2, 10)]
    for path in pythons:
        clone.script(path, FAKE_PYTHON)
    assert clone.run("find-python", HOME=str(clone.folder / "home")) == (0, f"{pythons[1]}\n")
    assert clone.run("find-python", PYENV_ROOT=str(clone.folder / "home/.pyenv")) == (0, f"{pythons[1]}\n")


def test_a_real_python_is_found_on_the_path(clone: Clone) -> None:
    del clone.env["GROUNDSWELL_PYTHON"]
    (clone.bin / "python3").symlink_to(Path(sys.executable).resolve())
    code, out = clone.run("find-python")
    assert code == 0
    assert os.path.realpath(out.strip()) == os.path.realpath(sys.executable)


def test_the_dev_container_installs_what_the_set_up_would(clone: Clone) -> None:
    for name in TOOLS:
        (clone.bin / name).unlink()
    clone.command("id", "echo 1000")
    _, out = clone.run()
    needed = set(out.split("--no-install-recommends ")[1].split())
    installed = set((ROOT / ".devcontainer/Dockerfile").read_text().split("install-packages ")[-1].split())
    assert needed - installed == {"dpkg", "uidmap"}  # of Debian itself; a dependency of buildah


def test_the_host_gives_every_message_of_a_batch_a_thread() -> None:
    queues = json.loads((ROOT / "host.json").read_text())["extensions"]["queues"]
    values = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    assert int(values["PYTHON_THREADPOOL_THREAD_COUNT"]) >= queues["batchSize"] + queues["newBatchThreshold"]
