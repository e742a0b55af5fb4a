"""Gets the cosign of Debian 13 for the tests, which check our signatures with it: `python tools/fetch_cosign.py`.

It is not installed: the program is taken out of its package, whose checksum is pinned, into `.groundswell/cosign`.
Exit 0 when it is there, 1 with one line when it cannot be had (then those tests are skipped).
"""

import hashlib
import os
import platform
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "pool/main/c/cosign/cosign_2.5.0-2+b5_amd64.deb"
SHA256 = "3b6eadd27f3c4c00bfa7eab5c2397a6a15a763630c7a1d40d06ff60d24799eef"

_SECONDS = 120


def mirrors() -> Iterator[str]:
    """Debian mirrors: those that this machine installs from, and Debian's own."""
    for path in [*Path("/etc/apt/sources.list.d").glob("*.sources"), Path("/etc/apt/sources.list")]:
        if path.is_file():
            yield from re.findall(r"https?://\S*/debian(?=/?\s)", path.read_text("utf-8", errors="replace"))
    yield "http://deb.debian.org/debian"


def fetch() -> bytes:
    """The package, from the first mirror that has the pinned one. Raises OSError when none has."""
    tried = {}
    for mirror in dict.fromkeys(mirrors()):
        try:
            with urllib.request.urlopen(f"{mirror}/{PACKAGE}", timeout=_SECONDS) as answer:
                content: bytes = answer.read()
        except OSError as exc:  # no such file there, no network
            tried[mirror] = str(exc)
            continue
        if hashlib.sha256(content).hexdigest() == SHA256:
            return content
        tried[mirror] = "another checksum than the pinned one"
    raise OSError("; ".join(f"{mirror}: {why}" for mirror, why in tried.items()))


def main() -> int:
    home = Path(os.environ.get("GROUNDSWELL_HOME") or ROOT / ".groundswell") / "cosign"
    target = home / "cosign"
    if target.is_file():
        return 0
    if platform.machine() != "x86_64":
        sys.stderr.write(f"cosign: the pinned package is not for {platform.machine()}\n")
        return 1
    home.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=home) as name:
            package = Path(name) / "cosign.deb"
            package.write_bytes(fetch())
            subprocess.run(["dpkg-deb", "--extract", package, name], check=True)
            (Path(name) / "usr/bin/cosign").rename(target)
    except (OSError, subprocess.CalledProcessError) as exc:
        sys.stderr.write(f"cosign: cannot be had ({exc})\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
