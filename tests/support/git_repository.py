"""A bare git repository on disk, changed by git's own plumbing: what stands behind the look-alikes of git hosts."""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


class StaleError(Exception):
    """A branch is not where it was said to be."""


@dataclass(slots=True)
class Repository:
    folder: Path
    _index: int = field(default=0)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.git("init", "--bare", "-q", "-b", "main", ".")

    def git(self, *arguments: str, data: bytes | None = None, **environment: str) -> bytes:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            input=data,
            capture_output=True,
            env={**_ENVIRONMENT, **environment},
            check=True,
        )
        return done.stdout

    def tip(self, branch: str) -> str | None:
        found = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").decode().split()
        return found[0] if found else None

    def branches(self) -> list[tuple[str, str]]:
        """(name, commit), sorted."""
        lines = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/").decode()
        return [(line.split()[0], line.split()[1]) for line in lines.splitlines()]

    def blob(self, commit: str, path: str) -> tuple[str, str] | None:
        """(mode, object) of a path in a commit."""
        entry = self.git("ls-tree", commit, "--", path).decode().split()
        return (entry[0], entry[2]) if entry else None

    def read(self, branch: str, path: str) -> str:
        return self.git("show", f"refs/heads/{branch}:{path}").decode()

    def write(self, branch: str, files: dict[str, bytes], message: str, *, former: str | None = None) -> str:
        """One commit on a branch, made when there is none. StaleError unless it is at `former`, if given."""
        tip = self.tip(branch)
        if former is not None and former != tip:
            raise StaleError(branch)
        self._index += 1
        index = {"GIT_INDEX_FILE": str(self.folder / f"index-{self._index}")}
        if tip:
            self.git("read-tree", tip, **index)
        for path, data in files.items():
            blob = self.git("hash-object", "-w", "--stdin", data=data).decode().strip()
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", **index)
        tree = self.git("write-tree", **index).decode().strip()
        return self._commit(branch, tree, message, *([tip] if tip else []))

    def point(self, branch: str, commit: str) -> None:
        self.git("update-ref", f"refs/heads/{branch}", commit)

    def merge(self, head: str, into: str) -> str:
        tree = self.git("merge-tree", "--write-tree", into, head).decode().split()[0]
        parents = (self.tip(into) or "", self.tip(head) or "")
        return self._commit(into, tree, f"Merge {head}", *parents)

    def ahead(self, head: str, of: str) -> int:
        """How many commits `head` has that `of` has not."""
        return int(self.git("rev-list", "--count", f"refs/heads/{of}..refs/heads/{head}"))

    def log(self, branch: str) -> list[str]:
        """Whole messages, the newest first."""
        out = self.git("log", "-z", "--format=%B", f"refs/heads/{branch}").decode()
        return [message.strip() for message in out.split("\0") if message.strip()]

    def _commit(self, branch: str, tree: str, message: str, *parents: str) -> str:
        options = [word for parent in parents for word in ("-p", parent)]
        commit = self.git("commit-tree", tree, *options, "-F", "-", data=message.encode()).decode().strip()
        self.point(branch, commit)
        return commit
