"""A Functions host as a child process, on the app of this repository or on another one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from groundswell.local.paths import ROOT

_STOP_SECONDS = 90


class HostProcess:
    """Use as a context manager; `address` is where it serves, `log` what it wrote to stderr."""

    def __init__(
        self, folder: Path, values: dict[str, str], *, app_dir: Path = ROOT, flags: Sequence[str] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._app_dir = app_dir
        self._flags = flags
        self._settings = folder / "settings.json"
        self._settings.write_text(json.dumps({"Values": values}))
        self._log = folder / "host.log"
        self._values = values
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "groundswell.local.host", str(self._app_dir), "--port", "0"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, "--settings", str(self._settings), *self._flags],
                env={**os.environ, **self._values},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line.startswith("listening "):
            self.stop()
            raise AssertionError(f"the host did not start:\n{self.log}")
        self.address = line.removeprefix("listening ").strip()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait; returns the exit status."""
        assert self._process
        if self._process.poll() is None:
            self._process.send_signal(number)
        status = self._process.wait(_STOP_SECONDS)
        assert self._process.stdout
        self._process.stdout.close()
        return status
