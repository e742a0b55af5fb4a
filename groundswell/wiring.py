"""The product, put together: what works on the adapters (`adapters.py`), each made on first use."""

import threading
from collections.abc import Mapping
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

from groundswell import settings
from groundswell.access.answers import AnswerBook
from groundswell.access.authenticator import Authenticator
from groundswell.access.buckets import Buckets
from groundswell.access.entra import EntraTokens
from groundswell.access.sessions import SessionBook
from groundswell.access.signing_keys import SigningKeys, fetcher
from groundswell.access.tokens import TokenBook
from groundswell.adapters import Adapters
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

if TYPE_CHECKING:
    from groundswell.notify.box import Box
    from groundswell.notify.post import Post
    from groundswell.notify.watch import Watch


class App(Adapters):
    """The product, wired. One per process; safe to share between threads."""

    @cached_property
    def attest(self) -> Attest:
        from groundswell.sign.connect import open_chain

        return Attest(Attachments(self.artifacts), self.signer, open_chain(self.settings.signing_chain))

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
