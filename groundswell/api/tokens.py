"""/tokens: API tokens, for an admin. The token itself is only in the answer that made it, and kept nowhere."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.access.answers import Answer
from groundswell.access.principal import Role
from groundswell.access.tokens import Token
from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.once import OnlyOnce
from groundswell.api.paging import Paged, take
from groundswell.api.parameters import PREFIX, Body, Parameters, Product, Reason
from groundswell.api.problems import InvalidError
from groundswell.api.shapes.tokens import SENT
from groundswell.api.times import spelled
from groundswell.errors import InputError

router = APIRouter(prefix=f"{PREFIX}/tokens", tags=["tokens"])

_DAYS = 90
_DAY = 86_400.0

TokenId = Annotated[
    str, Path(pattern="^[0-9a-f]{12}$", description="Id of the token, no secret.", examples=["5f0c1d2e3a4b"])
]


class Revoking(Parameters):
    reason: Reason = Field(min_length=1, description="Why, for the audit trail.")


@router.get(
    "", summary="List tokens", responses={200: openapi.ok("A page, by id.", "Tokens"), **openapi.problems()}
)
def list_tokens(product: Product, query: Annotated[Paged, Query()]) -> Response:
    """List the tokens, those included that are no longer valid."""
    now = product.clock()

    def found() -> Iterator[tuple[str, Json | None]]:
        for token in product.tokens.each(after=query.after):
            yield token.id, _told(token, now)

    tokens, following = take(found(), query.limit)
    return JSONResponse({"tokens": tokens, "next_cursor": following})


@router.post(
    "",
    summary="Make a token",
    status_code=201,
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("SentToken")}},
    responses={201: openapi.done("It is valid from now on.", "MadeToken"), **openapi.problems(400, 409, 413)},
)
def create_token(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Make a token. `token` is told this once; sent again under its key, the answer has null there.

    Whoever lost the first answer revokes the token and makes another.
    """
    del query
    wanted = checked(body, SENT)

    def act() -> Answer:
        try:
            token, text = product.tokens.create(
                wanted["name"],
                roles=[Role(role) for role in wanted["roles"]],
                teams=wanted.get("teams", ()),
                seconds=wanted.get("days", _DAYS) * _DAY,
                who=asker.who,
                why=wanted["reason"].strip(),
            )
        except InputError as exc:
            raise InvalidError([{"pointer": "#", "detail": str(exc)[:200]}]) from exc
        told = _told(token, product.clock())
        return Answer(status=201, body={**told, "token": None}, shown_once={"token": text})

    return once(act)


@router.delete(
    "/{token}",
    summary="Revoke a token",
    responses={200: openapi.ok("The next request with it is refused.", "Token"), **openapi.problems(404, 409)},
)
def revoke_token(token: TokenId, product: Product, asker: Asker, query: Annotated[Revoking, Query()]) -> Response:
    """Revoke a token at once; one that was revoked stays so."""
    ended = product.tokens.revoke(token, who=asker.who, why=query.reason)
    return JSONResponse(_told(ended, product.clock()))


def _told(token: Token, now: float) -> Json:
    times = {name: spelled(getattr(token, name)) for name in ("created_at", "expires_at", "revoked_at")}
    return {**token.to_json(), **times, "state": token.state(now)}
