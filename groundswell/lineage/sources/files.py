"""The files of a tree that somebody else wrote: read with a limit, and never from outside the tree.

Errors are one line without the file's name, which the caller shows.
"""

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from groundswell.errors import InputError

MAX_DOCKERFILE = 1024 * 1024
MAX_SOURCE = 4 * 1024 * 1024
_DEFAULT = "Dockerfile"
_NO_PATH = "not a path that a file can have: it has a zero byte, or is no text"
_SURROGATES = re.compile("[\ud800-\udfff]")


def read_text(path: Path, limit: int) -> str:
    """The text of a file of at most `limit` bytes. Raises InputError for what cannot be read, or is no text."""
    content = read_bytes(path, limit + 1)
    if len(content) > limit:
        raise InputError(f"larger than {limit // 1024} KiB, which is the limit")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InputError(f"not UTF-8 text (byte {exc.start})") from exc
    if "\0" in text:
        raise InputError(f"a binary file, not text (byte {content.index(0)} is zero)")
    return text


def read_bytes(path: Path, most: int) -> bytes:
    """At most the first `most` bytes of a file. Raises InputError for what is none, or cannot be read."""
    try:
        # A named pipe would be waited for, were it opened as a file is.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise InputError("cannot be read: not a file")
            parts: list[bytes] = []
            while most > 0 and (part := os.read(number, most)):
                parts.append(part)
                most -= len(part)
            return b"".join(parts)
        finally:
            os.close(number)
    except OSError as exc:
        raise InputError(f"cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise InputError(_NO_PATH) from exc


def is_file(path: Path) -> bool:
    """Whether there is such a file. Unlike pathlib's, it has an answer for names that no file can have."""
    return os.path.isfile(path)


def is_folder(path: Path) -> bool:
    return os.path.isdir(path)


def shown(path: Path) -> str:
    """A path for people and for JSON: as it was given, `..` taken out, what is no UTF-8 in its name replaced."""
    return _SURROGATES.sub("\ufffd", os.path.normpath(path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What may be read when `given` is scanned: `root` and all below it.

    `root` is the git work tree that holds what was given, and without one the folder given (of a file, its folder).
    """

    given: Path
    root: Path

    @staticmethod
    def of(given: Path) -> "Tree":
        folder = given.resolve()
        if not given.is_dir():
            folder = folder.parent
        work_trees = (each for each in (folder, *folder.parents) if (each / ".git").exists())
        return Tree(given=given, root=next(work_trees, folder))

    def text(self, path: Path, limit: int) -> str:
        """The text of a file in the tree, by whatever way it is reached. Raises InputError, as `read_text` does."""
        self.confine(path)
        return read_text(path, limit)

    def confine(self, path: Path) -> None:
        """Raises InputError for a path that leads out of the tree, or that no file can have."""
        if not self._holds(path):
            raise InputError(f"{shown(path)} leads out of {shown(self.root)}; scan the folder above it")

    def _holds(self, path: Path) -> bool:
        try:
            return path.resolve().is_relative_to(self.root)
        except ValueError as exc:
            raise InputError(_NO_PATH) from exc

    def dockerfile(self, folders: Iterable[Path], context: str, name: str | None, *, of_context: bool) -> Path:
        """The Dockerfile of a build whose paths are relative to one of `folders`: the first in which it is found.

        `name` is relative to the context when `of_context`, else to the folder; without one it is the context's
        `Dockerfile`, or `dockerfile` as for the docker command. Raises InputError when there is none.
        """
        tried: list[Path] = []
        for folder in folders:
            at = folder / context
            if name is not None:
                tried.append((at if of_context else folder) / name)
            else:
                tried += [at / _DEFAULT, at / _DEFAULT.lower()]
        for path in tried:
            if self._holds(path) and is_file(path):
                return path
        self.confine(tried[0])
        at = next(iter(folders), Path()) / context
        if not is_folder(at):
            raise InputError(f"there is no folder {shown(at)}, which is its build context")
        raise InputError(f"there is no file {shown(tried[0])}, which is its Dockerfile")
