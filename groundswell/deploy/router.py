"""The Deployer of every workload: each is moved where it is, in a cluster or in git."""

from groundswell.deploy.port import Deployer, Kind, Rollout, Workload


class RoutedDeployer:
    """Safe to share between threads as far as the two are."""

    def __init__(self, *, clusters: Deployer, git: Deployer) -> None:
        self._clusters = clusters
        self._git = git

    def observe(self, workload: Workload) -> Rollout:
        return self._of(workload).observe(workload)

    def patch(self, workload: Workload, image: str, *, cause: str) -> None:
        self._of(workload).patch(workload, image, cause=cause)

    def _of(self, workload: Workload) -> Deployer:
        return self._git if workload.kind is Kind.GIT else self._clusters
