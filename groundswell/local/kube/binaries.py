"""Where the programs of a real API server are: built once by `make kube`, outside the clone, and etcd from Debian.

Run as a module it prints the folder, which is what tools/build-kube is told to build.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from groundswell.errors import PermanentError

VERSION = "1.20.2"
"""What Debian 12's source package `kubernetes` holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    etcd: Path
    apiserver: Path
    controller_manager: Path


def folder() -> Path:
    """Where the build is, or will be: it is there whole or not at all."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "groundswell" / "kube" / VERSION


def binaries() -> Binaries:
    """The programs. Raises PermanentError naming those that are missing, and what brings them."""
    etcd = shutil.which("etcd")
    built = {name: folder() / name for name in ("kube-apiserver", "kube-controller-manager")}
    missing = [str(path) for path in built.values() if not os.access(path, os.X_OK)]
    if etcd is None or missing:
        absent = [*missing, *(["etcd"] if etcd is None else [])]
        raise PermanentError(f"a real API server needs {' and '.join(absent)}: run `make kube` (about 5 minutes)")
    return Binaries(
        etcd=Path(etcd),
        apiserver=built["kube-apiserver"],
        controller_manager=built["kube-controller-manager"],
    )


if __name__ == "__main__":
    sys.stdout.write(f"{folder()}\n")
