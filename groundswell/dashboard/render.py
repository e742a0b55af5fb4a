"""Templates and what they may use. Escaping is on for every one of them, and undefined names are errors."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from groundswell.api.times import spelled
from groundswell.cascade.status import Status
from groundswell.dashboard import assets
from groundswell.dashboard.words import ago, lasted, month_name, percent, query_of, tone
from groundswell.printable import line

if TYPE_CHECKING:
    from groundswell.dashboard.routing import Asked


class _Query(dict[str, str]):
    """The fields of the address; those that are not there are empty."""

    def __missing__(self, name: str) -> str:
        return ""


@cache
def environment() -> Environment:
    found = Environment(
        loader=PackageLoader("groundswell.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals.update(asset=assets.address, statuses=[status.value for status in Status], query_of=query_of)
    found.filters.update(spelled=spelled, ago=ago, lasted=lasted, tone=tone, line=line)
    found.filters.update(month_name=month_name, percent=percent)
    return found


def page(template: str, asked: "Asked | None", *, status: int = 200, **context: Any) -> Response:
    """A page; `asked` is None when not even the request could be made out."""
    known: Mapping[str, Any] = {
        "principal": asked.principal if asked else None,
        "csrf": asked.browser.csrf if asked else "",
        "here": quote(asked.request.scope["path"]) if asked else "",
        "query": _Query({name: texts[-1] for name, texts in asked.query.items()} if asked else {}),
        "now": asked.product.clock() if asked else 0.0,
        "may": asked.may if asked and asked.principal else lambda _: False,
    }
    return HTMLResponse(environment().get_template(template).render({**known, **context}), status)
