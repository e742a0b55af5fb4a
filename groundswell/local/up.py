"""`make up`: the local stack with the product in it, until Ctrl-C. Its content stays for the next time."""

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from rich.console import Console
from rich.text import Text

from groundswell.errors import GroundswellError
from groundswell.local.paths import home
from groundswell.local.stack import Ports, Stack

PORTS = Ports(functions=7071, registry=5443, arm=5444, cluster=5445, identity=5446)

console = Console()


def main() -> int:
    parser = argparse.ArgumentParser(prog="up", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "azurite"), default="sqlite")
    parser.add_argument("--free-ports", action="store_true", help="take any free ports instead of the usual ones")
    arguments = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        with Stack(home() / "up", store=arguments.store, ports=Ports() if arguments.free_ports else PORTS) as stack:
            stack.start_host()
            link = home() / "local.settings.json"
            link.unlink(missing_ok=True)
            link.symlink_to(stack.settings_file)
            show(stack, link)
            done.wait()
            console.print("stopping: what is in hand is finished first")
            link.unlink(missing_ok=True)
    except GroundswellError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    except OSError as exc:
        sys.stderr.write(f"error: {exc}; is another stack running? Its ports are {PORTS}\n")
        return 1
    return 0


def show(stack: Stack, settings: Path) -> None:
    """Where everything is, and how to use it."""
    for name, address in stack.addresses.items():
        console.print(Text(f"{name:24}{address}"))
    lines = (
        f"settings                {os.path.relpath(settings)} (found by `groundswell` in this folder)",
        f"registry login          admin, password: {stack.admin_password}",
        f"registry certificate    {os.path.relpath(stack.certificates.ca)}",
        f"log of the product      {os.path.relpath(stack.folder / 'host.log')}",
        "",
        "Try:  .venv/bin/groundswell lineage show      Stop: Ctrl-C",
    )
    for line in lines:
        console.print(Text(line))


if __name__ == "__main__":
    sys.exit(main())
