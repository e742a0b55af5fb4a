"""The contract of the Artifacts port: on ACR's look-alike with and without a list of referrers, and on the fake."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from aiohttp import web

from graph.reference import Reference
from groundswell.attest.referrers import EMPTY, Attachment, descriptor
from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.acr.referrers import subject_in
from groundswell.registry import acr_artifacts
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.artifacts import Artifacts
from groundswell.registry.manifests import OCI_MANIFEST
from tests.support import oci
from tests.support.acr import Acr, Credential, everybody, running
from tests.support.artifacts import FakeArtifacts

pytestmark = pytest.mark.stack


@dataclass(frozen=True, kw_only=True)
class Side:
    """A registry with an image in each repository that is asked for."""

    port: Artifacts
    lists: bool
    image: Callable[[str], Reference]


@pytest.fixture(scope="module", params=["listing", "not listing"])
def acr(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acr]:
    lists = request.param == "listing"
    with (
        running(tmp_path_factory.mktemp("acr"), lists_referrers=lists) as started,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", str(started.certificates.ca))
        yield started


@pytest.fixture(scope="module")
def registry(acr: Acr) -> Iterator[AcrRegistry]:
    with contextlib.closing(AcrRegistry(Credential(acr.identity), everybody)) as adapter:
        yield adapter


@pytest.fixture(params=["acr", "fake"])
def side(request: pytest.FixtureRequest, acr: Acr, registry: AcrRegistry) -> Side:
    lists = acr.lists_referrers()
    if request.param == "fake":
        digest = oci.digest_of(b"an image")
        fake = FakeArtifacts(images=lambda asked: asked == digest, lists=lists)
        return Side(port=fake, lists=lists, image=lambda name: acr.reference(f"{name}@{digest}"))

    def pushed(name: str) -> Reference:
        return acr.reference(f"{name}@{acr.client.push(oci.image(b'one'), name, '1')}")

    return Side(port=registry.artifacts(), lists=lists, image=pushed)


def attached(side: Side, image: Reference, content: bytes, **annotations: str) -> tuple[Reference, bool]:
    """Put an artifact that refers to the image; where it is, and whether the registry lists it."""
    attachment = Attachment(
        artifact_type="application/x-test", media_type="text/plain", content=content, annotations=annotations
    )
    side.port.upload(image, EMPTY)
    side.port.upload(image, content)
    manifest = attachment.manifest(descriptor(b"{}", OCI_MANIFEST) | {"digest": image.digest})
    at = Reference(registry=image.registry, repository=image.repository, tag=None, digest=oci.digest_of(manifest))
    return at, side.port.put(at, manifest, OCI_MANIFEST)


def test_what_was_uploaded_and_put_is_found_again(side: Side) -> None:
    image = side.image("beside/found")
    for _ in range(2):
        at, _listed = attached(side, image, b"content", note="one")
    found = side.port.find(at)
    assert found is not None
    assert (found.digest, found.media_type) == (at.digest, OCI_MANIFEST)
    (layer,) = json.loads(found.content)["layers"]
    assert side.port.blob(image.with_digest(layer["digest"]), 100) == b"content"


def test_what_is_not_there(side: Side) -> None:
    image = side.image("beside/missing")
    nothing = f"sha256:{'0' * 64}"
    assert side.port.find(image.with_digest(nothing)) is None
    assert side.port.find(Reference(registry=image.registry, repository=image.repository, tag="no")) is None
    with pytest.raises(PermanentError, match="missing"):
        side.port.blob(image.with_digest(nothing), 100)


def test_a_tag_is_put_and_moves(side: Side) -> None:
    image = side.image("beside/tagged")
    side.port.upload(image, EMPTY)
    tagged = Reference(registry=image.registry, repository=image.repository, tag="list", digest=None)
    for number in range(2):
        content = json.dumps(
            {"schemaVersion": 2, "mediaType": oci.OCI_INDEX, "manifests": [], "annotations": {"n": str(number)}}
        ).encode()
        assert side.port.put(tagged, content, oci.OCI_INDEX) is False
        found = side.port.find(tagged)
        assert found is not None
        assert found.content == content


def test_referrers(side: Side) -> None:
    image = side.image("beside/referred")
    assert side.port.referrers(image) == (() if side.lists else None)
    one, listed = attached(side, image, b"one", note="first")
    two, _ = attached(side, image, b"two")
    assert listed is side.lists
    found = side.port.referrers(image)
    if not side.lists:
        assert found is None
        return
    assert found is not None
    by_digest = {each["digest"]: each for each in found}
    assert set(by_digest) == {one.digest, two.digest}
    entry = by_digest[one.digest]
    assert (entry["artifactType"], entry["annotations"]) == ("application/x-test", {"note": "first"})
    manifest = side.port.find(one)
    assert manifest is not None
    assert entry["size"] == len(manifest.content)


# The adapter alone.


@pytest.mark.parametrize("acr", ["listing"], indirect=True)
def test_referrers_come_in_pages(acr: Acr, registry: AcrRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side(port=registry.artifacts(), lists=True, image=acr.reference)
    image = acr.reference(f"beside/pages@{acr.client.push(oci.image(b'p'), 'beside/pages', '1')}")
    put = {attached(side, image, str(number).encode())[0].digest for number in range(7)}
    monkeypatch.setattr(acr.registry._referrers, "_page", 3)
    assert {each["digest"] for each in side.port.referrers(image) or ()} == put
    monkeypatch.setattr(acr_artifacts, "_MAX_PAGES", 2)
    with pytest.raises(PermanentError, match="more than 2 pages"):
        side.port.referrers(image)
    monkeypatch.setattr(acr_artifacts, "MAX_LIST", 10)
    with pytest.raises(PermanentError, match="more than the 10 bytes allowed"):
        side.port.referrers(image)


def test_the_look_alike_filters_and_refuses_as_the_specification_has_it(acr: Acr) -> None:
    digest = acr.client.push(oci.image(b"filter"), "beside/filter", "1")
    path = f"/v2/beside/filter/referrers/{digest}"
    answer = acr.client.call("GET", path, params={"artifactType": "application/x-other"})
    if not acr.lists_referrers():
        assert answer.status_code == 404
        return
    assert (answer.status_code, answer.json()["manifests"]) == (200, [])
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    assert answer.headers["Content-Type"].startswith(oci.OCI_INDEX)
    assert acr.client.call("DELETE", path).status_code == 404
    assert acr.client.call("GET", "/v2/beside/filter/referrers/sha256:short").status_code == 404


@pytest.mark.parametrize(
    ("content_type", "body", "subject"),
    [
        (OCI_MANIFEST, b'{"subject": {"digest": "sha256:1"}}', "sha256:1"),
        (OCI_MANIFEST, b'{"subject": "odd"}', ""),
        (OCI_MANIFEST, b"[]", ""),
        (OCI_MANIFEST, b"{", ""),
        (oci.DOCKER_MANIFEST, b'{"subject": {"digest": "sha256:1"}}', ""),
    ],
)
def test_whose_subject_the_look_alike_notes(content_type: str, body: bytes, subject: str) -> None:
    assert subject_in(content_type, body) == subject


def answering(acr: Acr, registry: AcrRegistry, **answer: object) -> Reference:
    """An image on a registry that gives this answer to everything."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response(**answer)  # type: ignore[arg-type]  # what each test says of it

    def app() -> web.Application:
        made = web.Application()
        made.router.add_route("*", "/{rest:.*}", handle)
        return made

    return Reference.parse(f"localhost:{acr.servers.serve(app)}/team/any@sha256:{'1' * 64}")


@pytest.mark.parametrize("text", ['{"manifests": {}}', '{"manifests": ["x"]}', "{}"])
def test_a_list_that_is_none(acr: Acr, registry: AcrRegistry, text: str) -> None:
    image = answering(acr, registry, text=text)
    with pytest.raises(PermanentError, match="a list that is none"):
        registry.artifacts().referrers(image)


@pytest.mark.parametrize("link", ["</v2/x>; rel=next", '<https://evil.example/v2/x>; rel="next"'])
def test_the_next_page_is_asked_of_the_same_registry(acr: Acr, registry: AcrRegistry, link: str) -> None:
    image = answering(acr, registry, text='{"manifests": []}', headers={"Link": link})
    with pytest.raises(PermanentError, match="more than 20 pages"):
        registry.artifacts().referrers(image)


@pytest.mark.parametrize("link", ["", "</other/x>; rel=next", "</v2/x>; rel=prev", "garbage"])
def test_the_last_page(acr: Acr, registry: AcrRegistry, link: str) -> None:
    image = answering(acr, registry, text='{"manifests": []}', headers={"Link": link} if link else {})
    assert registry.artifacts().referrers(image) == ()


@pytest.mark.parametrize(
    ("code", "error"), [("MANIFEST_BLOB_UNKNOWN", TemporaryError), ("MANIFEST_INVALID", PermanentError)]
)
def test_blobs_that_are_not_there_yet(acr: Acr, registry: AcrRegistry, code: str, error: type[Exception]) -> None:
    text = json.dumps({"errors": [{"code": code, "message": "", "detail": {}}]})
    image = answering(acr, registry, status=400, text=text, content_type="application/json")
    with pytest.raises(error) as caught:
        registry.artifacts().put(image, b"{}", OCI_MANIFEST)
    assert type(caught.value) is error


def test_a_registry_in_trouble(acr: Acr, registry: AcrRegistry) -> None:
    image = answering(acr, registry, status=503, headers={"Retry-After": "7"})
    port = registry.artifacts()
    calls: list[Callable[[], object]] = [
        lambda: port.referrers(image),
        lambda: port.find(image),
        lambda: port.upload(image, b"x"),
        lambda: port.put(image, b"{}", OCI_MANIFEST),
        lambda: port.blob(image, 10),
    ]
    for call in calls:
        with pytest.raises(TemporaryError, match="the registry answered 503") as caught:
            call()
        assert caught.value.delay == 7.0
    with pytest.raises(PermanentError, match="has no digest, by which alone blobs are found"):
        port.blob(image.without_digest(), 10)
