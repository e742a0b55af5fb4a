"""Commands of the look-alike: output as it comes, and nothing left behind whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from groundswell.local.tasks.process import CommandError, capture, environment, stream
from tests.support.processes import alive

pytestmark = pytest.mark.stack  # the namespaces need root

MINE = os.getpid()
"""In what is slept, so that nothing of another clone's tests is taken for it."""


def wait(*, for_alive: bool, mark: str) -> None:
    deadline = time.monotonic() + 10
    while alive(mark) is not for_alive:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_output_and_exit_code() -> None:
    output = bytearray()
    code = asyncio.run(
        stream(["sh", "-c", "echo out; echo err >&2; exit 3"], sink=output.extend, env=environment())
    )
    assert (code, bytes(output)) == (3, b"out\nerr\n")


def test_a_command_that_must_succeed() -> None:
    assert asyncio.run(capture(["echo", "fine"], env=environment())) == "fine\n"
    with pytest.raises(CommandError, match="the reason"):
        asyncio.run(capture(["sh", "-c", "echo the reason; exit 1"], env=environment()))


def test_our_environment_stays_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "a-secret")
    assert "a-secret" not in asyncio.run(capture(["env"], env=environment(MORE="1")))


def test_a_cancelled_command_leaves_nothing_behind_even_in_a_session_of_its_own() -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(
            stream(
                ["sh", "-c", f"setsid sleep 9801.1{MINE} & sleep 9801.2{MINE}"],
                sink=lambda _: None,
                env=environment(),
            )
        )
        await asyncio.to_thread(wait, for_alive=True, mark=f"9801.1{MINE}")
        task.cancel()
        await asyncio.wait([task])
        assert not alive(f"9801.1{MINE}")
        assert not alive(f"9801.2{MINE}")

    asyncio.run(cancelled())


def test_when_the_stack_is_killed_its_commands_end() -> None:
    script = (
        "import asyncio; from groundswell.local.tasks.process import *; "
        f"asyncio.run(stream(['sleep', '9802.{MINE}'], sink=print, env=environment()))"
    )
    stack = subprocess.Popen([sys.executable, "-c", script])
    wait(for_alive=True, mark=f"sleep\x009802.{MINE}")
    os.kill(stack.pid, signal.SIGKILL)
    stack.wait(10)
    wait(for_alive=False, mark=f"sleep\x009802.{MINE}")
