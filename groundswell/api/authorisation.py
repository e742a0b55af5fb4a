"""Who asks, how often, and whether that one may: before anything else of a request is looked at."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from groundswell.access.permissions import check
from groundswell.access.principal import Principal, ThrottledError
from groundswell.api.parameters import Product

BEARER = HTTPBearer(
    scheme_name="bearer",
    description="An API token (`groundswell token create`), or an access token of Microsoft Entra ID.",
    auto_error=False,
)
"""For the OpenAPI document only: what is given is looked at by `authorised`."""


def authorised(request: Request, product: Product) -> Principal:
    """The principal, who may do what the route does.

    Raises UnauthenticatedError, ThrottledError, ForbiddenError; TemporaryError when it cannot be found out now.
    """
    principal = product.authenticator.principal(request.headers.get)
    if wait := product.buckets.take(principal.id):
        raise ThrottledError(f"{principal.name} sends too many requests: wait, and send fewer", delay=wait)
    check(principal, request.scope["route"].name)
    return principal


Asker = Annotated[Principal, Depends(authorised)]
