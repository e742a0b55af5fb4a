"""Access keys: who may call what."""

import hmac
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """`master` opens everything, `function` the functions of level `function`. An empty key opens nothing."""

    master: str = field(default="", repr=False)
    function: str = field(default="", repr=False)

    def admit(self, request: web.Request, level: str) -> bool:
        """Whether a request may call what is of `level`: its key stands in a header or in the query."""
        if level == "anonymous":
            return True
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        allowed = (self.master, self.function) if level == "function" else (self.master,)
        return any([_same(given, key) for key in allowed])  # noqa: C419  # a list: every key is compared


def _same(given: str, key: str) -> bool:
    return bool(key) and hmac.compare_digest(given.encode(errors="surrogateescape"), key.encode())
