"""What the routes have in common: the product, the name in the path, the body, the query.

A query parameter that we do not know is refused: a misspelt `dry_run` must not write.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, get_origin

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from groundswell.api.logs import LogShelf
from groundswell.api.problems import InvalidError, TooLargeError
from groundswell.api.surveys import Surveys
from groundswell.lineage.document import schema
from groundswell.wiring import App

PREFIX = "/api/v1"
MAX_BODY = 1024 * 1024
_LARGER = {"put_policy": 4 * MAX_BODY, "register_images": 16 * MAX_BODY}
"""By the name of the operation; others take MAX_BODY."""

_NAME = schema()["$defs"]["name"]


async def _product(request: Request) -> App:
    product: App = request.app.state.product
    return product


async def _shelf(request: Request) -> LogShelf:
    shelf: LogShelf = request.app.state.logs
    return shelf


async def _surveys(request: Request) -> Surveys:
    surveys: Surveys = request.app.state.surveys
    return surveys


async def _body(request: Request) -> bytes:
    """The body as it came. Raises TooLargeError before it is all in memory."""
    most = _LARGER.get(request.scope["route"].name, MAX_BODY)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLargeError(f"the body is larger than {most // 1024} KiB, which is the limit")
    return bytes(body)


Product = Annotated[App, Depends(_product)]
Shelf = Annotated[LogShelf, Depends(_shelf)]
Surveying = Annotated[Surveys, Depends(_surveys)]
Body = Annotated[bytes, Depends(_body)]
Name = Annotated[
    str,
    Path(
        pattern=_NAME["pattern"],
        max_length=_NAME["maxLength"],
        description="The image; slashes may stand as they are.",
        examples=["shop/web"],
    ),
]


class Parameters(BaseModel):
    """What a query may say; each route adds its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read[P: Parameters](model: type[P], query: Mapping[str, Sequence[str]]) -> P:
    """A query of the same parameters as the operation takes, given as texts. Raises InvalidError.

    For pages, whose forms send each field, the empty ones too: those are as good as left out.
    """
    given: dict[str, object] = {}
    for name, texts in query.items():
        values = [text for text in texts if text]
        several = name in model.model_fields and get_origin(model.model_fields[name].annotation) is list
        if values:
            given[name] = values if several else values[-1]
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        raise InvalidError(
            [{"parameter": str(fault["loc"][0]), "detail": str(fault["msg"])} for fault in exc.errors()]
        ) from exc


Reason = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
