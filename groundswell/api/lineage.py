"""/lineage/images: register images and look at what is registered."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.api import images, openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json
from groundswell.api.conditions import Conditional, Conditions, etag
from groundswell.api.paging import Paged, page
from groundswell.api.parameters import PREFIX, Body, Name, Parameters, Product, Reason
from groundswell.api.problems import InvalidError
from groundswell.api.registering import register, stored, unregister, would_change
from groundswell.errors import NotFoundError
from groundswell.lineage.catalog import Stored

router = APIRouter(prefix=f"{PREFIX}/lineage/images", tags=["lineage"])


class Listing(Paged):
    prefix: str = Field("", pattern="^[a-z0-9._/-]*$", max_length=200, description="Only names that begin so.")
    owner: str = Field("", description="Only images of this team.")
    label: list[str] = Field([], description="KEY=VALUE: only images with this label; may be given again.")


class Looking(Parameters):
    limit: int = Field(100, ge=1, le=1000, description="Changes, the newest first.")


class Writing(Parameters):
    dry_run: bool = Field(default=False, description="Say what would change, and change nothing.")
    reason: Reason = Field("", description="Why, for the history.")


class Removing(Parameters):
    reason: Reason = Field(min_length=1, description="Why, for the history and the audit trail.")


@router.get(
    "", summary="List images", responses={200: openapi.ok("A page, by name.", "Images"), **openapi.problems()}
)
def list_images(product: Product, query: Annotated[Listing, Query()]) -> Response:
    """List what is registered, by name. Pages stay in step while images come and go."""
    labels = labelled(query.label)
    found, following = page(
        product.catalog,
        prefix=query.prefix,
        owner=query.owner,
        labels=labels,
        after=query.after,
        limit=query.limit,
    )
    return JSONResponse({"images": [images.encode(item) for item in found], "next_cursor": following})


@router.get(
    "/{name:path}/history",
    summary="What became of an image",
    responses={
        200: openapi.ok(
            "Its changes, the newest first; or the image of that very name.", "History", "Image", etag=True
        ),
        304: openapi.NOT_MODIFIED,
        **openapi.problems(404, 412),
    },
)
def show_history(
    name: Name, product: Product, conditions: Conditional, query: Annotated[Looking, Query()]
) -> Response:
    """Tell who changed what about a registration, when and why; it stays when the image is unregistered.

    Names hold slashes: where an image is called `NAME/history`, this is that image.
    """
    if image := stored(product.catalog, f"{name}/history"):
        return _image(image, conditions)
    lines = [images.encode_past(line) for line in product.catalog.history(name, limit=query.limit)]
    if not lines:
        raise NotFoundError(f"no image {name} was ever registered")
    return JSONResponse({"history": lines})


@router.get(
    "/{name:path}",
    summary="Show an image",
    responses={
        200: openapi.ok("The image.", "Image", etag=True),
        304: openapi.NOT_MODIFIED,
        **openapi.problems(404, 412),
    },
)
def show_image(
    name: Name, product: Product, conditions: Conditional, query: Annotated[Parameters, Query()]
) -> Response:
    """Show a registration, and what it stands on."""
    del query  # but it was read: it knows no parameters
    return _image(product.catalog.stored(name), conditions)


@router.put(
    "/{name:path}",
    summary="Register an image",
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("SentImage")}},
    responses={
        200: openapi.ok("Changed, or as it was; or what would be.", "Registered", etag=True),
        201: openapi.ok("It is new.", "Registered", etag=True, Location="Where it is."),
        **openapi.problems(400, 404, 409, 412, 413),
    },
)
def put_image(
    name: Name,
    product: Product,
    *,
    asker: Asker,
    body: Body,
    conditions: Conditional,
    query: Annotated[Writing, Query()],
) -> Response:
    """Register an image, or change it: what is left out of the body takes its default.

    The same again changes nothing. Without a condition the last one wins.
    """
    wanted = images.decode(name, body, hosts=product.settings.source_hosts)
    if query.dry_run:
        change = would_change(product, asker, wanted, conditions)
        return JSONResponse(_told(change=images.encode_change(change), image=images.encode(wanted), dry_run=True))
    done = register(product, asker, wanted, conditions, why=query.reason)
    headers = {"ETag": etag(done.stored)}
    if done.new:
        headers["Location"] = f"{router.prefix}/{name}"
    answer = _told(
        change=images.encode_change(done.change),
        image=images.encode(done.stored.registration),
        unread=done.unread,
    )
    return JSONResponse(answer, 201 if done.new else 200, headers=headers)


@router.delete(
    "/{name:path}",
    summary="Unregister an image",
    status_code=204,
    responses={204: {"description": "It is registered no more."}, **openapi.problems(404, 409, 412)},
)
def delete_image(
    name: Name, product: Product, asker: Asker, conditions: Conditional, query: Annotated[Removing, Query()]
) -> Response:
    """Take an image out of the lineage: cascades no longer rebuild it, and its history stays."""
    unregister(product, asker, name, conditions, why=query.reason)
    return Response(status_code=204)


def _image(image: Stored, conditions: Conditions) -> Response:
    tag = etag(image)
    conditions.check_match(tag)
    if conditions.seen(tag):
        return Response(status_code=304, headers={"ETag": tag})
    return JSONResponse(images.encode(image.registration), headers={"ETag": tag})


def _told(*, change: Json, image: Json, unread: list[str] | None = None, dry_run: bool = False) -> Json:
    return {"dry_run": dry_run, **change, "image": image, "bases_not_read": unread or []}


def labelled(texts: Iterable[str]) -> dict[str, str]:
    """KEY=VALUE of a query, each. Raises InvalidError."""
    return dict(map(_label, texts))


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidError([{"parameter": "label", "detail": f"must be KEY=VALUE, not {text[:100]!r}"}])
    return key, value
