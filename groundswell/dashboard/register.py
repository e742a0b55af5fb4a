"""/ui/register: register an image, or change one, by a form; looked at before it is saved."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from urllib.parse import urlencode

from starlette.responses import Response

from groundswell.access.principal import ForbiddenError, Role
from groundswell.api import images
from groundswell.api.bodies import checked
from groundswell.api.conditions import Conditions, etag
from groundswell.api.lineage import Writing
from groundswell.api.parameters import Parameters, read
from groundswell.api.problems import InvalidError, PreconditionFailedError, kind_of
from groundswell.api.registering import register, stored, would_change
from groundswell.dashboard import fields
from groundswell.dashboard.fields import DOCKERFILE, FIELDS, Texts, Wrong
from groundswell.dashboard.routing import Asked, Pages
from groundswell.errors import ConflictError, InputError
from groundswell.lineage.catalog import Change, Stored
from groundswell.lineage.document import schema, validator
from groundswell.lineage.model import Registration

pages = Pages()

_MOST = 256 * 1024
_KEPT_WHY = (
    "paste it: it is not kept, and folder, Dockerfile, target, build args, platform and source say what is read "
    "from it"
)


class Shown(Parameters):
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What saving would change; `fields` are (name, before, after)."""

    action: str
    fields: Sequence[tuple[str, str, str]]
    wanted: Registration


@pages.page("/register", "put_image")
def show(asked: Asked) -> Response:
    """The form, empty or with an image as it is registered."""
    query = asked.read(Shown)
    if not query.image:
        teams = sorted(asked.who.teams)
        owner = teams[0] if len(teams) == 1 else ""
        return _form(asked, {**dict.fromkeys(FIELDS, ""), **fields.DEFAULTS, "owner": owner})
    known = asked.product.catalog.stored(query.image)
    return _form(asked, fields.of(known.registration), known=known, seen=etag(known))


@pages.act("/register", "put_image", most=_MOST)
def save(asked: Asked) -> Response:
    """`etag` is the image as the form showed it; without one it is to be new."""
    texts = {name: _text(asked, name) for name in FIELDS}
    seen = asked.field("etag")
    known = stored(asked.product.catalog, texts["name"]) if texts["name"] else None
    try:
        reason = read(Writing, {"reason": [asked.field("reason")]}).reason
        wanted = _wanted(texts, known if seen else None, asked.product.settings.source_hosts)
    except _WrongError as exc:
        return _form(asked, texts, seen=seen, known=known if seen else None, wrong=exc.wrong, status=422)
    conditions = Conditions(
        match=frozenset((seen,)) if seen else None, none_match=None if seen else frozenset(("*",))
    )
    try:
        if asked.field("do") != "save":
            change = would_change(asked.product, asked.who, wanted, conditions)
            return _form(asked, texts, seen=seen, known=known if seen else None, preview=_preview(wanted, change))
        register(asked.product, asked.who, wanted, conditions, why=reason)
    except (PreconditionFailedError, ConflictError):
        return _moved(asked, texts, wanted, seen)
    except ForbiddenError as exc:
        at = {} if asked.who.answers_for(wanted.owner) else {"owner": [_teams(asked)]}
        return _form(asked, texts, seen=seen, known=known if seen else None, wrong=at, refused=str(exc), status=403)
    except InputError as exc:
        status = kind_of(exc).status
        return _form(asked, texts, seen=seen, known=known if seen else None, refused=str(exc), status=status)
    return asked.see(f"/ui/lineage?{urlencode({'told': wanted.name, 'q': wanted.name})}")


class _WrongError(InputError):
    """Fields are wrong; `wrong` says which and why."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__(", ".join(wrong))
        self.wrong = wrong


def _text(asked: Asked, name: str) -> str:
    """As it was typed: of a Dockerfile the lines are counted. Browsers send them with CR LF."""
    if name not in fields.LONG:
        return asked.field(name)
    return asked.form.get(name, [""])[-1].replace("\r\n", "\n")


def _wanted(texts: Texts, known: Stored | None, hosts: Collection[str]) -> Registration:
    """The image that the form describes. Without the text of its Dockerfile it stands on what it stands on now.

    Raises _WrongError.
    """
    document, wrong = fields.sent(texts)
    name = texts["name"]
    naming = validator(schema()["$defs"]["name"])
    if name and not naming.is_valid(name):
        wrong = {**wrong, "name": [f"must be {fields.HINTS['name']}; at most 200 characters"]}
    keeps = known is not None and not texts[DOCKERFILE].strip()
    if not keeps and not texts[DOCKERFILE].strip():
        wrong = {**wrong, DOCKERFILE: ["is needed: what the image stands on is read from it"]}
    try:
        checked(json.dumps(document).encode(), images.sent())
        if wrong:
            raise _WrongError(wrong)
        if not keeps or known is None:
            return images.resolved(name, document, hosts=hosts)
        wanted = images.described(name, document, hosts=hosts)
    except InvalidError as exc:
        raise _WrongError({**fields.placed(exc.errors), **wrong}) from exc
    now = known.registration
    if not fields.same_build(wanted, now):
        raise _WrongError({DOCKERFILE: [_KEPT_WHY]})
    return replace(wanted, runtime=now.runtime, build=now.build, frontend=now.frontend)


def _moved(asked: Asked, texts: Texts, wanted: Registration, seen: str) -> Response:
    """It is not as the form showed it: say what it is, keep what was typed, and let the next save count for that.

    Who sends the same form twice finds it saved already.
    """
    now = stored(asked.product.catalog, wanted.name)
    if now is None:
        return _form(asked, texts, moved="It was unregistered meanwhile. Saving now registers it anew.", status=412)
    change = next(iter(asked.product.catalog.changes([wanted])), None)
    if change is None and now.registration == wanted:
        return asked.see(f"/ui/lineage?{urlencode({'told': wanted.name, 'q': wanted.name})}")
    if not seen:
        return _form(asked, texts, moved=f"There is an image {wanted.name} already.", clash=wanted.name, status=412)
    return _form(
        asked,
        texts,
        seen=etag(now),
        known=now,
        moved="Somebody else changed it meanwhile.",
        preview=_preview(wanted, change),
        status=412,
    )


def _form(
    asked: Asked,
    texts: Texts,
    *,
    seen: str = "",
    known: Stored | None = None,
    wrong: Wrong | None = None,
    refused: str = "",
    moved: str = "",
    clash: str = "",
    preview: Preview | None = None,
    status: int = 200,
) -> Response:
    """`seen` is the ETag that saving is held to, `known` the image that is changed, `clash` one in the way."""
    changed = next(islice(asked.product.catalog.history(texts["name"], limit=1), 1), None) if moved else None
    wrong = {name: wrong[name] for name in FIELDS if name in wrong} if wrong else {}
    return asked.render(
        "register.html",
        texts=texts,
        labels=FIELDS,
        hints=fields.HINTS,
        strategies=schema()["$defs"]["image"]["properties"]["strategy"]["enum"],
        teams=None if Role.ADMIN in asked.who.roles else sorted(asked.who.teams),
        reason=asked.field("reason"),
        seen=seen,
        known=known.registration if known else None,
        wrong=wrong,
        first_wrong=next(iter(wrong), ""),
        refused=refused,
        moved=moved,
        clash=clash,
        changed=changed,
        preview=preview,
        status=status,
    )


def _preview(wanted: Registration, change: Change | None) -> Preview:
    told = images.encode_change(change)
    rows = [
        (name, _said(pair["before"]), _said(pair["after"]))
        for name, pair in told["fields"].items()
        if pair["before"] or pair["after"]
    ]
    return Preview(action=told["action"], fields=rows, wanted=wanted)


def _said(value: object) -> str:
    if isinstance(value, str) or value is None:
        return value or ""
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
        return ", ".join(f"{key}={each}" for key, each in value.items())
    return json.dumps(value, ensure_ascii=False)


def _teams(asked: Asked) -> str:
    teams = ", ".join(sorted(asked.who.teams)) or "no team"
    return f"must be a team of yours: {teams}"
