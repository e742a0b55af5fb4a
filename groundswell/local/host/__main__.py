"""`python -m groundswell.local.host APP_DIR [--port N] [--settings FILE] | --index APP_DIR`.

Prints `listening http://127.0.0.1:PORT` once everything runs; logs go to stderr, and so does what the app prints.
SIGTERM or SIGINT drains it; then it ends with 0.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

from groundswell import logs, settings
from groundswell.errors import GroundswellError, InputError
from groundswell.local.host.config import put_values
from groundswell.local.host.host import Host, Options
from groundswell.local.host.keys import Keys
from groundswell.local.host.lines import JsonLines
from groundswell.local.host.server import MAX_BODY
from groundswell.local.host.worker import Worker
from groundswell.store.connect import open_store


def main() -> int:
    parser = argparse.ArgumentParser(prog="host", description=__doc__)
    parser.add_argument("app_dir", type=Path)
    parser.add_argument("--port", type=int, default=7071, help="0 takes any free port")
    parser.add_argument("--settings", type=Path, help="app settings, instead of APP_DIR/local.settings.json")
    parser.add_argument(
        "--drain", type=float, default=60.0, help="seconds that what is in hand may take at the end"
    )
    parser.add_argument("--json-logs", action="store_true", help="log one JSON object a line")
    parser.add_argument("--index", action="store_true", help="print the functions that the worker finds, and end")
    arguments = parser.parse_args()
    logs.configure(logging.INFO)
    if arguments.json_logs:
        logging.getLogger().handlers[0].setFormatter(JsonLines())
    stdout, sys.stdout = sys.stdout, sys.stderr  # ours is read by whoever started us, or by nobody: then it fills
    try:
        app_dir = arguments.app_dir.resolve()
        settle(app_dir, arguments.settings)
        if arguments.index:
            asyncio.run(index(app_dir, stdout))
        else:
            options = Options(
                port=arguments.port,
                keys=Keys(
                    master=os.environ.get("GROUNDSWELL_HOST_KEY", ""),
                    function=os.environ.get("GROUNDSWELL_FUNCTION_KEY", ""),
                ),
                max_body=body_limit(),
                drain=arguments.drain,
            )
            asyncio.run(run(app_dir, options, stdout))
    except GroundswellError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    return 0


def settle(app_dir: Path, file: Path | None) -> None:
    """Put the app settings into the environment and go to the app, so that relative paths mean the same to both."""
    named = os.environ.get("GROUNDSWELL_SETTINGS")
    path = file or (Path(named) if named else app_dir / "local.settings.json")
    if file or named or path.is_file():
        path = path.resolve()
        put_values(path)
        os.environ["GROUNDSWELL_SETTINGS"] = str(path)
    if not app_dir.is_dir():
        raise InputError(f"{app_dir} is not a folder")
    os.chdir(app_dir)


def body_limit() -> int:
    """Bytes of a request body, by the setting that Azure's host has for it."""
    text = os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT") or str(MAX_BODY)
    if not text.isdecimal():
        raise InputError(f"setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT must be a number of bytes, not {text!r}")
    return int(text)


async def index(app_dir: Path, stdout: TextIO) -> None:
    """Print one JSON object a function: name and trigger."""
    worker = Worker(app_dir)
    await worker.start()
    for function in worker.functions.values():
        print(json.dumps({"name": function.name, "trigger": function.trigger}), file=stdout)
    worker.stop()


async def run(app_dir: Path, options: Options, stdout: TextIO) -> None:
    """Serve until SIGTERM or SIGINT, then drain."""
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    store = open_store(settings.load())
    drained = True
    try:
        host = Host(app_dir, store, os.environ, options)
        try:
            address = await host.start()
            print(f"listening {address}", file=stdout, flush=True)
            await host.run_until(done)
        finally:
            drained = await host.stop()
    finally:
        if drained:
            store.close()
        else:
            logging.shutdown()
            os._exit(0 if done.is_set() else 1)  # a thread that does not end would keep us for ever


if __name__ == "__main__":
    sys.exit(main())
