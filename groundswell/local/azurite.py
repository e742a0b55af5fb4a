"""Runs Azurite, Microsoft's Azure Storage emulator (npm, see package.json), for the local stack and the tests.

It keeps everything in memory and listens on free loopback ports of its own choice.
"""

import queue
import re
import subprocess
import threading
from pathlib import Path
from typing import IO, Self

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.children import with_us
from groundswell.local.paths import ROOT

SCRIPT = Path("node_modules/azurite/dist/src/azurite.js")
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Account and key are published, and the same in every Azurite."""

_READY = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at http://127\.0\.0\.1:(\d+)")
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class Azurite:
    """A running Azurite. Use as a context manager; `connection_string` is set once it is ready."""

    def __init__(self, script: Path = ROOT / SCRIPT) -> None:
        self._script = script
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None
        self.connection_string = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until its three services listen."""
        if not self._script.is_file():
            raise PermanentError(f"Azurite is not at {self._script}: run `npm ci`")
        self._process = _spawn(self._script)
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._drain = threading.Thread(
            target=_drain, args=(self._process.stdout, lines), name="azurite", daemon=True
        )
        self._drain.start()
        try:
            self.connection_string = _connection_string(_ports(lines))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process that `start` began."""
        if self._process is None or self._drain is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._drain.join()  # it ends with the process, and closes the pipe
        self._process = None


def _spawn(script: Path) -> subprocess.Popen[str]:
    options = ["--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    for service in ("blob", "queue", "table"):
        # Port 0 lets the system choose; idle connections live longer than the 5 s that clients would trip over.
        options += [f"--{service}Host", "127.0.0.1", f"--{service}Port", "0", f"--{service}KeepAliveTimeout", "60"]
    try:
        return subprocess.Popen(
            with_us("node", str(script), *options),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a Ctrl-C is for the stack, which ends Azurite last
        )
    except OSError as exc:
        raise PermanentError(f"node cannot be started ({exc.strerror}): install Node.js 18 or newer") from exc


def _drain(output: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    """Hand on every line, so that Azurite never waits on a full pipe; None at the end."""
    if output is not None:
        with output:
            for line in output:
                lines.put(line)
    lines.put(None)


def _ports(lines: queue.SimpleQueue[str | None]) -> dict[str, int]:
    ports: dict[str, int] = {}
    seen: list[str] = []
    while len(ports) < 3:
        try:
            line = lines.get(timeout=_START_SECONDS)
        except queue.Empty:
            raise TemporaryError(f"Azurite is not ready after {_START_SECONDS:.0f} s: {''.join(seen)}") from None
        if line is None:
            raise PermanentError(f"Azurite ended while it started: {''.join(seen)[-1000:]}")
        seen.append(line)
        if ready := _READY.search(line):
            ports[ready[1]] = int(ready[2])
    return ports


def _connection_string(ports: dict[str, int]) -> str:
    endpoints = "".join(f"{name}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};" for name, port in ports.items())
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{endpoints}"
