"""Azure Container Registry through its SDK.

Digests are read from the manifests themselves (`/v2/`), not from ACR's metadata API: that is what a pull gets, it
needs no more than the right to pull, and the SDK checks the content against the digest. A manifest is promoted as
the very bytes that were scanned, so its digest stays.

Retries are the caller's: the queues deliver again, with the delay that the registry asked for. Trust in TLS comes
from REQUESTS_CA_BUNDLE where it is set.
"""

import io
import logging
import threading
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from azure.containerregistry import ArtifactManifestOrder, ArtifactTagOrder
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.transport import RequestsTransport

from graph.reference import Reference
from groundswell.errors import NotFoundError, PermanentError
from groundswell.registry import assembly
from groundswell.registry.acr_artifacts import AcrArtifacts, Client
from groundswell.registry.acr_errors import translated
from groundswell.registry.acr_tokens import TokenCache
from groundswell.registry.assembly import Manifest
from groundswell.registry.inherit import NotRebasableError
from groundswell.registry.login import DockerLogin
from groundswell.registry.manifests import INDEXES, MANIFESTS, Descriptor
from groundswell.registry.port import Image, NotAnImageError, Tag
from groundswell.registry.rebasing import Write, carry_out
from groundswell.registry.sharing import Sharing
from groundswell.registry.trust import Trust

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
READ_SECONDS = 20


class AcrRegistry:
    """The Registry port on any number of login servers. Safe to share between threads."""

    def __init__(self, credential: "TokenCredential", trust: Trust, *, read_seconds: float = READ_SECONDS) -> None:
        self._credential = credential
        self._trust = trust
        self._read_seconds = read_seconds
        self._clients: dict[str, Client] = {}
        self._lock = threading.Lock()
        self._sharing = Sharing(DockerLogin(credential, trust))

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def artifacts(self) -> AcrArtifacts:
        """What is beside the images of the same registries, over the same connections."""
        return AcrArtifacts(find=self._find, blob=self._blob, client=self._client)

    def digest(self, reference: Reference) -> str | None:
        """See `Registry.digest`. A reference with a digest answers whether the registry has that digest."""
        manifest = self._find(reference)
        return manifest.digest if manifest else None

    def image(self, reference: Reference) -> Image | None:
        """See `Registry.image`."""
        return assembly.assemble(reference, self._find, self._blob)

    def provenance(self, attestation: Reference) -> tuple[Mapping[str, Any], ...]:
        """See `Registry.provenance`."""
        return assembly.provenance(attestation, self._find, self._blob)

    def repositories(self, registry: str) -> tuple[str, ...]:
        """See `Registry.repositories`."""
        with translated(f"{registry}, its list of repositories"):
            return tuple(self._client(registry).list_repository_names())

    def tagged(self, registry: str, repository: str) -> tuple[Tag, ...]:
        """See `Registry.tagged`."""
        with translated(f"{registry}/{repository}, its list of tags"):
            found = self._client(registry).list_tag_properties(
                repository, order_by=ArtifactTagOrder.LAST_UPDATED_ON_DESCENDING
            )
            return tuple(Tag(name=str(tag.name), digest=str(tag.digest)) for tag in found)

    def untagged(self, registry: str, repository: str, limit: int) -> tuple[str, ...]:
        """See `Registry.untagged`."""
        with translated(f"{registry}/{repository}, its list of manifests"):
            found = self._client(registry).list_manifest_properties(
                repository, order_by=ArtifactManifestOrder.LAST_UPDATED_ON_DESCENDING
            )
            return tuple(islice((str(manifest.digest) for manifest in found if not manifest.tags), limit))

    def promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        """See `Registry.promote`."""
        if candidate.digest is None:
            raise PermanentError(f"{candidate} has no digest: only a digest is promoted, because tags move")
        manifest = self._find(candidate)
        if manifest is None:
            raise NotFoundError(f"{candidate} is no longer in the registry; replay from build")
        client = self._client(candidate.registry)
        for tag in tags:
            promoted = candidate.with_tag(tag)
            with translated(str(promoted)):
                digest = client.set_manifest(
                    candidate.repository, io.BytesIO(manifest.content), tag=tag, media_type=manifest.media_type
                )
            if digest != candidate.digest:
                raise PermanentError(f"{promoted}: the registry stored {digest} instead")
            _logger.info("promoted", extra={"reference": str(promoted), "digest": digest})

    def rebase(self, image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        """See `Registry.rebase`. Bases on other login servers are refused: layers are shared within one."""
        if {old.registry, new.registry} != {image.registry}:
            raise NotRebasableError(f"its base {new.without_digest()} is in another registry than {image.registry}")
        client, repository = self._client(image.registry), image.repository

        def upload(content: bytes) -> None:
            with translated(f"{image.registry}/{repository}, an image config"):
                client.upload_blob(repository, io.BytesIO(content))

        def put(content: bytes, media_type: str, under: str | None) -> str:
            with translated(str(image.without_digest().with_tag(under or tag))):
                return client.set_manifest(repository, io.BytesIO(content), tag=under, media_type=media_type)

        digest = carry_out(
            image,
            old=old,
            new=new,
            tag=tag,
            find=self._find,
            blob=self._blob,
            write=Write(
                share=lambda layers: self._sharing.share(
                    image.registry, layers, source=new.repository, target=repository
                ),
                blob=upload,
                put=put,
            ),
        )
        _logger.info(
            "rebased",
            extra={"reference": str(image.without_digest().with_tag(tag)), "base": str(new), "digest": digest},
        )
        return digest

    def untag(self, reference: Reference) -> None:
        """See `Registry.untag`. Needs the role AcrDelete."""
        if reference.tag is None or reference.digest is not None:
            raise PermanentError(f"{reference} is not a tag: only tags are taken away, never what they point at")
        with translated(str(reference), roles="AcrPull, AcrPush and AcrDelete"):
            self._client(reference.registry).delete_tag(reference.repository, reference.tag)
        _logger.info("untagged", extra={"reference": str(reference)})

    def _find(self, reference: Reference) -> Manifest | None:
        """The manifest, or None where the registry has no such repository, tag or digest."""
        wanted = reference.digest or reference.tag
        if wanted is None:
            raise PermanentError(f"{reference} has neither a tag nor a digest")
        taken: list[bytes] = []

        def keep(response: "PipelineResponse[Any, Any]") -> None:
            # The SDK gives the parsed document only; the bytes are what the digest is of.
            taken[:] = [response.http_response.body()]

        try:
            with translated(str(reference)):
                result = self._client(reference.registry).get_manifest(
                    reference.repository, wanted, raw_response_hook=keep
                )
        except NotFoundError:
            return None
        media_type = str(result.media_type).partition(";")[0].strip()
        if media_type not in INDEXES | MANIFESTS:
            raise NotAnImageError(f"{reference} is a {media_type}, which is neither an image nor an index")
        return Manifest(digest=str(result.digest), media_type=media_type, content=taken[0])

    def _blob(self, reference: Reference, blob: Descriptor, limit: int) -> bytes:
        """A blob that the manifest of `reference` names; the SDK checks its digest when the last chunk is read."""
        subject = f"{reference.registry}/{reference.repository}@{blob.digest}"
        content = bytearray()
        try:
            with (
                translated(subject),
                self._client(reference.registry).download_blob(reference.repository, blob.digest) as chunks,
            ):
                for chunk in chunks:
                    content += chunk
                    if len(content) > limit:
                        raise PermanentError(f"{subject}: more than the {limit} bytes allowed")
        except NotFoundError as exc:
            raise PermanentError(f"{subject}: the manifest of {reference} names it, but it is missing") from exc
        return bytes(content)

    def _client(self, registry: str) -> Client:
        self._trust(registry)
        with self._lock:
            client = self._clients.get(registry)
            if client is None:
                client = self._clients[registry] = self._connect(registry)
            return client

    def _connect(self, registry: str) -> Client:
        # One transport for the calls and for the SDK's second client, which fetches the tokens: one pool of
        # connections, and one thing to close.
        transport = RequestsTransport(connection_timeout=CONNECT_SECONDS, read_timeout=self._read_seconds)
        transport.open()
        return Client(
            f"https://{registry}",
            self._credential,
            transport=transport,
            retry_total=0,
            per_call_policies=[TokenCache()],
        )
