"""The deploy port: workloads are moved to a digest and watched until healthy."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import unquote, urlsplit


class Kind(StrEnum):
    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    CRON_JOB = "CronJob"
    GIT = "git"
    """A file in a git repository, from which Flux or Argo CD carry the image to a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitFile:
    """Where in git the image stands: in `repository` (https URL) on `branch`, in the YAML file `path`.

    `field` is the way to the value (see deploy/git/images.py); "" for a kustomization, whose entry of `images` is
    that with the name `image`. The image is moved by a commit, or by a pull request.
    """

    repository: str
    branch: str
    path: str
    image: str
    field: str = ""
    pull_request: bool = False

    @property
    def whole(self) -> str:
        """The file, the same however it is written: hosts take names in either case, a port or a slash too many."""
        parts = urlsplit(self.repository.lower())
        *before, name = filter(None, unquote(parts.path).split("/"))
        if before[1:] == ["_git"]:  # Azure Repos: the project's own repository
            before = [before[0], name, "_git"]
        place = "/".join([parts.netloc.removesuffix(":443"), *before, _DOT_GIT.sub("", name)])
        path = "/".join(filter(None, self.path.lower().strip().split("/")))
        return f"{place}/{self.branch.lower().removeprefix('refs/').removeprefix('heads/')}/git/{path}"


_DOT_GIT = re.compile(r"(?:\.git)+\Z")
_TEXT = re.compile(r"(.+)/([^/]+)/([^/]+)/([^/\[]+)\[([^/\[\]]+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A container of a workload in a cluster. `cluster` is a name from the settings.

    `environment` is what rings and freezes call the place; None: the cluster's name. Of the kind GIT, `cluster` is
    the repository, `namespace` the branch, `name` the path and `container` the place in the file.
    """

    cluster: str
    namespace: str
    kind: Kind
    name: str
    container: str
    environment: str | None = None
    git: GitFile | None = None

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.kind.lower()}/{self.name}[{self.container}]"

    @property
    def place(self) -> str:
        """Its environment."""
        return self.environment or self.cluster

    @property
    def whole(self) -> str:
        """What starts and stops together: the workload whatever the container, or the file in git."""
        return self.git.whole if self.git else f"{self.cluster}/{self.namespace}/{self.kind.lower()}/{self.name}"


def parse(text: str) -> Workload:
    """The workload that `text` stands for, as `str` gave it (its environment is lost). ValueError for another."""
    kinds = {kind.lower(): kind for kind in Kind}
    found = _TEXT.fullmatch(text)
    if found is None or found[3] not in kinds:
        raise ValueError(f"{text!r} is no workload: CLUSTER/NAMESPACE/KIND/NAME[CONTAINER]")
    return Workload(cluster=found[1], namespace=found[2], kind=kinds[found[3]], name=found[4], container=found[5])


class Health(StrEnum):
    PROGRESSING = "progressing"
    HEALTHY = "healthy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What the cluster says about a workload now. `image` is what the container's spec names.

    `paused` says that a person has stopped it from being rolled out: a patch would show its effect some other day.
    `waits`: for a person, who may take days, so that the time a rollout may take is not counted.
    """

    image: str
    health: Health
    reason: str = ""
    paused: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A container that asks to follow its image, which its spec names."""

    workload: Workload
    image: str


class Finder(Protocol):
    """Raises as Deployer does."""

    @property
    def searches(self) -> bool:
        """Whether there is anything to be searched."""
        ...

    def following(self) -> tuple[Found, ...]:
        """What asks to be rolled out without being registered, as it was a minute ago at most."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is done in a cluster: `patch` `deployments` of the group `apps` in a namespace ("": in all)."""

    verb: str
    resource: str
    group: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} in {self.namespace or 'all namespaces'}"


class Permissions(Protocol):
    """Raises as Deployer does."""

    def may(self, cluster: str, act: Act) -> bool:
        """Whether we may do it, asked of the cluster without doing it."""
        ...


class Deployer(Protocol):
    """Raises TemporaryError when the cluster does not answer, PermanentError when it refuses."""

    def observe(self, workload: Workload) -> Rollout:
        """The rollout as it stands; NotFoundError when workload or container does not exist."""
        ...

    def patch(self, workload: Workload, image: str, *, cause: str) -> None:
        """Set the container's image (`registry/repository@digest`) and the change-cause annotation.

        Sidecars, env and everything else stay as they are. Repeating it changes nothing.
        """
        ...
