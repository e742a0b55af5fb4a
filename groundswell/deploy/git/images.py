"""Which image a file in git says is to run, and the same file saying another. Pure.

Three places are understood: an entry of `images` in a kustomization (newName, digest or newTag); a value named
`digest` beside the repository's name, as Helm charts have them; and any other value, which is the whole reference,
as in a manifest. A place that says no version is refused: there would be no way back to it.
"""

import re
from dataclasses import dataclass

import yaml

from groundswell.deploy.git import scalars
from groundswell.deploy.port import GitFile
from groundswell.errors import InputError

FIELD = re.compile(
    r"(?:(?P<kind>[A-Za-z]{1,63})/(?P<name>[a-z0-9][a-z0-9.-]{0,252}):)?"
    r"(?P<path>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+|\[[A-Za-z0-9][A-Za-z0-9._-]*\])*)"
)
"""`[KIND/NAME:]key.key[item].key`: the document of a manifest, then a way of keys; an item of a list is given by
its number from 0, or by its `name`."""
_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[([^\]]+)\]")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Name:
    """An image: `name`, and `tag` or `digest`."""

    name: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.digest}" if self.digest else f"{self.name}:{self.tag}"


def read(text: str, git: GitFile) -> str:
    """The image, as a reference. Raises InputError saying where the file cannot be understood."""
    return str(_kustomized(text, git) if not git.field else _valued(text, git))


def write(text: str, git: GitFile, image: str) -> str:
    """The file saying `image`; `text` itself when it does. Raises InputError as `read`, or if it cannot say it."""
    if not _IMAGE.fullmatch(image):
        raise InputError(f"{image!r} is no reference to an image")
    if read(text, git) == image:
        return text
    new = (_kustomize if not git.field else _value)(text, git, image)
    if (said := read(new, git)) != image:
        raise InputError(f"{git.path}: cannot be made to say {image}: it would say {said}")
    return new


def _split(image: str) -> _Name:
    name, _, digest = image.partition("@")
    head, _, last = name.rpartition("/")
    last, _, tag = last.partition(":")
    return _Name(name=f"{head}/{last}" if head else last, tag=tag, digest=digest)


# kustomize


def _entry(text: str, git: GitFile) -> yaml.MappingNode:
    name = git.path
    found = scalars.documents(text, name)
    if len(found) != 1:
        raise InputError(f"{name}: holds {len(found)} documents; a kustomization is one")
    images = scalars.pair(found[0], "images", name)
    items = images[1].value if images and isinstance(images[1], yaml.SequenceNode) else []
    entries = [
        item
        for item in items
        if isinstance(item, yaml.MappingNode) and scalars.text_of(item, "name", name) == git.image
    ]
    if len(entries) != 1:
        many = "more than one entry" if entries else "no entry"
        raise InputError(f"{name}: images has {many} with `name: {git.image}`; see `image` in the registration")
    return entries[0]


def _kustomized(text: str, git: GitFile) -> _Name:
    entry = _entry(text, git)
    name = scalars.text_of(entry, "newName", git.path) or git.image
    digest = scalars.text_of(entry, "digest", git.path)
    tag = "" if digest else scalars.text_of(entry, "newTag", git.path)
    if not (digest or tag):
        raise InputError(f"{git.path}:{scalars.line(entry)}: has neither digest nor newTag: give what runs now")
    return _Name(name=name, tag=tag, digest=digest)


def _kustomize(text: str, git: GitFile, wanted: str) -> str:
    image = _split(wanted)
    key, value, other = ("digest", image.digest, "newTag") if image.digest else ("newTag", image.tag, "digest")
    entry = _entry(text, git)  # it has one of the two, or it would not have been read
    former = next(found for each in (key, other) if (found := scalars.pair(entry, each, git.path)))
    text = scalars.rename(text, former, key, value, git.path)
    entry = _entry(text, git)
    if (scalars.text_of(entry, "newName", git.path) or git.image) == image.name:
        return text
    if renamed := scalars.pair(entry, "newName", git.path):
        return scalars.replace(text, scalars.scalar(renamed[1], "newName", git.path), image.name, git.path)
    return scalars.insert(text, entry, "newName", image.name, git.path)


# values and manifests


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A value, and the mapping it is in; `node` is None where the mapping has no such entry yet."""

    parent: yaml.MappingNode
    key: str
    node: yaml.ScalarNode | None


def _place(text: str, git: GitFile) -> _Place:
    name = git.path
    parts = FIELD.fullmatch(git.field)
    if parts is None:
        raise InputError(f"{git.field!r} is no way to a value: KIND/NAME:key.key[item].key")
    found = scalars.documents(text, name)
    if parts["kind"]:
        found = tuple(each for each in found if _named(each, parts["kind"], parts["name"], name))
    steps = [(key, item) for key, item in _STEP.findall(parts["path"])]
    places = [place for each in found if (place := _walk(each, steps, name))]
    if len(places) != 1:
        many = f"{len(places)} documents have" if places else "nothing has"
        raise InputError(f"{name}: {many} the field {git.field}; see `field` in the registration")
    return places[0]


def _named(document: yaml.MappingNode, kind: str, called: str, name: str) -> bool:
    metadata = scalars.pair(document, "metadata", name)
    return (
        scalars.text_of(document, "kind", name) == kind
        and metadata is not None
        and scalars.text_of(metadata[1], "name", name) == called
    )


def _walk(document: yaml.MappingNode, steps: list[tuple[str, str]], name: str) -> _Place | None:
    node: yaml.Node = document
    for key, item in steps[:-1]:
        child = _item(node, item, name) if item else (scalars.pair(node, key, name) or (None, None))[1]
        if child is None:
            return None
        node = child
    last = steps[-1][0]
    if not last or not isinstance(node, yaml.MappingNode):
        return None
    found = scalars.pair(node, last, name)
    if found is None and (last != "digest" or not node.value):
        return None
    return _Place(parent=node, key=last, node=scalars.scalar(found[1], last, name) if found else None)


def _item(node: yaml.Node, item: str, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.SequenceNode):
        return None
    if item.isdecimal():
        return node.value[int(item)] if int(item) < len(node.value) else None
    found = [each for each in node.value if scalars.text_of(each, "name", name) == item]
    if len(found) > 1:
        raise InputError(f"{name}:{scalars.line(found[1])}: a second item is named {item}")
    return found[0] if found else None


def _valued(text: str, git: GitFile) -> _Name:
    place = _place(text, git)
    line = f"{git.path}:{scalars.line(place.node or place.parent)}"
    value = place.node.value if place.node else ""
    if place.key != "digest":
        found = _split(value) if _IMAGE.fullmatch(value) else _Name(name="")
        if not (found.tag or found.digest):
            raise InputError(f"{line}: {value[:200]!r} is no image with a tag or a digest")
        return _Name(name=f"{found.name}:{found.tag}", digest=found.digest) if found.tag and found.digest else found
    tag = "" if value else scalars.text_of(place.parent, "tag", git.path)
    if not (value or tag):
        raise InputError(f"{line}: has neither digest nor tag: give what runs now")
    repository = scalars.text_of(place.parent, "repository", git.path) or git.image
    registry = scalars.text_of(place.parent, "registry", git.path)
    return _Name(name=f"{registry}/{repository}" if registry else repository, tag=tag, digest=value)


def _value(text: str, git: GitFile, image: str) -> str:
    place = _place(text, git)
    value = _split(image).digest if place.key == "digest" else image
    if place.node is None:
        return scalars.insert(text, place.parent, place.key, value, git.path)
    return scalars.replace(text, place.node, value, git.path)
