"""The outside in one value: a registry, a build service, a scanner and a cluster, which outlive any worker.

Each keeps what the real service promises: a digest names content, a tag points to one digest, a run of one name
happens once and goes on by itself, a scan judges a digest. What must never be seen from here (a tag put to a digest
that no scan has passed, a workload patched to what was never promoted) is noted as a violation when it happens.

The methods are named PORT_VERB; `call` is how a port reaches them. The value is pickled as a whole where several
processes share it (`shared.py`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graph.reference import Reference
from groundswell.attest.statements import VERDICT
from groundswell.build.port import BuildRequest, Run, RunStatus, Source
from groundswell.deploy.port import Health, Rollout, Workload
from groundswell.errors import NotFoundError
from groundswell.lineage.model import Registration
from groundswell.registry.assembly import Manifest
from groundswell.registry.inherit import NotRebasableError
from groundswell.registry.port import Image, Tag
from groundswell.scan.port import Finding, NotYetError, Report, Severity
from tests.support.artifacts import FakeArtifacts
from tests.support.signing import FakeSigner
from tests.support.world import HOST, commit_of, digest_of, image_of

FORMER = f"{HOST}/old@sha256:old"
"""What every workload runs at first."""


@dataclass
class Job:
    """A run as the build service knows it."""

    request: BuildRequest
    image: Image | None
    ends: float
    status: RunStatus = RunStatus.RUNNING


@dataclass
class Outside:
    now: float = 0.0
    tags: dict[str, str] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    recipes: dict[str, tuple[str | None, tuple[str, ...]]] = field(default_factory=dict)
    """By repository: the base it runs on, and those it takes files from."""
    static: set[str] = field(default_factory=set)
    """Repositories that take nothing from their build bases that changes."""
    sources: Counter[str] = field(default_factory=Counter)
    """By repository, how often its source has changed."""
    cached: set[str] = field(default_factory=set)
    """Repositories whose builds take everything from the cache, old bases too, unless told not to."""
    jobs: dict[str, Job] = field(default_factory=dict)
    going: dict[str, Job] = field(default_factory=dict)
    """Those of the jobs that have not ended."""
    forgotten: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    scans: Counter[str] = field(default_factory=Counter)
    scan_seconds: float = 0.0
    """How long a scan takes, elsewhere; its report is there after that."""
    scanned_since: dict[str, float] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    vulnerable: set[str] = field(default_factory=set)
    unhealthy: set[str] = field(default_factory=set)
    webhooks: list[tuple[str, str]] = field(default_factory=list)
    """Events on their way, (reference, digest), the oldest first."""
    stable: set[tuple[str, str]] = field(default_factory=set)
    """What stable tags pointed to, at any time: repository and digest."""
    promotions: list[tuple[str, str]] = field(default_factory=list)
    repeated: list[tuple[str, str]] = field(default_factory=list)
    """Promotions of a digest to a tag that pointed to it already."""
    patches: list[tuple[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    artifacts: FakeArtifacts = field(default_factory=FakeArtifacts)

    def __post_init__(self) -> None:
        self.artifacts.images = self.images.__contains__

    def call(self, port: str, verb: str, args: Sequence[Any], kwargs: dict[str, Any], now: float) -> Any:
        """What a port's verb answers at the time `now`."""
        self.now = max(self.now, now)
        self._work()
        return getattr(self, f"{port}_{verb}")(*args, **kwargs)

    # What tests do to it.

    def put(self, reference: str, image: Image) -> str:
        """Push an image from outside the product; its webhook sets out."""
        self.images[image.digest] = image
        repository, _, tag = reference.rpartition(":")
        if not tag.startswith("gs-"):
            self.stable.add((repository, image.digest))
        if self.tags.get(reference) != image.digest:
            self.tags[reference] = image.digest
        self.webhooks.append((reference, image.digest))
        return image.digest

    def know(self, registration: Registration) -> None:
        self.recipes[registration.repository] = (registration.runtime, registration.build)

    def compose(self, repository: str) -> Image | None:
        """What a build of the repository makes of the bases as they are now; None where one is missing."""
        runtime, build = self.recipes[repository]
        below: tuple[str, ...] = ()
        if runtime is not None:
            base = self.images.get(self._at(Reference.parse(runtime)) or "")
            if base is None:
                return None
            below = base.platforms[0].diff_ids
        taken = [self._at(Reference.parse(each)) or "" for each in build]
        own = digest_of(repository, str(self.sources[repository]), *(() if repository in self.static else taken))
        return image_of([*below, own])

    def lively(self) -> set[str]:
        """Ids of the runs that go on."""
        return set(self.going)

    def built(self) -> Counter[str]:
        """Runs by repository."""
        return Counter(job.request.repository for job in self.jobs.values())

    def _at(self, reference: Reference) -> str | None:
        return reference.digest or self.tags.get(str(reference))

    def _work(self) -> None:
        """Runs end by themselves, looked at or not."""
        for run, job in list(self.going.items()):
            if self.now < job.ends:
                continue
            del self.going[run]
            repository = job.request.repository
            if repository in self.broken or job.image is None:
                job.status = RunStatus.FAILED
                continue
            job.status = RunStatus.SUCCEEDED
            self.put(f"{job.request.registry}/{repository}:{job.request.tag}", job.image)

    # The registry.

    def registry_digest(self, reference: Reference) -> str | None:
        return self._at(reference)

    def registry_image(self, reference: Reference) -> Image | None:
        return self.images.get(self._at(reference) or "")

    def registry_tagged(self, registry: str, repository: str) -> tuple[Tag, ...]:
        prefix = f"{registry}/{repository}:"
        return tuple(
            Tag(name=tag.removeprefix(prefix), digest=digest)
            for tag, digest in self.tags.items()
            if tag.startswith(prefix)
        )

    def registry_promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        digest = candidate.digest or ""
        if digest not in self.images:
            raise NotFoundError(f"{candidate} is not there")
        if all(tag.startswith("gs-") for tag in tags):  # what was stable before is kept, by a tag of ours
            for tag in tags:
                self.put(str(candidate.without_digest().with_tag(tag)), self.images[digest])
            return
        if digest not in self.passed:
            self.violations.append(f"{candidate} promoted without a scan that passed it")
        if not self._attested(candidate):
            self.violations.append(f"{candidate} promoted before it was attested and signed")
        for tag in tags:
            reference = str(candidate.without_digest().with_tag(tag))
            if self.tags.get(reference) == digest:
                self.repeated.append((reference, digest))
            self.promotions.append((reference, digest))
            self.put(reference, self.images[digest])

    def _attested(self, image: Reference) -> bool:
        said = [str(each.get("annotations", {})) for each in self.artifacts.referrers(image) or ()]
        tag = f"{image.name}:{(image.digest or '').replace(':', '-')}"
        signed = all(f"{tag}{suffix}" in self.artifacts.tags for suffix in (".sig", ".att"))
        return signed and any(VERDICT in each for each in said)

    def artifacts_find(self, reference: Reference) -> Manifest | None:
        return self.artifacts.find(reference)

    def artifacts_blob(self, reference: Reference, limit: int) -> bytes:
        return self.artifacts.blob(reference, limit)

    def artifacts_upload(self, repository: Reference, content: bytes) -> None:
        self.artifacts.upload(repository, content)

    def artifacts_put(self, reference: Reference, content: bytes, media_type: str) -> bool:
        return self.artifacts.put(reference, content, media_type)

    def artifacts_referrers(self, subject: Reference) -> tuple[Mapping[str, Any], ...] | None:
        return self.artifacts.referrers(subject)

    # The keeper of the key.

    def signer_sign(self, message: bytes) -> bytes:
        return FakeSigner().sign(message)

    def signer_public_key(self) -> bytes:
        return FakeSigner().public_key()

    def registry_rebase(self, image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        own, below, above = (self.images[reference.digest or ""] for reference in (image, old, new))
        count = len(below.platforms[0].diff_ids)
        if own.platforms[0].diff_ids[:count] != below.platforms[0].diff_ids:
            raise NotRebasableError("its layers do not begin with those of the base that it was built on")
        rebased = image_of([*above.platforms[0].diff_ids, *own.platforms[0].diff_ids[count:]])
        return self.put(str(image.without_digest().with_tag(tag)), rebased)

    # The git server.

    def revisions_revision(self, source: Source) -> str:
        return commit_of(source.path, str(self.sources[source.path]))

    # The build service.

    def builder_start(self, request: BuildRequest) -> Run:
        for run, job in self.jobs.items():
            if job.request.name == request.name:
                return Run(id=run, status=job.status, resumed=True)
        run = f"r{len(self.jobs)}"
        ends = self.now + self.seconds.get(request.repository, 20.0)
        image = self.compose(request.repository)
        if request.repository in self.cached and not request.no_cache:
            image = self.images[self.tags[f"{request.registry}/{request.repository}:1"]]
        self.jobs[run] = self.going[run] = Job(request=request, image=image, ends=ends)
        return Run(id=run, status=RunStatus.QUEUED)

    def builder_observe(self, registry: str, run_id: str) -> Run:
        return Run(id=run_id, status=self.jobs[run_id].status)

    def builder_cancel(self, registry: str, run_id: str) -> None:
        job = self.going.pop(run_id, None)
        if job is not None:
            job.status = RunStatus.CANCELED

    def builder_forget(self, registry: str, name: str) -> None:
        self.forgotten.add(name)

    def builder_named(self, registry: str) -> dict[str, Run]:
        return {
            job.request.name: Run(id=run, status=job.status)
            for run, job in self.jobs.items()
            if job.request.name not in self.forgotten
        }

    def builder_log(self, registry: str, run_id: str) -> str:
        return "boom\n"

    # The scanner.

    def scanner_scan(self, reference: Reference) -> Report:
        digest = reference.digest or ""
        if self.now - self.scanned_since.setdefault(digest, self.now) < self.scan_seconds:
            raise NotYetError(f"{digest} is being scanned")
        bad = Finding(id="CVE-1", package="p", installed="1", fixed="2", severity=Severity.CRITICAL)
        findings = (bad,) if reference.repository in self.vulnerable else ()
        self.scans[digest] += 1
        (self.passed.discard if findings else self.passed.add)(digest)
        return Report(scanner="fake", digest=digest, os="debian 12", findings=findings, scanned_at=self.now)

    # The cluster.

    def deployer_observe(self, workload: Workload) -> Rollout:
        image = self.running.get(str(workload))
        if image is None:
            raise NotFoundError(f"{workload} does not exist")
        sick = workload.name in self.unhealthy and image != FORMER
        health = Health.FAILED if sick else Health.HEALTHY
        return Rollout(image=image, health=health, reason="crash loop" if sick else "")

    def deployer_patch(self, workload: Workload, image: str, *, cause: str) -> None:
        repository, _, digest = image.partition("@")
        if image != FORMER and (repository, digest) not in self.stable:
            self.violations.append(f"{workload} patched to {image}, which no stable tag ever pointed to")
        self.patches.append((str(workload), image))
        self.running[str(workload)] = image
