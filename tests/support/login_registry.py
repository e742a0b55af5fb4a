"""A Distribution registry that speaks TLS and wants a password, as a registry out there does."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groundswell.local.certs import certificates
from groundswell.local.push import Login

USER, PASSWORD = "tester", "look-alike"
_HTPASSWD = f"{USER}:$2y$05$abcdefghijklmnopqrstuuH..Y3AfOKYO7y03peZ6wb5ARYuPutE.\n"  # bcrypt of PASSWORD
_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}
http:
  addr: "127.0.0.1:{port}"
  relativeurls: true
  secret: test
  tls: {{certificate: {cert}, key: {key}}}
"""


@contextmanager
def login_registry(folder: Path) -> Iterator[Login]:
    """How to log in to it, while it runs."""
    files = certificates(folder / "tls")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "htpasswd").write_text(_HTPASSWD)
    config = folder / "config.yml"
    config.write_text(_CONFIG.format(folder=folder, port=port, cert=files.cert, key=files.key))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port)
        yield Login(registry=f"localhost:{port}", user=USER, password=PASSWORD, ca=files.ca)
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
