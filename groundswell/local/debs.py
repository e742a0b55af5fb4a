"""Debian packages for the demo's base image: fetched once from the Debian mirror, read without installing them.

`apt-get download` verifies them against the archive's signature; nothing is run from them on this machine.
"""

import io
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from groundswell.errors import PermanentError, TemporaryError

PACKAGES = ("base-files", "busybox-static", "media-types", "netbase", "zlib1g")
_RELEASE = "12"
_TIMEOUT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One downloaded package; `control` is its control file, which becomes its entry in dpkg's status."""

    name: str
    control: str
    path: Path

    def files(self) -> tarfile.TarFile:
        """The package's files as an open tar; the caller closes it."""
        data = _run(["dpkg-deb", "--fsys-tarfile", str(self.path)])
        return tarfile.open(fileobj=io.BytesIO(data))


def fetch_packages(cache: Path) -> None:
    """Put the packages into `cache`, those already there excepted.

    Raises TemporaryError when the mirror does not give them, PermanentError when this is not Debian 12.
    """
    cache.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if _find(cache, name) is None]
    if missing:
        with tempfile.TemporaryDirectory(dir=cache) as part:  # a download that was cut short is never taken for one
            _run(["apt-get", "download", "--quiet", *missing], folder=Path(part))
            for path in Path(part).glob("*.deb"):
                path.replace(cache / path.name)
    _check_release(cache)


def read_packages(cache: Path) -> list[Package]:
    """The packages in `cache`, in PACKAGES order; PermanentError naming one that is missing."""
    return [_read(cache, name) for name in PACKAGES]


def _read(cache: Path, name: str) -> Package:
    path = _find(cache, name)
    if path is None:
        raise PermanentError(f"package {name} is not in {cache}: run `make demo`, which downloads it")
    return Package(name=name, control=_run(["dpkg-deb", "--field", str(path)]).decode().strip(), path=path)


def _find(cache: Path, name: str) -> Path | None:
    return next(iter(sorted(cache.glob(f"{name}_*.deb"))), None)


def _check_release(cache: Path) -> None:
    version = next(
        line.removeprefix("Version: ")
        for line in _read(cache, "base-files").control.splitlines()
        if line.startswith("Version: ")
    )
    if not version.startswith(f"{_RELEASE}."):
        raise PermanentError(
            f"the package sources of this machine are not Debian {_RELEASE}'s (base-files {version}): "
            "use the dev container"
        )


def _run(command: list[str], *, folder: Path | None = None) -> bytes:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True, timeout=_TIMEOUT)
    except FileNotFoundError as exc:
        raise PermanentError(f"{command[0]} is not installed: the demo's base needs Debian's dpkg and apt") from exc
    except subprocess.TimeoutExpired as exc:
        raise TemporaryError(f"{command[0]} {command[1]} did not end in {_TIMEOUT} s") from exc
    except subprocess.CalledProcessError as exc:
        words = exc.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {exc.returncode}"]
        raise TemporaryError(f"{command[0]} {command[1]} failed ({words[-1]}): try `apt-get update` first") from exc
    return done.stdout
