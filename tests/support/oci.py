"""Tiny images for tests, and a plain HTTP client that pushes and reads them, apart from the product's own code."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin

import requests

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def encode(document: object) -> bytes:
    """Indented on purpose: who decodes and encodes it again gets other bytes, and another digest."""
    return json.dumps(document, indent=3).encode()


@dataclass(frozen=True, kw_only=True)
class Content:
    """A manifest or index with all that it names."""

    manifest: bytes
    media_type: str
    blobs: tuple[bytes, ...] = ()
    children: tuple["Content", ...] = ()
    platform: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    def descriptor(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": len(self.manifest),
            "platform": dict(self.platform),
        }
        return {**found, "annotations": dict(self.annotations)} if self.annotations else found


def image(
    *layers: bytes,
    platform: str = "linux/amd64",
    docker: bool = False,
    annotations: Mapping[str, str] | None = None,
    **config: Any,
) -> Content:
    """An image whose layers are uncompressed, so that a layer's digest is its diff_id."""
    names = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    document = {
        **names,
        "created": "2026-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
    }
    head = encode(document)
    kinds = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER) if docker else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
    manifest = {
        "schemaVersion": 2,
        "mediaType": kinds[0],
        "config": {"mediaType": kinds[1], "digest": digest_of(head), "size": len(head)},
        "layers": [{"mediaType": kinds[2], "digest": digest_of(each), "size": len(each)} for each in layers],
    }
    return Content(
        manifest=encode(manifest),
        media_type=kinds[0],
        blobs=(head, *layers),
        platform=names,
        annotations=annotations or {},
    )


def index(*children: Content, docker: bool = False) -> Content:
    kind = DOCKER_INDEX if docker else OCI_INDEX
    document = {"schemaVersion": 2, "mediaType": kind, "manifests": [each.descriptor() for each in children]}
    return Content(manifest=encode(document), media_type=kind, children=children)


def attestation(subject: Content) -> Content:
    """As BuildKit puts it into an index: an image by media type, for no platform."""
    return image(
        b"statement",
        platform="unknown/unknown",
        annotations={
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": subject.digest,
        },
    )


class Client:
    """Speaks the OCI distribution API with basic authentication. `trust` is a PEM file, for https."""

    def __init__(self, address: str, user: str, password: str, trust: str) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.auth = (user, password)
        self._session.verify = trust
        self._session.trust_env = False  # REQUESTS_CA_BUNDLE would go before
        self._session.headers["User-Agent"] = "tests/1.0"

    def close(self) -> None:
        self._session.close()

    def call(self, method: str, path: str, **rest: Any) -> requests.Response:
        url = urljoin(self._address, path)
        return self._session.request(method, url, timeout=30, allow_redirects=False, **rest)

    def push(self, content: Content, repository: str, tag: str | None = None) -> str:
        """Push everything, children without a tag; returns the digest."""
        for child in content.children:
            self.push(child, repository)
        for blob in content.blobs:
            self.upload(blob, repository)
        path = f"/v2/{repository}/manifests/{tag or content.digest}"
        answer = self.call("PUT", path, data=content.manifest, headers={"Content-Type": content.media_type})
        assert answer.status_code == 201, answer.text
        assert answer.headers["Docker-Content-Digest"] == content.digest
        return content.digest

    def upload(self, blob: bytes, repository: str) -> None:
        begun = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert begun.status_code == 202, begun.text
        place = begun.headers["Location"]
        assert place.startswith("/v2/")
        done = self.call("PUT", place, params={"digest": digest_of(blob)}, data=blob)
        assert done.status_code == 201, done.text

    def tags(self, repository: str) -> Sequence[str]:
        found: list[str] = self.call("GET", f"/v2/{repository}/tags/list").json()["tags"]
        return found

    def manifest(self, repository: str, reference: str) -> requests.Response:
        """Asked for with a header line for each media type, as Docker does."""
        accept = ", ".join([OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST])
        return self.call("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": accept})
