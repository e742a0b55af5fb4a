"""Package URLs, as far as VEX needs them to say what a statement is about. Pure.

Grammar: package-url/purl-spec, `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS#SUBPATH`, parts percent-encoded.
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, unquote

from graph.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Purl:
    """A package URL, of its qualifiers only an image's repository: `registry/repository`, empty when not said."""

    type: str
    name: str
    version: str = ""
    repository: str = ""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None when `text` is no package URL."""
        scheme, _, rest = text.partition(":")
        rest, _, _ = rest.partition("#")
        path, _, qualifiers = rest.partition("?")
        # An @ may stand in a namespace too (npm scopes, unencoded): the version's is behind the last slash.
        folder, _, last = path.lstrip("/").rpartition("/")
        name, _, version = last.partition("@")
        kind, _, namespace = folder.partition("/")
        if scheme.lower() != "pkg" or not kind or not name:
            return None
        full = f"{unquote(namespace)}/{unquote(name)}" if namespace else unquote(name)
        repository = dict(parse_qsl(qualifiers)).get("repository_url", "")
        return cls(type=kind.lower(), name=full, version=unquote(version), repository=repository)

    @classmethod
    def of(cls, reference: Reference) -> Self:
        """The package URL of an image."""
        return cls(
            type="oci",
            name=reference.repository.rpartition("/")[2],
            version=reference.digest or "",
            repository=reference.name,
        )

    def covers(self, other: "Purl") -> bool:
        """Whether what is said of this one is said of `other`: what this one leaves out is any."""
        return (
            self.type == other.type
            and self.name == other.name
            and self.version in ("", other.version)
            and self.repository in ("", other.repository)
        )
