"""Attribute locks: ACR refuses to change or delete what is locked (Microsoft, "Lock a container image")."""

import re
from collections.abc import Iterable, Mapping

_ATTRIBUTES = ("deleteEnabled", "writeEnabled", "readEnabled", "listEnabled")
MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")
_NEEDS = {"PUT": "writeEnabled", "DELETE": "deleteEnabled", "GET": "readEnabled", "HEAD": "readEnabled"}

REFUSAL = "The operation is disallowed on this registry, repository or image."


class Locks:
    """Kept while the registry runs. A reference is a tag or a digest; none means the repository."""

    def __init__(self) -> None:
        self._set: dict[tuple[str, str], dict[str, bool]] = {}

    def attributes(self, repository: str, reference: str = "") -> dict[str, bool]:
        return {**dict.fromkeys(_ATTRIBUTES, True), **self._set.get((repository, reference), {})}

    def change(self, repository: str, reference: str, values: Mapping[str, object]) -> None:
        known = {key: bool(value) for key, value in values.items() if key in _ATTRIBUTES}
        self._set.setdefault((repository, reference), {}).update(known)

    def forget(self, repository: str, reference: str) -> None:
        self._set.pop((repository, reference), None)

    def forbid(self, attribute: str, repository: str, references: Iterable[str]) -> bool:
        """Whether the repository, or any of the references in it, is locked against it."""
        return not all(self.attributes(repository, each)[attribute] for each in ("", *references))


def manifest_request(method: str, path: str) -> tuple[str, str, str] | None:
    """Attribute, repository and reference that decide on a request for a manifest; None for anything else."""
    found = MANIFEST.fullmatch(path)
    attribute = _NEEDS.get(method)
    return (attribute, found["name"], found["reference"]) if found and attribute else None
