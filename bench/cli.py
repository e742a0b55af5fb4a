"""How long a person waits for the command: for its help, and for an answer of a service that is warm.

Each run is a new process, as a person starts it; the median of several. The service is the API over a small world
behind a socket, in this process.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.result import Result
from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from tests.support.served import served
from tests.support.world import BASE, World, ref, registration

_RUNS = 15
_COMMAND = (sys.executable, "-m", "groundswell.cli.main")
_EAGER = """
import sys
from importlib import import_module
from groundswell.cli import main
from groundswell.cli.commands import COMMANDS
for entry in COMMANDS.values():
    import_module(entry.module)
sys.argv = ["groundswell", "--help"]
main.main()
"""


def help_() -> Result:
    """Seconds of `groundswell --help`, against the same with every command imported first."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CONFIG_HOME": folder}
        return Result(
            value=_median((*_COMMAND, "--help"), environment),
            unit="s",
            baseline="every command imported",
            baseline_value=_median((sys.executable, "-c", _EAGER), environment),
        )


def query() -> Result:
    """Seconds of `groundswell cascades ID` as a table over HTTP, against the same with the store opened here."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(
            Path(folder), registration("top", BASE), *(registration(f"a{n}", ref("top")) for n in range(9))
        )
        vars(world.app)["buckets"] = Buckets(rate=1e6, burst=1e6)
        world.push_base()
        world.drive()
        text = world.app.tokens.create("bench", roles=[Role.READER], seconds=86_400, who="bench", why="bench")[1]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDSWELL_")}
        clean["XDG_CONFIG_HOME"] = folder
        asked = (*_COMMAND, "cascades", world.cascade)
        with served(create(world.app)) as url:
            value = _median(asked, {**clean, "GROUNDSWELL_URL": url, "GROUNDSWELL_TOKEN": text})
        store = f"sqlite:///{Path(folder) / 'store.db'}"
        local = _median(asked, {**clean, "GROUNDSWELL_STORE": store})
        world.close()
    return Result(value=value, unit="s", baseline="the API in the command's own process", baseline_value=local)


def _median(command: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """The first run left out: it may compile."""
    seconds = []
    for _ in range(_RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, env=dict(environment), capture_output=True, check=True, timeout=60)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])
