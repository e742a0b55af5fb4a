"""Access tokens of Microsoft Entra ID: by a code that is typed in a browser, or by the Azure CLI's own login."""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from groundswell.access.principal import UnauthenticatedError
from groundswell.cli import contexts
from groundswell.errors import InputError, cause

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

DEVICE, AZURE_CLI = "device", "azure-cli"
_AUTHORITIES = frozenset(
    {"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"}
)
_SOON = 120.0
"""Seconds before its end from which a token is not used any more."""


def details(told: Mapping[str, Any] | None, audience: str, kind: str) -> dict[str, str]:
    """How a token for a service is got, from what the service says of it.

    A service must not be able to ask for a token that opens another door: sign-in is at Microsoft's, and the token
    is for an application that is its own (api://...), or for what the person named. Raises InputError.
    """
    if told is None:
        raise InputError("the service takes no tokens of Entra ID: log in with an API token")
    authority, wanted = str(told["authority"]), str(told["audience"])
    if urlsplit(authority).scheme != "https" or urlsplit(authority).hostname not in _AUTHORITIES:
        raise InputError(f"the service names {authority} for signing in, which is not Microsoft's")
    if audience and audience != wanted:
        raise InputError(f"the service takes tokens for {wanted}, not for {audience}")
    if not audience and not wanted.startswith("api://"):
        raise InputError(f"the service asks for a token for {wanted}: if that is right, give --audience {wanted}")
    return {"kind": kind, "authority": authority, "tenant": str(told["tenant"]), "scope": f"{wanted}/.default"}


def get(how: Mapping[str, str], tell: Callable[[str], None]) -> contexts.Token:
    """A new token. Raises UnauthenticatedError when there is none."""
    from azure.core.exceptions import AzureError

    try:
        found = credential(how, tell).get_token(how["scope"])
    except (AzureError, ValueError) as exc:
        raise UnauthenticatedError(f"no token of Entra ID: {cause(exc)}") from exc
    return contexts.Token(text=found.token, expires_at=float(found.expires_on), entra=dict(how))


def credential(how: Mapping[str, str], tell: Callable[[str], None]) -> "TokenCredential":
    from azure.identity import AzureCliCredential, DeviceCodeCredential

    if how["kind"] == AZURE_CLI:
        return AzureCliCredential(tenant_id=how["tenant"])

    def prompt(where: str, code: str, _: object) -> None:
        tell(f"open {where} and type {code}")

    return DeviceCodeCredential(tenant_id=how["tenant"], authority=how["authority"], prompt_callback=prompt)


def fresh(name: str, kept: contexts.Token) -> contexts.Token:
    """The token that is kept, or a new one where that needs nobody. Raises UnauthenticatedError."""
    if kept.entra is None or kept.expires_at is None or time.time() < kept.expires_at - _SOON:
        return kept
    if kept.entra["kind"] != AZURE_CLI:
        raise UnauthenticatedError(f"the login to {name} has expired: `groundswell --context {name} login`")
    new = get(kept.entra, lambda _: None)
    contexts.keep_token(name, new)
    return new
