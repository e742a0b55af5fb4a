"""A run's log: a file that grows while the run goes on, with secret values masked and a limit on its size."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

_MASK = b"***"
_LONGEST_LINE = 1 << 16


class RunLog:
    """Writes whole lines, so a secret is masked even when it arrives in two pieces."""

    def __init__(self, path: Path, *, secrets: Sequence[str] = (), limit: int = 16 << 20) -> None:
        # A secret of several lines never meets the log whole, so each of its lines is masked by itself.
        parts = {part for secret in secrets for part in secret.splitlines() if part}
        self._secrets = [part.encode() for part in sorted(parts, key=len, reverse=True)]
        self._left = limit
        self._tail = b""
        self._file = path.open("ab", buffering=0)

    def feed(self, data: bytes) -> None:
        """Take output of a command as it comes."""
        head, newline, self._tail = (self._tail + data).rpartition(b"\n")
        self._write(head + newline)
        if len(self._tail) > _LONGEST_LINE:
            self.flush()

    def line(self, text: str) -> None:
        """A line of the service's own, with the time in front as acr-builder writes it."""
        self.flush()
        now = dt.datetime.now(dt.UTC).strftime("%Y/%m/%d %H:%M:%S")
        self._write(f"{now} {text}\n".encode())

    def text(self, text: str) -> None:
        """Lines without a time."""
        self.flush()
        self._write(f"{text}\n".encode())

    def flush(self) -> None:
        tail, self._tail = self._tail, b""
        if tail:
            self._write(tail + b"\n")

    def close(self) -> None:
        self.flush()
        self._file.close()

    def _write(self, data: bytes) -> None:
        if not data or self._left <= 0:
            return
        for secret in self._secrets:
            data = data.replace(secret, _MASK)
        self._file.write(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            self._file.write(b"\nthe log has reached its limit; what follows is left out\n")
