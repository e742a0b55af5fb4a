"""Which hosts sources may be at: the setting GROUNDSWELL_SOURCE_HOSTS. Pure.

Registrations are written by other people, and the hosts that they name are asked by us (for a commit) and by
whoever builds. Without a list they may be any; then only the address that was connected to is judged
(`groundswell.build.address`).
"""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from groundswell.build.port import Source
from groundswell.errors import PermanentError

_PLACE = re.compile(r"([a-z0-9.-]+)(?::([0-9]{1,5}))?", re.ASCII)
_USUAL = {"http": "80", "https": "443"}
_SHOWN = 5


def check_source(source: Source, hosts: Collection[str]) -> None:
    """Raise PermanentError for a source at a host that `hosts` does not have; an empty one has them all.

    What was uploaded for a build is at no host.
    """
    if fault := refused(source.location, hosts):
        raise PermanentError(fault)


def refused(url: str, hosts: Collection[str]) -> str:
    """Why sources are not taken from a URL; empty when they are."""
    place = _place(url) if hosts else None
    if place is None or any(_fits(place, each) for each in hosts):
        return ""
    listed = sorted(hosts)
    known = ", ".join(listed[:_SHOWN]) + (" and others" if len(listed) > _SHOWN else "")
    return (
        f"{place or 'it'} is none of the hosts in the setting GROUNDSWELL_SOURCE_HOSTS: "
        f"move the repository, or have its host added; now there: {known}"
    )


def _place(url: str) -> str | None:
    """`host`, or `host:port` where the port is not the scheme's own; empty for what has none that can be listed.

    None for what is no URL: it was uploaded.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address
        return ""
    if not parts.scheme:
        return None
    found = _PLACE.fullmatch(parts.netloc.lower())
    if found is None or parts.scheme not in _USUAL:
        return ""
    host, port = found[1], found[2]
    return host if port in (None, _USUAL[parts.scheme]) else f"{host}:{port}"


def _fits(place: str, listed: str) -> bool:
    return place.endswith(listed[1:]) and place != listed[1:] if listed.startswith("*.") else place == listed
