"""The contract of the Registry port, against docker-registry behind the ACR look-alike."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.identity import CredentialUnavailableError

from graph.reference import Reference
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.chain import prove
from groundswell.registry.external import ExternalRegistry
from groundswell.registry.port import Registry
from groundswell.settings import ExternalRegistry as ExternalLogin
from tests.support import oci
from tests.support.acr import PASSWORD, USER, Acr, Credential, everybody, running

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def acr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    with running(tmp_path_factory.mktemp("acr")) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(started.certificates.ca))
        yield started


@pytest.fixture(scope="module")
def registry(acr: Acr) -> Iterator[AcrRegistry]:
    with contextlib.closing(AcrRegistry(Credential(acr.identity), everybody)) as adapter:
        yield adapter


@pytest.fixture(scope="module", params=["acr", "external"])
def reader(request: pytest.FixtureRequest, acr: Acr, registry: AcrRegistry) -> Iterator[Registry]:
    """What both adapters keep: the look-alike is to the external one a registry with a token server, like any."""
    if request.param == "acr":
        yield registry
        return
    login = ExternalLogin(username=USER, password=PASSWORD, private=True)
    with contextlib.closing(ExternalRegistry({acr.registry.login_server: login})) as adapter:
        yield adapter


def test_digest_of_a_tag_and_of_a_digest(acr: Acr, reader: Registry) -> None:
    digest = acr.client.push(oci.image(b"one"), "team/digest", "1")
    reference = acr.reference("team/digest:1")
    assert reader.digest(reference) == digest
    assert reader.digest(reference.with_digest(digest)) == digest


@pytest.mark.parametrize("name", ["team/never:1", "team/some:2", "team/some@sha256:" + "0" * 64])
def test_what_is_not_there_is_none(acr: Acr, reader: Registry, name: str) -> None:
    acr.client.push(oci.image(b"one"), "team/some", "1")
    assert reader.digest(acr.reference(name)) is None
    assert reader.image(acr.reference(name)) is None


def test_a_tag_that_moves_is_seen_at_once(acr: Acr, reader: Registry) -> None:
    reference = acr.reference("team/moves:1")
    for layer in (b"first", b"second"):
        digest = acr.client.push(oci.image(layer), "team/moves", "1")
        assert reader.digest(reference) == digest


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_image(acr: Acr, reader: Registry, docker: bool) -> None:
    content = oci.image(b"base", b"own", docker=docker, Env=["A=1"])
    acr.client.push(content, "team/image", "1")
    image = reader.image(acr.reference("team/image:1"))
    assert image is not None
    assert (image.digest, image.media_type) == (content.digest, content.media_type)
    (platform,) = image.platforms
    assert platform.platform == "linux/amd64"
    assert platform.digest == content.digest
    assert platform.diff_ids == (oci.digest_of(b"base"), oci.digest_of(b"own"))
    assert platform.config["config"] == {"Env": ["A=1"]}


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_index_has_its_platforms_but_no_attestations(acr: Acr, reader: Registry, docker: bool) -> None:
    one = oci.image(b"base", b"amd", docker=docker)
    two = oci.image(b"base", b"arm", platform="linux/arm64/v8", docker=docker)
    content = oci.index(one, two, oci.attestation(one), docker=docker)
    acr.client.push(content, "team/index", "1")
    image = reader.image(acr.reference("team/index:1"))
    assert image is not None
    assert (image.digest, image.media_type) == (content.digest, content.media_type)
    assert [(each.platform, each.digest) for each in image.platforms] == [
        ("linux/amd64", one.digest),
        ("linux/arm64", two.digest),
    ]
    base = oci.index(oci.image(b"base"), oci.image(b"base", platform="linux/arm64"))
    acr.client.push(base, "team/base", "1")
    below = reader.image(acr.reference("team/base:1"))
    assert below is not None
    assert prove(image, below).proven


@pytest.mark.parametrize("several", [False, True], ids=["image", "index"])
def test_promote_keeps_the_bytes_and_may_be_repeated(acr: Acr, registry: AcrRegistry, several: bool) -> None:
    one, two = oci.image(b"x"), oci.image(b"y", platform="linux/arm64")
    content = oci.index(one, two) if several else one
    repository = f"team/promote-{several}".lower()
    acr.client.push(content, repository, "candidate")
    candidate = acr.reference(f"{repository}@{content.digest}")
    for _ in range(2):
        registry.promote(candidate, ["1", "1.0", "stable"])
        for tag in ("1", "1.0", "stable"):
            answer = acr.client.manifest(repository, tag)
            assert answer.content == content.manifest
            assert answer.headers["Content-Type"] == content.media_type
    assert sorted(acr.client.tags(repository)) == ["1", "1.0", "candidate", "stable"]


def test_promote_of_what_is_gone_or_not_a_digest(acr: Acr, registry: AcrRegistry) -> None:
    acr.client.push(oci.image(b"one"), "team/gone", "1")
    with pytest.raises(NotFoundError, match="no longer in the registry"):
        registry.promote(acr.reference("team/gone@sha256:" + "0" * 64), ["2"])
    with pytest.raises(PermanentError, match="only a digest is promoted"):
        registry.promote(acr.reference("team/gone:1"), ["2"])
    assert acr.client.tags("team/gone") == ["1"]


def test_promote_to_a_locked_tag(acr: Acr, registry: AcrRegistry) -> None:
    old, new = oci.image(b"old"), oci.image(b"new")
    acr.client.push(old, "team/locked", "1")
    acr.client.push(new, "team/locked", "candidate")
    assert acr.client.call("PATCH", "/acr/v1/team/locked/_tags/1", json={"writeEnabled": False}).status_code == 200
    with pytest.raises(PermanentError, match="405: the tag or the repository is locked"):
        registry.promote(acr.reference(f"team/locked@{new.digest}"), ["1"])
    assert registry.digest(acr.reference("team/locked:1")) == old.digest


def test_what_is_no_image(acr: Acr, reader: Registry) -> None:
    blob = b"{}"
    document = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": oci.digest_of(blob), "size": 2},
        "layers": [],
    }
    artifact = oci.Content(manifest=oci.encode(document), media_type=oci.OCI_MANIFEST, blobs=(blob,))
    acr.client.push(artifact, "team/artifact", "1")
    with pytest.raises(PermanentError, match="is not a container image"):
        reader.image(acr.reference("team/artifact:1"))


def test_tokens_are_kept_and_replaced_when_refused(acr: Acr, tmp_path: Path) -> None:
    """The second call needs no exchange; a registry that forgot its tokens gets a new login, not an error."""
    acr.client.push(oci.image(b"one"), "team/tokens", "1")
    credential = Counting(acr)
    with contextlib.closing(AcrRegistry(credential, everybody)) as adapter:
        for _ in range(5):
            assert adapter.digest(acr.reference("team/tokens:1"))
        assert credential.asked == 1
        acr.registry._auth._key = b"another key, thirty-two bytes or so"
        assert adapter.digest(acr.reference("team/tokens:1"))
        assert credential.asked == 2


class Counting(Credential):
    def __init__(self, acr: Acr) -> None:
        super().__init__(acr.identity)
        self.asked = 0

    def get_token(self, *scopes: str, **rest: object) -> AccessToken:
        self.asked += 1
        return super().get_token(*scopes, **rest)


def test_threads_share_one_adapter(acr: Acr, registry: AcrRegistry) -> None:
    content = oci.image(b"one")
    acr.client.push(content, "team/threads", "candidate")
    candidate = acr.reference(f"team/threads@{content.digest}")
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(registry.promote, candidate, [f"t{number}"]) for number in range(16)]:
            done.result()
    assert len(acr.client.tags("team/threads")) == 17


def test_wrong_credential(acr: Acr) -> None:
    said = "answered 401; give the identity the roles AcrPull and AcrPush"
    with (
        contextlib.closing(AcrRegistry(Credential(None), everybody)) as adapter,
        pytest.raises(PermanentError, match=said),
    ):
        adapter.digest(acr.reference("team/any:1"))


def test_nobody_listens(registry: AcrRegistry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(TemporaryError, match="did not answer"):
        registry.digest(Reference.parse(f"localhost:{port}/team/any:1"))


def test_a_registry_that_hangs(acr: Acr) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(1)
        return web.Response(status=500)

    port = acr.servers.serve(lambda: serving(hang))
    hurried = AcrRegistry(Credential(acr.identity), everybody, read_seconds=0.2)
    with contextlib.closing(hurried), pytest.raises(TemporaryError, match="did not answer"):
        hurried.digest(Reference.parse(f"localhost:{port}/team/any:1"))


def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    return app


def test_registry_down_behind_its_front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as acr, contextlib.closing(AcrRegistry(Credential(acr.identity), everybody)) as adapter:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(acr.certificates.ca))
        acr.client.push(oci.image(b"one"), "team/down", "1")
        acr.registry.close()
        with pytest.raises(TemporaryError, match="answered 503") as caught:
            adapter.digest(acr.reference("team/down:1"))
        assert caught.value.delay == 2.0


class Scripted:
    """A registry that answers every request with the same status."""

    def __init__(self, status: int, **headers: str) -> None:
        self.status, self.headers = status, headers
        self.requests = 0
        self.lock = threading.Lock()

    async def answer(self, _: web.Request) -> web.Response:
        with self.lock:
            self.requests += 1
        return web.Response(status=self.status, headers=self.headers, text=json.dumps({"errors": []}))


@pytest.mark.parametrize(
    ("status", "headers", "error", "delay"),
    [
        (429, {"Retry-After": "17"}, TemporaryError, 17.0),
        (429, {}, TemporaryError, 5.0),
        (500, {}, TemporaryError, 5.0),
        (503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, TemporaryError, 1.0),
        (503, {"Retry-After": "soon"}, TemporaryError, 5.0),
        (403, {}, PermanentError, None),
        (400, {}, PermanentError, None),
    ],
)
def test_errors_and_one_try_each(
    acr: Acr,
    registry: AcrRegistry,
    status: int,
    headers: dict[str, str],
    error: type[Exception],
    delay: float | None,
) -> None:
    scripted = Scripted(status, **headers)
    port = acr.servers.serve(lambda: serving(scripted.answer))
    with pytest.raises(error, match=f"localhost:{port}/team/any:1: the registry answered {status}") as caught:
        registry.digest(Reference.parse(f"localhost:{port}/team/any:1"))
    assert type(caught.value) is error
    assert getattr(caught.value, "delay", None) == delay
    assert scripted.requests == 1


def test_a_registry_that_is_not_acr(acr: Acr, registry: AcrRegistry) -> None:
    """Elsewhere the SDK's exchange of tokens is a 404, which must not read as `no such image`."""

    async def challenge(request: web.Request) -> web.Response:
        if request.path.startswith("/oauth2/"):
            return web.Response(status=404)
        value = 'Bearer realm="https://auth.example.com/token",service="example",scope="repository:a:pull"'
        return web.Response(status=401, headers={"WWW-Authenticate": value})

    port = acr.servers.serve(lambda: serving(challenge))
    with pytest.raises(PermanentError, match="not an Azure container registry"):
        registry.digest(Reference.parse(f"localhost:{port}/team/any:1"))


def blob_server(acr: Acr, blobs: dict[str, bytes], seen: list[str | None]) -> int:
    """Where ACR keeps blobs: another host, which must not see the token. The SDK asks it for ranges."""

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        content = blobs[request.path.rpartition("/")[2]]
        headers = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}"}
        return web.Response(status=206, body=content, headers=headers)

    return acr.servers.serve(lambda: serving(answer))


def image_server(acr: Acr, content: oci.Content, blobs: dict[str, bytes], seen: list[str | None]) -> int:
    """A registry that holds one image, and redirects for its blobs."""
    storage = blob_server(acr, blobs, seen)

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/oauth2/"):
            return web.json_response({"refresh_token": "a.e30.b", "access_token": "token"})
        if request.headers.get("Authorization") != "Bearer token":
            value = 'Bearer realm="https://x/oauth2/token",service="x",scope="repository:a:pull"'
            return web.Response(status=401, headers={"WWW-Authenticate": value})
        if "/blobs/" in request.path:
            raise web.HTTPTemporaryRedirect(f"https://localhost:{storage}/{request.path.rpartition('/')[2]}")
        headers = {"Content-Type": content.media_type, "Docker-Content-Digest": content.digest}
        return web.Response(body=content.manifest, headers=headers)

    return acr.servers.serve(lambda: serving(answer))


def test_blobs_come_from_another_host_which_sees_no_token(acr: Acr, registry: AcrRegistry) -> None:
    content = oci.image(b"base", b"own")
    config, seen = content.blobs[0], list[str | None]()
    port = image_server(acr, content, {oci.digest_of(config): config}, seen)
    for _ in range(2):
        image = registry.image(Reference.parse(f"localhost:{port}/a:1"))
        assert image is not None
        assert image.platforms[0].diff_ids == (oci.digest_of(b"base"), oci.digest_of(b"own"))
    assert seen == [None, None]


def test_a_config_that_is_not_what_the_manifest_names(acr: Acr, registry: AcrRegistry) -> None:
    content = oci.image(b"base")
    port = image_server(acr, content, {oci.digest_of(content.blobs[0]): b'{"os": "linux"}'}, [])
    with pytest.raises(TemporaryError, match="does not have the digest it should have"):
        registry.image(Reference.parse(f"localhost:{port}/a:1"))


def test_a_manifest_that_is_not_what_its_digest_says(acr: Acr, registry: AcrRegistry) -> None:
    port = image_server(acr, oci.image(b"base"), {}, [])
    with pytest.raises(TemporaryError, match="does not have the digest it should have"):
        registry.digest(Reference.parse(f"localhost:{port}/a@sha256:{'0' * 64}"))


def test_a_web_site(acr: Acr, registry: AcrRegistry) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    port = acr.servers.serve(lambda: serving(page))
    with pytest.raises(PermanentError, match="not what ACR gives"):
        registry.digest(Reference.parse(f"localhost:{port}/a:1"))


def test_an_index_whose_child_is_gone(acr: Acr, registry: AcrRegistry) -> None:
    child = oci.image(b"gone")
    acr.client.push(oci.index(child), "team/orphan", "1")
    assert acr.client.call("DELETE", f"/v2/team/orphan/manifests/{child.digest}").status_code == 202
    with pytest.raises(PermanentError, match=f"{child.digest}: the index names it"):
        registry.image(acr.reference("team/orphan:1"))


def test_a_config_that_is_gone(acr: Acr, registry: AcrRegistry) -> None:
    content = oci.image(b"config is gone")
    acr.client.push(content, "team/half", "1")
    gone = oci.digest_of(content.blobs[0])
    assert acr.client.call("DELETE", f"/v2/team/half/blobs/{gone}").status_code == 202
    with pytest.raises(PermanentError, match=f"{gone}: the manifest of .* names it, but it is missing"):
        registry.image(acr.reference("team/half:1"))


def test_no_token_to_be_had(acr: Acr) -> None:
    """An identity endpoint that is away is not a refusal."""

    class Unlucky(Credential):
        def get_token(self, *scopes: str, **_: object) -> AccessToken:
            raise CredentialUnavailableError("no identity here")

    adapter = AcrRegistry(Unlucky(None), everybody)
    with contextlib.closing(adapter), pytest.raises(TemporaryError, match="no token for the registry"):
        adapter.digest(acr.reference("team/any:1"))


def test_neither_tag_nor_digest(acr: Acr, registry: AcrRegistry) -> None:
    with pytest.raises(PermanentError, match="neither a tag nor a digest"):
        registry.digest(Reference(registry=acr.registry.login_server, repository="team/any"))
