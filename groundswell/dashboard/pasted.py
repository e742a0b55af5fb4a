"""A lineage.yaml that is pasted: with the text of each Dockerfile, which the server cannot read itself. Pure."""

from collections.abc import Collection, Mapping
from functools import cache

from groundswell.api import images
from groundswell.api.bodies import Json
from groundswell.api.problems import InvalidError
from groundswell.errors import InputError
from groundswell.lineage.document import checked, schema, validator
from groundswell.lineage.model import Registration

_NAME, _DOCKERFILE = "line", "dockerfile_content"


def read(text: str, hosts: Collection[str]) -> dict[str, Registration]:
    """The images by name, with the edges of their Dockerfiles; `hosts` are those that sources may be at.

    Raises InputError, a line per complaint, each `line N: what is wrong`.
    """
    try:
        document, lines = checked(text, _NAME, validator(_schema()))
    except InputError as exc:
        raise InputError(str(exc).replace(f"{_NAME}:", f"{_NAME} ")) from exc
    found: dict[str, Registration] = {}
    wrong: list[str] = []
    for index, image in enumerate(document["images"]):
        name: str = image["name"]
        try:
            found[name] = images.resolved(name, _sent(document, image, found), hosts=hosts)
        except InvalidError as exc:
            field = str(exc.errors[0].get("pointer", "#/name")).removeprefix("#/").removeprefix("source/")
            line = lines.of(("images", index, *field.split("/")))
            wrong.append(f"line {line}: {name}: {_said(field)}{exc.errors[0]['detail']}")
        except InputError as exc:
            wrong.append(f"line {lines.of(('images', index, 'name'))}: {exc}")
    if wrong:
        raise InputError("\n".join(wrong[:20]))
    return found


def _said(field: str) -> str:
    return "in its Dockerfile, " if field == _DOCKERFILE else f"{field}: "


def _sent(document: Mapping[str, Json], image: Json, before: Collection[str]) -> Json:
    """An image of the file as the API takes it. Raises InputError, also for one of those `before`."""
    if image["name"] in before:
        raise InputError(f"{image['name']} is named twice")
    registry, source = (image.get(key) or document.get(key) for key in ("registry", "source"))
    for key, value in (("registry", registry), ("source", source)):
        if value is None:
            raise InputError(f"{image['name']} has no {key}; give one, or `{key}:` at the top")
    rest = {key: value for key, value in image.items() if key != "path"}
    return {**rest, "registry": registry, "source": {**(source or {}), "path": image.get("path", ".")}}


@cache
def _schema() -> Json:
    whole = schema()
    image = whole["$defs"]["image"]
    dockerfile = images.sent()["properties"][_DOCKERFILE]
    taken = {
        **image,
        "required": [*image["required"], _DOCKERFILE],
        "properties": {**image["properties"], _DOCKERFILE: dockerfile},
    }
    return {**whole, "$defs": {**whole["$defs"], "image": taken}}
