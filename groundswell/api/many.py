"""/lineage: register and unregister several images together, and the graph of what is registered."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from groundswell.access.answers import Answer
from groundswell.api import images, openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.lineage import labelled
from groundswell.api.once import OnlyOnce
from groundswell.api.parameters import PREFIX, Body, Parameters, Product
from groundswell.api.problems import InvalidError
from groundswell.api.registering import register_all, unregister_all, would_change_all
from groundswell.api.shapes.many import REGISTER, UNREGISTER
from groundswell.errors import NotFoundError
from groundswell.lineage.catalog import Change
from groundswell.lineage.drawing import drawn
from groundswell.lineage.model import Registration

router = APIRouter(prefix=f"{PREFIX}/lineage", tags=["lineage"])

_KEPT = 500_000
"""Characters of changes that are kept for a request that is sent again."""


class Drawing(Parameters):
    image: list[Annotated[str, Field(max_length=200)]] = Field(
        [], max_length=1000, description="Only these, and what they stand on; may be given again."
    )
    owner: str = Field("", max_length=200, description="Only images of this team, and what they stand on.")
    label: list[str] = Field([], description="KEY=VALUE: only images with this label; may be given again.")


@router.post(
    "/register",
    summary="Register images",
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("SentImages")}},
    responses={
        200: openapi.done("Registered, or what would be.", "RegisteredMany"),
        **openapi.problems(400, 409, 413),
    },
)
def register_images(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Register images as a lineage file has them: all are checked together before any is stored; others stay.

    An image that is wrong, a circle, or a tag that is published twice refuses them all. What stands on each other
    may come in one request. They are stored 49 at a time, each time whole.
    """
    del query
    document = checked(body, REGISTER)
    wanted = _named(document["images"], product.settings.source_hosts)
    if document.get("dry_run", False):
        return JSONResponse(_told(wanted, would_change_all(product, asker, wanted), dry_run=True))

    def act() -> Answer:
        changes, unread = register_all(product, asker, wanted, why=document.get("reason", "").strip())
        told = _told(wanted, changes, unread=unread)
        if len(json.dumps(told["changes"])) <= _KEPT:
            return Answer(status=200, body=told)
        brief = [{**change, "fields": {}} for change in told["changes"]]
        return Answer(status=200, body={**told, "changes": brief}, shown_once={"changes": told["changes"]})

    return once(act)


@router.post(
    "/unregister",
    summary="Unregister images",
    openapi_extra={"requestBody": {"required": True, "content": openapi.content("Unregister")}},
    responses={
        200: openapi.done("They are registered no more.", "Unregistered"),
        **openapi.problems(400, 404, 409, 413),
    },
)
def unregister_images(
    product: Product, asker: Asker, body: Body, once: OnlyOnce, query: Annotated[Parameters, Query()]
) -> Response:
    """Take images out of the lineage together; when one is not registered, none is."""
    del query
    document = checked(body, UNREGISTER)
    names: list[str] = sorted(document["images"])

    def act() -> Answer:
        left = unregister_all(product, asker, names, why=document["reason"].strip())
        return Answer(status=200, body={"unregistered": names, "left_standing": left})

    return once(act)


@router.get(
    "/graph",
    summary="Show the graph",
    responses={200: openapi.ok("Nodes and edges, in a stable order.", "Graph"), **openapi.problems(404)},
)
def show_graph(product: Product, query: Annotated[Drawing, Query()]) -> Response:
    """Show what stands on what: images by name and, where nobody publishes a base, its reference."""
    labels, names = labelled(query.label), set(query.image)
    found = product.catalog.registrations(names or None)
    if missing := names - {item.name for item in found}:
        raise NotFoundError(f"no image {min(missing)} is registered")
    chosen = [
        item.name for item in found if query.owner in ("", item.owner) and labels.items() <= item.labels.items()
    ]
    with product.catalog.lineage() as lineage:
        graph = drawn(lineage, chosen)
    edges = [
        {"base": base, "image": image, "kind": data["kind"], "pinned": data["pinned"]}
        for base, image, data in sorted(graph.edges(data=True), key=lambda edge: edge[:2])
    ]
    return JSONResponse({"nodes": sorted(graph), "edges": edges})


def _named(sent: Sequence[Json], hosts: Collection[str]) -> dict[str, Registration]:
    """By name. Raises InvalidError that points at what is wrong."""
    wanted: dict[str, Registration] = {}
    for index, each in enumerate(sent):
        name = each["name"]
        if name in wanted:
            raise InvalidError([{"pointer": f"#/images/{index}/name", "detail": f"{name} is named twice"}])
        wanted[name] = images.resolved(name, each, f"#/images/{index}", hosts=hosts)
    return wanted


def _told(
    wanted: Mapping[str, Registration],
    changes: Sequence[Change],
    *,
    unread: Sequence[str] = (),
    dry_run: bool = False,
) -> Json:
    told = [{"image": change.name, "new": change.new, **images.encode_change(change)} for change in changes]
    return {"dry_run": dry_run, "images": len(wanted), "changes": told, "bases_not_read": list(unread)}
