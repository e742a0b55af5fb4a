"""The last good rebuild of an image before another, and what there is to compare the two by.

It is looked for in the records of newer cascades first, then in the book of good builds, which knows an older one
by its inputs; of that the archive may keep a summary.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from graph.reference import Reference
from groundswell.attest.attachments import Attachments
from groundswell.cascade.archive import Archive
from groundswell.cascade.comparing import Side, compared, versions
from groundswell.cascade.failures import success
from groundswell.cascade.goodbook import Good, GoodBook
from groundswell.cascade.kept import Kept
from groundswell.cascade.model import Rebuild
from groundswell.cascade.records import Records
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.registry.manifests import json_object

_LOOKED_AT = 50
"""Cascades with the image that are looked into, the newest first."""

type Logs = Callable[[str, str], str]
"""The log of a run of a registry; raises what a builder raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """What is known of it: `state` is its record or a summary of it, `entry` what the book of good builds has."""

    cascade: str
    digest: str
    at: float
    state: Rebuild | None
    entry: Good | None


class Comparer:
    def __init__(
        self,
        *,
        records: Records,
        archive: Archive,
        good: GoodBook,
        catalog: Catalog,
        attachments: Callable[[], Attachments],
    ) -> None:
        self._records = records
        self._archive = archive
        self._good = good
        self._catalog = catalog
        self._attachments = attachments

    def compare(self, cascade: str, image: str, logs: Logs) -> dict[str, Any]:
        """The difference between a rebuild and the last good one before it, as one JSON object.

        Raises NotFoundError when there is no such rebuild. What cannot be read is told as not known.
        """
        state = self._kept(cascade).rebuild(image)
        good = self.last_good(state)
        told: dict[str, Any] = {
            "cascade": cascade,
            "image": image,
            "status": state.status.value,
            "attempt": state.attempt,
            "run": state.run,
            "good": None,
            "why": f"no good rebuild of {image} before it is known" if good is None else "",
        }
        if good is not None:
            run = good.state.run if good.state else ""
            told["good"] = {"cascade": good.cascade, "digest": good.digest, "at": good.at, "run": run}
        other = Side(missing=dict.fromkeys(_PARTS, told["why"])) if good is None else self._good_side(good, logs)
        return {**told, **compared(self._side(state, logs), other)}

    def last_good(self, state: Rebuild) -> LastGood | None:
        """The newest good end of the image before this rebuild came to its own; not this very attempt."""
        before = state.updated_at
        book = [
            good for good in self._good.each(state.image) if good.at < before and good.digest != state.candidate
        ]
        newest = max(book, key=lambda good: good.at, default=None)
        holders = self._records.holders.of([state.image], since="0")
        for cascade in sorted(holders - {state.cascade}, reverse=True)[:_LOOKED_AT]:
            other = self._find(cascade, state.image)
            if other is None or not success(other) or other.updated_at >= before:
                continue
            if newest is not None and newest.at > other.updated_at:
                break
            digest = other.promoted or other.previous or other.candidate
            entry = self._good.of(state.image, digest)
            return LastGood(cascade=cascade, digest=digest, at=other.updated_at, state=other, entry=entry)
        if newest is None:
            return None
        found = self._find(newest.cascade, state.image) if newest.cascade != state.cascade else None
        if found is not None and not success(found):
            found = None  # it was replayed since, and its record tells of that
        return LastGood(cascade=newest.cascade, digest=newest.digest, at=newest.at, state=found, entry=newest)

    def _kept(self, cascade: str) -> Kept:
        return Kept(self._records, self._archive, cascade)

    def _find(self, cascade: str, image: str) -> Rebuild | None:
        try:
            return self._kept(cascade).rebuild(image)
        except NotFoundError:
            return None

    # What there is of each.

    def _good_side(self, good: LastGood, logs: Logs) -> Side:
        state = good.state
        if state is not None and (state.inputs.get("bases") or good.entry is None):
            return self._side(state, logs)
        entry = asdict(good.entry) if good.entry is not None else {}
        inputs = {"revision": entry.get("revision"), "bases": entry.get("bases")}
        if state is not None:
            return self._side(state, logs, inputs=inputs)
        gone = f"of its rebuild, in cascade {good.cascade}, only the entry in the book of good builds is left"
        missing = dict.fromkeys(_PARTS, gone)
        return Side(inputs={name: value for name, value in inputs.items() if value}, missing=missing)

    def _side(self, state: Rebuild, logs: Logs, *, inputs: Mapping[str, Any] | None = None) -> Side:
        missing: dict[str, str] = {}
        known = inputs if inputs is not None else state.inputs
        if "revision" not in known:
            why = str(known.get("unknown") or "it was not built")
            missing |= {"source": why, "bases": why}
        if not state.spec:
            missing["settings"] = "its registration is not kept with it: it was not built, or is in the archive"
        packages = self._packages(state, missing)
        verdict = state.verdict
        findings: frozenset[tuple[str, str]] | None = None
        if not verdict:
            missing["findings"] = "it was not scanned"
        elif _cut(verdict):
            missing["findings"] = "only the worst of its findings are kept"
        else:
            findings = frozenset((each["id"], each["package"]) for each in verdict["findings"])
        return Side(
            spec=state.spec,
            inputs=known,
            packages=packages,
            findings=findings,
            log=self._log(state, logs, missing),
            missing=missing,
        )

    def _packages(self, state: Rebuild, missing: dict[str, str]) -> dict[str, tuple[str, ...]] | None:
        digest, scanned = state.verdict.get("sbom"), state.verdict.get("digest")
        if not (digest and scanned):
            missing["packages"] = (
                "no bill of materials was attached: it did not pass the scan, or no scanner lists any"
            )
            return None
        try:
            registry, repository = self._place(state)
            subject = Reference(registry=registry, repository=repository, tag=None, digest=scanned)
            document = json_object(self._attachments().content(subject, digest), digest)
            return versions(document.get("components", ()))
        except GroundswellError as exc:
            missing["packages"] = f"its bill of materials cannot be read: {exc}"
            return None

    def _log(self, state: Rebuild, logs: Logs, missing: dict[str, str]) -> str | None:
        if not state.run:
            missing["log"] = "it has no build run"
            return None
        try:
            return logs(self._place(state)[0], state.run)
        except GroundswellError as exc:
            missing["log"] = f"the log of run {state.run} cannot be read: {exc}"
            return None

    def _place(self, state: Rebuild) -> tuple[str, str]:
        """The registry and repository it was built in, or those of the image as it is registered now."""
        if state.spec:
            return state.spec["registry"], state.spec["repository"]
        image = self._catalog.registration(state.image)
        return image.registry, image.repository


_PARTS: Iterable[str] = ("source", "settings", "bases", "packages", "findings", "log")


def _cut(verdict: Mapping[str, Any]) -> bool:
    """Whether findings were left out of a verdict, or it is of before they were listed."""
    listed = verdict.get("findings")
    if listed is None:
        return True
    found: int = sum(verdict.get("counts", {}).values()) + verdict.get("tally", {}).get("forbidden", 0)
    return len(listed) < found
