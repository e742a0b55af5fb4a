"""buildah as a person uses it: builds, retags and pushes, in a store of its own that goes with its folder."""

import asyncio
import base64
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from groundswell.local.tasks.process import capture, environment
from tests.support.acr import PASSWORD, USER

_SETTINGS = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


@dataclass(frozen=True, kw_only=True)
class Buildah:
    """Every name is `repository:tag` in `registry`, which a Dockerfile writes as `{registry}`."""

    folder: Path
    registry: str

    @staticmethod
    def make(folder: Path, registry: str, authority: Path) -> "Buildah":
        for name in ("certs", "tmp"):
            (folder / name).mkdir(parents=True)
        shutil.copyfile(authority, folder / "certs/ca.crt")
        (folder / "registries.conf").write_text(_SETTINGS)
        (folder / "policy.json").write_text(json.dumps(_POLICY))
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (folder / "auth.json").write_text(json.dumps({"auths": {registry: {"auth": login}}}))
        return Buildah(folder=folder, registry=registry)

    def build(self, name: str, dockerfile: str, *flags: str, files: Mapping[str, str] | None = None) -> None:
        """Build and push. The base is pulled each time, so that its digest is the one the registry has."""
        self.build_only(f"--tag={self._full(name)}", dockerfile, *flags, files=files)
        self._run("push", *self._reach, self._full(name))

    def build_index(self, name: str, dockerfiles: Mapping[str, str]) -> None:
        """Build each platform from its own Dockerfile, and push them as an index."""
        for platform, dockerfile in dockerfiles.items():
            self.build_only(f"--manifest={self._full(name)}", dockerfile, f"--platform={platform}")
        full = self._full(name)
        self._run("manifest", "push", "--all", *self._reach, full, f"docker://{full}")

    def build_only(self, place: str, dockerfile: str, *flags: str, files: Mapping[str, str] | None = None) -> None:
        context = self.folder / "context"
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir()
        for path, text in {"file": place, **(files or {})}.items():
            (context / path).write_text(text)
        (context / "Dockerfile").write_text(dockerfile.replace("{registry}", self.registry))
        words = ["--pull-always", "--isolation=chroot", *flags, place]
        self._run("build", *self._reach, *words, str(context))

    def retag(self, name: str, other: str) -> None:
        self._run("push", *self._reach, self._full(name), f"docker://{self._full(other)}")

    def forget(self, name: str) -> None:
        """Remove it from the store; the registry keeps it."""
        self._run("rmi", self._full(name))

    def _full(self, name: str) -> str:
        return f"{self.registry}/{name}"

    @property
    def _reach(self) -> tuple[str, ...]:
        return (
            f"--authfile={self.folder / 'auth.json'}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--signature-policy={self.folder / 'policy.json'}",
        )

    def _run(self, *words: str) -> None:
        store = [f"--root={self.folder / 'images'}", f"--runroot={self.folder / 'state'}"]
        settings = environment(
            CONTAINERS_REGISTRIES_CONF=str(self.folder / "registries.conf"), TMPDIR=str(self.folder / "tmp")
        )
        asyncio.run(capture(["buildah", *store, "--storage-driver=overlay", *words], env=settings))
