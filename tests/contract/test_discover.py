"""A registry of images built in many ways, read back through the product's own adapter.

What buildah really makes decides: the images are built and pushed as people do, and the discovery sees nothing but
the registry.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from graph.findings import Basis, Finding, Place, Sureness
from graph.lineage import EdgeKind, Lineage, Node
from graph.reference import Reference
from groundswell.errors import NotFoundError, PermanentError
from groundswell.lineage.discovery import Report, discover
from groundswell.local.push import Login, push
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.port import NotAnImageError
from tests.support import oci
from tests.support.acr import PASSWORD, USER, Acr, Credential, everybody, running
from tests.support.buildah import Buildah
from tests.support.registry import busybox

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

FROM = "FROM {registry}/"
OCI_PLAIN = "--identity-label=false"
DOCKER = "--format=docker"


@dataclass(frozen=True, kw_only=True)
class World:
    acr: Acr
    registry: AcrRegistry
    old_base: str
    report: Report

    @property
    def host(self) -> str:
        return self.acr.registry.login_server

    def full(self, name: str) -> str:
        return f"{self.host}/{name}"

    def found(self, name: str) -> tuple[Finding, ...]:
        return self.report.found[self.full(name)]

    def edges(self, name: str) -> list[tuple[str, Sureness]]:
        return [(each.base.removeprefix(f"{self.host}/"), each.sureness) for each in self.found(name)]

    def digest(self, name: str) -> str:
        repository, _, tag = name.partition(":")
        return str(self.acr.client.manifest(repository, tag).headers["Docker-Content-Digest"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("discover")
    with running(folder / "acr") as acr, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(acr.certificates.ca))
        host = acr.registry.login_server
        old_base = fill(acr, Buildah.make(folder / "buildah", host, acr.certificates.ca))
        with contextlib.closing(AcrRegistry(Credential(acr.identity), everybody)) as registry:
            report = discover(registry, host, Lineage(registered(host)))
            yield World(acr=acr, registry=registry, old_base=old_base, report=report)


def fill(acr: Acr, tool: Buildah) -> str:
    """Build everything; returns the digest that moved/base:1 had before it moved."""
    login = Login(registry=tool.registry, user=USER, password=PASSWORD, ca=acr.certificates.ca)
    base = push(busybox(), login, "base", "1")
    tool.build("plain:1", f"{FROM}base:1\nRUN echo plain >/plain\n")
    tool.retag("plain:1", "plain:stable")
    tool.build("deep/mid:1", f"{FROM}plain:1\nRUN echo mid >/mid\n")
    tool.build("deep/top:1", f"{FROM}deep/mid:1\nCOPY file /top\n", OCI_PLAIN)
    tool.build("bare:1", f"{FROM}base:1\nRUN echo bare >/bare\n", DOCKER, OCI_PLAIN)
    tool.build("bare/child:1", f"{FROM}bare:1\nRUN echo child >/child\n", DOCKER)
    tool.build("pinned:1", f"{FROM}base:1@{base}\nCOPY file /pinned\n")
    tool.build("env/layer:1", f"{FROM}base:1\nENV A=1\n")  # buildah writes an empty layer
    tool.build("env/none:1", f"{FROM}base:1\nENV B=1\n", DOCKER, "--layers")  # and here none
    tool.build("env/child:1", f"{FROM}env/none:1\nCOPY file /child\n", DOCKER)
    tool.build("env/twice:1", f"{FROM}env/none:1\nENV C=1\n", DOCKER)
    tool.build("stages:1", f"{FROM}plain:1 AS tool\n{FROM}base:1\nCOPY --from=tool /plain /copied\n")
    tool.build("squashed/oci:1", f"{FROM}plain:1\nRUN echo one >/one\n", "--squash")
    tool.build("squashed/docker:1", f"{FROM}plain:1\nRUN echo two >/two\n", "--squash", DOCKER)
    tool.build("scratch:1", "FROM scratch\nCOPY file /file\n")
    tool.build("scratch/env:1", "FROM scratch\nENV A=1\n")
    steps = ("--layers", "--no-cache", "--timestamp=1700000000")  # the same step makes the same layer
    tool.build("cached/one:1", f"{FROM}base:1\nRUN echo same >/same\n", *steps)
    tool.forget("cached/one:1")
    tool.build("cached/two:1", f"{FROM}base:1\nRUN echo same >/same\nRUN echo more >/more\n", *steps)
    arm, amd = "linux/arm64", "linux/amd64"
    tool.build_index("arch/base:1", dict.fromkeys((amd, arm), "FROM scratch\nCOPY file /base\n"))
    tool.build_index("arch/app:1", dict.fromkeys((amd, arm), f"{FROM}arch/base:1\nCOPY file /app\n"))
    half = {amd: f"{FROM}arch/base:1\nCOPY file /h\n", arm: "FROM scratch\nCOPY file /a\nCOPY file /b\n"}
    tool.build_index("arch/half:1", half)
    name = "LABEL org.opencontainers.image.base.name"
    liar = f"FROM scratch\n{name}={{registry}}/plain:1\nCOPY file /a\nCOPY file /b\n"
    tool.build("liar:1", liar, DOCKER, "--layers")
    abroad = f"FROM scratch\n{name}=debian:12\nCOPY file /a\n"
    tool.build("abroad:1", abroad, DOCKER)
    tool.build("abroad/child:1", f"{FROM}abroad:1\nCOPY file /b\n", DOCKER)  # inherits the label
    tool.build("moved/base:1", f"{FROM}base:1\nRUN echo first >/first\n")
    old_base = str(acr.client.manifest("moved/base", "1").headers["Docker-Content-Digest"])
    tool.build("moved/annotated:1", f"{FROM}moved/base:1\nCOPY file /a\n")
    tool.build("moved/registered:1", f"{FROM}moved/base:1\nCOPY file /r\n", DOCKER)
    tool.build("moved/base:1", f"{FROM}base:1\nRUN echo second >/second\n")
    tool.build("moved/rebuilt:1", f"{FROM}moved/base:1\nCOPY file /n\n")
    tool.retag("plain:1", "plain:gs-0abc-1")
    for version in ("v0.2", "v1"):
        attest(acr, version, base)
    strangers(acr)
    return old_base


def attest(acr: Acr, version: str, base: str) -> None:
    """Hang provenance onto bare/child:1, as BuildKit does: an index of the image and of an attestation manifest."""
    image = acr.client.manifest("bare/child", "1")
    config = acr.client.call("GET", f"/v2/bare/child/blobs/{image.json()['config']['digest']}").content
    layers = image.json()["layers"]
    blobs = [acr.client.call("GET", f"/v2/bare/child/blobs/{layer['digest']}").content for layer in layers]
    subject = oci.Content(
        manifest=image.content,
        media_type=image.headers["Content-Type"],
        blobs=(config, *blobs),
        platform={"os": "linux", "architecture": "amd64"},
    )
    host = acr.registry.login_server
    names = {
        f"pkg:docker/{host}/bare@1?platform=linux%2Famd64": acr.client.manifest("bare", "1"),
        f"pkg:docker/{host}/plain@1?platform=linux%2Famd64": acr.client.manifest("plain", "1"),
    }
    materials = [
        {"uri": uri, "digest": {"sha256": answer.headers["Docker-Content-Digest"].removeprefix("sha256:")}}
        for uri, answer in names.items()
    ]
    materials += [
        {"uri": "pkg:docker/golang@1.22?platform=linux%2Famd64", "digest": {"sha256": "1" * 64}},
        {"uri": "pkg:docker/docker/dockerfile@1", "digest": {"sha256": "2" * 64}},
        {"uri": "https://github.com/example/x.git#refs/heads/main", "digest": {"sha1": "3" * 40}},
    ]
    args = {"source": "docker/dockerfile:1", "cmdline": "docker/dockerfile:1"}
    predicate: dict[str, Any] = {
        "v0.2": {"materials": materials, "invocation": {"parameters": {"args": args}}},
        "v1": {
            "buildDefinition": {
                "resolvedDependencies": materials,
                "externalParameters": {"request": {"args": args}},
            }
        },
    }[version]
    kind = f"https://slsa.dev/provenance/{version}"
    acr.client.push(
        oci.index(subject, attestation(subject, kind, predicate)), f"attested/{version.replace('.', '-')}", "1"
    )


def attestation(subject: oci.Content, kind: str, predicate: dict[str, Any]) -> oci.Content:
    digests = {"sha256": subject.digest.removeprefix("sha256:")}
    statements = {
        kind: {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": kind,
            "subject": [{"name": "_", "digest": digests}],
            "predicate": predicate,
        },
        "https://spdx.dev/Document": {"predicate": {"spdxVersion": "SPDX-2.3"}},
    }
    blobs = {kind: oci.encode(statement) for kind, statement in statements.items()}
    config = oci.encode({"os": "unknown", "architecture": "unknown"})
    manifest = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": oci.OCI_CONFIG, "digest": oci.digest_of(config), "size": len(config)},
        "layers": [
            {
                "mediaType": "application/vnd.in-toto+json",
                "digest": oci.digest_of(blob),
                "size": len(blob),
                "annotations": {"in-toto.io/predicate-type": kind},
            }
            for kind, blob in blobs.items()
        ],
    }
    return oci.Content(
        manifest=oci.encode(manifest),
        media_type=oci.OCI_MANIFEST,
        blobs=(config, *blobs.values()),
        platform={"os": "unknown", "architecture": "unknown"},
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": subject.digest,
        },
    )


def strangers(acr: Acr) -> None:
    """What a registry holds besides: a chart, a signature, an image that is damaged."""
    acr.client.push(artifact("application/vnd.cncf.helm.config.v1+json", "application/x-tar"), "charts/web", "1")
    signed = artifact(oci.OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json")
    acr.client.push(signed, "plain", f"sha256-{'a' * 64}.sig")
    acr.client.push(signed, "signatures", "other-name")
    damaged = oci.image(b"its config is deleted")
    acr.client.push(damaged, "damaged", "1")
    gone = acr.client.call("DELETE", f"/v2/damaged/blobs/{oci.digest_of(damaged.blobs[0])}")
    assert gone.status_code == 202


def artifact(config: str, layer: str) -> oci.Content:
    blob = b"{}"
    descriptor = {"digest": oci.digest_of(blob), "size": len(blob)}
    document = {
        "schemaVersion": 2,
        "mediaType": oci.OCI_MANIFEST,
        "config": {"mediaType": config, **descriptor},
        "layers": [{"mediaType": layer, **descriptor}],
    }
    return oci.Content(manifest=oci.encode(document), media_type=oci.OCI_MANIFEST, blobs=(blob,))


def registered(host: str) -> list[Node]:
    def node(name: str, runtime: str | None, *build: str) -> Node:
        return Node(
            name=name,
            publishes=(f"{host}/{name}:1",),
            runtime=runtime and runtime.format(host=host),
            build=tuple(base.format(host=host) for base in build),
        )

    return [
        node("plain", "{host}/base:1"),
        node("stages", "{host}/base:1", "{host}/plain:1", "docker.io/library/golang:1.22"),
        node("attested/v1", "{host}/bare:1", "{host}/plain:1"),
        node("squashed/docker", "{host}/plain:1"),
        node("moved/registered", "{host}/moved/base:1"),
        node("bare", "{host}/deep/mid:1"),
        node("scratch", None),
        node("pinned", None),
        node("abroad", "docker.io/library/debian:12"),
        node("deep/top", "{host}/deep/never:1"),
        node("ghost", "{host}/base:1"),
    ]


PROVEN, PARTIAL, CLAIMED, DISPROVED = Sureness.PROVEN, Sureness.PARTIAL, Sureness.CLAIMED, Sureness.DISPROVED
EXPECTED = {
    "base:1": [],
    "plain:1": [("base:1", PROVEN)],
    "deep/mid:1": [("plain:1", PROVEN)],
    "deep/top:1": [("deep/mid:1", PROVEN)],
    "bare:1": [("base:1", PROVEN)],
    "bare/child:1": [("bare:1", PROVEN)],
    "pinned:1": [("base:1", PROVEN)],
    "env/layer:1": [("base:1", PROVEN)],
    "env/none:1": [("base:1", PROVEN)],
    "env/child:1": [("env/none:1", PROVEN)],
    "env/twice:1": [("env/none:1", PROVEN)],
    "stages:1": [("base:1", PROVEN)],
    "squashed/oci:1": [("plain:1", CLAIMED)],
    "squashed/docker:1": [],
    "scratch:1": [],
    "scratch/env:1": [],
    "cached/one:1": [("base:1", PROVEN)],
    "cached/two:1": [("base:1", PROVEN)],
    "arch/base:1": [],
    "arch/app:1": [("arch/base:1", PROVEN)],
    "arch/half:1": [("arch/base:1", PARTIAL)],
    "liar:1": [("plain:1", DISPROVED)],
    "abroad:1": [("docker.io/library/debian:12", CLAIMED)],
    "abroad/child:1": [("abroad:1", PROVEN)],
    "moved/base:1": [("base:1", PROVEN)],
    "moved/annotated:1": [("moved/base:1", PROVEN)],
    "moved/registered:1": [("moved/base@{old_base}", PROVEN)],
    "moved/rebuilt:1": [("moved/base:1", PROVEN)],
    "attested/v0-2:1": [("bare:1", PROVEN), ("plain:1", CLAIMED), ("docker.io/library/golang:1.22", CLAIMED)],
    "attested/v1:1": [("bare:1", PROVEN), ("plain:1", CLAIMED), ("docker.io/library/golang:1.22", CLAIMED)],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_image_stands_where_it_was_built(world: World, name: str) -> None:
    expected = [(base.format(old_base=world.old_base), sure) for base, sure in EXPECTED[name]]
    assert world.edges(name) == expected, world.found(name)


def test_nothing_else_is_found_and_every_image_is_there_once(world: World) -> None:
    assert {image.reference.removeprefix(f"{world.host}/") for image in world.report.images} == set(EXPECTED)
    counts = world.report.counts
    assert counts.images == len(EXPECTED)
    assert (counts.candidates, counts.artifacts) == (1, 3)
    plain = next(image for image in world.report.images if image.reference == world.full("plain:1"))
    assert plain.references == (world.full("plain:1"), world.full("plain:stable"))
    assert [each.subject for each in world.report.unreadable] == [world.full("damaged:1")]
    assert "it is missing" in str(world.report.unreadable[0].error)


def test_the_layers_agree(world: World) -> None:
    """Read apart from the product: a proven runtime base is one that the raw diff_ids begin with."""

    def chain(name: str) -> list[str]:
        reference = Reference.parse(world.full(name))
        answer = world.acr.client.manifest(reference.repository, str(reference.digest or reference.tag)).json()
        config = answer["config"]["digest"]
        blob = world.acr.client.call("GET", f"/v2/{reference.repository}/blobs/{config}")
        found: list[str] = blob.json()["rootfs"]["diff_ids"]
        return found

    proven = 0
    for name in EXPECTED:
        for finding in world.found(name):
            if finding.sureness is PROVEN and "arch/" not in name and "attested/" not in name:
                base = f"{finding.base.removeprefix(world.host + '/').partition(':')[0]}@{finding.base_digest}"
                below = chain(base if "@" not in finding.base else finding.base.removeprefix(f"{world.host}/"))
                assert chain(name)[: len(below)] == below, name
                proven += 1
    assert proven >= 15


def test_why(world: World) -> None:
    (squashed,) = world.found("squashed/oci:1")
    assert squashed.basis is Basis.ANNOTATION
    assert "squashed base could be in it" in squashed.why
    (twice,) = world.found("env/twice:1")
    assert twice.basis is Basis.LAYERS
    assert "its history goes on from there" in twice.why
    (half,) = world.found("arch/half:1")
    assert half.platforms == ("linux/amd64",)
    assert "differ for linux/arm64" in half.why
    (two,) = world.found("cached/two:1")  # cached/one is nearer by layers, and is not what it was built from
    assert (two.basis, two.stale) == (Basis.ANNOTATION, False)
    assert "the digest it names" in two.why  # of a step between, which buildah never pushed
    (liar,) = world.found("liar:1")
    assert "0 of 2 are there" in liar.why
    (abroad,) = world.found("abroad:1")
    assert (abroad.basis, abroad.place) == (Basis.LABEL, Place.ELSEWHERE)


def test_a_base_that_moved(world: World) -> None:
    now = world.digest("moved/base:1")
    (annotated,) = world.found("moved/annotated:1")
    assert (annotated.base_digest, annotated.current_digest, annotated.stale) == (world.old_base, now, True)
    (rebuilt,) = world.found("moved/rebuilt:1")
    assert (rebuilt.base_digest, rebuilt.stale) == (now, False)


def test_provenance(world: World) -> None:
    for name in ("attested/v0-2:1", "attested/v1:1"):
        runtime, plain, golang = world.found(name)
        assert (runtime.kind, runtime.basis) == (EdgeKind.RUNTIME, Basis.PROVENANCE)
        assert (plain.kind, plain.base_digest) == (EdgeKind.BUILD, world.digest("plain:1"))
        assert (golang.kind, golang.place) == (EdgeKind.BUILD, Place.ELSEWHERE)
        assert golang.base_digest == "sha256:" + "1" * 64


def test_differences(world: World) -> None:
    found = {
        (each.image, each.base.removeprefix(f"{world.host}/")): each for each in world.report.differences.registered
    }
    sure = {key: (each.sureness, each.stale, each.place) for key, each in found.items()}
    here, absent, elsewhere = Place.HERE, Place.ABSENT, Place.ELSEWHERE
    assert sure == {
        ("plain", "base:1"): (PROVEN, False, here),
        ("stages", "base:1"): (PROVEN, False, here),
        ("stages", "plain:1"): (CLAIMED, False, here),
        ("stages", "docker.io/library/golang:1.22"): (CLAIMED, False, elsewhere),
        ("attested/v1", "bare:1"): (PROVEN, False, here),
        ("attested/v1", "plain:1"): (CLAIMED, False, here),
        ("squashed/docker", "plain:1"): (CLAIMED, False, here),
        ("moved/registered", "moved/base:1"): (PROVEN, True, here),
        ("bare", "deep/mid:1"): (DISPROVED, False, here),
        ("pinned", "scratch"): (DISPROVED, False, here),
        ("abroad", "docker.io/library/debian:12"): (CLAIMED, False, elsewhere),
        ("deep/top", "deep/never:1"): (CLAIMED, False, absent),
    }
    assert f"they begin with those of {world.full('base:1')}" in found["bare", "deep/mid:1"].why
    assert "its provenance names it too" in found["attested/v1", "plain:1"].why
    assert world.report.differences.missing == ("ghost",)
    unregistered = {
        each.image.removeprefix(f"{world.host}/"): each for each in world.report.differences.unregistered
    }
    names = {name.removesuffix(":1") for name, edges in EXPECTED.items() if edges} - {"liar"}
    assert {name.removesuffix(":1") for name in unregistered} == names - {node.name for node in registered("x")}
    assert unregistered["deep/mid:1"].reaches
    assert not unregistered["arch/app:1"].reaches


def test_narrowed_down(world: World) -> None:
    """The base lies outside of what was asked for, and is read all the same."""
    seen: list[tuple[str, int, int]] = []
    report = discover(
        world.registry,
        world.host,
        Lineage(registered(world.host)),
        repositories=["deep/*", "plain"],
        newest=1,
        progress=lambda *step: seen.append(step),
    )
    assert [image.reference.removeprefix(f"{world.host}/") for image in report.images] == [
        "deep/mid:1",
        "deep/top:1",
        "plain:1",  # registered, so it is read whatever is newer
    ]
    assert [each.base for each in report.found[world.full("plain:1")]] == [world.full("base:1")]
    assert ("repositories", 3, 3) in seen
    assert report.differences.missing == ()
    with pytest.raises(NotFoundError, match="no repository that matches nowhere/"):
        discover(world.registry, world.host, Lineage(), repositories=["nowhere/*"])


def test_the_adapter(world: World) -> None:
    """What the Registry port promises of lists and provenance."""
    assert {"base", "deep/mid", "charts/web"} <= set(world.registry.repositories(world.host))
    tags = {tag.name: tag.digest for tag in world.registry.tagged(world.host, "plain")}
    assert tags["1"] == tags["stable"] == tags["gs-0abc-1"] == world.digest("plain:1")
    assert world.old_base in world.registry.untagged(world.host, "moved/base", 50)
    assert world.registry.untagged(world.host, "moved/base", 0) == ()
    for call in (world.registry.tagged, lambda *at: world.registry.untagged(*at, 5)):
        with pytest.raises(NotFoundError):
            call(world.host, "not/there")
    image = world.registry.image(world.acr.reference("attested/v1:1"))
    assert image is not None
    (digest,) = image.attestations
    (statement,) = world.registry.provenance(world.acr.reference("attested/v1").with_digest(digest))
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    with pytest.raises(NotFoundError, match="does not have it"):
        world.registry.provenance(world.acr.reference("attested/v1").with_digest("sha256:" + "0" * 64))
    for name in ("charts/web:1", "signatures:other-name"):
        with pytest.raises(NotAnImageError):
            world.registry.image(world.acr.reference(name))
    annotated = world.registry.image(world.acr.reference("plain:1"))
    assert annotated is not None
    (platform,) = annotated.platforms
    assert platform.annotations["org.opencontainers.image.base.name"] == world.full("base:1")


def test_a_registry_that_refuses(world: World) -> None:
    with (
        contextlib.closing(AcrRegistry(Credential(None), everybody)) as nobody,
        pytest.raises(PermanentError, match="401"),
    ):
        discover(nobody, world.host, Lineage())
