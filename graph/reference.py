"""Image references, normalised as `distribution/reference` does (ParseNormalizedNamed, then TagNameOnly).

Source of the grammar: github.com/distribution/reference, reference.go, normalize.go, regexp.go, and
github.com/opencontainers/go-digest.
"""

import re
from dataclasses import dataclass, replace

DEFAULT_REGISTRY = "docker.io"
_LEGACY_REGISTRY = "index.docker.io"
_OFFICIAL = "library/"
_MAX_NAME = 255

_COMPONENT = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_COMPONENT}(?:\.{_COMPONENT})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
# A host with an underscore is none to the grammar, which takes it for part of the path; it works as a host.
_REFERENCE = re.compile(rf"({_HOST}|{_PART})/({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?")
_ANY_REFERENCE = re.compile(rf"(?:{_HOST}/)?{_PATH}(?::{_TAG})?(?:@{_DIGEST})?")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_ANY_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")
_LOWER_HEX = re.compile(r"[a-f0-9]+")
_HEX = {"sha256": 64, "sha384": 96, "sha512": 128}


class InvalidReferenceError(ValueError):
    """The text is no image reference; the message says why, in the words of distribution/reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """`registry/repository:tag@digest`; a tag, a digest, or both are there.

    `str()` is the canonical form: `docker.io/library/alpine:3.20`.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @staticmethod
    def parse(text: str) -> "Reference":
        """The reference in `text`, as a person or a Dockerfile writes it; without tag and digest it is `latest`.

        Raises InvalidReferenceError.
        """
        if _IDENTIFIER.fullmatch(text):
            raise InvalidReferenceError(
                f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )
        registry, rest = _split(text)
        name = rest.partition(":")[0]
        if name != name.lower():
            raise InvalidReferenceError(f"invalid reference format: repository name ({name}) must be lowercase")
        whole = f"{registry}/{rest}"
        found = _REFERENCE.fullmatch(whole)
        if found is None:
            lower = _ANY_REFERENCE.fullmatch(whole.lower())
            raise InvalidReferenceError(
                "repository name must be lowercase" if lower else "invalid reference format"
            )
        host, path, tag, digest = found.groups()
        if len(f"{host}/{path}" if "_" in host else path) > _MAX_NAME:
            raise InvalidReferenceError(f"repository name must not be more than {_MAX_NAME} characters")
        if digest is not None:
            check_digest(digest)
        elif tag is None:
            tag = "latest"
        return Reference(registry=host, repository=path, tag=tag, digest=digest)

    def __str__(self) -> str:
        return f"{self.name}{_suffix(self.tag, self.digest)}"

    @property
    def name(self) -> str:
        """`registry/repository`."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar(self) -> str:
        """The short form that people write: `alpine:3.20`."""
        name = self.name
        if self.registry == DEFAULT_REGISTRY:
            short = self.repository.removeprefix(_OFFICIAL)
            name = self.repository if "/" in short else short
        return f"{name}{_suffix(self.tag, self.digest)}"

    def with_digest(self, digest: str) -> "Reference":
        return replace(self, digest=digest)

    def with_tag(self, tag: str) -> "Reference":
        return replace(self, tag=tag)

    def without_digest(self) -> "Reference":
        return replace(self, digest=None)


def check_digest(digest: str) -> None:
    """Raises InvalidReferenceError unless `digest` is `algorithm:hexadecimals`, of an algorithm that OCI knows."""
    algorithm, colon, value = digest.partition(":")
    length = _HEX.get(algorithm)
    if not colon or not algorithm or not value or (length is None and not _ANY_DIGEST.fullmatch(digest)):
        raise InvalidReferenceError("invalid checksum digest format")
    if length is None:
        raise InvalidReferenceError("unsupported digest algorithm")
    if len(value) != length:
        raise InvalidReferenceError("invalid checksum digest length")
    if not _LOWER_HEX.fullmatch(value):
        raise InvalidReferenceError("invalid checksum digest format")


def _split(text: str) -> tuple[str, str]:
    """Registry and the rest: the first part is a registry when it can be nothing else."""
    head, slash, tail = text.partition("/")
    if not slash:
        return DEFAULT_REGISTRY, _OFFICIAL + text
    if head == _LEGACY_REGISTRY:
        registry, rest = DEFAULT_REGISTRY, tail
    elif head == "localhost" or "." in head or ":" in head or head != head.lower():
        registry, rest = head, tail
    else:
        registry, rest = DEFAULT_REGISTRY, text
    if registry == DEFAULT_REGISTRY and "/" not in rest:
        rest = _OFFICIAL + rest
    return registry, rest


def _suffix(tag: str | None, digest: str | None) -> str:
    return (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
