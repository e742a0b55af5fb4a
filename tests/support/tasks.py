"""The ACR Tasks look-alike over TLS, a registry beside it, and the product's builder speaking to it as in Azure."""

import io
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType

import pytest
from azure.core.credentials import TokenCredential
from azure.identity import ManagedIdentityCredential
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient

from groundswell.build.acr_tasks import AcrTasksBuilder
from groundswell.build.port import Builder, BuildRequest, Run, Source
from groundswell.local.certs import certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.local.tasks.faults import Faults
from groundswell.local.tasks.model import Limits, RegistryAccess
from groundswell.local.tasks.service import AcrTasks
from groundswell.settings import AcrRegistry
from tests.support.registry import bare_registry, busybox, push_image

IDS = AcrRegistry(subscription="00000000-0000-0000-0000-000000000001", resource_group="rg", name="acr")
CONCURRENCY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything a test of builds needs."""

    folder: Path
    registry: str
    endpoint: str
    faults: Faults
    identity: Identity
    credential: TokenCredential
    builder: Builder
    sdk: ContainerRegistryTasksMgmtClient
    base_digest: str
    kind: str | None = None
    """The pipeline that builds, by its name; None for ACR Tasks."""
    sources: str = ""
    """Where the folder's git repositories are served over HTTP; empty: their URLs are files'."""
    _names: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def base(self) -> str:
        return f"{self.registry}/base:1"

    def another_builder(self, *, read_seconds: float) -> AcrTasksBuilder:
        """One that waits less long; the caller closes it."""
        return AcrTasksBuilder(self.credential, self.endpoint, {self.registry: IDS}, read_seconds=read_seconds)

    def name(self) -> str:
        return f"build-{next(self._names)}"

    def repository(
        self, files: Mapping[str, str], *, branch: str = "main", links: Mapping[str, str] | None = None
    ) -> str:
        """The URL of a new bare git repository that holds the files and symbolic links."""
        bare = git_repository(self.folder / f"git-{next(self._names)}", files, branch=branch, links=links or {})
        return f"{self.sources}/{bare.name}" if self.sources else bare.as_uri()

    def request(self, text: str = "", /, **changes: object) -> BuildRequest:
        """A build of one Dockerfile (or of `source`); `{base}` in it is the base image."""
        name = str(changes.get("name") or self.name())
        if "source" not in changes:
            files = {"Dockerfile": text.replace("{base}", self.base)}
            changes["source"] = Source(location=self.repository(files))
        values: dict[str, object] = {
            "registry": self.registry,
            "repository": f"app/{name}",
            "tag": "1",
            "timeout": 60,
            "builder": self.kind,
            **changes,
            "name": name,
        }
        return BuildRequest(**values)  # type: ignore[arg-type]  # a test's own mixture of fields

    def end(self, run: Run, *, seconds: float = 60) -> Run:
        """The run once it has ended."""
        return self.until(run, lambda seen: seen.status.ended, seconds=seconds)

    def until(self, run: Run, wanted: Callable[[Run], bool], *, seconds: float = 60) -> Run:
        deadline = time.monotonic() + seconds
        while not wanted(seen := self.builder.observe(self.registry, run.id)):
            assert time.monotonic() < deadline, f"run {run.id} is still {seen.status}: {self.log(run)}"
            time.sleep(0.05)
        return seen

    def log(self, run: Run) -> str:
        return self.builder.log(self.registry, run.id)


@contextmanager
def tasks_world(folder: Path, *, limits: Limits | None = None) -> Iterator[World]:
    """A world in `folder`; the environment says what it says in Azure Functions."""
    identity, faults = Identity(), Faults()
    certs = certificates(folder / "certs")
    with bare_registry(folder) as registry, Servers(certs) as servers, pytest.MonkeyPatch.context() as patch:
        tasks = AcrTasks(
            folder=folder / "tasks",
            identity=identity,
            registries={IDS: RegistryAccess(login_server=registry, plain_http=True)},
            limits=limits or Limits(min_timeout=1, concurrency=CONCURRENCY),
            faults=faults,
        )
        endpoint = f"https://localhost:{servers.serve(tasks.app)}"
        patch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{servers.serve(identity.app, tls=False)}/msi/token")
        patch.setenv("IDENTITY_HEADER", identity.header)
        patch.setenv("REQUESTS_CA_BUNDLE", str(certs.ca))
        credential = ManagedIdentityCredential()
        builder = AcrTasksBuilder(credential, endpoint, {registry: IDS}, read_seconds=10)
        sdk = ContainerRegistryTasksMgmtClient(
            credential,
            IDS.subscription,
            base_url=endpoint,
            credential_scopes=[f"{endpoint}/.default"],
            retry_total=0,
        )
        try:
            yield World(
                folder=folder,
                registry=registry,
                endpoint=endpoint,
                faults=faults,
                identity=identity,
                credential=credential,
                builder=builder,
                sdk=sdk,
                base_digest=push_image(registry, busybox(), "base", "1"),
            )
        finally:
            builder.close()
            sdk.close()
            credential.close()


def until_ended(builder: Builder, registry: str, run: Run, *, seconds: float = 60) -> Run:
    """The run once it has ended, for tests without a World."""
    deadline = time.monotonic() + seconds
    while not (seen := builder.observe(registry, run.id)).status.ended:
        assert time.monotonic() < deadline, f"run {run.id} is still {seen.status}"
        time.sleep(0.05)
    return seen


def git_repository(
    folder: Path, files: Mapping[str, str], *, branch: str = "main", links: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Make a bare repository with one commit beside `folder`, in which its files are put together."""
    work, bare = folder / "work", folder.with_suffix(".git")
    for path, text in files.items():
        target = work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path, goal in links.items():
        (work / path).symlink_to(goal)
    git(work, "init", "--quiet", "--initial-branch", branch)
    git(work, "add", "--all")
    git(work, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "one")
    git(folder, "clone", "--quiet", "--bare", str(work), str(bare))
    return bare


def head_of(url: str) -> str:
    """The commit that a repository's HEAD names."""
    return git(Path.cwd(), "ls-remote", "--", url, "HEAD").split()[0]


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout


def tarball(files: Mapping[str, str]) -> bytes:
    """A .tar.gz with the files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
