"""The one place where adapters are chosen, from settings.

Everything is made on first use: a webhook needs only the
store, and the vendor SDKs are slow to import.
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

from groundswell import clock, scanners, settings
from groundswell.access.answers import AnswerBook
from groundswell.access.authenticator import Authenticator
from groundswell.access.buckets import Buckets
from groundswell.access.entra import EntraTokens
from groundswell.access.sessions import SessionBook
from groundswell.access.signing_keys import SigningKeys, fetcher
from groundswell.access.tokens import TokenBook
from groundswell.attest.attachments import Attachments
from groundswell.cascade.alertbook import AlertBook
from groundswell.cascade.anew import Anew
from groundswell.cascade.archive import Archive
from groundswell.cascade.attesting import Attest
from groundswell.cascade.basebook import BaseBook
from groundswell.cascade.cleanup import Cleanup
from groundswell.cascade.deliveries import LostWebhooks
from groundswell.cascade.durations import Durations
from groundswell.cascade.engine import PUSHES, Engine, Work
from groundswell.cascade.failurebook import FailureBook
from groundswell.cascade.freezebook import FreezeBook
from groundswell.cascade.gathering import Gathering
from groundswell.cascade.gating import Gate
from groundswell.cascade.goodbook import GoodBook
from groundswell.cascade.intake import Intake, logged
from groundswell.cascade.lastgood import Comparer
from groundswell.cascade.model import FORMER, Kind
from groundswell.cascade.observing import observe_with
from groundswell.cascade.operate import Operator
from groundswell.cascade.orphans import Orphans
from groundswell.cascade.owed import Owed
from groundswell.cascade.planning import Planner
from groundswell.cascade.polling import pause
from groundswell.cascade.push import Push, of_an_image, queue
from groundswell.cascade.rebases import Rebases
from groundswell.cascade.reconcile import Reconcile
from groundswell.cascade.remedies import Remedies
from groundswell.cascade.repeats import Repeats
from groundswell.cascade.rescan import Rescan
from groundswell.cascade.retention import Policy, Retention
from groundswell.cascade.rolling import Rolling
from groundswell.cascade.rollout_limit import RolloutLimit
from groundswell.cascade.scanbook import ScanBook
from groundswell.cascade.schedule import DEFAULT
from groundswell.cascade.stages import Stages
from groundswell.cascade.sweep import Sweep
from groundswell.cascade.timerbook import TimerBook
from groundswell.cascade.workloads import WorkloadBook
from groundswell.cascade.yearbook import Yearbook
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.policies import Policies
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
    from groundswell.notify.box import Box
    from groundswell.notify.post import Post
    from groundswell.notify.send import Sender
    from groundswell.notify.watch import Watch
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


class App:
    """The product, wired. One per process; safe to share between threads."""

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
    def attest(self) -> Attest:
        from groundswell.sign.connect import open_chain

        return Attest(Attachments(self.artifacts), self.signer, open_chain(self.settings.signing_chain))

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
    def policies(self) -> Policies:
        return Policies(self.store, self.clock)

    @cached_property
    def gate(self) -> Gate:
        return Gate(
            panel=self.panel,
            policies=self.policies,
            catalog=self.catalog,
            scans=ScanBook(self.store),
            sbom=self.attest.packages,
            clock=self.clock,
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
    def catalog(self) -> Catalog:
        return Catalog(self.store, self.clock)

    @cached_property
    def bases(self) -> BaseBook:
        return BaseBook(self.store, self.clock)

    @cached_property
    def freezes(self) -> FreezeBook:
        return FreezeBook(self.store, self.clock)

    @cached_property
    def workloads(self) -> WorkloadBook:
        return WorkloadBook(self.store, self.clock)

    @cached_property
    def rollout_limit(self) -> RolloutLimit:
        return RolloutLimit(self.store, limit=self.settings.rollouts)

    @cached_property
    def durations(self) -> Durations:
        return Durations(self.store)

    @cached_property
    def engine(self) -> Engine:
        """The engine; its stages, and with them the adapters, are made when the first command needs them."""
        return Engine(
            self.store,
            works=self._works,
            clock=self.clock,
            slots=self.settings.slots,
            agent_pools=self.settings.pools,
            agent_pool=lambda image: self.catalog.registration(image).pool,
            poll=self.settings.poll_seconds,
        )

    @cached_property
    def good(self) -> GoodBook:
        return GoodBook(self.store)

    @cached_property
    def repeats(self) -> Repeats:
        return Repeats(revisions=self.revisions, registry=self.registry, good=self.good, clock=self.clock)

    def _works(self) -> Mapping[Kind, Work]:
        stages = Stages(
            catalog=self.catalog,
            bases=self.bases,
            repeats=self.repeats,
            rebases=Rebases(registry=self.registry, good=self.good),
            registry=self.registry,
            builder=self.builder,
            gate=self.gate,
            attest=self.attest,
            rolling=Rolling(
                deployer=self.deployer,
                finder=self.finder,
                registry=self.registry,
                freezes=self.freezes,
                workloads=self.workloads,
                limit=self.rollout_limit,
                wanted=self.policies.rings,
                clock=self.clock,
            ),
            keeps_former=self.settings.keep_former > 0,
            clock=self.clock,
        )
        return stages.works()

    def receive(self, push: Push) -> None:
        """Queue a push durably, unless we made it; nothing else is done, or imported, while the sender waits."""
        if not of_an_image(push):
            return  # each promotion sends several, for what it attaches
        if push.tag.startswith(FORMER) or self.bases.own(
            f"{push.registry}/{push.repository}:{push.tag}", push.digest
        ):
            return  # the history of its rebuild tells of it
        queue(self.store, push, delay=pause(push.tag, self.settings.poll_seconds))

    @cached_property
    def intake(self) -> Intake:
        return Intake(
            store=self.store,
            engine=self.engine,
            catalog=self.catalog,
            bases=self.bases,
            gathering=self.gathering,
            planner=self.planner,
            registry=self.registry,
            settle=self.settings.settle,
            clock=self.clock,
        )

    @cached_property
    def gathering(self) -> Gathering:
        return Gathering(self.store)

    @cached_property
    def planner(self) -> Planner:
        return Planner(
            engine=self.engine,
            gathering=self.gathering,
            catalog=self.catalog,
            bases=self.bases,
            durations=self.durations,
            clock=self.clock,
        )

    @cached_property
    def sweep(self) -> Sweep:
        return Sweep(
            engine=self.engine,
            bases=self.bases,
            durations=self.durations,
            yearbook=self.yearbook,
            failures=self.failures,
            planner=self.planner,
            freezes=self.freezes,
            limit=self.rollout_limit,
            owed=Owed(engine=self.engine, operator=self.operator, catalog=self.catalog),
            clock=self.clock,
        )

    @cached_property
    def timers(self) -> TimerBook:
        return TimerBook(self.store, self.clock)

    @cached_property
    def anew(self) -> Anew:
        return Anew(store=self.store, planner=self.planner, catalog=self.catalog, clock=self.clock)

    @cached_property
    def alerts(self) -> AlertBook:
        return AlertBook(self.store)

    @cached_property
    def rescan(self) -> Rescan:
        return Rescan(
            book=self.alerts,
            panel=self.panel,
            policies=self.policies,
            catalog=self.catalog,
            registry=self.registry,
            deployer=lambda: self.deployer,
            finder=lambda: self.finder,
            workloads=self.workloads,
            remedies=Remedies(catalog=self.catalog, registry=self.registry, good=self.good),
            anew=self.anew,
            clock=self.clock,
        )

    @cached_property
    def reconcile(self) -> Reconcile:
        return Reconcile(
            queues=self.store, catalog=self.catalog, bases=self.bases, registry=self.registry, clock=self.clock
        )

    @cached_property
    def deliveries(self) -> "Deliveries":
        from groundswell.registry.acr_events import AcrEvents

        return AcrEvents(self.credential, self.settings.arm_endpoint, self.settings.registries)

    @cached_property
    def lost_webhooks(self) -> LostWebhooks:
        return LostWebhooks(self.store, self.deliveries, self.clock)

    @cached_property
    def orphans(self) -> Orphans:
        return Orphans(self.engine, lambda: self.builder, self.settings.registries, tell=self.watch.orphaned)

    @cached_property
    def _box(self) -> "Box":
        from groundswell.notify.box import Box

        return Box(self.store)

    @cached_property
    def notices(self) -> "Post":
        from groundswell.notify.post import Post

        return Post(
            self.store,
            box=self._box,
            channels=self.settings.notify,
            sender=lambda: self.sender,
            clock=self.clock,
            keep=self.settings.keep_notices_days * 86_400.0,
        )

    @cached_property
    def sender(self) -> "Sender":
        from groundswell.notify.send import Sender

        return Sender(source=self.settings.public_url or "groundswell")

    @cached_property
    def watch(self) -> "Watch":
        from groundswell.notify.decide import Rules
        from groundswell.notify.watch import Sources, Watch

        return Watch(
            self.store,
            sources=Sources(
                records=self.engine.records,
                catalog=self.catalog,
                alerts=self.alerts,
                workloads=self.workloads,
            ),
            box=self._box,
            post=self.notices,
            channels=self.settings.notify,
            rules=Rules(delay=self.settings.notify_delay, window=self.settings.notify_window),
            public_url=self.settings.public_url,
            clock=self.clock,
        )

    def poisoned(self, queue: str, text: str) -> None:
        """A message that was given up: what it was for fails visibly, and people are told."""
        from groundswell.notify.post import NOTICES

        if queue == NOTICES:
            self.notices.poisoned(text)
            return
        (self.intake if queue == PUSHES else self.engine).poisoned(text)
        self.watch.gave_up(queue, text)

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.store)

    @cached_property
    def failures(self) -> FailureBook:
        return FailureBook(store=self.store, records=self.engine.records, catalog=self.catalog, clock=self.clock)

    @cached_property
    def yearbook(self) -> Yearbook:
        return Yearbook(
            store=self.store,
            records=self.engine.records,
            archive=self.archive,
            catalog=self.catalog,
            durations=self.durations,
            pushes=partial(logged, self.store),
            clock=self.clock,
        )

    @cached_property
    def comparer(self) -> Comparer:
        return Comparer(
            records=self.engine.records,
            archive=self.archive,
            good=self.good,
            catalog=self.catalog,
            attachments=lambda: Attachments(self.artifacts),
        )

    @cached_property
    def retention(self) -> Retention:
        days = 86_400.0
        return Retention(
            records=self.engine.records,
            archive=self.archive,
            yearbook=self.yearbook,
            failures=self.failures,
            bases=self.bases,
            intake=self.intake,
            catalog=self.catalog,
            policy=Policy(
                cascades=self.settings.keep_cascades_days * days,
                pushes=self.settings.keep_pushes_days * days,
                archive=self.settings.archive,
                archived=self.settings.keep_archive_days * days,
            ),
            clock=self.clock,
        )

    @cached_property
    def tokens(self) -> TokenBook:
        return TokenBook(self.store, self.clock)

    @cached_property
    def sessions(self) -> SessionBook:
        return SessionBook(self.store, self.tokens, self.clock)

    @cached_property
    def authenticator(self) -> Authenticator:
        """Who sends a request to the API."""
        tenant, authority = self.settings.entra_tenant, self.settings.entra_authority
        entra = None
        if tenant:
            keys = SigningKeys(fetcher(f"{authority}/{tenant}/discovery/v2.0/keys"), self.clock)
            entra = EntraTokens(
                authority=authority,
                tenant=tenant,
                audiences=self.settings.entra_audiences,
                keys=keys,
                clock=self.clock,
            )
        return Authenticator(tokens=self.tokens, entra=entra, easy_auth=self.settings.easy_auth, tenant=tenant)

    @cached_property
    def answers(self) -> AnswerBook:
        return AnswerBook(self.store, self.clock)

    @cached_property
    def buckets(self) -> Buckets:
        """How often a principal may ask this instance; at once, what five seconds allow."""
        return Buckets(self.settings.api_rate, burst=5 * self.settings.api_rate)

    @cached_property
    def cleanup(self) -> Cleanup:
        return Cleanup(
            registry=self.registry,
            catalog=self.catalog,
            records=self.engine.records,
            deployer=lambda: self.deployer,
            stock=self.alerts,
            keep=self.settings.keep_candidates_days * 86_400.0,
            formers=self.settings.keep_former,
            clock=self.clock,
        )

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

    def look(self) -> None:
        """Look at queues and slots for the gauges, if anybody is told."""
        if self.telemetry is not None:
            from groundswell.telemetry.gauges import levels

            limits = {DEFAULT: self.settings.slots, **self.settings.pools}
            self.telemetry.look(levels(self.store, self.engine, limits, self.clock))

    @cached_property
    def operator(self) -> Operator:
        return Operator(store=self.store, engine=self.engine, clock=self.clock)


_lock = threading.Lock()


def app() -> App:
    """This process's App, made of its settings on first use. Raises InputError when a setting is wrong."""
    with _lock:
        return _app()


@cache
def _app() -> App:
    made = App(settings.load())
    observe_with(made.telemetry)
    return made
