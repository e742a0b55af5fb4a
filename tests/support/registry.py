"""A bare Distribution registry on plain http, with base images made from busybox."""

import io
import socket
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from groundswell.local.debs import fetch_packages, read_packages
from groundswell.local.oci import MANIFEST, OciImage, make_image
from groundswell.local.paths import home

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}", relativeurls: true, secret: test}}
"""
_APPLETS = ("sh", "cat", "echo", "false", "sleep", "true", "env", "setsid", "ps", "touch", "ls")


@contextmanager
def bare_registry(folder: Path) -> Iterator[str]:
    """Its `localhost:port` while it runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(folder=folder / "registry", port=port))
    process = subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(f"http://127.0.0.1:{port}/v2/")
        yield f"localhost:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def busybox(marker: str = "one") -> OciImage:
    """A base image with a shell; another marker makes another image."""
    program = _busybox()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("bin/busybox")
        member.size, member.mode = len(program), 0o755
        tar.addfile(member, io.BytesIO(program))
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        file = tarfile.TarInfo("marker")
        file.size = len(marker)
        tar.addfile(file, io.BytesIO(marker.encode()))
    return make_image([buffer.getvalue()], config={"Env": ["PATH=/bin"], "Cmd": ["sh"]})


@cache
def _busybox() -> bytes:
    """Out of Debian's busybox-static, which is not installed: it would push a dynamic busybox off the machine."""
    packages = home() / "packages"
    fetch_packages(packages)
    (package,) = (package for package in read_packages(packages) if package.name == "busybox-static")
    with package.files() as archive:
        program = archive.extractfile("./bin/busybox")
        assert program is not None
        return program.read()


def push_image(registry: str, image: OciImage, repository: str, tag: str) -> str:
    """Push over plain http without logging in; the digest."""
    base = f"http://{registry}/v2/{repository}/"
    for digest, blob in image.blobs.items():
        location = _send("POST", base + "blobs/uploads/", b"")["Location"]
        target = location if location.startswith("http") else f"http://{registry}{location}"
        _send("PUT", f"{target}{'&' if '?' in target else '?'}digest={digest}", blob, "application/octet-stream")
    _send("PUT", f"{base}manifests/{tag}", image.manifest, MANIFEST)
    return image.digest


def digest_of(registry: str, repository: str, tag: str) -> str | None:
    """The digest under a tag, None when there is none."""
    url = f"http://{registry}/v2/{repository}/manifests/{tag}"
    request = urllib.request.Request(url, method="HEAD", headers={"Accept": f"{MANIFEST}, {DOCKER_MANIFEST}"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    except urllib.error.HTTPError as exc:
        exc.close()
        return None


def _send(method: str, url: str, body: bytes, content_type: str = "") -> dict[str, str]:
    headers = {"Content-Type": content_type} if content_type else {}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(answer.headers)
