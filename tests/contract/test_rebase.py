"""Rebasing in a registry: docker-registry behind the ACR look-alike, images of buildah's among them."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from graph.reference import Reference
from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.chain import prove, same_content
from groundswell.registry.inherit import BASE_DIGEST, BASE_NAME, NotRebasableError
from groundswell.registry.login import DockerLogin
from groundswell.registry.port import Image
from groundswell.registry.sharing import Sharing
from tests.support import oci
from tests.support.acr import Acr, Credential, everybody, running
from tests.support.buildah import Buildah

pytestmark = pytest.mark.stack
TAG = "gs-0000aa-0123456789-1"


@pytest.fixture(scope="module")
def acr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    with running(tmp_path_factory.mktemp("acr")) as started, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(started.certificates.ca))
        yield started


@pytest.fixture(scope="module")
def registry(acr: Acr) -> Iterator[AcrRegistry]:
    with contextlib.closing(AcrRegistry(Credential(acr.identity), everybody)) as adapter:
        yield adapter


@pytest.fixture(scope="module")
def buildah(acr: Acr, tmp_path_factory: pytest.TempPathFactory) -> Buildah:
    return Buildah.make(tmp_path_factory.mktemp("buildah") / "b", acr.registry.login_server, acr.certificates.ca)


def at(acr: Acr, name: str, digest: str) -> Reference:
    return acr.reference(name).with_digest(digest)


def read(registry: AcrRegistry, reference: Reference) -> Image:
    image = registry.image(reference)
    assert image is not None
    return image


def document(acr: Acr, repository: str, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = acr.client.manifest(repository, reference).json()
    return found


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
@pytest.mark.parametrize("home", ["bases/swap", "team/swap"], ids=["another repository", "the same repository"])
def test_an_image_gets_the_layers_of_the_new_base(acr: Acr, registry: AcrRegistry, docker: bool, home: str) -> None:
    marker = f"{home} {docker}".encode()
    old = acr.client.push(oci.image(marker + b" old", Env=["V=1"], Cmd=["sh"]), home, "b")
    image = oci.image(marker + b" old", b"own", docker=docker, Env=["V=1", "OWN=x"], Cmd=["run"])
    own = acr.client.push(image, "team/swap", "1")
    base = oci.image(marker + b" new", b"and more", Env=["V=2", "W=3"], User="", StopSignal="SIGINT")
    new = acr.client.push(base, home, "b")

    def run() -> str:
        return registry.rebase(
            at(acr, "team/swap", own), old=at(acr, home, old), new=at(acr, f"{home}:b", new), tag=TAG
        )

    digest = run()
    rebased, now = read(registry, acr.reference(f"team/swap:{TAG}")), read(registry, acr.reference(f"{home}:b"))
    assert (rebased.digest, rebased.media_type) == (digest, image.media_type)
    assert prove(rebased, now).proven
    (platform,) = rebased.platforms
    assert platform.diff_ids == tuple(map(oci.digest_of, (marker + b" new", b"and more", b"own")))
    assert platform.config["config"] == {"Env": ["V=2", "W=3", "OWN=x"], "Cmd": ["run"], "StopSignal": "SIGINT"}
    told = {} if docker else {BASE_NAME: str(acr.reference(f"{home}:b")), BASE_DIGEST: new}
    assert rebased.annotations == told
    for layer in document(acr, "team/swap", TAG)["layers"]:
        assert acr.client.call("GET", f"/v2/team/swap/blobs/{layer['digest']}").status_code == 200
        assert layer["mediaType"] == (oci.DOCKER_LAYER if docker else oci.OCI_LAYER)
    assert registry.digest(acr.reference("team/swap:1")) == own
    assert run() == digest


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_every_platform_of_an_index(acr: Acr, registry: AcrRegistry, docker: bool) -> None:
    repository = f"team/index-{docker}".lower()

    def layered(*layers: bytes, docker: bool = False) -> tuple[oci.Content, oci.Content]:
        amd, arm = "linux/amd64", "linux/arm64/v8"
        one = oci.image(*(b"amd " + each for each in layers), platform=amd, docker=docker)
        return one, oci.image(*(b"arm " + each for each in layers), platform=arm, docker=docker)

    old = acr.client.push(oci.index(*layered(b"old")), "bases/many", "b")
    one, two = layered(b"old", b"own", docker=docker)
    own = acr.client.push(oci.index(one, two, oci.attestation(one), docker=docker), repository, "1")
    extra = oci.image(b"s390x new", platform="linux/s390x")
    new = acr.client.push(oci.index(extra, *reversed(layered(b"new"))), "bases/many", "b")
    image, below, above = (
        at(acr, repository, own),
        at(acr, "bases/many", old),
        at(acr, "bases/many:b", new),
    )
    digest = registry.rebase(image, old=below, new=above, tag=TAG)
    rebased = read(registry, acr.reference(f"{repository}:{TAG}"))
    assert rebased.digest == digest
    assert prove(rebased, read(registry, above)).proven
    assert [platform.platform for platform in rebased.platforms] == ["linux/amd64", "linux/arm64"]
    assert rebased.attestations == ()
    assert [tag for tag in acr.client.tags(repository) if tag != "1"] == [TAG]
    registry.promote(at(acr, repository, digest), ["1"])
    assert acr.client.manifest(repository, "1").content == acr.client.manifest(repository, TAG).content


def test_a_platform_that_the_new_base_does_not_have(acr: Acr, registry: AcrRegistry) -> None:
    arm = "linux/arm64"
    old = acr.client.push(oci.index(oci.image(b"a"), oci.image(b"b", platform=arm)), "bases/half", "b")
    pair = oci.index(oci.image(b"a", b"own"), oci.image(b"b", b"own", platform=arm))
    own = acr.client.push(pair, "team/half", "1")
    new = acr.client.push(oci.image(b"c"), "bases/half", "b")
    with pytest.raises(NotRebasableError, match=r"the base .* has no images for linux/arm64"):
        registry.rebase(
            at(acr, "team/half", own), old=at(acr, "bases/half", old), new=at(acr, "bases/half:b", new), tag=TAG
        )
    assert acr.client.tags("team/half") == ["1"]


def test_an_index_of_nothing_but_attestations(acr: Acr, registry: AcrRegistry) -> None:
    base = acr.client.push(oci.image(b"a"), "bases/none", "b")
    own = acr.client.push(oci.index(oci.attestation(oci.image(b"a"))), "team/none", "1")
    at_base = at(acr, "bases/none:b", base)
    with pytest.raises(NotRebasableError, match="has no platform"):
        registry.rebase(at(acr, "team/none", own), old=at_base, new=at_base, tag=TAG)


def test_a_base_that_is_gone_or_elsewhere(acr: Acr, registry: AcrRegistry) -> None:
    base = acr.client.push(oci.image(b"a"), "bases/gone", "b")
    own = acr.client.push(oci.image(b"a", b"own"), "team/gone", "1")
    image, there = at(acr, "team/gone", own), at(acr, "bases/gone:b", base)
    with pytest.raises(NotRebasableError, match=r"bases/gone:latest@sha256:0+ is not in its registry any more"):
        registry.rebase(image, old=at(acr, "bases/gone", "sha256:" + "0" * 64), new=there, tag=TAG)
    elsewhere = Reference.parse(f"docker.io/library/debian:12@{base}")
    with pytest.raises(NotRebasableError, match=r"its base docker.io/library/debian:12 is in another registry"):
        registry.rebase(image, old=elsewhere, new=elsewhere, tag=TAG)
    index = oci.index(oci.image(b"a lost one"))
    lost = acr.client.push(index, "bases/gone", "i")
    child = index.children[0].digest
    assert acr.client.call("DELETE", f"/v2/bases/gone/manifests/{child}").status_code == 202
    with pytest.raises(PermanentError, match=f"{child}: the index names it, but the registry does not have it"):
        registry.rebase(image, old=at(acr, "bases/gone", lost), new=there, tag=TAG)


BASE = (
    'FROM scratch\nCOPY file /etc/release\nENV RELEASE={release} SET=base\nLABEL release={release}\nCMD ["/sh"]\n'
)
APP = 'FROM {registry}/bases/os:12\nCOPY file /app\nENV SET=app OWN=1\nEXPOSE 8080\nUSER 1000\nCMD ["/app"]\n'


def test_buildahs_images_come_out_as_it_builds_them_itself(
    acr: Acr, registry: AcrRegistry, buildah: Buildah
) -> None:
    """With fixed times a build on the new base has the very content that the rebase has."""
    fixed = "--timestamp=1767225600"
    buildah.build("bases/os:12", BASE.replace("{release}", "old"), fixed, files={"file": "old"})
    old = registry.digest(acr.reference("bases/os:12")) or ""
    buildah.build("team/built:1", APP, fixed, files={"file": "app"})
    own = registry.digest(acr.reference("team/built:1")) or ""
    buildah.build("bases/os:12", BASE.replace("{release}", "new"), fixed, files={"file": "new"})
    new = registry.digest(acr.reference("bases/os:12")) or ""
    digest = registry.rebase(
        at(acr, "team/built", own), old=at(acr, "bases/os", old), new=at(acr, "bases/os:12", new), tag=TAG
    )
    buildah.build("team/built:2", APP, fixed, files={"file": "app"})
    rebased, rebuilt = (read(registry, acr.reference(f"team/built:{tag}")) for tag in (TAG, "2"))
    assert rebased.digest == digest
    assert same_content(rebased, rebuilt)
    assert rebased.platforms[0].config["config"]["Env"][-3:] == ["RELEASE=new", "SET=app", "OWN=1"]
    back = registry.rebase(
        at(acr, "team/built", digest), old=at(acr, "bases/os", new), new=at(acr, "bases/os:12", old), tag=f"{TAG}0"
    )
    assert same_content(read(registry, at(acr, "team/built", back)), read(registry, at(acr, "team/built", own)))
    # Others take it for what it is: one can build on it.
    buildah.build("team/above:1", f"FROM {{registry}}/team/built:{TAG}\nCOPY file /more\n")
    above = read(registry, acr.reference("team/above:1"))
    assert prove(above, rebased).proven


# Sharing layers.


def sharing(acr: Acr, status: int, *, token: bool = True) -> tuple[Sharing, str]:
    """A registry that gives tokens, and answers every mount alike."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/oauth2/token":
            return web.Response(text=json.dumps({"access_token": "t"} if token else {}))
        return web.Response(status=status, headers={"Retry-After": "17"})

    def application() -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", answer)
        return app

    host = f"localhost:{acr.servers.serve(application)}"
    return Sharing(lambda _: ("user", "refresh")), host


@pytest.mark.parametrize("status", [202, 401, 404])
def test_a_registry_that_does_not_share(acr: Acr, status: int) -> None:
    sharer, host = sharing(acr, status)
    with pytest.raises(NotRebasableError, match=f"does not share sha256:1 of a with b .it answered {status}"):
        sharer.share(host, ["sha256:1"], source="a", target="b")


@pytest.mark.parametrize("status", [429, 503])
def test_a_registry_that_is_busy(acr: Acr, status: int) -> None:
    sharer, host = sharing(acr, status)
    with pytest.raises(TemporaryError, match=f"the registry answered {status}") as caught:
        sharer.share(host, ["sha256:1"], source="a", target="b")
    assert caught.value.delay == 17.0


def test_a_registry_that_gives_no_token(acr: Acr) -> None:
    sharer, host = sharing(acr, 201, token=False)
    with pytest.raises(PermanentError, match="answered 200 and gave no token"):
        sharer.share(host, ["sha256:1"], source="a", target="b")


def test_a_registry_that_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    sharer = Sharing(lambda _: ("user", "refresh"))
    with pytest.raises(TemporaryError, match="did not answer"):
        sharer.share(f"localhost:{port}", ["sha256:1"], source="a", target="b")
    sharer.share(f"localhost:{port}", [], source="a", target="b")
    sharer.share(f"localhost:{port}", ["sha256:1"], source="a", target="a")


def test_a_netrc_takes_no_part(acr: Acr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """requests would let its logins take the place of our token."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    acr.client.push(oci.image(b"one"), "bases/netrc", "b")
    layer = oci.digest_of(b"one")
    sharer = Sharing(DockerLogin(Credential(acr.identity), everybody))
    sharer.share(acr.registry.login_server, [layer], source="bases/netrc", target="team/netrc")
    assert acr.client.call("GET", f"/v2/team/netrc/blobs/{layer}").status_code == 200


def test_a_layer_is_shared_only_with_who_may_read_it(acr: Acr) -> None:
    """The look-alike holds a mount to the rights of both repositories, as Distribution does."""
    acr.client.push(oci.image(b"secret"), "bases/secret", "b")
    token = acr.client.call("GET", "/oauth2/token", params={"scope": "repository:team/thief:pull,push"}).json()
    mount = {"mount": oci.digest_of(b"secret"), "from": "bases/secret"}
    place = f"https://{acr.registry.login_server}/v2/team/thief/blobs/uploads/"
    answer = acr.client.call("POST", place, params=mount, auth=_Bearer(token))
    assert answer.status_code == 401
    assert (
        'scope="repository:team/thief:pull,push repository:bases/secret:pull"' in answer.headers["WWW-Authenticate"]
    )


class _Bearer:
    def __init__(self, token: dict[str, str]) -> None:
        self._token = token["access_token"]

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


# Taking tags away.


def test_untag_leaves_what_the_tag_pointed_at(acr: Acr, registry: AcrRegistry) -> None:
    digest = acr.client.push(oci.image(b"one"), "team/untag", "1")
    acr.client.push(oci.image(b"one"), "team/untag", TAG)
    acr.client.push(oci.image(b"two"), "team/untag", "2")
    for _ in range(2):
        registry.untag(acr.reference(f"team/untag:{TAG}"))
    registry.untag(acr.reference("team/untag:1"))
    assert acr.client.tags("team/untag") == ["2"]
    assert registry.digest(at(acr, "team/untag", digest)) == digest
    for not_a_tag in (at(acr, "team/untag", digest), at(acr, "team/untag:2", digest)):
        with pytest.raises(PermanentError, match="only tags are taken away"):
            registry.untag(not_a_tag)


def test_untag_of_a_locked_tag(acr: Acr, registry: AcrRegistry) -> None:
    acr.client.push(oci.image(b"one"), "team/kept", TAG)
    path = f"/acr/v1/team/kept/_tags/{TAG}"
    assert acr.client.call("PATCH", path, json={"deleteEnabled": False}).status_code == 200
    with pytest.raises(PermanentError, match="405: the tag or the repository is locked"):
        registry.untag(acr.reference(f"team/kept:{TAG}"))
