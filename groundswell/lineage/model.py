"""A registration: what we know of an image that we can rebuild, as stored and as the engine uses it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from sys import intern
from typing import Any

from graph.lineage import Node
from graph.reference import Reference
from groundswell.build.port import Source
from groundswell.deploy.port import Kind, Workload
from groundswell.scan.policy import Policy, policy

REBUILD, REBASE, REBASE_THEN_REBUILD = "rebuild", "rebase", "rebase-then-rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One image. `runtime` and `build` are its edges as its Dockerfile resolved when it was registered.

    `tag_patterns` are globs of tags that it publishes beside the stable ones and never moves (`1.4.*`); `frontend`
    is the image that its Dockerfile names with `# syntax=`; `agent_pool` the ACR agent pool that builds it, None
    for the registry's own machines; `approval` is "required" when a person must agree to each rollout; `strategy`
    is how it gets onto a new base: one of the three below.
    """

    name: str
    registry: str
    repository: str
    tags: tuple[str, ...]
    source: Source
    dockerfile: str = "Dockerfile"
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ("linux/amd64",)
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    deployments: tuple[Workload, ...] = ()
    runtime: str | None = None
    build: tuple[str, ...] = ()
    frontend: str | None = None
    tag_patterns: tuple[str, ...] = ()
    agent_pool: str | None = None
    approval: str | None = None
    strategy: str = REBUILD

    @property
    def rebases(self) -> bool:
        """Whether it is put onto a new runtime base without a build, where that can be done."""
        return self.strategy in (REBASE, REBASE_THEN_REBUILD)

    @property
    def references(self) -> tuple[Reference, ...]:
        """The stable tags it publishes, the first being the one that is compared and shown."""
        return tuple(
            Reference(registry=self.registry, repository=self.repository, tag=tag, digest=None) for tag in self.tags
        )

    @property
    def environments(self) -> frozenset[str]:
        """Where it is rolled out to, as freezes call it."""
        return frozenset(workload.environment or workload.cluster for workload in self.deployments)

    @property
    def node(self) -> Node:
        return node(to_json(self))

    @property
    def policy(self) -> Policy:
        """The gate as far as the registration says it; teams' and global policies come on top (`policies.py`)."""
        return policy(self.gate)


def to_json(registration: Registration) -> dict[str, Any]:
    return asdict(registration)


def node(document: Mapping[str, Any]) -> Node:
    """The lineage's part of a stored registration. Equal references share one text: few bases serve many."""
    published = f"{document['registry']}/{document['repository']}:"
    return Node(
        name=document["name"],
        publishes=tuple(intern(published + tag) for tag in document["tags"]),
        runtime=_shared(document["runtime"]),
        build=tuple(intern(base) for base in document["build"]),
        patterns=tuple(published + glob for glob in document.get("tag_patterns", ())),
        frontend=_shared(document.get("frontend")),
    )


def _shared(reference: str | None) -> str | None:
    return None if reference is None else intern(reference)


def from_json(document: Mapping[str, Any]) -> Registration:
    return Registration(
        **{
            **document,
            "tags": tuple(document["tags"]),
            "source": Source(**document["source"]),
            "platforms": tuple(document["platforms"]),
            "deployments": tuple(
                Workload(**{**workload, "kind": Kind(workload["kind"])}) for workload in document["deployments"]
            ),
            "build": tuple(document["build"]),
            "tag_patterns": tuple(document.get("tag_patterns", ())),
        }
    )
