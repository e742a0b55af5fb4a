"""The demo's company: `examples/company` as a git repository that the stack's git server serves.

The files name `groundswell.azurecr.io`; the copy names the local registry instead, and pins the base that is there.
"""

import shutil
import subprocess
from pathlib import Path

from groundswell.local.paths import ROOT

EXAMPLE = ROOT / "examples/company"
HOST = "groundswell.azurecr.io"
PLACEHOLDER_PIN = "sha256:" + "0" * 64
_GIT = "https://git.example.com/company.git"
_IDENTITY = ("-c", "user.name=Groundswell demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false")


class Company:
    """A work tree and the bare repository it is pushed to, both in `folder`, which `server` serves."""

    def __init__(self, folder: Path, server: str) -> None:
        self.tree = folder / "company"
        self.bare = folder / "company.git"
        self.url = f"{server}/{self.bare.name}"

    def create(self, *, registry: str, pin: str) -> None:
        """Copy the example with the local registry, git URL and pinned digest in it, and publish it."""
        shutil.copytree(EXAMPLE, self.tree)
        for path in self.tree.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                local = content
                for old, new in ((HOST, registry), (_GIT, self.url), (PLACEHOLDER_PIN, pin)):
                    local = local.replace(old.encode(), new.encode())
                if local != content:
                    path.write_bytes(local)
        self._git("init", "--quiet", "--initial-branch=main")
        self._commit("The company as it is")
        subprocess.run(
            ["git", "clone", "--quiet", "--bare", str(self.tree), str(self.bare)], check=True, timeout=60
        )

    def change(self, file: str, old: str, new: str, *, message: str) -> None:
        """Replace `old` by `new` in a file, commit and publish: the one-line repair of the demo."""
        path = self.tree / file
        text = path.read_text("utf-8")
        if old not in text:
            raise ValueError(f"{file} does not hold {old!r}")
        path.write_text(text.replace(old, new), "utf-8")
        self._commit(message)
        self._git("push", "--quiet", str(self.bare), "main")

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)

    def _git(self, *args: str) -> None:
        subprocess.run(["git", *_IDENTITY, *args], cwd=self.tree, check=True, timeout=60)
