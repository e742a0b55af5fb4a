"""Registries that are not ours, over the OCI distribution API: read only, as anybody or with a configured login.

References come from other people's Dockerfiles, so what they name must not make this server call any address: only
registries of a list are asked (ADR 9), over https, at public addresses, and what they answer is held to its limits
and its digests. How much they are asked is theirs to say: a digest is read by HEAD, which Docker Hub does not count
as a pull, with If-None-Match where an ETag is known, and a registry that wants a pause gets it.
"""

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

from graph.reference import Reference
from groundswell import clock
from groundswell.errors import PermanentError, TemporaryError
from groundswell.registry import assembly, retry_after
from groundswell.registry.assembly import Manifest
from groundswell.registry.external_http import READ_SECONDS, WHOLE_SECONDS, Answer, Http
from groundswell.registry.external_tokens import Tokens
from groundswell.registry.manifests import INDEXES, MANIFESTS, Descriptor, json_object
from groundswell.registry.pauses import LONGEST, Pauses
from groundswell.registry.port import Image, NotAllowedError, NotAnImageError, Tag
from groundswell.settings import ExternalRegistry as Login

PUBLIC = frozenset(
    {"docker.io", "gcr.io", "ghcr.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io", "registry.k8s.io"}
)
"""Asked without being named in the settings."""

MAX_MANIFEST = 4 * 2**20
"""Bytes; the distribution specification has registries take manifests of up to 4 MiB."""

_HOSTS = {"docker.io": "registry-1.docker.io"}
_ACCEPT = ", ".join(sorted(INDEXES | MANIFESTS))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_DELAY = 5.0
_MAX_ETAGS = 10_000
_MAX_IMAGES = 64


class ExternalRegistry:
    """The Registry port, as far as reading goes. Safe to share between threads.

    `logins` are registries that may be asked besides PUBLIC, with how to log in.
    """

    def __init__(
        self,
        logins: Mapping[str, Login],
        *,
        now: clock.Clock = clock.now,
        read_seconds: float = READ_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self._logins = logins
        self._pauses = Pauses(now)
        self._tokens = Tokens(logins, self._pauses, now)
        self._public = Http(private=False, read_seconds=read_seconds, whole_seconds=whole_seconds)
        self._private = Http(private=True, read_seconds=read_seconds, whole_seconds=whole_seconds)
        self._etags: dict[str, tuple[str, str]] = {}
        self._images: OrderedDict[tuple[str, str, str], Image] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._public.close()
        self._private.close()

    def digest(self, reference: Reference) -> str | None:
        """See `Registry.digest`. A reference with a digest answers whether the registry has that digest."""
        url = _manifest_url(reference)
        with self._lock:
            etag, before = self._etags.get(url, ("", ""))
        answer = self._ask("HEAD", url, reference, etag=etag)
        if answer is not None and answer.status == 200 and "Docker-Content-Digest" not in answer.headers:
            # The header is the registry's to leave out (distribution-spec, "Pulling manifests").
            answer = self._ask("GET", url, reference, etag=etag)
        if answer is None:
            return None
        if answer.status == 304:
            return before
        found = answer.headers.get("Docker-Content-Digest", "") or _digest_of(answer.body, "", str(reference))
        _check(found, reference)
        if new := answer.headers.get("ETag"):
            with self._lock:
                if len(self._etags) >= _MAX_ETAGS:
                    self._etags.clear()
                self._etags[url] = (new, found)
        return found

    def image(self, reference: Reference) -> Image | None:
        """See `Registry.image`. What a digest names stays the same, so the last few images are not read again."""
        digest = reference.digest or self.digest(reference)
        if digest is None:
            return None
        key = (reference.registry, reference.repository, digest)
        with self._lock:
            if (known := self._images.get(key)) is not None:
                self._images.move_to_end(key)
                return known
        image = assembly.assemble(reference.with_digest(digest), self._find, self._blob)
        if image is not None:
            with self._lock:
                self._images[key] = image
                if len(self._images) > _MAX_IMAGES:
                    self._images.popitem(last=False)
        return image

    def provenance(self, attestation: Reference) -> tuple[Mapping[str, Any], ...]:
        """See `Registry.provenance`."""
        return assembly.provenance(attestation, self._find, self._blob)

    def repositories(self, registry: str) -> tuple[str, ...]:
        _refuse(registry, "its repositories are not listed")

    def tagged(self, registry: str, repository: str) -> tuple[Tag, ...]:
        _refuse(f"{registry}/{repository}", "its tags are not listed")

    def untagged(self, registry: str, repository: str, limit: int) -> tuple[str, ...]:
        del limit
        _refuse(f"{registry}/{repository}", "its manifests are not listed")

    def promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        del tags
        _refuse(str(candidate), "nothing is promoted there")

    def rebase(self, image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        del old, new, tag
        _refuse(str(image), "nothing is rebased there")

    def untag(self, reference: Reference) -> None:
        _refuse(str(reference), "no tag is taken away there")

    def _find(self, reference: Reference) -> Manifest | None:
        """The manifest, checked against its digest."""
        answer = self._ask("GET", _manifest_url(reference), reference)
        if answer is None:
            return None
        wanted = reference.digest or answer.headers.get("Docker-Content-Digest", "")
        digest = _digest_of(answer.body, wanted, str(reference))
        said = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if said not in INDEXES | MANIFESTS:
            said = str(json_object(answer.body, str(reference)).get("mediaType") or said)
        if said not in INDEXES | MANIFESTS:
            raise NotAnImageError(f"{reference} is a {said}, which is neither an image nor an index")
        return Manifest(digest=digest, media_type=said, content=answer.body)

    def _blob(self, reference: Reference, blob: Descriptor, limit: int) -> bytes:
        subject = f"{reference.registry}/{reference.repository}@{blob.digest}"
        if not _DIGEST.fullmatch(blob.digest):
            raise PermanentError(f"{reference}: its manifest names a blob by {blob.digest!r}, which is no digest")
        answer = self._ask("GET", f"{_repository_url(reference)}/blobs/{blob.digest}", reference, limit=limit)
        if answer is None:
            raise PermanentError(f"{subject}: the manifest of {reference} names it, but it is missing")
        _digest_of(answer.body, blob.digest, subject)
        return answer.body

    def _ask(
        self, method: str, url: str, reference: Reference, *, etag: str = "", limit: int = MAX_MANIFEST
    ) -> Answer | None:
        """What the registry has there, None for a 404; logged in when it asks for that, once."""
        registry, subject = reference.registry, str(reference)
        login = self._logins.get(registry)
        if login is None and registry not in PUBLIC:
            raise NotAllowedError(
                f"{subject}: {registry} is not asked, for it is not among the registries that may be; "
                "if it should be, name it in GROUNDSWELL_EXTERNAL_REGISTRIES"
            )
        http = self._private if login is not None and login.private else self._public
        headers = {"Accept": _ACCEPT, "User-Agent": "groundswell"} | ({"If-None-Match": etag} if etag else {})

        def send(secret: str) -> Answer:
            self._pauses.check(registry, subject, pull=method == "GET")
            answer = http.send(method, url, headers=headers, secret=secret, limit=limit, subject=subject)
            self._pauses.heed(registry, answer.status, answer.headers)
            return answer

        answer = send(self._tokens.known(reference))
        origin = urlsplit(url).netloc
        if answer.status == 401 and urlsplit(answer.url).netloc == origin:
            said = answer.headers.get("WWW-Authenticate", "")
            answer = send(self._tokens.answer(said, reference, origin, http))
            if answer.status == 401:
                self._tokens.forget(reference)
        return _judged(answer, subject, registry, conditional=bool(etag))


def _judged(answer: Answer, subject: str, registry: str, *, conditional: bool) -> Answer | None:
    status = answer.status
    if status == 200 or (status == 304 and conditional):
        return answer
    if status == 404:
        return None
    said = f"{subject}: the registry answered {status}"
    if status in (408, 429) or status >= 500:
        text = answer.headers.get("Retry-After", "")
        raise TemporaryError(said, delay=retry_after.seconds(text, default=_DELAY, longest=LONGEST))
    if status in (401, 403):
        raise PermanentError(
            f"{said}: there is no such repository, or it is not open to everybody; "
            f"give {registry} a username and password that may read it in GROUNDSWELL_EXTERNAL_REGISTRIES"
        )
    raise PermanentError(said)


def _check(digest: str, reference: Reference) -> None:
    """Raises PermanentError for what is no digest, TemporaryError for another one than was asked for."""
    if not _DIGEST.fullmatch(digest):
        raise PermanentError(f"{reference}: the registry answers with {digest[:80]!r} as its digest, which is none")
    if reference.digest not in (None, digest):
        raise TemporaryError(f"{reference}: what the registry has there does not have the digest it should have")


def _digest_of(content: bytes, wanted: str, subject: str) -> str:
    """The content's digest: `wanted`, or sha256 where none is. Raises TemporaryError where it has another."""
    if wanted and not _DIGEST.fullmatch(wanted):
        raise PermanentError(f"{subject}: {wanted[:80]!r} is no digest that can be checked")
    algorithm = wanted.partition(":")[0] or "sha256"
    digest = f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
    if wanted and digest != wanted:
        raise TemporaryError(f"{subject}: what the registry sent does not have the digest it should have")
    return digest


def _manifest_url(reference: Reference) -> str:
    wanted = reference.digest or reference.tag
    if wanted is None:
        raise PermanentError(f"{reference} has neither a tag nor a digest")
    return f"{_repository_url(reference)}/manifests/{wanted}"


def _repository_url(reference: Reference) -> str:
    """The reference's grammar (`graph.reference`) lets nothing into a path that would mean something else there."""
    return f"https://{_HOSTS.get(reference.registry, reference.registry)}/v2/{reference.repository}"


def _refuse(subject: str, what: str) -> NoReturn:
    raise NotAllowedError(
        f"{subject}: {what}, for this is a registry of somebody else, which Groundswell only reads images from; "
        "if it is yours, name it in GROUNDSWELL_REGISTRIES"
    )
