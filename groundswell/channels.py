"""Where people are told of things, and of what: GROUNDSWELL_NOTIFY, checked before anything is begun.

The address of a channel of Teams or Slack is a secret: whoever has it may write there. So addresses are kept out of
logs, answers and errors, as secrets are.
"""

import base64
import binascii
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from groundswell.errors import InputError


class Kind(StrEnum):
    """What a notice is about."""

    FAILED = "failed"  # a rebuild, or its rollout, which did not begin
    REJECTED = "rejected"  # by the gate
    ROLLED_BACK = "rolled-back"  # a rollout was not healthy, and went back
    ENDED = "ended"  # a cascade, with its summary
    APPROVAL = "approval"  # somebody has to agree before it is rolled out
    DRIFT = "drift"  # a workload was changed by somebody else, and is left alone
    REFUSED = "refused"  # what runs would be refused by now
    UNSCANNABLE = "unscannable"  # of what runs no scan counts
    POISON = "poison"  # a message was given up
    ORPHAN = "orphan"  # a run that nobody waits for was found, and is stopped
    HEALED = "healed"  # what was told is over
    TEST = "test"  # somebody tries a channel


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


SEVERITY: Mapping[Kind, Severity] = {
    Kind.FAILED: Severity.WARNING,
    Kind.REJECTED: Severity.WARNING,
    Kind.ROLLED_BACK: Severity.CRITICAL,
    Kind.ENDED: Severity.INFO,
    Kind.APPROVAL: Severity.WARNING,
    Kind.DRIFT: Severity.WARNING,
    Kind.REFUSED: Severity.CRITICAL,
    Kind.UNSCANNABLE: Severity.WARNING,
    Kind.POISON: Severity.CRITICAL,
    Kind.ORPHAN: Severity.INFO,
    Kind.HEALED: Severity.INFO,
    Kind.TEST: Severity.INFO,
}
"""How much each kind matters: production is touched, or a message lost; somebody has to act; good to know."""

CHOSEN = tuple(kind for kind in Kind if kind not in (Kind.HEALED, Kind.TEST))
"""Kinds that a channel may choose. That something healed is told where it was told that it was ill."""

MOST = 20
"""Channels: what is told to all of them is written in one commit."""


class Service(StrEnum):
    WEBHOOK = "webhook"  # CloudEvents, signed
    TEAMS = "teams"  # a workflow of Power Automate that posts to Microsoft Teams
    SLACK = "slack"  # an incoming webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Where to tell, and what. Without `teams` or `kinds`: of all of them.

    `keys` sign what a webhook gets, the newest first. `private` allows an address of our own network.
    """

    service: Service
    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    teams: tuple[str, ...] = ()
    severity: Severity = Severity.INFO
    kinds: tuple[Kind, ...] = ()
    private: bool = False

    def wants(self, kind: Kind, teams: Collection[str]) -> bool:
        """Whether it is told of this; what concerns no team goes to channels that are for all of them."""
        return (
            SEVERITY[kind].rank >= self.severity.rank
            and (not self.kinds or kind in self.kinds)
            and (not self.teams or bool(set(self.teams) & set(teams)))
        )


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_FIELDS = frozenset({"kind", "url", "secret", "teams", "severity", "kinds", "private"})
_SECRET = "whsec_"  # noqa: S105  # what secrets begin with
_FROM = "env:"


def read(document: Mapping[str, Any], values: Mapping[str, str], *, setting: str) -> dict[str, Channel]:
    """The channels by name. A `url` or `secret` that begins with env: names the app setting that holds it.

    InputError names the setting, the channel and the field, and never shows a secret or an address.
    """
    if len(document) > MOST:
        raise InputError(f"setting {setting}: {MOST} channels are the most, not {len(document)}")
    found = {}
    for name, entry in document.items():
        if not _NAME.fullmatch(name):
            raise InputError(f"setting {setting}: a channel is named by up to 40 of a-z, 0-9 and -, not {name!r}")
        try:
            found[name] = _channel(entry, values)
        except InputError as exc:
            raise InputError(f"setting {setting}: {name}: {exc}") from exc
    return found


def _channel(entry: object, values: Mapping[str, str]) -> Channel:
    if not isinstance(entry, dict) or entry.get("kind") not in tuple(Service):
        raise InputError(f"it must be an object whose kind is one of {', '.join(Service)}")
    if strange := sorted(set(entry) - _FIELDS):
        raise InputError(f"a channel has no {strange[0]!r}; it has {', '.join(sorted(_FIELDS))}")
    service, private = Service(entry["kind"]), entry.get("private", False)
    if not isinstance(private, bool):
        raise InputError("private must be true or false")
    secret = _text(entry, "secret", values)
    if service is Service.WEBHOOK and not secret:
        raise InputError(
            "secret is missing: what a webhook gets is signed; give whsec_ and 24 to 64 bytes in base64"
        )
    if service is not Service.WEBHOOK and secret:
        raise InputError(f"{service} signs nothing: leave secret out")
    return Channel(
        service=service,
        url=_address(_text(entry, "url", values)),
        keys=tuple(_key(each) for each in secret.split()),
        teams=_texts(entry, "teams"),
        severity=_one(Severity, entry.get("severity", Severity.INFO), "severity"),
        kinds=tuple(_chosen(each) for each in _texts(entry, "kinds")),
        private=private,
    )


def _text(entry: Mapping[str, Any], name: str, values: Mapping[str, str]) -> str:
    text = entry.get(name, "")
    if not isinstance(text, str):
        raise InputError(f"{name} must be a text")
    if not text.startswith(_FROM):
        return text
    variable = text.removeprefix(_FROM)
    if not values.get(variable):
        raise InputError(f"{name} is to be that of the app setting {variable}, which is not set")
    return values[variable]


def _texts(entry: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = entry.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise InputError(f"{name} must be a list of texts")
    return tuple(found)


def _one[E: StrEnum](kind: type[E], text: object, name: str) -> E:
    if text not in tuple(kind):
        raise InputError(f"{name} must be one of {', '.join(kind)}, not {text!r}")
    return kind(str(text))


def _chosen(text: str) -> Kind:
    if text not in CHOSEN:
        raise InputError(f"kinds must be of {', '.join(CHOSEN)}, not {text!r}")
    return Kind(text)


def _address(url: str) -> str:
    if url.startswith("@Microsoft.KeyVault("):
        raise InputError(
            "url is a reference to Key Vault, which is resolved only as a whole setting: put it into a setting of "
            "its own, and give env: and its name here"
        )
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:  # a port that is no number, brackets that are no address
        good = False
    if not good or parts.fragment or any(c.isspace() or not c.isprintable() for c in url):
        raise InputError("url must begin with https:// and a host, without a user or a fragment")
    return url


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(_SECRET), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_SECRET) or not 24 <= len(key) <= 64:
        raise InputError(
            "secret must be whsec_ and 24 to 64 bytes in base64 (echo whsec_$(openssl rand -base64 32)); while one "
            "takes the place of another, both with a blank between"
        )
    return key
