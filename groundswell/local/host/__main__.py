"""`python -m groundswell.local.host APP_DIR [--port N] [--settings FILE] | --index APP_DIR`."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from groundswell import logs, settings
from groundswell.errors import GroundswellError
from groundswell.local.host.host import Host
from groundswell.local.host.worker import Worker
from groundswell.store.connect import open_store


def main() -> int:
    parser = argparse.ArgumentParser(prog="host", description=__doc__)
    parser.add_argument("app_dir", type=Path)
    parser.add_argument("--port", type=int, default=7071, help="0 takes any free port")
    parser.add_argument("--settings", type=Path, help="app settings, instead of APP_DIR/local.settings.json")
    parser.add_argument("--index", action="store_true", help="print the functions that the worker finds, and end")
    arguments = parser.parse_args()
    logs.configure(logging.INFO)
    try:
        if arguments.index:
            asyncio.run(index(arguments.app_dir))
        else:
            if arguments.settings:
                os.environ["GROUNDSWELL_SETTINGS"] = str(arguments.settings.resolve())
            asyncio.run(run(arguments.app_dir, arguments.port))
    except GroundswellError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    return 0


async def index(app_dir: Path) -> None:
    """Print one JSON object a function: name and trigger."""
    worker = Worker(app_dir)
    await worker.start()
    for function in worker.functions.values():
        print(json.dumps({"name": function.name, "trigger": function.trigger}))
    worker.stop()


async def run(app_dir: Path, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    store = open_store(settings.load())
    host = Host(app_dir, store, key=os.environ.get("GROUNDSWELL_HOST_KEY", ""))
    try:
        address = await host.start(port)
        print(f"listening {address}", flush=True)
        await done.wait()
    finally:
        await host.stop()
        store.close()


if __name__ == "__main__":
    sys.exit(main())
