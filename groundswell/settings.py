"""Settings: app settings in Azure, `local.settings.json` for `func start` and the local stack.

Every name that is read stands here, once; `local.settings.example.json` shows them all (a test compares the two).
"""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from graph.reference import InvalidReferenceError, Reference
from groundswell import channels, scanners
from groundswell.channels import Channel
from groundswell.errors import InputError
from groundswell.scanners import ScannerSettings


class NoStoreError(InputError):
    """Nothing says where the store is."""


ENTRA = "https://login.microsoftonline.com"

_LONGEST_WINDOW = 86_400.0
_TENANT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_AKS = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[\w.()-]{1,90}"
    r"/providers/Microsoft\.ContainerService/managedClusters/[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How to reach one Kubernetes API server: by its address and a token, or by an AKS cluster's id in Azure."""

    server: str = ""
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    discover: bool = False
    """Whether all of it is searched for workloads that ask to be rolled out; its role must allow to list them."""
    aks: str = ""
    """/subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/NAME"""
    via: str = ""
    """`run-command`: through commands that AKS runs in a private cluster, which cannot be reached otherwise."""

    def __post_init__(self) -> None:
        if not isinstance(self.discover, bool):
            raise TypeError("discover must be true or false")
        if not self.aks:
            if not self.server or self.token is None:
                raise TypeError("a cluster needs server and token, or aks")
            if self.via:
                raise TypeError("via is for a cluster with aks")
        elif self.server or self.token or self.ca_file:
            raise TypeError("a cluster has either aks, or server, token and ca_file")
        elif not _AKS.fullmatch(self.aks):
            raise TypeError(f"aks is not the id of a managed cluster in Azure: {self.aks!r}")
        elif self.via not in ("", "run-command"):
            raise TypeError(f"via must be run-command, not {self.via!r}")


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


_KINDS = ("azure-pipelines", "jenkins")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildServer:
    """A builder beside ACR Tasks: one pipeline of Azure DevOps, or one job of a Jenkins server.

    `url` is that of the organisation, or of Jenkins; `slots` are its builds at once. Azure Pipelines: `project`,
    the number of the `pipeline`, and a `token` unless the app's identity is a user there. Jenkins: `job` (with its
    folders, `platform/build`), `user` and `token`.
    """

    kind: str
    url: str
    slots: int
    project: str = ""
    pipeline: int = 0
    job: str = ""
    user: str = ""
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        texts = (self.kind, self.url, self.project, self.job, self.user, self.token)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("kind, url, project, job, user and token must be texts")
        if self.kind not in _KINDS:
            raise TypeError(f"kind must be {' or '.join(_KINDS)}, not {self.kind!r}")
        if any(type(number) is not int for number in (self.slots, self.pipeline)) or self.slots < 1:
            raise TypeError("slots must be a whole number greater than 0, pipeline a whole number")
        parts = urlsplit(self.url)
        local = parts.hostname in ("localhost", "127.0.0.1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise TypeError("url must begin with https:// (a token goes with every request)")
        if not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise TypeError("url must be that of a server, without a user, a query or a fragment")
        if self.kind == "jenkins" and not (self.job.strip("/") and self.user and self.token):
            raise TypeError("a builder of kind jenkins needs job, user and token")
        if self.kind == "azure-pipelines" and not (self.project and self.pipeline > 0):
            raise TypeError("a builder of kind azure-pipelines needs project and the number of the pipeline")
        ours = local or _AZURE_DEVOPS.fullmatch(parts.hostname)
        if self.kind == "azure-pipelines" and not self.token and not ours:
            raise TypeError(f"{parts.hostname} needs a token: that of the identity goes to dev.azure.com only")


_AZURE_DEVOPS = re.compile(r"dev\.azure\.com|[a-z0-9-]+\.visualstudio\.com")
_BUILDER = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHost:
    """How commits are made in the repositories of a host, or below a path of it.

    GitHub takes a token, or an app with its installation and its private key (PEM); Azure DevOps a personal access
    token, or none: then it is asked with the identity's own, of Microsoft Entra ID. `api` is the address of the API
    where it is not the usual one of the host.
    """

    kind: str = ""
    token: str = field(default="", repr=False)
    app: str = ""
    installation: str = ""
    private_key: str = field(default="", repr=False)
    api: str = ""

    def __post_init__(self) -> None:
        values = (self.kind, self.token, self.app, self.installation, self.private_key, self.api)
        if not all(isinstance(value, str) for value in values):
            raise TypeError("every field of a host must be a text")
        if self.kind not in ("", "github", "azure-devops"):
            raise TypeError(f"kind must be github or azure-devops, not {self.kind!r}")
        of_app = (self.app, self.installation, self.private_key)
        if any(of_app) and (not all(of_app) or self.token):
            raise TypeError("app, installation and private_key go together, and without a token")
        if self.installation and not (self.installation.isascii() and self.installation.isdecimal()):
            raise TypeError("installation must be the number of the app's installation")
        if self.api and not self.api.startswith("https://"):
            raise TypeError("api must be an https address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The product's settings; field comments name the app setting each comes from."""

    store: str = field(
        repr=False
    )  # GROUNDSWELL_STORE: sqlite:///PATH or a storage connection string; "" with the two below
    queue_uri: str  # GROUNDSWELL_STORE__queueServiceUri: identity-based connection, as Functions names it
    table_uri: str  # GROUNDSWELL_STORE__tableServiceUri
    webhook_secret: str = field(repr=False)  # GROUNDSWELL_WEBHOOK_SECRET
    webhook_header: str  # GROUNDSWELL_WEBHOOK_HEADER
    arm_endpoint: str  # GROUNDSWELL_ARM_ENDPOINT
    registries: Mapping[str, AcrRegistry]  # GROUNDSWELL_REGISTRIES: JSON, login server -> ids
    clusters: Mapping[
        str, Cluster
    ]  # GROUNDSWELL_CLUSTERS: JSON, name -> server, token, ca_file, discover; or aks, via
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
    builders: Mapping[str, BuildServer] = field(
        default_factory=dict
    )  # GROUNDSWELL_BUILDERS: JSON, name -> kind, url, slots, and what its kind needs
    git: Mapping[str, GitHost] = field(
        default_factory=dict
    )  # GROUNDSWELL_GIT: JSON, host or host/path -> kind, token, app, installation, private_key, api
    source_hosts: tuple[str, ...] = ()  # GROUNDSWELL_SOURCE_HOSTS: where sources may be; none: at any host
    scanners: Mapping[str, ScannerSettings] = field(
        default_factory=dict
    )  # GROUNDSWELL_SCANNERS: JSON, name -> kind and what belongs to it; "" is Trivy's binary beside the app
    oras_image: str = ""  # GROUNDSWELL_ORAS_IMAGE: what attaches the reports of scan runs, by digest
    keep_cascades_days: int = 90  # GROUNDSWELL_KEEP_CASCADES_DAYS: after their end; 0: for ever, as all of these
    keep_pushes_days: int = 90  # GROUNDSWELL_KEEP_PUSHES_DAYS: lines of the push log
    rollouts: int = 5  # GROUNDSWELL_ROLLOUTS: workloads rolled out at once in each cluster; 0: without a limit
    archive: bool = True  # GROUNDSWELL_ARCHIVE: yes or no: whether a summary is kept of old cascades
    signing_key: str = ""  # GROUNDSWELL_SIGNING_KEY: a PEM file, or the URL of a key in Key Vault; "" signs nothing
    signing_chain: str = ""  # GROUNDSWELL_SIGNING_CHAIN: a PEM file with that key's certificates, for Notation
    keep_archive_days: int = 730  # GROUNDSWELL_KEEP_ARCHIVE_DAYS: after a cascade's beginning
    keep_candidates_days: int = 30  # GROUNDSWELL_KEEP_CANDIDATES_DAYS: their tags; 0: no tag is ever taken away
    keep_former: int = 5  # GROUNDSWELL_KEEP_FORMER: stable images of before that keep a tag, of each image; 0: none
    entra_authority: str = ENTRA  # GROUNDSWELL_ENTRA_AUTHORITY: another in sovereign clouds
    entra_tenant: str = ""  # GROUNDSWELL_ENTRA_TENANT: id of the tenant whose access tokens the API takes
    entra_audiences: tuple[str, ...] = ()  # GROUNDSWELL_ENTRA_AUDIENCE: the API's app registration; commas between
    easy_auth: bool = False  # GROUNDSWELL_EASY_AUTH: yes only where App Service authentication stands in front
    notify: Mapping[str, Channel] = field(
        default_factory=dict
    )  # GROUNDSWELL_NOTIFY: JSON, name -> kind, url, and what belongs to it; none: nobody is told
    notify_delay: float = 120.0  # GROUNDSWELL_NOTIFY_DELAY_SECONDS: that a failure must stand before it is told
    notify_window: float = 3600.0  # GROUNDSWELL_NOTIFY_WINDOW_SECONDS: in which the same is told once
    keep_notices_days: int = 90  # GROUNDSWELL_KEEP_NOTICES_DAYS
    public_url: str = ""  # GROUNDSWELL_PUBLIC_URL: https://HOST, where people reach us; "": notices have no links
    telemetry: str = "none"  # GROUNDSWELL_TELEMETRY: none, console, otlp or azure: where traces, metrics, logs go
    prometheus: bool = False  # GROUNDSWELL_PROMETHEUS: yes: GET /metrics gives the metrics, to readers
    api_rate: float = 20.0  # GROUNDSWELL_API_RATE: requests a second that one principal may send to an instance

    def settle(self, base: str) -> float:
        """The settle window of a base (canonical, without digest), in seconds: of the first glob that fits."""
        found = (seconds for glob, seconds in self.settle_bases.items() if fnmatchcase(base, glob))
        return next(found, self.settle_seconds)

    @property
    def pools(self) -> Mapping[str, int]:
        """Builds at once in the pools beside the default one, by `Registration.pool`."""
        return {**self.agent_pools, **{f"builder:{name}": server.slots for name, server in self.builders.items()}}


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


def _one_of(values: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """One of the words that are known; the first when it is not set."""
    text = (values.get(name) or known[0]).lower()
    if text not in known:
        raise InputError(f"setting {name} must be one of {', '.join(known)}, not {text!r}")
    return text


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


def _window(values: Mapping[str, str], name: str, default: float = 30.0) -> float:
    seconds = _number(values, name, default, float, zero=True)
    if seconds > _LONGEST_WINDOW:
        raise InputError(f"setting {name} must be a day at most ({_LONGEST_WINDOW:.0f}), not {seconds:g}")
    return seconds


_GIT = re.compile(r"[a-z0-9][a-z0-9.-]*(?::\d{1,5})?(?:/[\w.-]+)*", re.ASCII)


def _git(values: Mapping[str, str], name: str) -> dict[str, GitHost]:
    found = _entries(values, name, GitHost)
    for place, host in found.items():
        if not _GIT.fullmatch(place):
            raise InputError(f"setting {name}: {place!r} must be a host, or a path on it: github.com/contoso/fleet")
        kind = host.kind or {"github.com": "github", "dev.azure.com": "azure-devops"}.get(place.partition("/")[0])
        if kind is None:
            raise InputError(f"setting {name}: {place} needs a kind, github or azure-devops")
        if kind == "github" and not (host.token or host.app):
            raise InputError(f"setting {name}: {place} needs a token, or app, installation and private_key")
        if kind == "azure-devops" and host.app:
            raise InputError(f"setting {name}: {place} is Azure DevOps, which knows no app")
        found[place] = replace(host, kind=kind)
    return found


_SOURCE_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?", re.ASCII)


def _source_hosts(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    hosts = tuple(text for each in values.get(name, "").split(",") if (text := each.strip().lower()))
    for host in hosts:
        if not _SOURCE_HOST.fullmatch(host):
            raise InputError(
                f"setting {name}: {host!r} must be a host such as github.com, *.visualstudio.com for all below it, "
                "or git.contoso.example:8443; commas between"
            )
    return hosts


def _builders(values: Mapping[str, str], name: str) -> dict[str, BuildServer]:
    found = _entries(values, name, BuildServer)
    for builder in found:
        if not _BUILDER.fullmatch(builder):
            raise InputError(f"setting {name}: {builder!r} must have up to 32 of the characters a-z, 0-9 and -")
    return found


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


def _scanners(values: Mapping[str, str], name: str, oras_image: str) -> dict[str, ScannerSettings]:
    found = scanners.read(_json(values, name), setting=name)
    if any(each.in_a_run for each in found.values()) or oras_image:
        try:
            scanners.pinned("the image", oras_image)
        except InputError as exc:
            raise InputError(f"setting GROUNDSWELL_ORAS_IMAGE: {exc}") from exc
    return found


def _entra(values: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The tenant, in lower case, and the audiences. A tenant alone would take tokens meant for others."""
    tenant = values.get("GROUNDSWELL_ENTRA_TENANT", "").strip().lower()
    texts = values.get("GROUNDSWELL_ENTRA_AUDIENCE", "").split(",")
    audiences = tuple(text.strip() for text in texts if text.strip())
    if tenant and not _TENANT.fullmatch(tenant):
        raise InputError(f"setting GROUNDSWELL_ENTRA_TENANT must be the id of a tenant, a UUID, not {tenant!r}")
    if tenant and not audiences:
        raise InputError("setting GROUNDSWELL_ENTRA_AUDIENCE is missing: name the API's app registration")
    return tenant, audiences


def _authority(values: Mapping[str, str], name: str) -> str:
    authority = (values.get(name) or ENTRA).rstrip("/")
    if not authority.startswith("https://"):
        raise InputError(f"setting {name} must begin with https://, not {authority!r}")
    return authority


def _public(values: Mapping[str, str], name: str) -> str:
    url = values.get(name, "").rstrip("/")
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" and parts.hostname and not (parts.query or parts.fragment or parts.username)
    except ValueError:
        good = False
    if url and (not good or any(c.isspace() for c in url)):
        raise InputError(f"setting {name} must be https:// and a host, and no more than a path, not {url!r}")
    return url


def _check_resolved(values: Mapping[str, str]) -> None:
    """Raises InputError for a reference in place of what it refers to; the webhooks' secret does without."""
    for name, value in values.items():
        if name.startswith("GROUNDSWELL_") and name != "GROUNDSWELL_WEBHOOK_SECRET" and unresolved(value):
            raise InputError(
                f"setting {name} is a reference to Key Vault that Azure could not resolve: see that the secret is "
                "there and that the app's identity may read it, then restart the app"
            )


def unresolved(text: str) -> bool:
    """Whether it is a reference to Key Vault itself, which App Service leaves there when it cannot read that."""
    return text.startswith("@Microsoft.KeyVault(")


def _secret(values: Mapping[str, str], name: str) -> str:
    """Empty for a reference that was not resolved: that text is in the template, and opens nothing."""
    text = values.get(name, "")
    return "" if unresolved(text) else text


def parse(values: Mapping[str, str]) -> Settings:
    """Settings from a mapping of app settings. Raises InputError naming the setting at fault."""
    _check_resolved(values)
    store = values.get("GROUNDSWELL_STORE", "")
    queue_uri = values.get("GROUNDSWELL_STORE__queueServiceUri", "")
    table_uri = values.get("GROUNDSWELL_STORE__tableServiceUri", "")
    if not store and not (queue_uri and table_uri):
        raise NoStoreError(
            "setting GROUNDSWELL_STORE is missing: give sqlite:///PATH or a storage connection string, "
            "in the environment or in local.settings.json (see local.settings.example.json)"
        )
    registries = _entries(values, "GROUNDSWELL_REGISTRIES", AcrRegistry)
    oras_image = values.get("GROUNDSWELL_ORAS_IMAGE", "")
    tenant, audiences = _entra(values)
    return Settings(
        store=store,
        queue_uri=queue_uri,
        table_uri=table_uri,
        webhook_secret=_secret(values, "GROUNDSWELL_WEBHOOK_SECRET"),
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
        git=_git(values, "GROUNDSWELL_GIT"),
        source_hosts=_source_hosts(values, "GROUNDSWELL_SOURCE_HOSTS"),
        scanners=_scanners(values, "GROUNDSWELL_SCANNERS", oras_image),
        oras_image=oras_image,
        builders=_builders(values, "GROUNDSWELL_BUILDERS"),
        keep_cascades_days=_days(values, "GROUNDSWELL_KEEP_CASCADES_DAYS", 90),
        keep_pushes_days=_days(values, "GROUNDSWELL_KEEP_PUSHES_DAYS", 90),
        rollouts=_number(values, "GROUNDSWELL_ROLLOUTS", 5, int, zero=True),
        archive=_yes(values, "GROUNDSWELL_ARCHIVE", default=True),
        signing_key=values.get("GROUNDSWELL_SIGNING_KEY", ""),
        signing_chain=_chain(values, "GROUNDSWELL_SIGNING_CHAIN"),
        keep_archive_days=_days(values, "GROUNDSWELL_KEEP_ARCHIVE_DAYS", 730),
        keep_candidates_days=_days(values, "GROUNDSWELL_KEEP_CANDIDATES_DAYS", 30),
        keep_former=_number(values, "GROUNDSWELL_KEEP_FORMER", 5, int, zero=True),
        entra_authority=_authority(values, "GROUNDSWELL_ENTRA_AUTHORITY"),
        entra_tenant=tenant,
        entra_audiences=audiences,
        easy_auth=_yes(values, "GROUNDSWELL_EASY_AUTH", default=False),
        notify=channels.read(_json(values, "GROUNDSWELL_NOTIFY"), values, setting="GROUNDSWELL_NOTIFY"),
        notify_delay=_window(values, "GROUNDSWELL_NOTIFY_DELAY_SECONDS", 120.0),
        notify_window=_window(values, "GROUNDSWELL_NOTIFY_WINDOW_SECONDS", 3600.0),
        keep_notices_days=_days(values, "GROUNDSWELL_KEEP_NOTICES_DAYS", 90),
        public_url=_public(values, "GROUNDSWELL_PUBLIC_URL"),
        telemetry=_one_of(values, "GROUNDSWELL_TELEMETRY", ("none", "console", "otlp", "azure")),
        prometheus=_yes(values, "GROUNDSWELL_PROMETHEUS", default=False),
        api_rate=_number(values, "GROUNDSWELL_API_RATE", 20.0, float),
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
