"""Runs commands of which nothing is left behind: a process namespace each, killed as a whole.

A cancelled build must not leave its RUN step going. A process group is not enough, because a step may start a
session of its own; in a process namespace the kernel kills everything once the first process is gone. The mount
namespace takes buildah's mounts with it the same way.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from groundswell.build.port import RunStatus
from groundswell.local.tasks.errors import RunError

_ALONE = (
    *("setpriv", "--pdeathsig", "KILL", "--"),  # a stack that is killed takes its builds with it
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)
_CHUNK = 1 << 16
_PASSED_ON = ("PATH", "HOME", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")


class CommandError(RunError):
    """A command that had to succeed did not; the message is the last of what it said."""

    def __init__(self, message: str) -> None:
        super().__init__(message, RunStatus.ERROR)


def environment(**more: str) -> dict[str, str]:
    """The few variables a command needs: tokens in our own environment are not its business."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", **more}


async def stream(
    command: Sequence[str],
    *,
    sink: Callable[[bytes], None],
    env: Mapping[str, str],
    folder: Path | None = None,
) -> int:
    """Run the command, give all its output to `sink` as it comes, return its exit code.

    When cancelled, the command and everything it started are dead before this returns.
    """
    process = await asyncio.create_subprocess_exec(
        *_ALONE, *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=env, cwd=folder, start_new_session=True
    )
    try:
        while chunk := await _read(process):
            sink(chunk)
        return await process.wait()
    finally:
        if process.returncode is None:
            await _kill(process)


async def capture(command: Sequence[str], *, env: Mapping[str, str], folder: Path | None = None) -> str:
    """The command's output; CommandError when it fails."""
    output = bytearray()
    code = await stream(command, sink=output.extend, env=env, folder=folder)
    text = output.decode(errors="replace")
    if code:
        raise CommandError(text.strip()[-2000:] or f"{command[0]} ended with exit code {code}")
    return text


async def _read(process: Process) -> bytes:
    if process.stdout is None:  # never so: it was opened as a pipe
        return b""
    return await process.stdout.read(_CHUNK)


async def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended by itself in this moment
        os.killpg(process.pid, signal.SIGKILL)
    while await _read(process):  # ends when the last holder of the pipe is dead
        pass
    await process.wait()
