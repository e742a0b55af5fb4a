"""What browsers load beside the pages: stylesheet and scripts, under names that change with their content."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from groundswell.errors import NotFoundError

PLACE = "/ui/static"
_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    content: bytes
    media_type: str


@cache
def _all() -> tuple[dict[str, str], dict[str, Asset]]:
    """The public name of each file, and what is behind each public name."""
    names, assets = {}, {}
    for path in sorted(each for each in _FOLDER.rglob("*") if each.suffix in _TYPES):
        content = path.read_bytes()
        name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:12]}{path.suffix}"
        names[path.relative_to(_FOLDER).as_posix()] = name
        assets[name] = Asset(content=content, media_type=_TYPES[path.suffix])
    return names, assets


def address(name: str) -> str:
    """Where the file `name` of the folder `static` is served."""
    return f"{PLACE}/{_all()[0][name]}"


async def serve(request: Request) -> Response:
    """Open to anybody: there is nothing of the product in it."""
    found = _all()[1].get(request.path_params["name"])
    if found is None:
        raise NotFoundError("there is no such file; load the page again, it may be of an older version")
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _FOR_EVER})
