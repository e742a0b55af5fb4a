"""/ui/cascades/ID/logs/IMAGE: the log of a build, its end first, or in pages; the image's page shows it too."""

from urllib.parse import quote

from starlette.responses import Response

from groundswell.api.logs import LogShelf, registry_of
from groundswell.api.parameters import Parameters
from groundswell.cascade.kept import Kept
from groundswell.cascade.status import Status
from groundswell.dashboard.routing import Asked, Pages
from groundswell.errors import GroundswellError, NotFoundError

pages = Pages()

PAGE = 20_000
"""Characters."""
_LINE = 2_000
"""A page ends with its line, unless that is longer."""


class Part(Parameters):
    page: int | None = None


@pages.page("/cascades/{cascade}/logs/{image:path}", "show_log")
def show(asked: Asked) -> Response:
    """Without a `page`, the end of it."""
    query = asked.read(Part)
    cascade, image = asked.path["cascade"], asked.path["image"]
    state = Kept(asked.product.engine.records, asked.product.archive, cascade).rebuild(image)
    if not state.run:
        raise NotFoundError(f"{image} has no build in cascade {cascade} yet, so there is no log")
    ended, text, trouble = state.status is not Status.BUILDING, "", ""
    try:
        text = asked.part(LogShelf).text(registry_of(asked.product, state), state.run, ended=ended)
    except GroundswellError as exc:  # whatever the build service, or the lack of one, makes of it
        trouble = str(exc)
    parts = divided(text)
    if query.page is not None and not 1 <= query.page <= len(parts):
        raise NotFoundError(f"the log has {len(parts)} pages")
    return asked.render(
        "log.html",
        state=state,
        text=tail(text) if query.page is None else parts[query.page - 1],
        trouble=trouble,
        page=query.page,
        pages=len(parts),
        ended=ended,
        live=not ended and query.page is None,
        log=f"/ui/cascades/{quote(cascade)}/logs/{quote(image)}",
    )


def divided(text: str) -> list[str]:
    """The pages of a log. What is added to its end changes the last page only."""
    parts, start = [], 0
    while len(text) - start > PAGE:
        end = start + PAGE
        line = text.find("\n", end - 1, end + _LINE)
        end = line + 1 if line >= 0 else end
        parts.append(text[start:end])
        start = end
    return [*parts, text[start:]] if start < len(text) or not parts else parts


def tail(text: str) -> str:
    """The end of a log, from the beginning of a line where one is near."""
    start = max(0, len(text) - PAGE)
    line = text.find("\n", start, start + _LINE)
    return text[line + 1 :] if start and line >= 0 else text[start:]
