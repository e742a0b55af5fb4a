"""/ui/audit: who changed what, when and why."""

import json

from starlette.responses import Response

from groundswell.api.audit import Listing, page_of
from groundswell.dashboard.routing import Asked, Pages

pages = Pages()


@pages.page("/audit", "list_audit")
def show(asked: Asked) -> Response:
    query = asked.read(Listing, limit="50")
    entries, following = page_of(asked.product, query)
    told = [{**entry, "before": _text(entry["before"]), "after": _text(entry["after"])} for entry in entries]
    return asked.render("audit.html", entries=told, following=following)


def _text(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
