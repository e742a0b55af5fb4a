"""Image references, normalised as `distribution/reference` does (ParseNormalizedNamed, then TagNameOnly).

Source of the grammar: github.com/distribution/reference, reference.go and normalize.go.
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
_REFERENCE = re.compile(rf"({_HOST})/({_PATH})(?::({_TAG}))?(?:@({_DIGEST}))?")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
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
        found = _REFERENCE.fullmatch(f"{registry}/{rest}")
        if found is None:
            raise InvalidReferenceError("invalid reference format")
        host, path, tag, digest = found.groups()
        if len(path) > _MAX_NAME:
            raise InvalidReferenceError(f"repository name must not be more than {_MAX_NAME} characters")
        if digest is not None:
            _check_digest(digest)
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


def _check_digest(digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    if algorithm not in _HEX:
        raise InvalidReferenceError("invalid reference format: unsupported digest algorithm")
    if len(value) != _HEX[algorithm] or value != value.lower():
        raise InvalidReferenceError("invalid reference format: invalid checksum digest length or characters")


def _suffix(tag: str | None, digest: str | None) -> str:
    return (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
