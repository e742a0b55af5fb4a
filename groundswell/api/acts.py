"""What people do to cascades: replay, cancel, hold, release, approve. Each has a reason, and an audit entry."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from groundswell.access.answers import Answer
from groundswell.api import openapi
from groundswell.api.authorisation import Asker
from groundswell.api.bodies import Json, checked
from groundswell.api.cascades import Cascade
from groundswell.api.once import OnlyOnce
from groundswell.api.parameters import PREFIX, Body, Parameters, Product
from groundswell.api.problems import InvalidError, RefusedError
from groundswell.api.shapes.acts import APPROVAL, DEED, REPLAY
from groundswell.cascade.holds import marked
from groundswell.cascade.model import Rebuild
from groundswell.cascade.operate import Bulk, Item, Operator
from groundswell.cascade.status import Stage
from groundswell.errors import InputError

router = APIRouter(prefix=f"{PREFIX}/cascades/{{cascade}}", tags=["acts"])

_RESPONSES: dict[int | str, Json] = {
    200: openapi.done("What became of each image.", "Outcome"),
    **openapi.problems(400, 404, 409, 413),
}
Nothing = Annotated[Parameters, Query()]
type _One = Callable[..., Rebuild]
type _Every = Callable[..., Bulk]


def _taking(name: str) -> Json:
    return {"requestBody": {"required": True, "content": openapi.content(name)}}


@router.post("/replay", summary="Replay", openapi_extra=_taking("Replay"), responses=_RESPONSES)
def replay(
    cascade: Cascade, product: Product, *, asker: Asker, body: Body, once: OnlyOnce, query: Nothing
) -> Response:
    """Run rebuilds again: one image, all that failed, or all; what they blocked comes back by itself."""
    del query
    wanted = checked(body, REPLAY)
    stage = Stage(wanted["from"]) if "from" in wanted else None
    force, everything = wanted.get("force", False), "all" in wanted
    if everything and stage is None and not force:
        raise InvalidError([{"pointer": "#", "detail": "`all` needs the stage to begin with: `from`, or `force`"}])
    if force and stage not in (None, Stage.BUILD):
        raise InvalidError([{"pointer": "#/from", "detail": "with `force` it begins with build"}])
    operator, said = product.operator, _said(asker, wanted)
    if "image" in wanted:
        return once(
            lambda: _one(lambda: operator.replay(cascade, wanted["image"], stage=stage, force=force, **said))
        )
    act = operator.replay_all if everything else operator.replay_failed
    return once(lambda: _many(lambda: act(cascade, stage=stage, force=force, **said)))


def _deed(verb: str, says: str, acts: Callable[[Operator], tuple[_One, _Every]]) -> None:
    """A route that does something to one image, or to all of a cascade."""

    def act(
        cascade: Cascade, product: Product, *, asker: Asker, body: Body, once: OnlyOnce, query: Nothing
    ) -> Response:
        del query
        wanted = checked(body, DEED)
        (one, every), said = acts(product.operator), _said(asker, wanted)
        if "image" in wanted:
            return once(lambda: _one(lambda: one(cascade, wanted["image"], **said)))
        return once(lambda: _many(lambda: every(cascade, **said)))

    router.add_api_route(
        f"/{verb}",
        act,
        methods=["POST"],
        name=verb,
        summary=verb.capitalize(),
        description=says,
        openapi_extra=_taking("Deed"),
        responses=_RESPONSES,
    )


_deed(
    "cancel",
    "Stop rebuilds that have promoted nothing yet; what stands on them is blocked until they are replayed.",
    lambda operator: (operator.cancel, operator.cancel_all),
)
_deed(
    "hold",
    "Hold rebuilds at their next checkpoint: before the build, the promotion or the rollout.",
    lambda operator: (operator.hold, operator.hold_all),
)
_deed("release", "End holds by people.", lambda operator: (operator.release, operator.release_all))


@router.post("/approve", summary="Approve", openapi_extra=_taking("Approval"), responses=_RESPONSES)
def approve(
    cascade: Cascade, product: Product, *, asker: Asker, body: Body, once: OnlyOnce, query: Nothing
) -> Response:
    """Let images be rolled out that wait for an approval, of the digest that they have now."""
    del query
    wanted = checked(body, APPROVAL)
    images, despite = wanted.get("images", ()), wanted.get("despite_freeze", False)
    said = _said(asker, wanted)
    return once(lambda: _many(lambda: product.operator.approve(cascade, images, despite_freeze=despite, **said)))


def _said(asker: Asker, wanted: Json) -> dict[str, Any]:
    return {"who": asker.who, "why": wanted["reason"].strip()}


def _one(act: Callable[[], Rebuild]) -> Answer:
    """What is asked of one image by its name and cannot be is refused. Raises RefusedError."""
    try:
        state = act()
    except InputError as exc:
        raise RefusedError(str(exc)) from exc
    done = Item(image=state.image, status=state.status, why="; ".join(filter(None, (state.reason, marked(state)))))
    return _told(Bulk(cascade=state.cascade, done=(done,), left=(), failed=()))


def _many(act: Callable[[], Bulk]) -> Answer:
    return _told(act())


def _told(bulk: Bulk) -> Answer:
    return Answer(status=200, body=bulk.to_json())
