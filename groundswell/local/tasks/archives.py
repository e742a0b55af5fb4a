"""Unpacks a source tarball: inside its folder, regular content only, and not more than the limits allow."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

from groundswell.local.tasks.errors import RunError


def unpack(archive: Path, folder: Path, *, max_bytes: int, max_files: int) -> None:
    """Unpack into `folder`. RunError when it is no tarball, leads out of the folder, or is too big."""
    try:
        with tarfile.open(archive, "r:*") as tar:
            tar.extractall(folder, members=_measured(tar, max_bytes, max_files), filter="data")
    except tarfile.FilterError as exc:
        raise RunError(f"the source tarball is refused: {exc}") from exc
    except (tarfile.TarError, EOFError, OSError) as exc:
        raise RunError(f"the source is not a tarball that can be read: {exc}") from exc


def _measured(tar: tarfile.TarFile, max_bytes: int, max_files: int) -> Iterator[tarfile.TarInfo]:
    size = 0
    for count, member in enumerate(tar, start=1):
        size += member.size
        if size > max_bytes or count > max_files:
            raise RunError(f"the source tarball unpacks to more than {max_bytes} bytes or {max_files} files")
        yield member
