"""What runs is scanned again and again: new advisories come up against old images.

Two steps, each of which may be interrupted and done again. Taking stock notes which digests run, as the clusters
say. Scanning takes those that are due, the longest unscanned first, a few in a round; a report that is awaited is
looked for in the next round. A scan that fails is an alert, never a pass, and what cannot be seen resolves none.
"""

import logging
import random
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from graph.reference import InvalidReferenceError, Reference
from groundswell.cascade import alerts
from groundswell.cascade.alertbook import AlertBook
from groundswell.cascade.alerts import Alert, Running
from groundswell.cascade.anew import Anew
from groundswell.cascade.remedies import Remedies
from groundswell.cascade.workloads import WorkloadBook, follows
from groundswell.clock import Clock
from groundswell.deploy.port import Deployer, Finder, Found
from groundswell.errors import ConflictError, GroundswellError, NotFoundError, PermanentError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration
from groundswell.lineage.policies import Policies
from groundswell.registry.port import Registry
from groundswell.scan.gate import judge
from groundswell.scan.panel import Panel
from groundswell.scan.policy import Mode, Policy
from groundswell.scan.port import NotYetError
from groundswell.scan.verdict import Verdict

logger = logging.getLogger(__name__)

MOST = 20
"""Digests that one round scans, or looks for the reports of."""
SECONDS = 200.0
"""After these a round begins nothing more: the next one comes soon."""
WHO = "groundswell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What one round did: digests looked at, alerts that were raised and resolved, cascades that were begun."""

    looked_at: int = 0
    raised: int = 0
    resolved: int = 0
    begun: int = 0


class Rescan:
    def __init__(
        self,
        *,
        book: AlertBook,
        panel: Panel,
        policies: Policies,
        catalog: Catalog,
        registry: Registry,
        deployer: Callable[[], Deployer],
        finder: Callable[[], Finder],
        workloads: WorkloadBook,
        remedies: Remedies,
        anew: Anew,
        clock: Clock,
    ) -> None:
        self._book = book
        self._panel = panel
        self._policies = policies
        self._catalog = catalog
        self._registry = registry
        self._deployer = deployer
        self._finder = finder
        self._workloads = workloads
        self._remedies = remedies
        self._anew = anew
        self._clock = clock

    # What runs.

    def take_stock(self) -> None:
        """Note which digests run, and resolve the alerts of those that do no longer."""
        images = {image.name: image for image in self._catalog.registrations()}
        running, unseen = self._running(images)
        now = self._clock()
        for known, etag in list(self._book.all()):
            found = running.pop((known.image, known.digest), None)
            if found is None and known.image in unseen:
                continue  # it may run still
            after = alerts.runs(known, found) if found else alerts.gone(known, now=now)
            try:
                if after is None:
                    self._book.drop(known, etag)
                elif after != known:
                    self._book.put(after, etag)
                    self._tell(known, after)
            except ConflictError:
                continue  # it was scanned this moment: the next round notes it
        for found in running.values():
            self._add(alerts.runs(None, found))

    def _add(self, alert: Alert) -> None:
        try:
            self._book.put(alert, None)
        except ConflictError:
            logger.info("running digest noted by another instance", extra=_fields(alert))

    def _running(
        self, images: Mapping[str, Registration]
    ) -> tuple[dict[tuple[str, str], Running], Collection[str]]:
        """What runs, by image and digest; and the images of which that is not wholly known."""
        running: dict[tuple[str, str], Running] = {}
        unseen: set[str] = set()
        for name, workload, runs in self._look_around(images, unseen):
            try:
                reference = self._by_digest(runs)
            except GroundswellError as exc:
                _unseen(name, workload, exc)
                unseen.add(name)
                continue
            key = name, reference.partition("@")[2]
            before = running[key].workloads if key in running else frozenset[str]()
            running[key] = Running(image=name, reference=reference, workloads=before | {workload})
        return running, unseen

    def _look_around(self, images: Mapping[str, Registration], unseen: set[str]) -> Iterator[tuple[str, str, str]]:
        """Every image, workload, and what that runs; those that could not be looked at go into `unseen`."""
        until = self._clock() + SECONDS
        for image in random.sample(list(images.values()), len(images)):
            if self._clock() >= until:
                unseen.add(image.name)
                continue
            for workload in image.deployments:
                try:
                    yield image.name, str(workload), self._deployer().observe(workload).image
                except NotFoundError:
                    continue  # nothing runs there
                except GroundswellError as exc:
                    _unseen(image.name, str(workload), exc)
                    unseen.add(image.name)
        try:
            found = self._finder().following() if self._finder().searches else ()
        except GroundswellError as exc:
            _unseen("", "those that ask to follow their image", exc)
            unseen.update(images)
            return
        for each in found:
            if name := self._of(each, images):
                yield name, str(each.workload), each.image

    def _by_digest(self, text: str) -> str:
        """What a pod spec names, by digest: of a tag, where that leads now."""
        try:
            reference = Reference.parse(text)
        except InvalidReferenceError as exc:
            raise PermanentError(f"{text!r} is no reference: {exc}") from exc
        digest = self._registry.digest(reference)
        if digest is None:
            raise PermanentError(f"{reference} is not in its registry")
        return f"{reference.name}@{digest}"

    def _of(self, found: Found, images: Mapping[str, Registration]) -> str:
        """The image that a discovered container runs; of several that share its repository, the likeliest."""
        try:
            runs = Reference.parse(found.image)
        except InvalidReferenceError:
            return ""  # no repository of ours
        place = runs.registry, runs.repository
        near = [image for image in images.values() if (image.registry, image.repository) == place]
        told = [image for image in near if follows(found, image, previous="", known=self._workloads.find)]
        return next((image.name for image in (*told, *near)), "")

    # Scanning.

    def scan(self) -> Scanned:
        """One round over what is due."""
        until, done = self._clock() + SECONDS, Scanned()
        known = {alert.row: (alert, etag) for alert, etag in self._book.all()}
        todo = [
            alert for alert, _ in known.values() if alerts.unfinished(alert) or alerts.due(alert, now=self._clock())
        ]
        # What is half done comes first; of the rest, an awaited report has its turn like everybody.
        todo.sort(key=lambda alert: (not alerts.unfinished(alert), alert.looked_at, alert.row))
        for before in todo[:MOST]:
            if self._clock() >= until:
                break
            others = [alert for alert, _ in known.values() if alert.row != before.row]
            try:
                after, etag = self._one(before, known[before.row][1], others)
            except ConflictError:
                continue  # somebody else was here
            known[before.row] = after, etag
            done = replace(
                done,
                looked_at=done.looked_at + 1,
                raised=done.raised + (after.open and not before.open),
                resolved=done.resolved + (before.open and not after.open),
                begun=done.begun + (after.begun and not before.begun),
            )
        logger.info("running images scanned", extra=asdict(done))
        return done

    def _one(self, before: Alert, etag: str, others: Collection[Alert]) -> tuple[Alert, str]:
        """Scan one, write down what came of it, and begin what it asks for."""
        after = before
        if alerts.due(before, now=self._clock()):
            try:
                image = self._catalog.registration(before.image)
            except NotFoundError:
                return before, etag  # not registered any more: the stock will tell
            policy = self._policies.policy(image)
            after = alerts.wants(self._look(before, image, policy), policy.on_new_finding, others)
            if after != before:
                etag = self._book.put(after, etag)
                self._tell(before, after)
        return self._begin(after, etag) if alerts.unfinished(after) else (after, etag)

    def _look(self, before: Alert, image: Registration, policy: Policy) -> Alert:
        reference = Reference.parse(before.reference)
        try:
            reports = self._panel.reports(reference, policy.scanners)
        except NotYetError as exc:
            return alerts.awaited(before, str(exc), now=self._clock())
        except GroundswellError as exc:
            return alerts.failed(before, str(exc), now=self._clock())
        # There is nothing to compare it with: it is what runs.
        absolute = replace(policy, mode=Mode.CLEAN)

        def hear(base: Collection[str] | None) -> Verdict:
            return judge(reports, absolute, subject=reference, now=self._clock(), base_layers=base)

        verdict, remedy = self._remedies.find(image, reference, hear)
        return alerts.judged(before, verdict, remedy, now=self._clock())

    def _begin(self, alert: Alert, etag: str) -> tuple[Alert, str]:
        """Begin its cascade: the id is written down first, so that after a crash it is the same one."""
        if not alert.cascade:
            alert = replace(alert, cascade=self._anew.draw())
            etag = self._book.put(alert, etag)
        try:
            self._anew.begin(alert.wanted, who=WHO, why=alerts.why(alert), cascade=alert.cascade)
        except NotFoundError:
            alert = alerts.impossible(alert)
            return alert, self._book.put(alert, etag)
        except GroundswellError as exc:
            logger.warning("rebuild not begun yet", extra={**_fields(alert), "why": str(exc)})
            return alert, etag
        alert = replace(alert, begun=True)
        return alert, self._book.put(alert, etag)

    def _tell(self, before: Alert, after: Alert) -> None:
        if after.open and (after.findings, after.trouble) != (before.findings, before.trouble):
            found = [f"{line.id} in {line.package}" for line in after.findings[:5]]
            fields = {"kind": after.kind.value, "findings": found, "why": after.trouble, "remedy": after.remedy.why}
            logger.warning("what runs is not good", extra={**_fields(after), **fields})
        elif before.open and not after.open:
            logger.info("alert resolved", extra=_fields(after))


def _fields(alert: Alert) -> dict[str, object]:
    return {"image": alert.image, "digest": alert.digest, "workloads": list(alert.workloads[:5])}


def _unseen(image: str, workload: str, error: Exception) -> None:
    logger.warning("what runs is not known", extra={"image": image, "workload": workload, "why": str(error)})
