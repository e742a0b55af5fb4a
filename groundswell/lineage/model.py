"""A registration: what we know of an image that we can rebuild, as stored and as the engine uses it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from sys import intern
from typing import Any

from graph.lineage import Node
from graph.reference import Reference
from groundswell.build.port import Source
from groundswell.deploy.port import GitFile, Kind, Workload
from groundswell.scan.policy import Policy, policy

REBUILD, REBASE, REBASE_THEN_REBUILD = "rebuild", "rebase", "rebase-then-rebuild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One image. `runtime` and `build` are its edges as its Dockerfile resolved when it was registered.

    `tag_patterns` are globs of tags that it publishes beside the stable ones and never moves (`1.4.*`); `frontend`
    is the image that its Dockerfile names with `# syntax=`; `agent_pool` the ACR agent pool that builds it, None
    for the registry's own machines; `builder` the pipeline that builds it instead, by its name in the settings;
    `approval` is "required" when a person must agree to each rollout; `rings` are the environments of its
    deployments in the order in which they follow on one another (`cascade/rings.py`); `strategy`
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
    rings: tuple[Mapping[str, Any], ...] = ()
    builder: str | None = None
    strategy: str = REBUILD

    @property
    def pool(self) -> str | None:
        """Whose slots its builds take: a builder's, an agent pool's, None for those of the registries' machines."""
        return f"builder:{self.builder}" if self.builder else self.agent_pool

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
        """Where it is rolled out to, as rings and freezes call it."""
        return frozenset(workload.place for workload in self.deployments)

    @property
    def node(self) -> Node:
        return node(to_json(self))

    @property
    def policy(self) -> Policy:
        """The gate as far as the registration says it; teams' and global policies come on top (`policies.py`)."""
        return policy(self.gate)


def to_json(registration: Registration) -> dict[str, Any]:
    return {**asdict(registration), "deployments": tuple(_deployment(each) for each in registration.deployments)}


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
            "deployments": tuple(map(workload, document["deployments"])),
            "build": tuple(document["build"]),
            "tag_patterns": tuple(document.get("tag_patterns", ())),
            "rings": tuple(document.get("rings", ())),
        }
    )


def workload(entry: Mapping[str, Any]) -> Workload:
    """A workload of the registration in a document."""
    if entry["kind"] == Kind.GIT:
        return git_workload(entry)
    return Workload(**{**entry, "kind": Kind(entry["kind"])})


def git_workload(entry: Mapping[str, Any]) -> Workload:
    """A deployment of the kind `git`, as a lineage file has it, with the name of its image.

    What it is called has no slash or bracket within a part, as names in a cluster have none.
    """
    git = GitFile(
        repository=entry["repository"],
        branch=entry.get("branch", "main"),
        path=entry["path"],
        image=entry["image"],
        field=entry.get("field") or "",
        pull_request=entry.get("pull_request", False),
    )
    return Workload(
        cluster=git.repository.removeprefix("https://").removesuffix(".git"),
        namespace=_part(git.branch),
        kind=Kind.GIT,
        name=_part(git.path),
        container=_part(git.field or git.image),
        environment=entry.get("environment"),
        git=git,
    )


def _part(text: str) -> str:
    return text.replace("/", ":").replace("[", ".").replace("]", "")


def _deployment(workload: Workload) -> dict[str, Any]:
    """As a lineage file has it, with every default."""
    document = asdict(workload)
    if workload.git is None:
        del document["git"]
        return document
    git = asdict(workload.git)
    return {"kind": Kind.GIT.value, **git, "field": git["field"] or None, "environment": workload.environment}
