"""Runs Debian's docker-registry (CNCF Distribution 2.8) as a child process on a free loopback port."""

import json
import queue
import re
import secrets
import subprocess
import threading
from pathlib import Path
from typing import IO, Any

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.children import with_us

COMMAND = "docker-registry"

_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_WORDS = 500


class Distribution:
    """The registry process; its storage stays when it is closed. `address` is set once it is ready."""

    def __init__(self, folder: Path) -> None:
        self.storage = folder / "storage"
        self._config = folder / "registry.json"
        self._process: subprocess.Popen[str] | None = None
        self._drain: threading.Thread | None = None
        self.address = ""

    def start(self, *, notify: str, token: str) -> None:
        """Start it and wait until it listens; notifications go to `notify`, with `token` as authorization."""
        self.storage.mkdir(parents=True, exist_ok=True)
        self._config.touch(mode=0o600)
        self._config.write_text(json.dumps(_config(self.storage, notify, token)), "utf-8")  # JSON is YAML
        self._process = _spawn(self._config)
        lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._drain = threading.Thread(
            target=_read, args=(self._process.stderr, lines), name="docker-registry", daemon=True
        )
        self._drain.start()
        try:
            self.address = f"http://{_listening(lines)}"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the process. Notifications that it has not sent are lost, as always when it ends."""
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


def _config(storage: Path, notify: str, token: str) -> dict[str, Any]:
    return {
        "version": "0.1",
        "log": {"level": "info", "formatter": "json", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}, "delete": {"enabled": True}},
        # Relative URLs, because clients see the front's address; a secret of its own for the state of uploads.
        "http": {"addr": "127.0.0.1:0", "relativeurls": True, "secret": secrets.token_hex(16)},
        "notifications": {
            "endpoints": [
                {
                    "name": "front",
                    "url": notify,
                    "headers": {"Authorization": [token]},
                    "timeout": "5s",
                    "threshold": 3,
                    "backoff": "250ms",
                    "ignore": {"mediatypes": ["application/octet-stream"]},  # layers and configs
                }
            ]
        },
    }


def _spawn(config: Path) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            with_us(COMMAND, "serve", str(config)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C is for the stack, which ends the registry after what uses it
        )
    except OSError as exc:
        raise PermanentError(
            f"{COMMAND} cannot be started ({exc.strerror}): install the Debian package docker-registry"
        ) from exc


def _read(output: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    """Hand on the log until it listens, and after that only keep the pipe empty; None at the end."""
    listening = False
    if output is not None:
        with output:
            for line in output:
                if not listening:
                    lines.put(line)
                    listening = bool(_LISTENING.search(line))
    lines.put(None)


def _listening(lines: queue.SimpleQueue[str | None]) -> str:
    words = ""
    while True:
        try:
            line = lines.get(timeout=_START_SECONDS)
        except queue.Empty:
            raise TemporaryError(f"{COMMAND} is not ready after {_START_SECONDS:.0f} s") from None
        if line is None:
            raise PermanentError(
                f"{COMMAND} ended while it started: {words[-_WORDS:].strip() or 'it said nothing'}"
            )
        if found := _LISTENING.search(line):
            return found[1]
        if '"level":"info"' not in line:  # those tell its configuration, with the token
            words += line
