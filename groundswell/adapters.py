"""The one place where adapters are chosen, from settings.

Each is made on first use: a webhook needs only the store, and the vendor SDKs are slow to import.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

from groundswell import clock, scanners
from groundswell.scan.panel import Panel
from groundswell.scanners import ScannerSettings
from groundswell.settings import BuildServer, Settings
from groundswell.store.connect import open_store
from groundswell.store.port import Store

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from groundswell.build.acr_tasks import AcrTasksBuilder
    from groundswell.build.port import Builder
    from groundswell.build.revision import Revisions
    from groundswell.build.router import Pipeline
    from groundswell.deploy.aks import AksClusters
    from groundswell.deploy.kubernetes import KubernetesDeployer
    from groundswell.deploy.port import Deployer, Finder, Permissions
    from groundswell.notify.send import Sender
    from groundswell.registry.acr import AcrRegistry
    from groundswell.registry.artifacts import Artifacts
    from groundswell.registry.dates import Dates
    from groundswell.registry.deliveries import Deliveries
    from groundswell.registry.port import Registry
    from groundswell.registry.rights import Rights
    from groundswell.registry.trust import Trust
    from groundswell.scan.port import Scanner
    from groundswell.sign.port import Signer
    from groundswell.telemetry.observer import Telemetry
    from groundswell.telemetry.prometheus import Prometheus


class Adapters:
    """What each port is given in this process."""

    def __init__(self, values: Settings, now: clock.Clock = clock.now) -> None:
        self.settings = values
        self.clock = now

    @cached_property
    def store(self) -> Store:
        return open_store(self.settings)

    @cached_property
    def credential(self) -> "TokenCredential":
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential(managed_identity_client_id=os.environ.get("AZURE_CLIENT_ID"))

    @property
    def trust(self) -> "Trust":
        """Which registries may see our token."""
        from groundswell.registry.trust import trust

        return trust(self.settings.registries)

    @cached_property
    def acr(self) -> "AcrRegistry":
        from groundswell.registry.acr import AcrRegistry

        return AcrRegistry(self.credential, self.trust)

    @cached_property
    def artifacts(self) -> "Artifacts":
        return self.acr.artifacts()

    @cached_property
    def signer(self) -> "Signer | None":
        """What promoted images are signed with, None when the settings name no key."""
        from groundswell.sign.connect import open_signer

        return open_signer(self.settings.signing_key, lambda: self.credential)

    @cached_property
    def registry(self) -> "Registry":
        from groundswell.registry.external import ExternalRegistry
        from groundswell.registry.router import RoutedRegistry
        from groundswell.registry.trust import ours

        named, external = self.settings.registries, self.settings.external

        def is_ours(host: str) -> bool:
            """An Azure registry of somebody else may be named as external: then it gets no token of ours."""
            return host in named or (ours(host, named) and host not in external)

        return RoutedRegistry(
            ours=self.acr,
            external=ExternalRegistry(external, now=self.clock),
            is_ours=is_ours,
        )

    @cached_property
    def rights(self) -> "Rights":
        """What we may do in our registries."""
        from groundswell.registry.login import DockerLogin
        from groundswell.registry.rights import AcrRights

        return AcrRights(DockerLogin(self.credential, self.trust))

    @cached_property
    def dates(self) -> "Dates":
        """What time it is elsewhere."""
        from groundswell.registry.dates import date_of

        return date_of

    @cached_property
    def deliveries(self) -> "Deliveries":
        from groundswell.registry.acr_events import AcrEvents

        return AcrEvents(self.credential, self.settings.arm_endpoint, self.settings.registries)

    @cached_property
    def builder(self) -> "Builder":
        from groundswell.build.router import RoutedBuilder

        return RoutedBuilder(self.tasks, self.pipelines, source_hosts=self.settings.source_hosts)

    @cached_property
    def pipelines(self) -> "Mapping[str, Callable[[], Pipeline]]":
        """What builds beside ACR Tasks, by name, each made when it is called."""
        return {name: partial(self._pipeline, server) for name, server in self.settings.builders.items()}

    @cached_property
    def tasks(self) -> "AcrTasksBuilder":
        from groundswell.build.acr_tasks import AcrTasksBuilder

        return AcrTasksBuilder(self.credential, self.settings.arm_endpoint, self.settings.registries)

    def _pipeline(self, server: BuildServer) -> "Pipeline":
        if server.kind == "jenkins":
            from groundswell.build.jenkins import JenkinsBuilder

            return JenkinsBuilder(server)
        from groundswell.build.azure_pipelines import AzurePipelinesBuilder

        return AzurePipelinesBuilder(server, self.credential)

    @cached_property
    def revisions(self) -> "Revisions":
        from groundswell.build.git_http import GitRevisions

        return GitRevisions(hosts=self.settings.source_hosts)

    @cached_property
    def scanner(self) -> "Scanner":
        from groundswell.registry.login import DockerLogin
        from groundswell.scan.trivy import TrivyScanner

        return TrivyScanner(
            self.settings.trivy, self.settings.trivy_cache, DockerLogin(self.credential, self.trust)
        )

    @cached_property
    def panel(self) -> Panel:
        """The scanners of the settings; without any, Trivy beside the app."""
        set_up = self.settings.scanners or {"trivy": ScannerSettings(kind=scanners.Kind.BINARY)}
        return Panel(
            {name: self.make_scanner(name, each) for name, each in set_up.items()},
            here=[name for name, each in set_up.items() if each.kind is scanners.Kind.BINARY],
        )

    def make_scanner(self, name: str, set_up: ScannerSettings) -> "Scanner":
        if set_up.kind is scanners.Kind.BINARY:
            return self.scanner
        if set_up.kind is scanners.Kind.DEFENDER:
            from groundswell.scan.resource_graph import DefenderScanner

            ours = self.settings.registries

            def subscriptions(registry: str) -> Sequence[str]:
                return set_up.subscriptions or ((ours[registry].subscription,) if registry in ours else ())

            return DefenderScanner(name, self.credential, self.settings.arm_endpoint, subscriptions)
        from groundswell.scan.run import RunScanner

        return RunScanner(
            name,
            set_up,
            runs=self.tasks,
            artifacts=self.artifacts,
            attacher=self.settings.oras_image,
            now=self.clock,
        )

    @cached_property
    def deployer(self) -> "Deployer":
        from groundswell.deploy.git.deployer import GitDeployer
        from groundswell.deploy.git.hosts import Hosts
        from groundswell.deploy.router import RoutedDeployer

        hosts = Hosts(self.settings.git, lambda: self.credential, clock=self.clock)
        return RoutedDeployer(clusters=self._kubernetes, git=GitDeployer(hosts.forge, clock=self.clock))

    @cached_property
    def finder(self) -> "Finder":
        return self._kubernetes

    @cached_property
    def permissions(self) -> "Permissions":
        """What we may do in our clusters."""
        return self._kubernetes

    @cached_property
    def _kubernetes(self) -> "KubernetesDeployer":
        from groundswell.deploy.kubernetes import KubernetesDeployer

        return KubernetesDeployer(
            self.settings.clusters,
            connect=lambda name, cluster: self._aks.connect(name, cluster),  # noqa: PLW0108  # made when needed
        )

    @cached_property
    def _aks(self) -> "AksClusters":
        from groundswell.deploy.aks import AksClusters

        return AksClusters(credential=self.credential, arm_endpoint=self.settings.arm_endpoint)

    @cached_property
    def sender(self) -> "Sender":
        from groundswell.notify.send import Sender

        return Sender(source=self.settings.public_url or "groundswell")

    @cached_property
    def prometheus(self) -> "Prometheus | None":
        """What a scrape gets; None unless the settings ask for it."""
        if not self.settings.prometheus:
            return None
        from groundswell.telemetry.prometheus import Prometheus

        return Prometheus()

    @cached_property
    def telemetry(self) -> "Telemetry | None":
        """Who is told what happens; None when nobody is."""
        if self.settings.telemetry == "none" and self.prometheus is None:
            return None
        from groundswell.telemetry.setup import start

        readers = [self.prometheus.reader] if self.prometheus else []
        return start(self.settings.telemetry, credential=lambda: self.credential, clock=self.clock, readers=readers)
