"""/ui/cascades/ID/graph: a cascade as a picture, who stands on whom, coloured by state; and its states alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import JSONResponse, Response

from groundswell.api.conditions import hashed, tags
from groundswell.api.parameters import Parameters
from groundswell.cascade.kept import Kept
from groundswell.cascade.outline import Outline
from groundswell.cascade.records import Header, Phase
from groundswell.dashboard.drawing.picture import BAD, MARGIN, Face, Shape, faces, name_of, placed, shape
from groundswell.dashboard.routing import Asked, Pages
from groundswell.dashboard.shelf import RebuildShelf
from groundswell.dashboard.tally import tally
from groundswell.printable import line

pages = Pages()

_OPENED = 20
_NAMED = 12


class Which(Parameters):
    """`open` are images whose boxes are opened, in that order."""

    open: list[str] = []  # noqa: RUF012 - a model copies it

    @property
    def opened(self) -> Sequence[str]:
        return self.open[-_OPENED:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A box. `names` are the images that share it, for the search; `base` says that it is what was pushed."""

    key: str
    name: str
    names: str
    place: str
    face: Face
    layer: int
    x: int
    y: int
    height: int
    base: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A cascade as it is asked for, and the shape of its picture."""

    header: Header
    states: Sequence[Outline]
    archived: bool
    opened: Sequence[str]
    shape: Shape

    @property
    def live(self) -> bool:
        return self.header.phase is not Phase.ENDED

    def told(self) -> Mapping[str, Any]:
        """For the words above the picture."""
        bad = [state for state in self.states if state.status in BAD]
        return {
            "header": self.header,
            "tally": tally(self.states),
            "layers": self.shape.folded.layers,
            "folded": sum(len(images) for images in self.shape.folded.items.values() if len(images) > 1),
            "unknown": self.shape.unknown if self.archived else 0,
            "bad": bad[:_NAMED],
            "bad_total": len(bad),
        }


@pages.page("/cascades/{cascade}/graph", "list_rebuilds")
def show(asked: Asked) -> Response:
    known = _look(asked)
    layout, edges = placed(known.shape)
    saying = faces(known.shape, known.states)
    return asked.render(
        "graph.html",
        archived=known.archived,
        boxes=[
            Drawn(
                key=key,
                name=name_of(known.shape, key),
                names=" ".join(line(image) for image in known.shape.folded.items[key]),
                place=_place(known, key),
                face=saying[key],
                layer=box.layer,
                x=box.x + MARGIN,
                y=box.y + MARGIN,
                height=box.height,
                base=key in known.shape.bases,
            )
            for key, box in layout.boxes.items()
        ],
        edges=edges,
        width=layout.width + 2 * MARGIN,
        height=layout.height + 2 * MARGIN,
        margin=MARGIN,
        shape=known.shape.tag,
        opened=known.opened,
        live=known.live,
        **known.told(),
    )


@pages.page("/cascades/{cascade}/graph.json", "list_rebuilds")
def states(asked: Asked) -> Response:
    """What each box says now, for the picture that is open; another `shape` says that it is drawn otherwise."""
    known = _look(asked)
    boxes = {key: asdict(face) for key, face in faces(known.shape, known.states).items()}
    told = bytes(asked.render("graph-told.html", **known.told()).body).decode()
    content = {"shape": known.shape.tag, "live": known.live, "boxes": boxes, "told": told}
    tag = hashed(json.dumps(content))
    seen = tags(asked.request, "If-None-Match") or frozenset()
    same = tag in {each.removeprefix("W/") for each in seen}
    answer = Response(status_code=304) if same else JSONResponse(content)
    answer.headers["ETag"] = tag
    return answer


def _look(asked: Asked) -> Looked:
    opened = asked.read(Which).opened
    kept = Kept(asked.product.engine.records, asked.product.archive, asked.path["cascade"])
    header = kept.header()
    outlines = asked.part(RebuildShelf).outlines(kept, header)
    return Looked(
        header=header,
        states=outlines,
        archived=kept.archived,
        opened=opened,
        shape=shape(outlines, {push.base for push in header.went_in}, opened),
    )


def _place(known: Looked, key: str) -> str:
    """Where a box leads: to its image, or to the same picture with the box opened."""
    if key in known.shape.bases:
        return ""
    place = f"/ui/cascades/{quote(known.header.id, safe='')}"
    if len(known.shape.folded.items[key]) == 1:
        return f"{place}/images/{quote(key)}"
    return f"{place}/graph?{urlencode({'open': [*known.opened, key][-_OPENED:]}, doseq=True)}"
