"""Who may do what: bearer tokens, one that may write, one that may read, and those that others vouch for."""

import hmac
from collections.abc import Callable

from aiohttp import web

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import Target


class Access:
    def __init__(self, token: str, read_only_token: str, trusts: Callable[[str], bool]) -> None:
        self._token = token
        self._read_only_token = read_only_token
        self._trusts = trusts

    def user(self, request: web.Request) -> str:
        """The name of the caller; ApiError 401 without a token that is known."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(token, self._token):
            return "system:serviceaccount:default:groundswell"
        if scheme.lower() == "bearer" and self._read_only_token and _same(token, self._read_only_token):
            return "system:serviceaccount:default:reader"
        if scheme.lower() == "bearer" and self._trusts(token):
            return "groundswell"
        raise ApiError(401, "Unauthorized")

    def may(self, user: str, verb: str) -> bool:
        return verb in ("get", "list", "watch") or not user.endswith(":reader")

    def check(self, user: str, verb: str, target: Target) -> None:
        """ApiError 403 when the caller may not do that."""
        if self.may(user, verb):
            return
        kind, name = target.kind, f' "{target.name}"' if target.name else ""
        where = f' in the namespace "{target.namespace}"' if target.namespace else " at the cluster scope"
        qualified = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
        raise ApiError(
            403,
            f'{qualified}{name} is forbidden: User "{user}" cannot {verb} resource "{kind.plural}" '
            f'in API group "{kind.group}"{where}',
            details={"name": target.name, "group": kind.group, "kind": kind.plural},
        )


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())
