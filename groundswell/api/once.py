"""POSTs that may be sent again: under an Idempotency-Key one is done once, and answered the same each time."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse

from groundswell.access.answers import Answer, AnswerBook, Asked
from groundswell.api.authorisation import Asker
from groundswell.api.parameters import Body, Product
from groundswell.api.problems import InvalidError
from groundswell.errors import InputError

REPLAYED = "Idempotency-Replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """`asked` is None where no key was given: then the request is done each time."""

    book: AnswerBook
    asked: Asked | None

    def __call__(self, act: Callable[[], Answer]) -> Response:
        """Do it and keep the answer, or give the one that was kept. After an error it may be tried again.

        Raises InvalidError when the key stood for another request, UnderWayError while it is being done.
        """
        if self.asked is None:
            return _response(act())
        try:
            known = self.book.claim(self.asked)
        except InputError as exc:
            raise InvalidError([{"parameter": "Idempotency-Key", "detail": str(exc)}]) from exc
        if known is not None:
            return _response(known, **{REPLAYED: "true"})
        try:
            answer = act()
        except BaseException:
            self.book.release(self.asked)
            raise
        self.book.keep(self.asked, answer)
        return _response(answer)


def _response(answer: Answer, **headers: str) -> Response:
    body = {**answer.body, **answer.shown_once} if answer.shown_once else answer.body
    return JSONResponse(body, answer.status, headers={**answer.headers, **headers})


async def _once(
    request: Request,
    product: Product,
    asker: Asker,
    body: Body,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=r"^[\x21-\x7e]{1,200}$",
            description="Of your choice, a new one for each request; sent again with it, it is answered the same.",
        ),
    ] = None,
) -> Once:
    if idempotency_key is None:
        return Once(book=product.answers, asked=None)
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(body)
    asked = Asked(principal=asker.id, key=idempotency_key, print=digest.hexdigest())
    return Once(book=product.answers, asked=asked)


OnlyOnce = Annotated[Once, Depends(_once)]
