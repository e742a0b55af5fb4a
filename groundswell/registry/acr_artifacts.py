"""What is kept beside images in Azure Container Registry, over the connections of `AcrRegistry`.

ACR has the referrers API, but for registries that are encrypted with a customer-managed key: those answer 404, and
do not say OCI-Subject (Microsoft, "Manage OCI artifacts and supply chain artifacts with ORAS").
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from azure.containerregistry import ContainerRegistryClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.rest import HttpRequest, HttpResponse

from graph.reference import Reference
from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry.acr_errors import translated
from groundswell.registry.assembly import Blob, Find, Manifest
from groundswell.registry.manifests import Descriptor, json_object

MAX_LIST = 4 * 2**20
"""Bytes of one page of referrers."""
_MAX_PAGES = 20


class Client(ContainerRegistryClient):
    """The SDK's client with what it lacks."""

    def ask(self, url: str) -> HttpResponse:
        """GET `url` below the registry's address, logged in as for every other call."""
        return self._client.send_request(HttpRequest("GET", urljoin(self._endpoint, url)))

    def upload_small(self, repository: str, content: bytes) -> None:
        """Put a blob in two requests (distribution-spec, "POST then PUT"): the SDK takes three for any size."""
        blobs = self._client.container_registry_blob
        begun: list[Mapping[str, str]] = []
        blobs.start_upload(repository, cls=lambda _, __, headers: begun.append(headers))
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs.complete_upload(begun[0]["Location"], io.BytesIO(content), digest=digest)


class AcrArtifacts:
    """The Artifacts port on any number of login servers. Safe to share between threads."""

    def __init__(self, *, find: Find, blob: Blob, client: Callable[[str], Client]) -> None:
        self._find = find
        self._blob = blob
        self._client = client

    def find(self, reference: Reference) -> Manifest | None:
        """See `Artifacts.find`."""
        return self._find(reference)

    def blob(self, reference: Reference, limit: int) -> bytes:
        """See `Artifacts.blob`. The SDK checks the digest."""
        if reference.digest is None:
            raise PermanentError(f"{reference} has no digest, by which alone blobs are found")
        return self._blob(reference, Descriptor(digest=reference.digest, size=0), limit)

    def upload(self, repository: Reference, content: bytes) -> None:
        """See `Artifacts.upload`."""
        with translated(f"{repository.name}, an upload of {len(content)} bytes"):
            self._client(repository.registry).upload_small(repository.repository, content)

    def put(self, reference: Reference, content: bytes, media_type: str) -> bool:
        """See `Artifacts.put`."""
        said: list[str] = []

        def hear(response: "PipelineResponse[Any, Any]") -> None:
            said.append(response.http_response.headers.get("OCI-Subject", ""))

        with translated(str(reference)), _blobs_may_be_late(reference):
            self._client(reference.registry).set_manifest(
                reference.repository,
                io.BytesIO(content),
                tag=reference.tag,
                media_type=media_type,
                raw_response_hook=hear,
            )
        return bool(said and said[-1])

    def referrers(self, subject: Reference) -> tuple[Mapping[str, Any], ...] | None:
        """See `Artifacts.referrers`; it comes in pages."""
        what, url = f"{subject}, its referrers", f"/v2/{subject.repository}/referrers/{subject.digest}"
        found: list[Mapping[str, Any]] = []
        for _ in range(_MAX_PAGES):
            with translated(what):
                answer = self._client(subject.registry).ask(url)
                if answer.status_code == 404:
                    return None
                answer.raise_for_status()
                content = answer.read()
            if len(content) > MAX_LIST:
                raise PermanentError(f"{what}: more than the {MAX_LIST} bytes allowed")
            listed = json_object(content, what).get("manifests")
            if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
                raise PermanentError(f"{what}: the registry gave a list that is none")
            found += listed
            url = _next(answer)
            if not url:
                return tuple(found)
        raise PermanentError(f"{what}: more than {_MAX_PAGES} pages")


@contextmanager
def _blobs_may_be_late(reference: Reference) -> Iterator[None]:
    """Of a registry with replicas, one may take the manifest before it has the blobs that went to another."""
    try:
        yield
    except HttpResponseError as exc:
        if exc.status_code == 400 and exc.response is not None and "MANIFEST_BLOB_UNKNOWN" in exc.response.text():
            raise TemporaryError(f"{reference}: the registry does not have yet what was just uploaded") from exc
        raise


def _next(answer: HttpResponse) -> str:
    """The next page: only its path counts, for the token is for this registry (RFC 8288, `rel="next"`)."""
    link, _, rest = str(answer.headers.get("Link", "")).partition(">")
    if not link.startswith("<") or 'rel="next"' not in rest.replace("rel=next", 'rel="next"'):
        return ""
    parts = urlsplit(link[1:])
    return f"{parts.path}?{parts.query}" if parts.path.startswith("/v2/") else ""
