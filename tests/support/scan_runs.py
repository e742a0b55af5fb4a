"""Scans as runs: the registry that looks like ACR, its tasks beside it, and Trivy with a database to be pulled."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.build.acr_tasks import AcrTasksBuilder
from groundswell.local.advisories import read_advisories, write_database
from groundswell.local.bases import Variant, build_base
from groundswell.local.certs import Certificates
from groundswell.local.oci import OciImage
from groundswell.local.push import Login, push
from groundswell.local.scanning import attacher, push_tools, setting
from groundswell.local.tasks.model import Limits, RegistryAccess
from groundswell.local.tasks.service import AcrTasks
from groundswell.local.trivy import binary
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.artifacts import Artifacts
from groundswell.registry.login import DockerLogin
from groundswell.scan.port import NotYetError, Report, Scanner
from groundswell.scan.run import RunScanner
from groundswell.scan.trivy import Credentials
from groundswell.scanners import ScannerSettings, read
from groundswell.settings import AcrRegistry as Ids
from tests.support.acr import PASSWORD, USER, Credential, everybody, running
from tests.support.packages import make_packages

IDS = Ids(subscription="00000000-0000-0000-0000-000000000001", resource_group="rg", name="acr")
REPOSITORY = "tests/image"


@dataclass(frozen=True, kw_only=True)
class ScanWorld:
    login: Login
    builder: AcrTasksBuilder
    artifacts: Artifacts
    attacher: str
    trivy: Mapping[str, Any]
    packages: Path
    folder: Path
    certificates: Certificates
    binary: Path
    credentials: Credentials
    now: Callable[[], float] = field(default=time.time)

    def pushed(self, image: OciImage) -> Reference:
        digest = push(image, self.login, REPOSITORY, "1")
        return Reference(registry=self.login.registry, repository=REPOSITORY, tag=None, digest=digest)

    def base(self, variant: Variant) -> Reference:
        return self.pushed(build_base(self.packages, variant))

    def scanner(self, name: str = "trivy", /, *, max_report: int = 64 << 20, **entry: Any) -> RunScanner:
        """Trivy's, with `entry` over its setting; or another's, when that names a kind."""
        settings = read({name: entry if "kind" in entry else {**self.trivy, **entry}}, setting="S")[name]
        return self.by(name, settings, max_report=max_report)

    def by(self, name: str, settings: ScannerSettings, *, max_report: int = 64 << 20) -> RunScanner:
        return RunScanner(
            name,
            settings,
            runs=self.builder,
            artifacts=self.artifacts,
            attacher=self.attacher,
            max_report=max_report,
            now=self.now,
        )


def wait_for(scanner: Scanner, reference: Reference, *, seconds: float = 90) -> Report:
    """The report of a scanner that works elsewhere, once it is there."""
    end = time.monotonic() + seconds
    while True:
        try:
            return scanner.scan(reference)
        except NotYetError as exc:
            if "has not assessed it yet" in str(exc):
                raise  # it will not, without anybody who pushes
            assert time.monotonic() < end, str(exc)
            time.sleep(0.1)


@contextlib.contextmanager
def scan_world(folder: Path, *, lists_referrers: bool = True) -> Iterator[ScanWorld]:
    """A world in `folder`, whose registry lists what refers to an image, or not."""
    with running(folder, lists_referrers=lists_referrers) as acr, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(acr.certificates.ca))
        server = acr.registry.login_server
        login = Login(registry=server, user=USER, password=PASSWORD, ca=acr.certificates.ca)
        access = RegistryAccess(login_server=server, user=USER, password=PASSWORD, ca=acr.certificates.ca)
        image, program = attacher(server)
        tasks = AcrTasks(
            folder=folder / "tasks",
            identity=acr.identity,
            registries={IDS: access},
            limits=Limits(min_timeout=1),
            tools={image: program},
        )
        endpoint = f"https://localhost:{acr.servers.serve(tasks.app)}"
        write_database(folder / "cache", read_advisories(), dt.datetime.now(dt.UTC))
        push_tools(login, folder / "cache")
        registry = AcrRegistry(Credential(acr.identity), everybody)
        builder = AcrTasksBuilder(Credential(acr.identity), endpoint, {server: IDS})
        with contextlib.closing(registry), contextlib.closing(builder):
            yield ScanWorld(
                login=login,
                builder=builder,
                artifacts=registry.artifacts(),
                attacher=image,
                trivy=setting(server),
                packages=make_packages(folder / "packages"),
                folder=folder,
                certificates=acr.certificates,
                binary=binary(),
                credentials=DockerLogin(Credential(acr.identity), everybody),
            )
