"""What every ARM call has in common: a bearer token, an api-version, a known registry, and errors in ARM's form."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from groundswell.local.identity import Identity
from groundswell.local.tasks.errors import ArmError, bad_request
from groundswell.local.tasks.faults import Faults
from groundswell.local.tasks.model import Json, RegistryAccess
from groundswell.settings import AcrRegistry

logger = logging.getLogger(__name__)

AUDIENCE = "https://management.azure.com"
PREFIX = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.ContainerRegistry/registries/{registry}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authorised ARM call to a registry we serve."""

    request: web.Request
    resource: str
    """The registry's ARM id."""
    access: RegistryAccess

    @property
    def origin(self) -> str:
        return f"{self.request.scheme}://{self.request.host}"

    def name(self) -> str:
        return self.request.match_info["name"]

    async def body(self) -> Any:
        try:
            return await self.request.json()
        except json.JSONDecodeError as exc:
            raise bad_request("the body is not JSON", "InvalidRequestContent") from exc


type Answer = Callable[[Call], Awaitable[web.Response]]


class Arm:
    """Turns a function of a Call into a handler, and ArmErrors into answers."""

    def __init__(
        self, identity: Identity, registries: Mapping[AcrRegistry, RegistryAccess], faults: Faults
    ) -> None:
        self._identity = identity
        self._registries = {_key(ids): (ids, access) for ids, access in registries.items()}
        self._faults = faults

    def add(self, app: web.Application, method: str, path: str, answer: Answer) -> None:
        async def carry_out(request: web.Request) -> web.StreamResponse:
            try:
                return await answer(self._call(request))
            except ArmError as exc:
                return _error(exc)
            except web.HTTPException:
                raise
            except Exception:
                logger.exception("an ARM call failed", extra={"path": request.path})
                return _error(ArmError(500, "InternalServerError", "the service failed; its log says why"))

        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._faults.apply(request, carry_out)

        app.router.add_route(method, PREFIX + path, handle)

    def _call(self, request: web.Request) -> Call:
        self._authorise(request)
        if not request.query.get("api-version"):
            raise bad_request(
                "The api-version query parameter (?api-version=) is required.", "MissingApiVersionParameter"
            )
        match = request.match_info
        named = AcrRegistry(
            subscription=match["subscription"], resource_group=match["group"], name=match["registry"]
        )
        found = self._registries.get(_key(named))
        if found is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{_resource(named)}' was not found.")
        ids, access = found
        return Call(request=request, resource=_resource(ids), access=access)

    def _authorise(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # Azure's public cloud knows itself by AUDIENCE; every other ARM endpoint by its own address.
        audiences = (AUDIENCE, f"{request.scheme}://{request.host}")
        if scheme.lower() != "bearer" or not any(self._identity.verify(token, one) for one in audiences):
            raise ArmError(
                401, "AuthenticationFailed", "Authentication failed. The access token is missing or not valid."
            )


def page(call: Call, items: list[Json], *, default: int = 100) -> web.Response:
    """A page of a list, with the link to the next one."""
    top, skip = _number(call, "$top", default), _number(call, "$skiptoken", 0)
    size = min(top, default)
    document: Json = {"value": items[skip : skip + size]}
    if len(items) > skip + size:
        url = call.request.rel_url.update_query({"$skiptoken": str(skip + size)})
        document["nextLink"] = call.origin + str(url)
    return web.json_response(document)


def _number(call: Call, name: str, default: int) -> int:
    text = call.request.query.get(name, str(default))
    if not text.isdecimal() or (name == "$top" and int(text) == 0):
        raise bad_request(f"'{name}' must be a number greater than 0, not {text!r}")
    return int(text)


def _error(exc: ArmError) -> web.Response:
    headers = {} if exc.retry_after is None else {"Retry-After": str(exc.retry_after)}
    if exc.status == 401:
        headers["WWW-Authenticate"] = 'Bearer authorization_uri="https://login.local/", error="invalid_token"'
    return web.json_response(
        {"error": {"code": exc.code, "message": exc.message}}, status=exc.status, headers=headers
    )


def _key(ids: AcrRegistry) -> tuple[str, str, str]:
    """ARM ids do not tell upper from lower case."""
    return ids.subscription.lower(), ids.resource_group.lower(), ids.name.lower()


def _resource(ids: AcrRegistry) -> str:
    return PREFIX.format(subscription=ids.subscription, group=ids.resource_group, registry=ids.name)
