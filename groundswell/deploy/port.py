"""The deploy port: workloads are moved to a digest and watched until healthy."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A container of a workload in a cluster. `cluster` is a name from the settings.

    `environment` is what freezes call the place; None: the cluster's name. Of the kind GIT, `cluster` is the
    repository, `namespace` the branch, `name` the path and `container` the place in the file.
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


class Health(StrEnum):
    PROGRESSING = "progressing"
    HEALTHY = "healthy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What the cluster says about a workload now. `image` is what the container's spec names.

    `waits`: for a person, who may take days, so that the time a rollout may take is not counted.
    """

    image: str
    health: Health
    reason: str = ""
    waits: bool = False


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
