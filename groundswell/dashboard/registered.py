"""/ui/lineage/IMAGE: one registered image; building it anew, and taking it out of the lineage."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from graph.impact import carried_by
from groundswell.api import images, policy
from groundswell.api.bodies import Json
from groundswell.api.conditions import Conditions, etag
from groundswell.api.lineage import Removing
from groundswell.api.parameters import read
from groundswell.api.problems import PreconditionFailedError, kind_of
from groundswell.api.registering import unregister
from groundswell.cascade.freezes import told as frozen
from groundswell.cascade.rows import rows
from groundswell.cascade.view import Row
from groundswell.cascade.workloads import Known
from groundswell.dashboard.outcome import sentence
from groundswell.dashboard.pressed import Telling, once, reason, told
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.standing import Base, Dependant, bases, dependants
from groundswell.deploy.port import Workload
from groundswell.errors import InputError, NotFoundError, TemporaryError
from groundswell.lineage.catalog import Stored
from groundswell.lineage.model import Registration
from groundswell.wiring import App

pages = Pages()

_DEPENDANTS, _WORKLOADS = 20, 50
"""How many are listed; of the others only the number is told."""
_REBUILDS = 8
_CHANGES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Under:
    """Something that the image stands on, and the digest it was last seen at, if it ever was."""

    base: Base
    digest: str
    seen_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The digest of the first stable tag as we know it, which may be not at all; `how` and when we know it."""

    digest: str = ""
    at: float | None = None
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A workload that runs the image; `known` is what we set it to, `frozen` what keeps it as it is."""

    workload: Workload
    known: Known | None
    frozen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A value of the gate, and where it is said; `text` is long, and unfolded when asked for."""

    key: str
    value: str
    text: str
    levels: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A rebuild of the image in a cascade."""

    cascade: str
    row: Row
    at: float


@pages.page("/lineage/{image:path}", "show_image")
def show(asked: Asked) -> Response:
    said = told(asked, asked.read(Telling).told)
    return page(asked, asked.product.catalog.stored(asked.path["image"]), said=said)


@pages.act("/lineage/{image:path}/unregister", "delete_image")
def remove(asked: Asked) -> Response:
    """Only as it was shown: whoever changed it meanwhile may have had a reason to."""
    name = asked.path["image"]
    wanted = read(Removing, {"reason": [asked.field("reason")]})
    conditions = Conditions(match=frozenset((asked.field("etag"),)), none_match=None)
    try:
        unregister(asked.product, asked.who, name, conditions, why=wanted.reason)
    except PreconditionFailedError:
        why = "It was not unregistered: somebody changed it meanwhile. Look at what it is now, then decide again."
        return page(asked, asked.product.catalog.stored(name), wrong=why, status=412)
    return asked.see(f"/ui/lineage?{urlencode({'told': name})}")


@pages.act("/lineage/{image:path}/rebuild", "rebuild")
def rebuild(asked: Asked) -> Response:
    """It leads to the cascade that it began."""
    name = asked.path["image"]
    try:
        why = reason(asked)
        return once(asked, address(name), lambda: _begun(asked, name, why), onward=lambda done: str(done["begun"]))
    except (InputError, TemporaryError) as exc:
        stored, status = asked.product.catalog.stored(name), kind_of(exc).status.value
        return page(asked, stored, wrong=f"That was not done: {exc}.", act="rebuild", status=status)


def _begun(asked: Asked, name: str, why: str) -> Json:
    cascade = asked.product.anew.begin(name, who=asked.who.who, why=why)
    title = f"{name} is built anew, and then what stands on it"
    return {**sentence(title, why), "begun": f"/ui/cascades/{quote(cascade)}"}


def page(
    asked: Asked, stored: Stored, *, said: Json | None = None, wrong: str = "", act: str = "", status: int = 200
) -> Response:
    """`said` tells what a form did, `wrong` what was not done and why; of `act` what was entered is still there."""
    product, image = asked.product, stored.registration
    with product.catalog.lineage(age=1.0) as lineage:
        node = lineage.node(image.name) or image.node
        on = bases(lineage, image.name)
        above = dependants(lineage, node)
        reached = len(carried_by(lineage, image.name)) if image.name in lineage else 0
    return asked.render(
        "registered.html",
        image=image,
        source=images.encode(image)["source"],
        etag=etag(stored),
        wrong=wrong,
        said=said,
        act=act,
        reason=asked.field("reason"),
        mine=asked.may("delete_image") and asked.who.answers_for(image.owner),
        under=[_under(product, base) for base in on],
        above=above[:_DEPENDANTS],
        above_total=len(above),
        follow=_following(above),
        reached=reached,
        current=_current(product, image),
        places=_places(product, image),
        more_places=len(image.deployments) - _WORKLOADS,
        gate=list(_gate(policy.in_force(product.policies.merged(image)))),
        rebuilds=list(islice(_rebuilds(product, image.name), _REBUILDS)),
        changes=list(product.catalog.history(image.name, limit=_CHANGES)),
        status=status,
    )


def address(name: str) -> str:
    """Where an image is shown."""
    return f"/ui/lineage/{quote(name)}"


def _following(above: Sequence[Dependant]) -> int:
    return sum(each.follows == "followed" for each in above)


def _under(product: App, base: Base) -> Under:
    known = product.bases.get(base.tag)
    return Under(base=base, digest=known.digest if known else "", seen_at=known.seen_at if known else None)


def _current(product: App, image: Registration) -> Current:
    """What the registry was last seen to have, where somebody stands on the tag; else what we promoted last."""
    if known := product.bases.get(str(image.references[0])):
        return Current(digest=known.digest, at=known.seen_at, how="seen")
    newest = max(product.good.each(image.name), key=lambda good: good.at, default=None)
    return Current(digest=newest.digest, at=newest.at, how="promoted") if newest else Current()


def _places(product: App, image: Registration) -> Sequence[Place]:
    if not image.deployments:
        return ()
    rules, now = product.freezes.rules(), product.clock()
    return [
        Place(workload=each, known=product.workloads.find(str(each)), frozen=frozen(rules, each.place, now))
        for each in image.deployments[:_WORKLOADS]
    ]


def _gate(told: Mapping[str, Any]) -> Iterator[Held]:
    for key, entry in told.items():
        value, levels = entry["value"], entry["from"]
        if isinstance(value, list) and value and not isinstance(value[0], str):
            shown = [each["file"] for each in value] if key == "vex" else value
            text = json.dumps(shown, indent=2, ensure_ascii=False)
            yield Held(key=key, value=f"{len(value)} entries", text=text, levels=levels)
        else:
            yield Held(key=key, value=_plain(value), text="", levels=levels)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _rebuilds(product: App, name: str) -> Iterator[Past]:
    """Of the cascades that are in the records, the newest first."""
    records, now = product.engine.records, product.clock()
    for cascade in sorted(records.holders.of([name], since="0"), reverse=True):
        try:
            state = records.rebuild(cascade, name).value
        except NotFoundError:
            continue  # it is being written, or removed
        (row,) = rows([state], now=now)
        yield Past(cascade=cascade, row=row, at=state.updated_at)
