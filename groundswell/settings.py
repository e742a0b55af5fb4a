"""Settings: app settings in Azure, `local.settings.json` for `func start` and the local stack.

Every name that is read stands here, once; `local.settings.example.json` shows them all (a test compares the two).
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import InputError

_LONGEST_WINDOW = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How to reach one Kubernetes API server."""

    server: str
    token: str
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcrRegistry:
    """Where the ACR Tasks of a registry (by login server) live in Azure Resource Manager."""

    subscription: str
    resource_group: str
    name: str
    webhook: str = ""
    """The webhook whose record of deliveries is read; none when empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalRegistry:
    """A registry of somebody else that may be asked: with a login, or as anybody.

    `token_host` is where it sends for tokens when that is another host; `private` allows it, and what it redirects
    to, addresses of a private network.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    token_host: str = ""
    private: bool = False

    def __post_init__(self) -> None:
        texts = (self.username, self.password, self.token_host)
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.private, bool):
            raise TypeError("username, password and token_host must be texts, private true or false")
        if bool(self.username) != bool(self.password):
            raise TypeError("username and password go together")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The product's settings; field comments name the app setting each comes from."""

    store: str  # GROUNDSWELL_STORE: sqlite:///PATH or a storage connection string; "" with the two below
    queue_uri: str  # GROUNDSWELL_STORE__queueServiceUri: identity-based connection, as Functions names it
    table_uri: str  # GROUNDSWELL_STORE__tableServiceUri
    webhook_secret: str  # GROUNDSWELL_WEBHOOK_SECRET
    webhook_header: str  # GROUNDSWELL_WEBHOOK_HEADER
    arm_endpoint: str  # GROUNDSWELL_ARM_ENDPOINT
    registries: Mapping[str, AcrRegistry]  # GROUNDSWELL_REGISTRIES: JSON, login server -> ids
    clusters: Mapping[str, Cluster]  # GROUNDSWELL_CLUSTERS: JSON, name -> server, token, ca_file
    trivy: str  # GROUNDSWELL_TRIVY: path of the binary
    trivy_cache: str  # GROUNDSWELL_TRIVY_CACHE: folder that holds db/
    slots: int  # GROUNDSWELL_SLOTS: builds at once in the registries' default pools
    poll_seconds: float  # GROUNDSWELL_POLL_SECONDS: between two looks at a run or a rollout
    settle_seconds: float = 30.0  # GROUNDSWELL_SETTLE_SECONDS: a push waits so long for others that are related
    settle_bases: Mapping[str, float] = field(
        default_factory=dict
    )  # GROUNDSWELL_SETTLE_BASES: JSON, base reference or glob of it -> seconds
    agent_pools: Mapping[str, int] = field(
        default_factory=dict
    )  # GROUNDSWELL_AGENT_POOLS: JSON, name -> builds at once
    external: Mapping[str, ExternalRegistry] = field(
        default_factory=dict
    )  # GROUNDSWELL_EXTERNAL_REGISTRIES: JSON, host -> login, token_host, private
    keep_cascades_days: int = 90  # GROUNDSWELL_KEEP_CASCADES_DAYS: after their end; 0: for ever, as all of these
    keep_pushes_days: int = 90  # GROUNDSWELL_KEEP_PUSHES_DAYS: lines of the push log
    archive: bool = True  # GROUNDSWELL_ARCHIVE: yes or no: whether a summary is kept of old cascades
    signing_key: str = ""  # GROUNDSWELL_SIGNING_KEY: a PEM file, or the URL of a key in Key Vault; "" signs nothing
    signing_chain: str = ""  # GROUNDSWELL_SIGNING_CHAIN: a PEM file with that key's certificates, for Notation
    keep_archive_days: int = 730  # GROUNDSWELL_KEEP_ARCHIVE_DAYS: after a cascade's beginning
    keep_candidates_days: int = 30  # GROUNDSWELL_KEEP_CANDIDATES_DAYS: their tags; 0: no tag is ever taken away
    keep_former: int = 5  # GROUNDSWELL_KEEP_FORMER: stable images of before that keep a tag, of each image; 0: none

    def settle(self, base: str) -> float:
        """The settle window of a base (canonical, without digest), in seconds: of the first glob that fits."""
        found = (seconds for glob, seconds in self.settle_bases.items() if fnmatchcase(base, glob))
        return next(found, self.settle_seconds)


_MOST_DAYS = 36_500


def _json(values: Mapping[str, str], name: str) -> Mapping[str, Any]:
    text = values.get(name) or "{}"
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise InputError(f"setting {name} is not JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise InputError(f"setting {name} must be a JSON object, not {type(value).__name__}")
    return value


def _entries[T](values: Mapping[str, str], name: str, make: type[T]) -> dict[str, T]:
    try:
        return {key: make(**entry) for key, entry in _json(values, name).items()}
    except TypeError as exc:
        raise InputError(f"setting {name}: {exc}; see local.settings.example.json") from exc


def _number[N: (int, float)](
    values: Mapping[str, str], name: str, default: N, make: type[N], *, zero: bool = False
) -> N:
    text = values.get(name) or str(default)
    try:
        number = make(text)
    except ValueError as exc:
        raise InputError(f"setting {name} must be a number, not {text!r}") from exc
    if not (0 < number < math.inf or (zero and number == 0)):
        least = "of 0 or more" if zero else "greater than 0"
        raise InputError(f"setting {name} must be a number {least}, not {text}")
    return number


def _days(values: Mapping[str, str], name: str, default: int) -> int:
    text = values.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_DAYS):
        raise InputError(
            f"setting {name} must be a whole number of days up to {_MOST_DAYS}, 0 for ever, not {text!r}"
        )
    return int(text)


def _yes(values: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = (values.get(name) or ("yes" if default else "no")).lower()
    if text not in ("yes", "no", "true", "false"):
        raise InputError(f"setting {name} must be yes or no, not {text!r}")
    return text in ("yes", "true")


def _limits(values: Mapping[str, str], name: str) -> dict[str, int]:
    limits = _json(values, name)
    for pool, limit in limits.items():
        if type(limit) is not int or limit < 1:
            raise InputError(f"setting {name}: {pool} must have a whole number greater than 0, not {limit!r}")
    return dict(limits)


def _windows(values: Mapping[str, str], name: str) -> dict[str, float]:
    windows = {_glob(name, base): seconds for base, seconds in _json(values, name).items()}
    for glob, seconds in windows.items():
        if type(seconds) not in (int, float) or not 0 <= seconds <= _LONGEST_WINDOW:
            raise InputError(f"setting {name}: {glob} must have seconds, a day's at most, not {seconds!r}")
    return dict(windows)


def _glob(name: str, base: str) -> str:
    """A glob as it is, a reference in the one form that is looked up."""
    if any(character in base for character in "*?["):
        return base
    try:
        return str(Reference.parse(base).without_digest())
    except InvalidReferenceError as exc:
        raise InputError(f"setting {name}: {base!r} is neither a reference nor a glob of it: {exc}") from exc


def _window(values: Mapping[str, str], name: str) -> float:
    seconds = _number(values, name, 30.0, float, zero=True)
    if seconds > _LONGEST_WINDOW:
        raise InputError(f"setting {name} must be a day at most ({_LONGEST_WINDOW:.0f}), not {seconds:g}")
    return seconds


def _external(
    values: Mapping[str, str], name: str, registries: Mapping[str, AcrRegistry]
) -> dict[str, ExternalRegistry]:
    """Hosts are as references have them: a name that no reference has would be an entry without effect."""
    found = _entries(values, name, ExternalRegistry)
    for host in found:
        try:
            known = Reference.parse(f"{host}/any/image").registry
        except InvalidReferenceError:
            known = ""
        if known != host:
            meant = f"; did you mean {known}?" if known.endswith("docker.io") else ""
            raise InputError(f"setting {name}: {host!r} is no host as images' names begin with{meant}")
        if host in registries:
            raise InputError(f"setting {name}: {host} is in GROUNDSWELL_REGISTRIES too; take it out of one")
    return found


def _chain(values: Mapping[str, str], name: str) -> str:
    chain = values.get(name, "")
    if chain and not values.get("GROUNDSWELL_SIGNING_KEY"):
        raise InputError(f"setting {name} is of no use without GROUNDSWELL_SIGNING_KEY; set both, or neither")
    return chain


def parse(values: Mapping[str, str]) -> Settings:
    """Settings from a mapping of app settings. Raises InputError naming the setting at fault."""
    store = values.get("GROUNDSWELL_STORE", "")
    queue_uri = values.get("GROUNDSWELL_STORE__queueServiceUri", "")
    table_uri = values.get("GROUNDSWELL_STORE__tableServiceUri", "")
    if not store and not (queue_uri and table_uri):
        raise InputError(
            "setting GROUNDSWELL_STORE is missing: give sqlite:///PATH or a storage connection string, "
            "in the environment or in local.settings.json (see local.settings.example.json)"
        )
    registries = _entries(values, "GROUNDSWELL_REGISTRIES", AcrRegistry)
    return Settings(
        store=store,
        queue_uri=queue_uri,
        table_uri=table_uri,
        webhook_secret=values.get("GROUNDSWELL_WEBHOOK_SECRET", ""),
        webhook_header=values.get("GROUNDSWELL_WEBHOOK_HEADER") or "Authorization",
        arm_endpoint=values.get("GROUNDSWELL_ARM_ENDPOINT") or "https://management.azure.com",
        registries=registries,
        clusters=_entries(values, "GROUNDSWELL_CLUSTERS", Cluster),
        trivy=values.get("GROUNDSWELL_TRIVY") or "trivy",
        trivy_cache=values.get("GROUNDSWELL_TRIVY_CACHE", ""),
        slots=_number(values, "GROUNDSWELL_SLOTS", 4, int),
        poll_seconds=_number(values, "GROUNDSWELL_POLL_SECONDS", 5.0, float),
        settle_seconds=_window(values, "GROUNDSWELL_SETTLE_SECONDS"),
        settle_bases=_windows(values, "GROUNDSWELL_SETTLE_BASES"),
        agent_pools=_limits(values, "GROUNDSWELL_AGENT_POOLS"),
        external=_external(values, "GROUNDSWELL_EXTERNAL_REGISTRIES", registries),
        keep_cascades_days=_days(values, "GROUNDSWELL_KEEP_CASCADES_DAYS", 90),
        keep_pushes_days=_days(values, "GROUNDSWELL_KEEP_PUSHES_DAYS", 90),
        archive=_yes(values, "GROUNDSWELL_ARCHIVE", default=True),
        signing_key=values.get("GROUNDSWELL_SIGNING_KEY", ""),
        signing_chain=_chain(values, "GROUNDSWELL_SIGNING_CHAIN"),
        keep_archive_days=_days(values, "GROUNDSWELL_KEEP_ARCHIVE_DAYS", 730),
        keep_candidates_days=_days(values, "GROUNDSWELL_KEEP_CANDIDATES_DAYS", 30),
        keep_former=_number(values, "GROUNDSWELL_KEEP_FORMER", 5, int, zero=True),
    )


def find_file() -> Path | None:
    """The settings file in force: $GROUNDSWELL_SETTINGS, else the one here, else that of `make up`."""
    if named := os.environ.get("GROUNDSWELL_SETTINGS"):
        return Path(named)
    here = (Path("local.settings.json"), Path(".groundswell/local.settings.json"))
    return next((path for path in here if path.is_file()), None)


def load() -> Settings:
    """Settings of this process: the environment, over the settings file where there is one.

    What the file holds is put into the environment too, as the Functions host does, because the Azure SDKs read
    their own settings (IDENTITY_ENDPOINT, REQUESTS_CA_BUNDLE) from there. They only look whether one is there, so
    a value left empty is not put.
    """
    if path := find_file():
        for name, value in _values(path).items():
            if value:
                os.environ.setdefault(name, value)
    return parse(os.environ)


def _values(path: Path) -> dict[str, str]:
    """The app settings in a settings file."""
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise InputError(f"settings file {path} cannot be read: {exc}") from exc
    values = document.get("Values", {}) if isinstance(document, dict) else None
    if not isinstance(values, dict) or not all(isinstance(value, str | int | float) for value in values.values()):
        raise InputError(
            f'settings file {path} must be an object whose "Values" are texts, as local.settings.example.json is'
        )
    return {name: str(value) for name, value in values.items()}
