"""/verify and /key: what hangs on an image, whether it is signed, and by which key."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from graph.reference import InvalidReferenceError, Reference
from groundswell.api import openapi
from groundswell.api.parameters import PREFIX, Parameters, Product
from groundswell.api.problems import InvalidError
from groundswell.attest.check import look, sound
from groundswell.errors import InputError, NotFoundError
from groundswell.registry.port import NotAllowedError
from groundswell.sign.port import verifies
from groundswell.wiring import App

router = APIRouter(prefix=PREFIX, tags=["signatures"])


class Asking(Parameters):
    reference: str = Field(
        min_length=1,
        max_length=1000,
        description="An image, by tag or digest.",
        examples=["contoso.azurecr.io/shop/web:1.4"],
    )
    key: str = Field(
        "", max_length=4000, description="A public key in PEM (EC, P-256); without it, that of the signer in use."
    )


@router.get(
    "/verify",
    summary="Verify an image",
    responses={200: openapi.ok("What is attached, and what of it holds.", "Verified"), **openapi.problems(404)},
)
def verify(product: Product, query: Annotated[Asking, Query()]) -> Response:
    """Show what is attached to an image, and whether it, its verdict and its proof are signed by the key.

    The registry is asked. Without any key what there is is shown, and not verified.
    """
    key = _key(product, query.key)
    subject = _subject(product, query.reference)
    found = look(product.artifacts, subject, key)
    told = {"image": str(subject), "verified": sound(found), "attached": [asdict(each) for each in found]}
    return JSONResponse(told)


@router.get(
    "/key",
    summary="Show the key",
    responses={200: openapi.ok("In PEM.", "Key"), **openapi.problems(404)},
)
def show_key(product: Product, query: Annotated[Parameters, Query()]) -> Response:
    """Show the public key of promoted images, for `cosign verify` and admission policies; 404 when none signs."""
    del query
    if product.signer is None:
        raise NotFoundError("setting GROUNDSWELL_SIGNING_KEY names no key, so nothing is signed")
    return JSONResponse({"public_key": product.signer.public_key().decode()})


def _key(product: App, given: str) -> bytes | None:
    if not given:
        return product.signer.public_key() if product.signer else None
    try:
        verifies(given.encode(), b"", b"")  # looks at the key before anything is asked
    except InputError as exc:
        raise InvalidError([{"parameter": "key", "detail": str(exc)}]) from exc
    return given.encode()


def _subject(product: App, text: str) -> Reference:
    """By digest: what is checked must not move meanwhile."""
    try:
        named = Reference.parse(text)
        digest = product.registry.digest(named)
    except (InvalidReferenceError, NotAllowedError) as exc:
        raise InvalidError([{"parameter": "reference", "detail": str(exc)[:200]}]) from exc
    if digest is None:
        raise NotFoundError(f"{named} is not in its registry")
    return named.with_digest(digest)
