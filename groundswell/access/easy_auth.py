"""App Service authentication ("Easy Auth"): the platform has checked who asks, and says so in a header.

Microsoft's "Work with user identities in Azure App Service authentication": X-MS-CLIENT-PRINCIPAL is base64 of JSON
with `claims`, each a `typ` and a `val`. Without Easy Auth in front anybody can write that header, so it is believed
only where a setting says that it is there.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from groundswell.access.entra import principal_of
from groundswell.access.principal import Principal, UnauthenticatedError

HEADER = "X-MS-CLIENT-PRINCIPAL"

_LONG: Mapping[str, str] = {
    "http://schemas.microsoft.com/identity/claims/objectidentifier": "oid",
    "http://schemas.microsoft.com/identity/claims/tenantid": "tid",
    "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": "upn",
    "http://schemas.microsoft.com/ws/2008/06/identity/claims/role": "roles",
}
"""What the platform calls claims when it maps them."""


def principal(header: str, tenant: str) -> Principal:
    """Who is asking, as the platform says; of `tenant` only, where that is known. Raises UnauthenticatedError."""
    try:
        document = json.loads(base64.b64decode(header, validate=True))
        pairs = [(entry["typ"], entry["val"]) for entry in document["claims"]]
        provider, role_name = document.get("auth_typ"), document.get("role_typ")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise UnauthenticatedError(f"header {HEADER} cannot be read") from exc
    if provider != "aad":
        raise UnauthenticatedError("only identities of Microsoft Entra ID are known here")
    claims: dict[str, Any] = {"roles": []}
    for name, value in pairs:
        known = "roles" if name == role_name else _LONG.get(name, name) if isinstance(name, str) else ""
        if known == "roles":
            claims["roles"].append(value)
        else:
            claims[known] = value
    if tenant and claims.get("tid") != tenant:
        raise UnauthenticatedError("the identity is of another tenant")
    return principal_of(claims)
