"""What an image inherits from its base's config, when that base is replaced by another. Pure.

The image's config, the old base's and the new one's, merged three ways: what the image has unchanged from the old
base follows the new one, what it set itself stays, as in a build on the new base. Where that would need the build
itself (commands that ran as another user, a text that was made of a variable that has changed), it is refused.

The fields and their meaning: OCI image-spec, config.md; which of them a Dockerfile's instructions make of the
base's: BuildKit, frontend/dockerfile/dockerfile2llb.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from groundswell.errors import PermanentError

type _Json = Mapping[str, Any]


class NotRebasableError(PermanentError):
    """The image cannot be put on the new base without a build; the message says why."""


_MAPPINGS = ("ExposedPorts", "Labels", "Volumes")
"""Of `config`: an image adds to the base's, and may overwrite an entry."""
_AROUND = ("WorkingDir", "User", "Shell")
"""Of `config`: what the image's own commands ran in, so that its layers depend on it."""
_BESIDE = ("author", "os.version", "os.features")
"""Beside `config`, inherited in the same way."""
_BUILDKIT = "moby.buildkit."
"""BuildKit's inline cache and build information: it tells of a build on the old base."""
BASE_DIGEST, BASE_NAME = "org.opencontainers.image.base.digest", "org.opencontainers.image.base.name"


def inherit(own: _Json, old: _Json, new: _Json, *, layers: bool) -> dict[str, Any]:
    """The image's config document on the new base, but for `rootfs` and `history`.

    `layers` says whether the image has layers of its own. Raises NotRebasableError.
    """
    mine, former, newer = _inner(own), _inner(old), _inner(new)
    _check(mine, former, newer, layers=layers)
    document = {key: value for key, value in own.items() if not key.startswith(_BUILDKIT)}
    for key in _BESIDE:
        _put(document, key, _follow(own.get(key), old.get(key), new.get(key)))
    merged = dict(mine)
    for key in sorted({*mine, *former, *newer} - {"Env", "Cmd", "OnBuild", *_MAPPINGS}):
        _put(merged, key, _follow(mine.get(key), former.get(key), newer.get(key)))
    for key in _MAPPINGS:
        _put(merged, key, _follow_each(mine.get(key) or {}, former.get(key) or {}, newer.get(key) or {}))
    if (before := _variables(former)) != (after := _variables(newer)):
        env = _follow_each(_variables(mine), before, after)
        _put(merged, "Env", [f"{name}={value}" for name, value in env.items()])
    if _same(mine.get("Entrypoint"), former.get("Entrypoint")):
        _put(merged, "Cmd", _follow(mine.get("Cmd"), former.get("Cmd"), newer.get("Cmd")))
    # Else the image has an entrypoint of its own, which took away the base's Cmd.
    if merged != mine:
        document["config"] = merged
    return document


def renamed(document: dict[str, Any], *, name: str, digest: str) -> dict[str, Any]:
    """The config document with its labels telling of this base, where they tell of one."""
    labels = _inner(document).get("Labels") or {}
    told = {key: value for key, value in ((BASE_NAME, name), (BASE_DIGEST, digest)) if key in labels}
    if not told:
        return document
    return {**document, "config": {**document["config"], "Labels": {**labels, **told}}}


def _check(mine: _Json, former: _Json, newer: _Json, *, layers: bool) -> None:
    if not _same(former.get("OnBuild"), newer.get("OnBuild")):
        raise NotRebasableError("the ONBUILD triggers of the new base are others")
    if layers:
        for key in _AROUND:
            if not _same(former.get(key), newer.get(key)):
                raise NotRebasableError(
                    f"the base's {key} changed from {former.get(key) or 'none'} to {newer.get(key) or 'none'}, "
                    "and the image has layers that were made with it"
                )
    before, after = _variables(former), _variables(newer)
    changed = {name: value for name, value in before.items() if value and after.get(name) != value}
    for place, text in _own_texts(mine, former):
        for name, value in changed.items():
            if value in text:
                raise NotRebasableError(
                    f"{place} may be made of the base's variable {name}, which changed: it holds {value!r}"
                )


def _own_texts(mine: _Json, former: _Json) -> Iterator[tuple[str, str]]:
    """What the image set itself, text by text, each with where it stands."""
    before = _variables(former)
    for name, value in _variables(mine).items():
        if before.get(name) != value:
            yield f"its variable {name}", value
    for key in sorted(mine.keys() - {"Env", "OnBuild"}):
        known = former.get(key)
        if key in _MAPPINGS:
            for name, value in (mine[key] or {}).items():
                if not (known and name in known and known[name] == value):
                    yield f"its {key}", str(value) if key == "Labels" else name
        elif not _same(mine[key], known):
            for text in _texts(mine[key]):
                yield f"its {key}", text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _of_each(value.values())
    elif isinstance(value, list):
        yield from _of_each(value)


def _of_each(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield from _texts(value)


def _follow(mine: Any, former: Any, newer: Any) -> Any:
    if _same(former, newer):
        return mine
    return newer if _same(mine, former) else mine


def _follow_each(mine: _Json, former: _Json, newer: _Json) -> dict[str, Any]:
    """As `_follow`, entry by entry, in the order of a build: the base's first, then the image's own."""
    if former == newer:
        return dict(mine)
    kept = {name for name, value in mine.items() if name not in former or former[name] != value}
    dropped = former.keys() - mine.keys()
    followed = {name: mine[name] if name in kept else value for name, value in newer.items() if name not in dropped}
    return followed | {name: value for name, value in mine.items() if name in kept}


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    """Set a field, unless it says the same already in other words; an empty one is left out."""
    if _same(document.get(key), value):
        return
    if _empty(value):
        del document[key]
    else:
        document[key] = value


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (_empty(one) and _empty(other))


def _empty(value: Any) -> bool:
    """Absent, null and empty are one: builders differ in which of them they write."""
    return value in (None, "", False, 0, [], {})


def _inner(document: _Json) -> _Json:
    inner = document.get("config")
    if inner is not None and not isinstance(inner, dict):
        raise NotRebasableError("an image config is not what OCI says: its `config` is no object")
    return inner or {}


def _variables(inner: _Json) -> dict[str, str]:
    env = inner.get("Env") or []
    if not (isinstance(env, list) and all(isinstance(each, str) for each in env)):
        raise NotRebasableError("an image config is not what OCI says: its Env is no list of texts")
    pairs = (each.partition("=") for each in env)
    return {name: value for name, _, value in pairs}
