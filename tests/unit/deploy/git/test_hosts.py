"""Which repositories may be written to, and with which token."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from groundswell.deploy.git import tokens
from groundswell.deploy.git.azure_devops import AzureDevOps
from groundswell.deploy.git.deployer import GitDeployer
from groundswell.deploy.git.forge import State
from groundswell.deploy.git.github import GitHub
from groundswell.deploy.git.hosts import Hosts
from groundswell.deploy.port import GitFile, Kind, Workload
from groundswell.deploy.router import RoutedDeployer
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.local.certs import Certificates
from groundswell.local.serve import Servers
from groundswell.settings import GitHost
from tests.support import git_hosts
from tests.support.cluster import certs, servers
from tests.support.git_repository import Repository

__all__ = ["certs", "servers"]  # fixtures

ENTRIES = {
    "github.com/contoso": GitHost(kind="github", token="broad"),
    "github.com/contoso/Fleet": GitHost(kind="github", token="narrow"),
    "git.contoso.example": GitHost(kind="github", token="own"),
    "dev.azure.com": GitHost(kind="azure-devops", token="pat"),
}


def no_credential() -> Any:
    raise AssertionError("not asked for")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts(ENTRIES, no_credential)
    yield made
    made.close()


def headers(forge: Any) -> dict[str, str]:
    return dict(forge._rest._headers())


@pytest.mark.parametrize(
    ("url", "api", "path", "authorization"),
    [
        ("https://github.com/contoso/shop.git", "https://api.github.com", "/repos/contoso/shop", "Bearer broad"),
        ("https://github.com/contoso/fleet", "https://api.github.com", "/repos/contoso/fleet", "Bearer narrow"),
        ("https://git.contoso.example/a/b", "https://git.contoso.example/api/v3", "/repos/a/b", "Bearer own"),
        (
            "https://dev.azure.com/contoso/shop%20floor/_git/fleet",
            "https://dev.azure.com",
            "/contoso/shop%20floor/_apis/git/repositories/fleet",
            "Basic OnBhdA==",
        ),
        (
            "https://dev.azure.com/contoso/_git/fleet",
            "https://dev.azure.com",
            "/contoso/fleet/_apis/git/repositories/fleet",
            "Basic OnBhdA==",
        ),
    ],
)
def test_where_a_repository_is_asked_for(hosts: Hosts, url: str, api: str, path: str, authorization: str) -> None:
    forge: Any = hosts.forge(url)
    assert isinstance(forge, GitHub | AzureDevOps)
    assert (forge._rest._base, forge._path) == (api, path)
    assert headers(forge)["Authorization"] == authorization
    assert hosts.forge(url) is forge


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://github.com/other/fleet", "not below any entry of the setting GROUNDSWELL_GIT"),
        ("https://github.com/contoso-evil/fleet", "not below any entry"),
        ("https://169.254.169.254/a/b", "not below any entry"),
        ("https://git.contoso.example@evil.example/a/b", "not below any entry"),
        ("https://git.contoso.example:444/a/b", "not below any entry"),
        ("https://github.com/contoso/fleet/tree", "must be https://github.com/OWNER/NAME"),
        ("https://github.com/contoso/..", "is no name of a repository"),
        ("https://github.com/contoso/%2e%2e", "is no name of a repository"),
        ("https://github.com/contoso/a%2Fb", "is no name of a repository"),
        ("https://dev.azure.com/contoso/shop/fleet", "/ORGANIZATION/PROJECT/_git/NAME"),
        ("https://dev.azure.com/_git/fleet", "/ORGANIZATION/PROJECT/_git/NAME"),
        ("https://dev.azure.com/a/b/c/d/_git/fleet", "/ORGANIZATION/PROJECT/_git/NAME"),
    ],
)
def test_nothing_else_is_asked(hosts: Hosts, url: str, told: str) -> None:
    with pytest.raises(PermanentError) as caught:
        hosts.forge(url)
    assert told in str(caught.value)


@pytest.mark.parametrize(("branch", "path"), [("..", "a"), ("a/../b", "a"), ("main", "../a"), ("main", "a//b")])
def test_no_part_leads_to_another_place_of_the_api(hosts: Hosts, branch: str, path: str) -> None:
    git = GitFile(repository="https://github.com/contoso/fleet", branch=branch, path=path, image="web")
    of = Workload(cluster="c", namespace="n", kind=Kind.GIT, name="n", container="c", git=git)
    with pytest.raises(PermanentError, match="only dots"):
        GitDeployer(hosts.forge).observe(of)


def test_a_workload_without_a_file(hosts: Hosts) -> None:
    of = Workload(cluster="c", namespace="n", kind=Kind.GIT, name="n", container="c")
    with pytest.raises(PermanentError, match="names no file in git"):
        GitDeployer(hosts.forge).patch(of, "a:1", cause="c")


def test_no_token_from_entra_id() -> None:
    class Speechless:
        def get_token(self, *_: str, **__: Any) -> Any:
            raise ClientAuthenticationError("no such application")

    with pytest.raises(TemporaryError, match=r"Azure DevOps .*no such application"):
        tokens.entra(Speechless())()


def test_each_workload_is_moved_where_it_is() -> None:
    class Noted:
        def __init__(self) -> None:
            self.seen: list[str] = []

        def observe(self, workload: Workload) -> Any:
            self.seen.append(f"observe {workload.kind}")

        def patch(self, workload: Workload, image: str, *, cause: str) -> None:
            self.seen.append(f"patch {workload.kind} {image} {cause}")

    clusters, git = Noted(), Noted()
    routed = RoutedDeployer(clusters=clusters, git=git)
    for kind in (Kind.GIT, Kind.CRON_JOB):
        of = Workload(cluster="c", namespace="n", kind=kind, name="n", container="c")
        routed.observe(of)
        routed.patch(of, "i", cause="why")
    assert git.seen == ["observe git", "patch git i why"]
    assert clusters.seen == ["observe CronJob", "patch CronJob i why"]


# a GitHub App


class App:
    """A host that takes the tokens of one app, at a time that can be moved."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.time = 1_800_000_000.0
        self.apps = git_hosts.Apps(public_key=public.decode(), app="Iv1.app", expires_at=self.stamp(3600))
        self.host = git_hosts.GitHub(
            repository=Repository(folder / "fleet.git"),
            accepts=lambda header: header == f"Bearer {self.apps.token}",
            apps=self.apps,
        )
        self.host.repository.write("main", {"f.yaml": b"a: web:1\n"}, "begin")
        self.api = f"https://localhost:{servers.serve(self.host.app)}"

    def stamp(self, seconds: float) -> str:
        return dt.datetime.fromtimestamp(self.time + seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def hosts(self, *, key: str | None = None) -> Hosts:
        entry = GitHost(kind="github", app="Iv1.app", installation="42", private_key=key or self.key, api=self.api)
        return Hosts({"github.com": entry}, no_credential, clock=lambda: self.time)


@pytest.fixture
def app(tmp_path: Path, servers: Servers, certs: Certificates, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certs.ca))
    return App(tmp_path, servers)


def test_an_apps_token_is_kept_and_renewed_before_its_end(app: App) -> None:
    hosts = app.hosts()
    forge = hosts.forge("https://github.com/contoso/fleet")
    for _ in range(3):
        assert forge.read("main", "f.yaml").text == "a: web:1\n"
    assert app.apps.asked == 1
    app.time += 3301.0
    app.apps.token, app.apps.expires_at = "another", app.stamp(3600)
    forge.read("main", "f.yaml")
    assert hosts.forge("https://github.com/contoso/fleet.git").tip("main")  # one app, one token
    assert app.apps.asked == 2
    hosts.close()


@pytest.mark.parametrize("answer", [{}, [], {"token": "t"}, {"token": "t", "expires_at": "soon"}])
def test_an_app_that_is_given_none(app: App, answer: Any) -> None:
    app.apps.answer = answer
    hosts = app.hosts()
    with pytest.raises(TemporaryError, match=r"GitHub App Iv1\.app: the answer holds no token"):
        hosts.forge("https://github.com/contoso/fleet").tip("main")
    hosts.close()


def test_a_key_that_is_none_is_not_told(app: App) -> None:
    hosts = app.hosts(key="very secret")
    with pytest.raises(GroundswellError, match="private_key in GROUNDSWELL_GIT") as caught:
        hosts.forge("https://github.com/contoso/fleet").tip("main")
    assert "very secret" not in str(caught.value)
    hosts.close()


# what only GitHub says


def test_a_folder_or_a_file_too_large_is_no_file(app: App) -> None:
    app.host.repository.write("main", {"d/f.yaml": b"a: web:1\n"}, "folder")
    hosts = app.hosts()
    forge = hosts.forge("https://github.com/contoso/fleet")
    with pytest.raises(PermanentError, match="no file but a folder"):
        forge.read("main", "d")
    app.host.answer = (200, {}, b'{"type": "file", "encoding": "none", "content": "", "sha": "1"}')
    with pytest.raises(PermanentError, match="no file of at most 1 MB"):
        forge.read("main", "f.yaml")
    hosts.close()


def test_a_pull_request_without_a_change_is_refused(app: App) -> None:
    hosts = app.hosts()
    forge = hosts.forge("https://github.com/contoso/fleet")
    forge.point("gs/a", forge.tip("main") or "", None)
    with pytest.raises(PermanentError, match="refused: Validation Failed No commits between main and gs/a"):
        forge.propose("gs/a", "main", "t", "b")
    hosts.close()


@pytest.mark.parametrize("states", [("closed", "open"), ("open", "closed"), ("merged", "closed", "open")])
def test_the_open_one_counts_before_the_newest(app: App, states: tuple[str, ...]) -> None:
    app.host.proposals = [
        git_hosts.Proposal(number=number, head="gs/a", into="main", title="t", body="", state=State(state))
        for number, state in enumerate(states, start=1)
    ]
    hosts = app.hosts()
    found = hosts.forge("https://github.com/contoso/fleet").pull("gs/a", "main")
    assert found is not None
    assert found.number == states.index("open") + 1
    assert hosts.forge("https://github.com/contoso/fleet").pull("gs/b", "main") is None
    hosts.close()
