"""Runs against a registry that asks for a login over TLS, as ACR does."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest
from azure.core.credentials import AccessToken
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
from azure.mgmt.containerregistrytasks import models as arm

from groundswell.build.acr_tasks import AcrTasksBuilder
from groundswell.build.port import BuildRequest, RunStatus, Source
from groundswell.local.acr.service import AcrLookalike
from groundswell.local.certs import certificates
from groundswell.local.identity import Identity
from groundswell.local.push import Login, push
from groundswell.local.serve import Servers
from groundswell.local.tasks.model import RegistryAccess
from groundswell.local.tasks.service import AcrTasks
from tests.support.registry import busybox
from tests.support.tasks import IDS, git_repository, until_ended

pytestmark = pytest.mark.stack

USER, PASSWORD = "admin", "pass-word-of-the-registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acr:
    login_server: str
    builder: AcrTasksBuilder
    sdk: ContainerRegistryTasksMgmtClient
    source: str


class Credential:
    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken(self._identity.issue(scopes[0].removesuffix("/.default")), 4_000_000_000)


@pytest.fixture(scope="module")
def acr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    folder = tmp_path_factory.mktemp("acr")
    certs, identity = certificates(folder / "certs"), Identity()
    with Servers(certs) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(certs.ca))
        registry = AcrLookalike(
            identity=identity, storage=folder / "registry", certificates=certs, user=USER, password=PASSWORD
        )
        registry.start(servers)
        server = registry.login_server
        push(busybox(), Login(registry=server, user=USER, password=PASSWORD, ca=certs.ca), "base", "1")
        access = RegistryAccess(login_server=server, user=USER, password=PASSWORD, ca=certs.ca)
        tasks = AcrTasks(folder=folder / "tasks", identity=identity, registries={IDS: access})
        endpoint = f"https://localhost:{servers.serve(tasks.app)}"
        builder = AcrTasksBuilder(Credential(identity), endpoint, {server: IDS})
        sdk = ContainerRegistryTasksMgmtClient(
            Credential(identity), IDS.subscription, base_url=endpoint, retry_total=0
        )
        source = git_repository(
            folder / "git", {"Dockerfile": f"FROM {server}/base:1\nRUN echo {PASSWORD}\n"}
        ).as_uri()
        with closing(builder), sdk:
            yield Acr(login_server=server, builder=builder, sdk=sdk, source=source)
        registry.close()


def test_a_run_logs_in_to_its_registry_and_its_log_hides_the_password(acr: Acr) -> None:
    run = acr.builder.start(
        BuildRequest(
            name="build-1",
            registry=acr.login_server,
            repository="app",
            tag="1",
            source=Source(location=acr.source),
        )
    )
    ended = until_ended(acr.builder, acr.login_server, run)

    log = acr.builder.log(acr.login_server, run.id)
    assert ended.status is RunStatus.SUCCEEDED, log
    assert "\n***\n" in log
    assert PASSWORD not in log


@pytest.mark.parametrize("custom", [False, True])
def test_without_its_own_login_a_run_needs_one_given(acr: Acr, custom: bool) -> None:
    login = arm.CustomRegistryCredentials(
        user_name=arm.SecretObject(value=USER, type="Opaque"),
        password=arm.SecretObject(value=PASSWORD, type="Opaque"),
    )
    request = arm.DockerBuildRequest(
        image_names=["other:1"],
        docker_file_path="Dockerfile",
        platform=arm.PlatformProperties(os="Linux"),
        source_location=acr.source,
        credentials=arm.Credentials(
            source_registry=arm.SourceRegistryCredentials(login_mode="None"),
            custom_registries={acr.login_server: login} if custom else {},
        ),
    )
    run_id = acr.sdk.registries.schedule_run(IDS.resource_group, IDS.name, request).name
    ended = until_ended(acr.builder, acr.login_server, acr.builder.observe(acr.login_server, run_id))

    assert ended.status is (RunStatus.SUCCEEDED if custom else RunStatus.FAILED)
    if not custom:
        assert "unauthorized" in acr.builder.log(acr.login_server, run_id)
