"""What of a build cannot be sent safely to whoever builds it. Pure.

ACR puts a source together as one string, `https://host/repo.git#ref:folder`, and a build as one `docker build`
line, so a `#`, a `:` or a blank in the wrong place would mean another source or another option. A pipeline hands
the same parts to a shell.
"""

import re
from urllib.parse import urlsplit

from groundswell.build.port import Source
from groundswell.errors import PermanentError

_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]*")
_PATH = re.compile(r"[A-Za-z0-9._+@~-]+(?:/[A-Za-z0-9._+@~-]+)*")
_UPLOAD = re.compile(r"source/[A-Za-z0-9._/-]+")
_ARGUMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAFE_URL = re.compile(r"[\s#\x00-\x1f\x7f]")
_SCHEMES = ("https", "http", "file")


def source_location(source: Source) -> str:
    """The source as one string. PermanentError names the part that is not safe in it."""
    location = source.location
    parts = urlsplit(location)
    uploaded = not parts.scheme and _UPLOAD.fullmatch(location) and ".." not in location
    if "@" in parts.netloc:
        raise PermanentError(
            "the source location must not hold a user or a password: it would stand in every log; "
            "take them out of the URL"
        )
    if _UNSAFE_URL.search(location) or not (uploaded or parts.scheme in _SCHEMES):
        raise PermanentError(
            "the source location must be the URL of a git repository (https://host/repo.git) or of a tarball, "
            "without blanks or '#'; give ref and path as fields of their own"
        )
    if not source.ref and not source.path:
        return location
    if not source.is_git:
        raise PermanentError(
            "a source with ref or path must be a git repository, whose URL ends in .git, "
            "or has /_git/ in it on dev.azure.com or visualstudio.com"
        )
    if source.ref and (not _REF.fullmatch(source.ref) or ".." in source.ref):
        raise PermanentError(
            f"source ref {source.ref!r} is not a branch, a tag or a commit that ACR Tasks can take"
        )
    path = inner_path("source path", source.path) if source.path else ""
    return f"{location}#{source.ref}" + (f":{path}" if path else "")


def inner_path(what: str, path: str) -> str:
    """`path`, when it stays inside the source and holds nothing that ACR splits at (blanks: Azure/acr#871)."""
    if not _PATH.fullmatch(path) or path.startswith("-") or ".." in path.split("/"):
        raise PermanentError(f"{what} {path!r} must be a path inside the source, without blanks, '#' or ':'")
    return path


def target_stage(target: str | None) -> str | None:
    """`target`, when it can be the name of a build stage."""
    if target and not _PATH.fullmatch(target):
        raise PermanentError(f"target {target!r} is not the name of a build stage")
    return target


def build_argument(name: str, value: str) -> str:
    """`name`, when it and its value can be sent."""
    if not _ARGUMENT.fullmatch(name) or _CONTROL.search(value):
        raise PermanentError(f"build argument {name!r} must have a plain name and a value of one line")
    return name
