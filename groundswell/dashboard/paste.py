"""/ui/register/file: register the images of a lineage.yaml that is pasted, all of them or none."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.responses import Response

from groundswell.access.principal import ForbiddenError
from groundswell.api.lineage import Writing
from groundswell.api.parameters import Parameters, read
from groundswell.api.problems import kind_of
from groundswell.api.registering import register_all, would_change_all
from groundswell.dashboard import pasted
from groundswell.dashboard.routing import Asked, Pages
from groundswell.errors import ConflictError, InputError
from groundswell.lineage.catalog import Change

pages = Pages()

_MOST = 256 * 1024
_TOLD = 20


@pages.page("/register/file", "register_images")
def show(asked: Asked) -> Response:
    asked.read(Parameters)
    return _form(asked, "")


@pages.act("/register/file", "register_images", most=_MOST)
def save(asked: Asked) -> Response:
    text = asked.form.get("text", [""])[-1].replace("\r\n", "\n")
    try:
        reason = read(Writing, {"reason": [asked.field("reason")]}).reason
        wanted = pasted.read(text, asked.product.settings.source_hosts)
    except InputError as exc:
        return _form(asked, text, wrong=str(exc).splitlines(), status=422)
    try:
        if asked.field("do") != "save":
            return _form(
                asked, text, images=len(wanted), changes=would_change_all(asked.product, asked.who, wanted)
            )
        changes, _ = register_all(asked.product, asked.who, wanted, why=reason)
    except (ForbiddenError, ConflictError, InputError) as exc:
        return _form(asked, text, refused=str(exc), status=kind_of(exc).status)
    told = [("told", change.name) for change in changes[:_TOLD]] or [("told", name) for name in [*wanted][:_TOLD]]
    return asked.see(f"/ui/lineage?{urlencode(told)}")


def _form(
    asked: Asked,
    text: str,
    *,
    wrong: Sequence[str] = (),
    refused: str = "",
    images: int = 0,
    changes: Sequence[Change] | None = None,
    status: int = 200,
) -> Response:
    return asked.render(
        "paste.html",
        text=text,
        wrong=wrong,
        refused=refused,
        images=images,
        changes=changes,
        reason=asked.field("reason"),
        status=status,
    )
