"""`make up`: the local stack with the product in it, until Ctrl-C. Its content stays for the next time."""

import argparse
import contextlib
import os
import shlex
import signal
import socket
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from groundswell import settings
from groundswell.errors import GroundswellError, PermanentError
from groundswell.local import clusters
from groundswell.local.alone import alone
from groundswell.local.paths import home
from groundswell.local.stack import Ports, Stack

PORTS = Ports(functions=7071, registry=5443, arm=5444, cluster=5445, identity=5446, git=5447)

console = Console()


def main() -> int:
    parser = argparse.ArgumentParser(prog="up", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "azurite"), default="sqlite")
    parser.add_argument("--cluster", choices=clusters.NAMES, default=clusters.LOOK_ALIKE)
    parser.add_argument("--free-ports", action="store_true", help="take any free ports instead of the usual ones")
    arguments = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: done.set())
    ports = Ports() if arguments.free_ports else PORTS
    try:
        with alone("stack", home()):
            check_free(ports)
            serve(done, store=arguments.store, cluster=arguments.cluster, ports=ports)
    except (GroundswellError, OSError) as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    return 0


def serve(done: threading.Event, *, store: str, cluster: str, ports: Ports) -> None:
    """Run the stack until `done` is set."""
    with Stack(home() / "up", store=store, cluster=cluster, ports=ports) as stack:
        stack.start_host()
        link = home() / "local.settings.json"
        link.unlink(missing_ok=True)
        link.symlink_to(stack.settings_file)
        try:
            show(stack, link)
            done.wait()
        finally:
            link.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the terminal is gone
            console.print("stopping: what is in hand is finished first")


def check_free(ports: Ports) -> None:
    """Raise PermanentError naming every port that something else listens on."""
    taken = [f"port {port} ({name})" for name, port in asdict(ports).items() if port and not _free(port)]
    if taken:
        raise PermanentError(
            f"in use on 127.0.0.1: {', '.join(taken)}; stop what listens there, or take any free ports: "
            "make up ARGS=--free-ports"
        )


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was just closed is free, as for servers
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def show(stack: Stack, link: Path) -> None:
    """Where everything is, and how to use it."""
    for name, address in stack.addresses.items():
        say(f"{name:24}{address}")
    say(f"dashboard               {stack.addresses['functions']}/ui/ (sign in with the API token below)")
    registry, authority = stack.registry.login_server, os.path.relpath(stack.certificates.ca)
    say(f"settings                {os.path.relpath(link)} (found by `groundswell` in this folder)")
    say(f"registry login          admin, password: {stack.admin_password}")
    say(f"API token               {stack.api_token} (Authorization: Bearer ...)")
    url = stack.addresses["functions"]
    say(f"commands over HTTP      export GROUNDSWELL_URL={url} GROUNDSWELL_TOKEN={stack.api_token}")
    say(f"registry certificate    {authority}")
    say(f"log of the product      {os.path.relpath(stack.folder / 'host.log')}")
    say("")
    say("Push an image (docs/operations.md has a whole example, with a registration that makes something follow):")
    say(f"  SSL_CERT_FILE={shlex.quote(authority)} buildah push --creds admin:{stack.admin_password} \\")
    say(f"    IMAGE docker://{registry}/mirror/base:1")
    for warning in warnings(stack):
        console.print(Text(f"note: {warning}", style="yellow"), soft_wrap=True)
    say("")
    say("Try:  .venv/bin/groundswell lineage show      Stop: Ctrl-C")


def warnings(stack: Stack) -> list[str]:
    """What would keep `groundswell`, run in this folder and environment, from this stack."""
    found = settings.find_file()
    notes = []
    if found is None or found.resolve() != stack.settings_file.resolve():
        notes.append(
            f"`groundswell` reads {found or 'no settings'} here, and not this stack's: "
            f"set GROUNDSWELL_SETTINGS={shlex.quote(str(stack.settings_file))}"
        )
    if hidden := stack.hidden_by(os.environ):
        notes.append(f"your environment hides settings of this stack: unset {' '.join(hidden)}")
    return notes


def say(text: str) -> None:
    console.print(Text(text), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
