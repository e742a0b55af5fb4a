"""The look-alike keeps ACR's ways: what the SDK asks of `/acr/v1`, logins and scopes, webhooks, the journal."""

import asyncio
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from aiohttp import web
from azure.containerregistry import ArtifactTagOrder, ContainerRegistryClient
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.acr import AcrLookalike, Entry, distribution
from groundswell.registry.login import DockerLogin
from tests.support import oci
from tests.support.acr import PASSWORD, SECRET, SECRET_HEADER, USER, Acr, Credential, everybody, running

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def acr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    with running(tmp_path_factory.mktemp("acr")) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(started.certificates.ca))
        yield started


@pytest.fixture(scope="module")
def sdk(acr: Acr) -> Iterator[ContainerRegistryClient]:
    with ContainerRegistryClient(f"https://{acr.registry.login_server}", Credential(acr.identity)) as client:
        yield client


# The metadata API.


def test_lists_come_in_pages(acr: Acr, sdk: ContainerRegistryClient) -> None:
    names = [f"pages/{letter}" for letter in "abcde"]
    for name in names:
        acr.client.push(oci.image(b"one"), name, "1")
    for number in range(5):
        acr.client.push(oci.image(b"%d" % number), "pages/a", f"t{number}")
    found = sdk.list_repository_names(results_per_page=2)
    assert [name for name in found if name.startswith("pages/")] == names
    tags = sdk.list_tag_properties("pages/a", results_per_page=2)
    assert [[tag.name for tag in page] for page in tags.by_page()] == [["1", "t0"], ["t1", "t2"], ["t3", "t4"]]
    newest = sdk.list_tag_properties(
        "pages/a", results_per_page=2, order_by=ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING
    )
    assert [tag.name for tag in newest] == ["t4", "t3", "t2", "t1", "t0", "1"]
    manifests = list(sdk.list_manifest_properties("pages/a", results_per_page=2))
    assert len({each.digest for each in manifests}) == 6
    bad = acr.client.call("GET", "/acr/v1/pages/a/_tags", params={"n": "0"})
    assert bad.status_code == 400


def test_manifests_without_a_tag_are_listed(acr: Acr, sdk: ContainerRegistryClient) -> None:
    old = acr.client.push(oci.image(b"old"), "meta/untagged", "1")
    new = acr.client.push(oci.image(b"newer"), "meta/untagged", "1")
    found = {each.digest: each for each in sdk.list_manifest_properties("meta/untagged")}
    assert {digest: each.tags for digest, each in found.items()} == {old: [], new: ["1"]}
    assert found[new].architecture == "amd64"
    assert found[new].operating_system == "linux"
    assert found[new].size_in_bytes == len(b"newer")
    assert found[new].created_on.utcoffset() is not None


def test_properties(acr: Acr, sdk: ContainerRegistryClient) -> None:
    digest = acr.client.push(oci.index(oci.image(b"x"), oci.image(b"y", platform="linux/arm64")), "meta/props", "1")
    acr.client.push(oci.image(b"x"), "meta/props", "2")
    repository = sdk.get_repository_properties("meta/props")
    assert (repository.name, repository.manifest_count, repository.tag_count) == ("meta/props", 3, 2)
    tag = sdk.get_tag_properties("meta/props", "1")
    assert (tag.name, tag.digest, tag.can_write) == ("1", digest, True)
    assert tag.created_on <= tag.last_updated_on
    assert sdk.get_manifest_properties("meta/props", "1").digest == digest
    for call in (
        lambda: sdk.get_tag_properties("meta/props", "nope"),
        lambda: sdk.get_repository_properties("meta/nope"),
        lambda: sdk.get_manifest_properties("meta/props", "sha256:" + "0" * 64),
    ):
        with pytest.raises(ResourceNotFoundError):
            call()


def test_locks_are_honoured(acr: Acr, sdk: ContainerRegistryClient) -> None:
    content = oci.image(b"one")
    acr.client.push(content, "meta/locks", "1")
    assert sdk.update_tag_properties("meta/locks", "1", can_write=False, can_delete=False).can_write is False
    for refused in (
        lambda: sdk.set_manifest("meta/locks", io.BytesIO(content.manifest), tag="1"),
        lambda: sdk.delete_tag("meta/locks", "1"),
        lambda: sdk.delete_manifest("meta/locks", content.digest),  # would take the locked tag along
        lambda: sdk.delete_repository("meta/locks"),
    ):
        with pytest.raises(HttpResponseError, match="disallowed") as caught:
            refused()
        assert caught.value.status_code == 405
    sdk.set_manifest("meta/locks", io.BytesIO(content.manifest), tag="2")
    sdk.update_repository_properties("meta/locks", can_write=False)
    with pytest.raises(HttpResponseError, match="disallowed"):
        sdk.set_manifest("meta/locks", io.BytesIO(content.manifest), tag="2")
    sdk.update_repository_properties("meta/locks", can_write=True)
    sdk.update_tag_properties("meta/locks", "1", can_write=True, can_delete=True)
    sdk.update_manifest_properties("meta/locks", content.digest, can_delete=False)
    with pytest.raises(HttpResponseError, match="disallowed"):
        sdk.delete_manifest("meta/locks", content.digest)


def test_deletes(acr: Acr, sdk: ContainerRegistryClient) -> None:
    one, two = oci.image(b"one"), oci.image(b"two")
    for tag in ("1", "1.0"):
        acr.client.push(one, "meta/deletes", tag)
    acr.client.push(two, "meta/deletes", "2")
    sdk.delete_tag("meta/deletes", "1.0")
    assert [tag.name for tag in sdk.list_tag_properties("meta/deletes")] == ["1", "2"]
    assert acr.client.manifest("meta/deletes", "1.0").status_code == 404
    sdk.delete_manifest("meta/deletes", one.digest)
    assert [tag.name for tag in sdk.list_tag_properties("meta/deletes")] == ["2"]
    sdk.delete_repository("meta/deletes")
    assert "meta/deletes" not in list(sdk.list_repository_names())
    with pytest.raises(ResourceNotFoundError):
        sdk.get_repository_properties("meta/deletes")
    acr.client.push(two, "meta/deletes", "again")
    assert sdk.get_repository_properties("meta/deletes").tag_count == 1


def test_blobs_by_the_sdk(sdk: ContainerRegistryClient) -> None:
    """More than a chunk of the SDK's each way."""
    content = bytes(range(256)) * (20 * 1024)
    digest, size = sdk.upload_blob("meta/blobs", io.BytesIO(content))
    assert (digest, size) == (oci.digest_of(content), len(content))
    with sdk.download_blob("meta/blobs", digest) as stream:
        assert b"".join(stream) == content
    sdk.delete_blob("meta/blobs", digest)


@pytest.mark.parametrize(
    "path",
    ["/acr/v1/..%2f..%2f..%2fetc", "/acr/v1/meta%2f..%2f../_tags/x", "/acr/v1/meta/props/_manifests/..%2f.."],
)
def test_names_do_not_lead_out_of_the_storage(acr: Acr, path: str) -> None:
    address = f"https://{acr.registry.login_server}{path}"
    with requests.Session() as session:
        prepared = requests.Request("GET", address, auth=(USER, PASSWORD)).prepare()
        prepared.url = address  # as it stands: requests would tidy it
        answer = session.send(prepared, timeout=10, verify=str(acr.certificates.ca))
    assert answer.status_code == 404


# Logins and scopes.


def ask(acr: Acr, method: str, path: str, **rest: Any) -> requests.Response:
    url = f"https://{acr.registry.login_server}{path}"
    return requests.request(method, url, timeout=10, verify=str(acr.certificates.ca), **rest)


def exchange(acr: Acr, token: str, **form: str) -> requests.Response:
    fields = {"grant_type": "access_token", "service": acr.registry.login_server, "access_token": token}
    return ask(acr, "POST", "/oauth2/exchange", data={**fields, **form})


def access(acr: Acr, scope: str) -> dict[str, str]:
    answer = ask(acr, "GET", "/oauth2/token", params={"scope": scope}, auth=(USER, PASSWORD))
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize("audience", ["https://containerregistry.azure.net", "https://management.azure.com"])
def test_an_entra_token_becomes_a_password(acr: Acr, audience: str) -> None:
    answer = exchange(acr, acr.identity.issue(audience))
    refresh = answer.json()["refresh_token"]
    login = ("00000000-0000-0000-0000-000000000000", refresh)
    assert ask(acr, "GET", "/v2/", auth=login).status_code == 200
    assert ask(acr, "GET", "/oauth2/token", params={"scope": "repository:a:pull"}, auth=login).ok
    posted = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": "repository:a:pull"}
    assert ask(acr, "POST", "/oauth2/token", data=posted).ok


def test_tools_log_in_with_a_token_for_a_password(acr: Acr) -> None:
    """What the product gives to Trivy."""
    login = DockerLogin(Credential(acr.identity), everybody)
    assert ask(acr, "GET", "/v2/", auth=login(acr.registry.login_server)).status_code == 200
    assert login(acr.registry.login_server) == login(acr.registry.login_server)  # kept
    with pytest.raises(PermanentError, match=r"answered 401 .* AcrPull"):
        DockerLogin(Credential(None), everybody)(acr.registry.login_server)
    with pytest.raises(TemporaryError, match="gave no login token"):
        login("localhost:1")


def test_what_is_no_login(acr: Acr) -> None:
    good = acr.identity.issue("https://containerregistry.azure.net")
    assert exchange(acr, acr.identity.issue("https://vault.azure.net")).status_code == 401
    assert exchange(acr, acr.identity.issue("https://containerregistry.azure.net", lifetime=-5)).status_code == 401
    assert exchange(acr, "not.a.token").status_code == 401
    assert exchange(acr, good, service="other.azurecr.io").status_code == 400
    assert exchange(acr, good, grant_type="password").status_code == 400
    for login in [(USER, "wrong"), ("wrong", PASSWORD), ("00000000-0000-0000-0000-000000000000", good)]:
        assert ask(acr, "GET", "/oauth2/token", auth=login).status_code == 401
        assert ask(acr, "GET", "/v2/", auth=login).status_code == 401
    assert ask(acr, "GET", "/oauth2/token").status_code == 401
    assert ask(acr, "GET", "/v2/", headers={"Authorization": "Basic %%%"}).status_code == 401
    forged = jwt.encode({"aud": acr.registry.login_server, "exp": time.time() + 60}, "k" * 32, algorithm="HS256")
    assert ask(acr, "GET", "/v2/", headers={"Authorization": f"Bearer {forged}"}).status_code == 401


def test_a_refresh_token_is_no_access_token(acr: Acr) -> None:
    refresh = exchange(acr, acr.identity.issue("https://containerregistry.azure.net")).json()["refresh_token"]
    assert ask(acr, "GET", "/v2/", headers={"Authorization": f"Bearer {refresh}"}).status_code == 401


def test_a_challenge_names_the_scope(acr: Acr) -> None:
    host = acr.registry.login_server
    answer = ask(acr, "GET", "/v2/team/app/manifests/1")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        f'Bearer realm="https://{host}/oauth2/token",service="{host}",scope="repository:team/app:pull"'
    )
    assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"
    assert "scope" not in ask(acr, "GET", "/v2/").headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        ("repository:team/scoped:pull", "GET", "/v2/team/scoped/manifests/1", 200),
        ("repository:team/scoped:pull", "POST", "/v2/team/scoped/blobs/uploads/", 401),
        ("repository:team/scoped:pull,push", "POST", "/v2/team/scoped/blobs/uploads/", 202),
        ("repository:team/scoped:pull,push", "DELETE", "/v2/team/scoped/manifests/sha256:" + "0" * 64, 401),
        ("repository:team/scoped:delete", "DELETE", "/v2/team/scoped/manifests/sha256:" + "0" * 64, 404),
        ("repository:team/scoped:*", "GET", "/v2/team/scoped/manifests/1", 200),
        ("repository:team/other:pull", "GET", "/v2/team/scoped/manifests/1", 401),
        ("repository:team/scoped:pull", "GET", "/acr/v1/team/scoped/_tags", 401),
        ("repository:team/scoped:metadata_read", "GET", "/acr/v1/team/scoped/_tags", 200),
        ("repository:team/scoped:metadata_read", "PATCH", "/acr/v1/team/scoped/_tags/1", 401),
        ("repository:team/scoped:metadata_read", "GET", "/v2/team/scoped/manifests/1", 401),
        ("registry:catalog:*", "GET", "/acr/v1/_catalog", 200),
        ("repository:team/scoped:pull", "GET", "/acr/v1/_catalog", 401),
    ],
)
def test_a_token_is_good_for_its_scope_only(acr: Acr, scope: str, method: str, path: str, status: int) -> None:
    acr.client.push(oci.image(b"one"), "team/scoped", "1")
    headers = {**access(acr, scope), "Accept": oci.OCI_MANIFEST}
    answer = ask(acr, method, path, headers=headers)
    assert answer.status_code == status
    if status == 401:
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


# Webhooks and the journal.


class Receiver:
    """A webhook's target, which records what comes; `hold` makes it wait, `status` is what it answers."""

    def __init__(self) -> None:
        self.status = 202
        self.hold = 0.0
        self.requests: list[tuple[dict[str, str], dict[str, Any]]] = []
        self._grown = threading.Condition()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/hook", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        with self._grown:
            self.requests.append((dict(request.headers), body))
            self._grown.notify_all()
        await asyncio.sleep(self.hold)
        return web.Response(status=self.status)

    def events(self, count: int) -> list[dict[str, Any]]:
        """The first `count` bodies, once they are here."""
        with self._grown:
            assert self._grown.wait_for(lambda: len(self.requests) >= count, 10), self.requests
            return [body for _, body in self.requests]


@pytest.fixture
def receiver(acr: Acr) -> Iterator[Receiver]:
    made = Receiver()
    settle(acr)
    acr.registry.webhook_url = f"http://127.0.0.1:{acr.servers.serve(made.app, tls=False)}/hook"
    yield made
    settle(acr)
    acr.registry.webhook_url = ""


def settle(acr: Acr) -> None:
    """Wait until the registry has reported all that happened before: a push of our own comes last."""
    name = f"settle/{time.monotonic_ns()}"
    acr.client.push(oci.image(b"one"), name, "1")
    assert acr.registry.journal.wait(lambda entries: any(each.repository == name for each in entries), seconds=10)


def reported(acr: Acr, repository: str) -> list[Entry]:
    return [each for each in acr.registry.journal.entries() if each.repository == repository]


def test_a_push_is_announced(acr: Acr, receiver: Receiver) -> None:
    content = oci.image(b"one")
    acr.client.push(content, "hooks/push", "1.0")
    (event,) = receiver.events(1)
    headers, _ = receiver.requests[0]
    assert headers[SECRET_HEADER] == SECRET
    assert headers["Content-Type"].startswith("application/json")
    assert set(event) == {"id", "timestamp", "action", "target", "request"}
    assert event["action"] == "push"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", event["timestamp"])
    assert event["target"] == {
        "mediaType": oci.OCI_MANIFEST,
        "size": len(content.manifest),
        "length": len(content.manifest),
        "digest": content.digest,
        "repository": "hooks/push",
        "tag": "1.0",
    }
    assert set(event["request"]) == {"id", "host", "method", "useragent"}
    assert event["request"]["host"] == acr.registry.login_server
    assert (event["request"]["method"], event["request"]["useragent"]) == ("PUT", "tests/1.0")


def test_children_of_an_index_are_announced_without_a_tag(acr: Acr, receiver: Receiver) -> None:
    one, two = oci.image(b"x"), oci.image(b"y", platform="linux/arm64")
    content = oci.index(one, two)
    acr.client.push(content, "hooks/index", "1")
    targets = [event["target"] for event in receiver.events(3)]
    assert [(target["digest"], target["tag"]) for target in targets] == [
        (one.digest, ""),
        (two.digest, ""),
        (content.digest, "1"),
    ]


def test_a_delete_is_announced_but_not_that_of_a_tag(
    acr: Acr, receiver: Receiver, sdk: ContainerRegistryClient
) -> None:
    digest = acr.client.push(oci.image(b"one"), "hooks/delete", "1")
    sdk.delete_tag("hooks/delete", "1")
    sdk.delete_manifest("hooks/delete", digest)
    push, delete = receiver.events(2)
    assert (push["action"], delete["action"]) == ("push", "delete")
    assert delete["target"] == {"mediaType": oci.OCI_MANIFEST, "digest": digest, "repository": "hooks/delete"}


def test_a_ping(acr: Acr, receiver: Receiver) -> None:
    assert acr.registry.ping().status == 202
    (event,) = receiver.events(1)
    assert event["action"] == "ping"
    assert receiver.requests[0][0][SECRET_HEADER] == SECRET


def test_a_webhook_is_never_tried_again(acr: Acr, receiver: Receiver) -> None:
    receiver.status = 500
    digest = acr.client.push(oci.image(b"one"), "hooks/once", "1")
    receiver.events(1)
    receiver.status = 202
    acr.client.push(oci.image(b"two"), "hooks/once", "2")
    events = receiver.events(2)
    assert [event["target"]["tag"] for event in events] == ["1", "2"]
    assert events[0]["target"]["digest"] == digest
    until(lambda: sorted(each.status or 0 for each in acr.registry.deliveries[-2:]) == [202, 500], seconds=5)
    assert len(receiver.requests) == 2


def test_a_slow_receiver_is_given_up_and_delays_nobody(
    acr: Acr, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.hold = 30
    started = time.monotonic()
    acr.client.push(oci.image(b"one"), "hooks/slow", "1")
    receiver.events(1)
    receiver.hold = 0
    acr.client.push(oci.image(b"one"), "hooks/slow", "2")
    assert receiver.events(2)[1]["target"]["tag"] == "2"
    assert time.monotonic() - started < 4
    given_up = until(lambda: [each for each in acr.registry.deliveries if each.error], seconds=8)
    assert [(each.status, each.error) for each in given_up] == [(None, "TimeoutError")]
    assert given_up[0].seconds == pytest.approx(5, abs=0.8)
    assert len(receiver.requests) == 2


def until[T](look: Callable[[], T], *, seconds: float) -> T:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def test_a_receiver_that_is_away(acr: Acr, receiver: Receiver) -> None:
    acr.registry.webhook_url = "http://127.0.0.1:1/hook"
    delivery = acr.registry.ping()
    assert (delivery.status, delivery.error) == (None, "ClientConnectorError")


def test_the_journal_tells_which_digest_a_tag_had_and_who_pulled(acr: Acr) -> None:
    one, two = oci.image(b"one"), oci.image(b"two")
    for content in (one, two):
        acr.client.push(content, "journal/app", "1")
    acr.client.manifest("journal/app", "1")
    acr.client.call("DELETE", f"/v2/journal/app/manifests/{one.digest}")
    settle(acr)
    found = reported(acr, "journal/app")
    assert [(each.action, each.tag, each.digest) for each in found] == [
        ("push", "1", one.digest),
        ("push", "1", two.digest),
        ("pull", "1", two.digest),
        ("delete", "", one.digest),
    ]
    assert {each.media_type for each in found} == {oci.OCI_MANIFEST}
    assert found[2].user_agent == "tests/1.0"
    assert [each.at for each in found] == sorted(each.at for each in found)


def test_looking_leaves_no_trace(acr: Acr) -> None:
    digest = acr.client.push(oci.image(b"one"), "journal/quiet", "1")
    acr.client.call("GET", "/acr/v1/journal/quiet/_manifests")
    assert acr.registry.digest(acr.reference("journal/quiet:1")) == digest
    assert acr.registry.has(acr.reference(f"journal/quiet@{digest}"))
    assert not acr.registry.has(acr.reference("journal/quiet:2"))
    settle(acr)
    assert [each.action for each in reported(acr, "journal/quiet")] == ["push"]


# The process behind it.


def test_content_outlives_a_restart(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        digest = first.client.push(oci.image(b"one"), "team/kept", "1")
    with running(tmp_path) as second:
        assert second.client.manifest("team/kept", "1").headers["Docker-Content-Digest"] == digest


def test_not_installed(acr: Acr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "COMMAND", "no-such-registry")
    with pytest.raises(PermanentError, match="install the Debian package docker-registry"):
        another(acr, tmp_path).start(acr.servers)


def test_what_it_says_when_it_does_not_start(acr: Acr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "registry"
    command.write_text(
        '#!/bin/sh\necho \'{"level":"info","msg":"the token"}\' >&2; echo no room left >&2; exit 3\n'
    )
    command.chmod(0o755)
    monkeypatch.setattr(distribution, "COMMAND", str(command))
    with pytest.raises(PermanentError, match=r"ended while it started: no room left$"):
        another(acr, tmp_path).start(acr.servers)


def another(acr: Acr, folder: Path) -> AcrLookalike:
    return AcrLookalike(
        identity=acr.identity, storage=folder, certificates=acr.certificates, user=USER, password=PASSWORD
    )
