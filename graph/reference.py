"""Image references, normalised as distribution/reference does."""

import re
from dataclasses import dataclass, replace

_HOST = re.compile(r"(?:localhost|[A-Za-z0-9.-]*[.:A-Z][A-Za-z0-9.:-]*|\[[0-9a-fA-F:]+\](?::[0-9]+)?)$")
_PATH = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[\w][\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")


class InvalidReferenceError(ValueError):
    """Not an image reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @staticmethod
    def parse(text: str) -> "Reference":
        name, _, digest = text.partition("@")
        head, slash, rest = name.partition("/")
        if slash and (_HOST.match(head) or head == "localhost"):
            registry, path = head, rest
        else:
            registry, path = "docker.io", name
        path, _, tag = path.partition(":")
        if registry == "docker.io" and "/" not in path:
            path = f"library/{path}"
        if (
            not _PATH.fullmatch(path)
            or (tag and not _TAG.fullmatch(tag))
            or (digest and not _DIGEST.fullmatch(digest))
        ):
            raise InvalidReferenceError(f"invalid reference format: {text}")
        if not tag and not digest:
            tag = "latest"
        return Reference(registry=registry, repository=path, tag=tag or None, digest=digest or None)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"

    def with_digest(self, digest: str) -> "Reference":
        return replace(self, digest=digest)

    def with_tag(self, tag: str) -> "Reference":
        return replace(self, tag=tag)

    def without_digest(self) -> "Reference":
        return replace(self, digest=None)
