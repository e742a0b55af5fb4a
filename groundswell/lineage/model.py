"""A registration: what we know of an image that we can rebuild, as stored and as the engine uses it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from graph.lineage import Node
from graph.reference import Reference
from groundswell.build.port import Source
from groundswell.deploy.port import Kind, Workload
from groundswell.scan.gate import Policy
from groundswell.scan.port import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One image. `runtime` and `build` are its edges as its Dockerfile resolved when it was registered."""

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

    @property
    def references(self) -> tuple[Reference, ...]:
        """The stable tags it publishes, the first being the one that is compared and shown."""
        return tuple(
            Reference(registry=self.registry, repository=self.repository, tag=tag, digest=None) for tag in self.tags
        )

    @property
    def node(self) -> Node:
        return Node(
            name=self.name,
            publishes=tuple(str(reference) for reference in self.references),
            runtime=self.runtime,
            build=self.build,
        )

    @property
    def policy(self) -> Policy:
        """The gate; the default is "no fixable CRITICAL"."""
        return Policy(
            threshold=Severity[self.gate.get("severity", "CRITICAL")],
            fixable_only=bool(self.gate.get("fixable_only", True)),
            allow_no_os=self.gate.get("os") == "none",
        )


def to_json(registration: Registration) -> dict[str, Any]:
    return asdict(registration)


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
        }
    )
