"""buildah in a store of its own: one folder a run, with its own registry settings and logins.

A store of its own makes every run start clean, shows afterwards exactly which images it pulled, lets runs go on
beside each other without locks, and leaves the machine's own store and settings alone. It goes with its folder.
"""

import base64
import json
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from groundswell.local.paths import ROOT
from groundswell.local.tasks.dependencies import Image
from groundswell.local.tasks.model import RegistryAccess
from groundswell.local.tasks.plan import Build
from groundswell.local.tasks.process import capture, environment, stream

type Sink = Callable[[bytes], None]
type Tools = Mapping[str, Sequence[str]]
"""Images that cannot be had without the internet, with the program of this machine that does what they would."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NATIVE = f"linux/{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}


class Storage:
    """The buildah store of one run."""

    def __init__(
        self,
        folder: Path,
        access: RegistryAccess,
        logins: Mapping[str, tuple[str, str]],
        *,
        tools: Tools | None = None,
        kept: Path | None = None,
    ) -> None:
        """`kept` is a store that outlives the run, for the images of steps; see `run`."""
        self._folder = folder
        self._kept = kept
        self._tools = tools or {}
        for name in ("certs", "tmp", "home/.docker"):
            (folder / name).mkdir(parents=True)
        (folder / "registries.conf").write_text(_registries(access), "utf-8")
        (folder / "policy.json").write_text(json.dumps(_POLICY), "utf-8")
        auth = folder / "auth.json"
        auth.touch(mode=0o600)
        auth.write_text(json.dumps({"auths": {host: {"auth": _basic(*pair)} for host, pair in logins.items()}}))
        shutil.copy(auth, folder / "home/.docker/config.json")
        self._trusted = folder / "certs" / "ca.crt"
        if access.ca:
            shutil.copyfile(access.ca, self._trusted)
        self._reach = (f"--authfile={auth}", f"--cert-dir={folder / 'certs'}")
        self._env = environment(
            CONTAINERS_REGISTRIES_CONF=str(folder / "registries.conf"), TMPDIR=str(folder / "tmp")
        )

    async def build(
        self, build: Build, *, context: Path, dockerfile: Path, env: Mapping[str, str], sink: Sink
    ) -> int:
        """Build under the names of `build`; the exit code.

        Images have Docker's format, as ACR Tasks pushes it. `--pull=false` pulls what the store lacks: the store
        began empty, so that is every base, once.
        """
        words = [*self._reach, "--pull=false", "--layers=false", "--isolation=chroot", "--format=docker"]
        words += [f"--signature-policy={self._folder / 'policy.json'}", f"--file={dockerfile}"]
        words += [f"--tag={name}" for name in build.images]
        words += [f"--build-arg={name}={value}" for name, value in build.arguments]
        words += [f"--target={build.target}"] if build.target else []
        # Only when it is another: with the flag come BuildKit's TARGET arguments, which ACR Tasks does not set.
        words += [f"--platform={build.platform}"] if build.platform not in ("", _NATIVE) else []
        words += ["--no-cache"] if build.no_cache else []
        return await stream(self._command("build", *words, "--", str(context)), sink=sink, env={**self._env, **env})

    async def push(self, name: str, *, sink: Sink) -> tuple[int, str]:
        """Push an image; the exit code, and the digest the registry now has under that name."""
        digest = self._folder / "digest"
        digest.unlink(missing_ok=True)
        words = [*self._reach, f"--signature-policy={self._folder / 'policy.json'}", f"--digestfile={digest}"]
        # Speed before size: the registry is on this machine.
        words += ["--compression-format=gzip", "--compression-level=1", "--retry=3", "--retry-delay=1s"]
        code = await stream(self._command("push", *words, "--", name), sink=sink, env=self._env)
        return code, digest.read_text("utf-8").strip() if code == 0 else ""

    async def run(self, image: str, words: Sequence[str], *, work: Path, env: Mapping[str, str], sink: Sink) -> int:
        """Run a container of the image with `work` as /workspace, as ACR's cmd steps do; the exit code.

        As there, its home is /acb/home, where the logins of the run are (Azure/acr-builder, builder/). The
        registry's certificate is trusted, as Azure's is by everybody. An image named by its digest is kept for
        later runs: scanners are large, and always the same.
        """
        if image in self._tools:
            return await self._stand_in(self._tools[image], words, work=work, env=env, sink=sink)
        policy = f"--signature-policy={self._folder / 'policy.json'}"
        above: tuple[str, ...] = ()
        if self._kept and "@sha256:" in image:
            pull = ("pull", "--quiet", "--policy=missing", *self._reach, policy, "--", image)
            if code := await stream(_buildah(self._kept, *pull), sink=sink, env=self._env):
                return code
            above = (f"--storage-opt=additionalimagestore={self._kept / 'images'}",)
        created = self._folder / "container"
        make = ("from", *self._reach, "--pull=false", policy, f"--cidfile={created}", "--", image)
        if code := await stream(self._command(*above, *make), sink=sink, env=self._env):
            return code
        container = created.read_text("utf-8").strip()
        created.unlink()
        shown = await self._capture(*above, "inspect", "--type=container", container)
        config = json.loads(shown)["OCIv1"].get("config", {})
        command = [*(config.get("Entrypoint") or []), *(words or config.get("Cmd") or [])]
        options = ["--isolation=chroot", f"--volume={work}:/workspace", "--workingdir=/workspace"]
        options += [f"--volume={self._folder / 'home'}:/acb/home", "--env=HOME=/acb/home"]
        if self._trusted.exists():
            options += [f"--volume={self._trusted}:/acb/ca.crt:ro", "--env=SSL_CERT_FILE=/acb/ca.crt"]
        options += [f"--env={name}={value}" for name, value in env.items()]
        run = ("run", *options, "--", container, *command)
        return await stream(self._command(*above, *run), sink=sink, env=self._env)

    async def _stand_in(
        self, tool: Sequence[str], words: Sequence[str], *, work: Path, env: Mapping[str, str], sink: Sink
    ) -> int:
        here = environment(HOME=str(self._folder / "home"), PYTHONPATH=str(ROOT))
        if self._trusted.exists():
            here["SSL_CERT_FILE"] = str(self._trusted)
        return await stream([*tool, *words], sink=sink, env={**here, **env}, folder=work)

    async def images(self) -> list[Image]:
        """Every image in the store: what was pulled and what was built."""
        listed = json.loads(await self._capture("images", "--json", "--no-trunc") or "null") or []
        return [await self._image(entry) for entry in listed]

    async def _image(self, entry: Mapping[str, object]) -> Image:
        shown = json.loads(await self._capture("inspect", "--type=image", str(entry["id"]).removeprefix("sha256:")))
        config = shown["OCIv1"]
        names = entry.get("names")
        return Image(
            names=tuple(map(str, names)) if isinstance(names, list) else (),
            digest=str(entry["digest"]),
            diff_ids=tuple(config["rootfs"]["diff_ids"]),
            history=tuple((one.get("created_by", ""), one.get("comment", "")) for one in config.get("history", [])),
        )

    async def _capture(self, *words: str) -> str:
        return await capture(self._command(*words), env=self._env)

    def _command(self, *words: str) -> list[str]:
        return _buildah(self._folder, *words)


def _buildah(store: Path, *words: str) -> list[str]:
    return [
        "buildah",
        f"--root={store / 'images'}",
        f"--runroot={store / 'state'}",
        "--storage-driver=overlay",
        *words,
    ]


def _registries(access: RegistryAccess) -> str:
    """Short names are Docker Hub's, as with docker; only the stack's own registry may speak plain http."""
    lines = ['unqualified-search-registries = ["docker.io"]', 'short-name-mode = "disabled"']
    if access.plain_http:
        lines += ["[[registry]]", f'location = "{access.login_server}"', "insecure = true"]
    return "\n".join(lines) + "\n"


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
