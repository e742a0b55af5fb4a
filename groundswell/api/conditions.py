"""Conditional requests (RFC 9110, section 13): ETags, If-Match and If-None-Match."""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request

from groundswell.api.problems import InvalidError, PreconditionFailedError
from groundswell.lineage.catalog import Stored

_ANY = "*"
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_LIST = re.compile(rf"\s*{_TAG.pattern}(?:\s*,\s*{_TAG.pattern})*\s*")

type Tags = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a request says must be so; None when it says nothing. Tags are kept with their quotes."""

    match: Tags | None
    none_match: Tags | None

    def __bool__(self) -> bool:
        return self.match is not None or self.none_match is not None

    def check(self, current: str | None) -> None:
        """Raises PreconditionFailedError unless they hold for the ETag `current` (None: there is nothing)."""
        self.check_match(current)
        if self.seen(current):
            raise PreconditionFailedError(
                "If-None-Match does not hold: it is there, as the condition says it is not"
            )

    def check_match(self, current: str | None) -> None:
        """The same for If-Match alone. Weak tags never match: nothing may be overwritten on a guess."""
        if self.match is None or (current is not None and not self.match.isdisjoint((_ANY, current))):
            return
        now = "there is nothing now" if current is None else f"its ETag is {current} now"
        raise PreconditionFailedError(f"If-Match does not hold: {now}; look at it, then decide again")

    def seen(self, current: str | None) -> bool:
        """Whether If-None-Match names the ETag `current`. Weak tags count: a proxy that compresses makes such."""
        if self.none_match is None or current is None:
            return False
        return not {tag.removeprefix("W/") for tag in self.none_match}.isdisjoint((_ANY, current))


def etag(stored: Stored) -> str:
    """The ETag of an image."""
    return hashed(stored.etag)


def hashed(tag: str) -> str:
    """An ETag for the client. The store's own (Azure's hold quotes and a time) does not reach it."""
    return f'"{hashlib.sha256(tag.encode()).hexdigest()[:32]}"'


async def _conditions(
    request: Request,
    if_match: Annotated[str | None, Header(description='An ETag as it was given, in quotes, or "*".')] = None,
    if_none_match: Annotated[str | None, Header(description='The same; "*" with PUT: only when new.')] = None,
) -> Conditions:
    del if_match, if_none_match  # for the OpenAPI document; a header that comes twice is one list
    return Conditions(match=tags(request, "If-Match"), none_match=tags(request, "If-None-Match"))


Conditional = Annotated[Conditions, Depends(_conditions)]


def tags(request: Request, name: str) -> Tags | None:
    """Those that a header names; None without it. Raises InvalidError."""
    values = request.headers.getlist(name)
    if not values:
        return None
    text = ",".join(values)
    if text.strip() == _ANY:
        return frozenset((_ANY,))
    if not _LIST.fullmatch(text):
        raise InvalidError([{"parameter": name, "detail": f"not an ETag in quotes, nor *: {text[:100]}"}])
    return frozenset(_TAG.findall(text))
