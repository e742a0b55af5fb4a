"""The scan stage's part between the scanner and the gate: which policy, and what to compare with.

What production runs is scanned only when that can matter: when something is refused. A candidate that passes is
compared with a scan that is there anyway, or with none.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graph.reference import Reference
from groundswell.cascade.model import Rebuild
from groundswell.cascade.scanbook import ScanBook
from groundswell.clock import Clock
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.model import Registration
from groundswell.lineage.policies import Policies
from groundswell.registry.port import Image
from groundswell.scan.gate import judge, stale
from groundswell.scan.panel import Panel
from groundswell.scan.policy import Mode, Policy
from groundswell.scan.port import NotYetError, Report
from groundswell.scan.verdict import Verdict
from groundswell.store.port import Put

_AGE = 30.0
"""Seconds after which a changed policy or registration is in force everywhere; a verdict need not ask each time."""


class Gate:
    def __init__(
        self,
        *,
        panel: Panel,
        policies: Policies,
        catalog: Catalog,
        scans: ScanBook,
        sbom: Callable[[Reference, Sequence[Report]], str],
        clock: Clock,
    ) -> None:
        """`sbom` attaches what scanners listed to what they scanned; see `Attest.packages`."""
        self._sbom = sbom
        self._panel = panel
        self._policies = policies
        self._catalog = catalog
        self._scans = scans
        self._clock = clock

    def verdict(self, image: Registration, state: Rebuild) -> Verdict:
        """Scan the candidate of `state` and judge it, under the policy that its image has now.

        Raises what the scanners raise (NotYetError while a report is awaited): without a scan there is no verdict.
        One that is too old, or from a clock that is wrong, is none: TemporaryError, for it to be made again.
        """
        subject = _at(image, state.candidate)
        policy = self._policies.policy(self._registered(image), age=_AGE)
        reports = self._panel.reports(subject, policy.scanners)
        now = self._clock()
        if untimely := [why for report in reports for why in stale(report, policy, now)]:
            raise TemporaryError("; ".join(untimely))

        def hear(current: Sequence[Report] | None) -> Verdict:
            return judge(
                reports,
                policy,
                subject=subject,
                now=self._clock(),
                current=current,
                base_layers=layers_of_base(state.proof),
            )

        kept = self._kept(image, state.previous, reports) if state.previous else None
        verdict = hear(kept)
        note = ""
        if kept is None and state.previous and verdict.tally["refused"]:
            current, note = self._production(image, state, policy)
            verdict = hear(current)
        if verdict.passed:
            self._scans.hold(image.name, reports)
            verdict = replace(verdict, sbom=self._sbom(subject, reports))
        return replace(verdict, notes=(*verdict.notes, note)) if note else verdict

    def held(self, image: str, digest: str) -> tuple[Put, ...]:
        """The scans that made `digest` pass, to be kept once it is promoted (see `scanbook.py`)."""
        return self._scans.held(image, digest)

    def _registered(self, image: Registration) -> Registration:
        """The image as it is registered now: a person may have changed its gate since it was built."""
        try:
            return self._catalog.registration(image.name, age=_AGE)
        except NotFoundError:
            return image

    def _kept(self, image: Registration, digest: str, reports: Sequence[Report]) -> list[Report] | None:
        """The kept scans of `digest` by the same scanners; None unless all are there."""
        found = [self._scans.find(image.name, digest, report) for report in reports]
        kept = [report for report in found if report is not None]
        return kept if len(kept) == len(found) else None

    def _production(
        self, image: Registration, state: Rebuild, policy: Policy
    ) -> tuple[Sequence[Report] | None, str]:
        """Scans of what production runs, or why there are none: then everything counts as new.

        Raises NotYetError while they are awaited, TemporaryError when the verdict may hang on them: tried again.
        """
        try:
            reports = self._panel.reports(_at(image, state.previous), policy.scanners)
        except NotYetError:
            raise
        except TemporaryError as exc:
            if policy.mode is Mode.NO_WORSE:
                raise
            return None, f"what production runs could not be scanned to compare with: {exc}"
        except PermanentError as exc:
            return None, f"what production runs cannot be scanned to compare with: {exc}"
        for report in reports:
            self._scans.keep(image.name, report)
        return reports, ""


def base_layers(built: Image, base: Image) -> list[str]:
    """The diff_ids of the base, for the platforms of the image that stands on it."""
    platforms = {platform.platform for platform in built.platforms}
    return list(
        dict.fromkeys(
            layer for platform in base.platforms if platform.platform in platforms for layer in platform.diff_ids
        )
    )


def layers_of_base(proof: Mapping[str, Any]) -> Collection[str] | None:
    """The base's diff_ids as a proof has them: none without a base, None when an older proof does not say."""
    if proof and "base" not in proof:
        return ()
    layers: Collection[str] | None = proof.get("base_layers")
    return layers


def _at(image: Registration, digest: str) -> Reference:
    return Reference(registry=image.registry, repository=image.repository, tag=None, digest=digest)
