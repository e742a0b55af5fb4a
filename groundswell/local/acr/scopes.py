"""Which right a request needs, and which rights a token holds. Pure.

ACR's scopes are `repository:NAME:ACTIONS`, with actions pull, push, delete, metadata_read and metadata_write, and
`registry:catalog:*`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_V2 = re.compile(r"/v2/(?P<name>.+)/(?:manifests/[^/]+|referrers/[^/]+|blobs/uploads/[^/]*|blobs/[^/]+|tags/list)")
_ACR = re.compile(r"/acr/v1/(?P<name>[^_/][^/]*(?:/[^_/][^/]*)*)(?:/_|/?$)")
_CATALOGS = ("/v2/_catalog", "/acr/v1/_catalog")
_SCOPE = re.compile(r"([^:\s]+):([^:\s]+):([^:\s]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    kind: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(self.actions)}"

    def as_claim(self) -> dict[str, Any]:
        return {"type": self.kind, "name": self.name, "actions": list(self.actions)}


def needed(method: str, path: str) -> Access | None:
    """What the request needs; None for `/v2/` itself, where any valid token does."""
    if path in _CATALOGS:
        return Access(kind="registry", name="catalog", actions=("*",))
    if found := _V2.fullmatch(path):
        actions = {"GET": ("pull",), "HEAD": ("pull",), "DELETE": ("delete",)}.get(method, ("pull", "push"))
        return Access(kind="repository", name=found["name"], actions=actions)
    if found := _ACR.match(path):
        action = {"PATCH": "metadata_write", "DELETE": "delete"}.get(method, "metadata_read")
        return Access(kind="repository", name=found["name"], actions=(action,))
    return None


def mounted(method: str, path: str, source: str) -> Access | None:
    """What a request needs beside: to mount a blob takes the right to pull from the repository it is in."""
    found = _V2.fullmatch(path)
    if method != "POST" or not source or found is None or found["name"] == source:
        return None
    return Access(kind="repository", name=source, actions=("pull",))


def parse(texts: Iterable[str]) -> list[Access]:
    """The scopes asked of `/oauth2/token`: a parameter each, or several in one with spaces between."""
    words = [word for text in texts for word in text.split()]
    found = [_SCOPE.fullmatch(word) for word in words]
    return [Access(kind=each[1], name=each[2], actions=tuple(each[3].split(","))) for each in found if each]


def allows(claims: Sequence[dict[str, Any]], wanted: Access) -> bool:
    """Whether a token's `access` claims hold all that is wanted."""
    held: set[str] = set()
    for claim in claims:
        if (claim["type"], claim["name"]) == (wanted.kind, wanted.name):
            held.update(claim["actions"])
    return "*" in held or held.issuperset(wanted.actions)
