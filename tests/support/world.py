"""A small world for the engine: services that behave, or misbehave on demand, and a clock that is turned by hand.

The fakes keep what the real services promise: a digest names content, a tag points to one digest, a run of one name
happens once. The engine, the store and every rule are the real ones.
"""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graph.reference import Reference
from groundswell.build.port import BuildRequest, Run, RunStatus, Source
from groundswell.cascade.engine import PUSHES, REBUILDS, ROLLOUTS, SCANS
from groundswell.cascade.model import Rebuild
from groundswell.cascade.push import Push, Result
from groundswell.deploy.port import Found, Health, Kind, Rollout, Workload
from groundswell.errors import GroundswellError, NotFoundError
from groundswell.lineage.model import Registration
from groundswell.registry.inherit import NotRebasableError
from groundswell.registry.port import Image, PlatformImage, Tag
from groundswell.scan.port import Finding, Report, Severity
from groundswell.settings import Settings
from groundswell.store.port import Store
from groundswell.store.sqlite import SqliteStore
from groundswell.wiring import App
from tests.support.artifacts import FakeArtifacts
from tests.support.outside import FakeDates, FakeDeliveries, FakePermissions, FakeRights

HOST = "acr.example.com"
BASE = f"{HOST}/mirror/debian:12"
QUEUES = (PUSHES, REBUILDS, SCANS, ROLLOUTS)


def digest_of(*parts: str) -> str:
    return "sha256:" + hashlib.sha256("\0".join(parts).encode()).hexdigest()


def commit_of(*parts: str) -> str:
    return digest_of("commit", *parts).removeprefix("sha256:")[:40]


def image_of(diff_ids: Sequence[str], **config: str) -> Image:
    platform = PlatformImage(
        platform="linux/amd64",
        digest=digest_of(*diff_ids, *sorted(config.values())),
        diff_ids=tuple(diff_ids),
        config={"os": "linux", "architecture": "amd64", "config": dict(config)},
    )
    media_type = "application/vnd.oci.image.manifest.v1+json"
    return Image(digest=platform.digest, media_type=media_type, platforms=(platform,))


def registration(
    name: str,
    runtime: str | None,
    *,
    build: Sequence[str] = (),
    deployments: Sequence[Workload] = (),
    **rest: object,
) -> Registration:
    return Registration(
        name=name,
        registry=HOST,
        repository=name,
        tags=("1",),
        source=Source(location="https://git.example.com/company.git", ref="main", path=name),
        runtime=runtime,
        build=tuple(build),
        deployments=tuple(deployments),
        **rest,  # type: ignore[arg-type]
    )


def ref(name: str) -> str:
    return f"{HOST}/{name}:1"


def workload(name: str) -> Workload:
    return Workload(cluster="c", namespace="n", kind=Kind.DEPLOYMENT, name=name, container="app")


@dataclass
class FakeRegistry:
    tags: dict[str, str] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    statements: dict[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    on_push: Callable[[Reference, str], None] = lambda reference, digest: None
    down: GroundswellError | None = None

    def put(self, reference: str, image: Image) -> str:
        self.images[image.digest] = image
        self._tag(Reference.parse(reference), image.digest)
        return image.digest

    def _tag(self, reference: Reference, digest: str) -> None:
        self.tags[str(reference)] = digest
        self.history.append((str(reference), digest))
        self.on_push(reference, digest)

    def digest(self, reference: Reference) -> str | None:
        self._check()
        return reference.digest or self.tags.get(str(reference))

    def image(self, reference: Reference) -> Image | None:
        self._check()
        digest = reference.digest or self.tags.get(str(reference))
        return self.images.get(digest) if digest else None

    def provenance(self, attestation: Reference) -> tuple[Mapping[str, Any], ...]:
        self._check()
        if attestation.digest not in self.statements:
            raise NotFoundError(f"{attestation} is not there")
        return self.statements[attestation.digest]

    def repositories(self, registry: str) -> tuple[str, ...]:
        self._check()
        found = {Reference.parse(tag) for tag in self.tags}
        return tuple(sorted({each.repository for each in found if each.registry == registry}))

    def tagged(self, registry: str, repository: str) -> tuple[Tag, ...]:
        self._check()
        newest = dict.fromkeys(tag for tag, _ in reversed(self.history))
        return tuple(
            Tag(name=tag.rpartition(":")[2], digest=self.tags[tag])
            for tag in newest
            if tag in self.tags and tag.startswith(f"{registry}/{repository}:")
        )

    def untagged(self, registry: str, repository: str, limit: int) -> tuple[str, ...]:
        self._check()
        pushed = (digest for tag, digest in reversed(self.history) if tag.startswith(f"{registry}/{repository}:"))
        gone = [digest for digest in dict.fromkeys(pushed) if digest not in self.tags.values()]
        return tuple(gone[:limit])

    def promote(self, candidate: Reference, tags: Sequence[str]) -> None:
        self._check()
        assert candidate.digest in self.images
        for tag in tags:
            self._tag(candidate.without_digest().with_tag(tag), candidate.digest)

    def rebase(self, image: Reference, *, old: Reference, new: Reference, tag: str) -> str:
        """By layers alone: a config has no place in this world."""
        self._check()
        own, below, above = (self.images[reference.digest or ""] for reference in (image, old, new))
        count = len(below.platforms[0].diff_ids)
        if own.platforms[0].diff_ids[:count] != below.platforms[0].diff_ids:
            raise NotRebasableError("its layers do not begin with those of the base that it was built on")
        rebased = image_of([*above.platforms[0].diff_ids, *own.platforms[0].diff_ids[count:]])
        self.images[rebased.digest] = rebased
        self._tag(image.without_digest().with_tag(tag), rebased.digest)
        return rebased.digest

    def untag(self, reference: Reference) -> None:
        self._check()
        self.tags.pop(str(reference), None)

    def _check(self) -> None:
        if self.down:
            raise self.down


@dataclass
class FakeRevisions:
    """Commits that change when the source of an image (at the path of its name) does."""

    world: "World"
    asked: list[Source] = field(default_factory=list)
    down: GroundswellError | None = None

    def revision(self, source: Source) -> str:
        self.asked.append(source)
        if self.down:
            raise self.down
        return commit_of(source.path, self.world.sources.get(source.path, "1"))


@dataclass
class FakeBuilder:
    world: "World"
    requests: list[BuildRequest] = field(default_factory=list)
    runs: dict[str, tuple[BuildRequest, str]] = field(default_factory=dict)
    log_text: str = "step 1\nboom\n"
    cancelled: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    ended: dict[str, RunStatus] = field(default_factory=dict)
    down: GroundswellError | None = None

    def start(self, request: BuildRequest) -> Run:
        if self.down:
            raise self.down
        for run, (known, _) in self.runs.items():
            if known.name == request.name:
                return Run(id=run, status=RunStatus.RUNNING, resumed=True)
        run, bases = f"r{len(self.runs)}", self._bases(request)
        self.requests.append(request)
        self.runs[run] = (request, bases)
        return Run(id=run, status=RunStatus.QUEUED)

    def _bases(self, request: BuildRequest) -> str:
        runtime = self.world.app.catalog.registration(request.repository).runtime
        return runtime or ""

    def observe(self, registry: str, run_id: str) -> Run:
        request, runtime = self.runs[run_id]
        world = self.world
        if world.takes.get(request.repository, 0) > 0:
            world.takes[request.repository] -= 1
            return Run(id=run_id, status=RunStatus.RUNNING)
        if request.repository in world.broken:
            return Run(id=run_id, status=RunStatus.FAILED, error="exit status 1")
        base = world.registry.image(Reference.parse(runtime)) if runtime else None
        if request.repository in world.on_old_base and not request.no_cache:
            base = image_of(["sha256:old"])
        own = digest_of(request.repository, world.sources.get(request.repository, "1"))
        image = image_of([*(base.platforms[0].diff_ids if base else ()), own])
        candidate = f"{request.registry}/{request.repository}:{request.tag}"
        if candidate not in world.registry.tags:
            world.registry.put(candidate, image)
        return Run(id=run_id, status=RunStatus.SUCCEEDED)

    def cancel(self, registry: str, run_id: str) -> None:
        self.cancelled.append(run_id)

    def named(self, registry: str) -> dict[str, Run]:
        if self.down:
            raise self.down
        return {
            request.name: Run(id=run, status=self.ended.get(run, RunStatus.RUNNING))
            for run, (request, _) in self.runs.items()
            if request.registry == registry and request.name not in self.forgotten
        }

    def forget(self, registry: str, name: str) -> None:
        self.forgotten.append(name)

    def log(self, registry: str, run_id: str) -> str:
        if run_id not in self.runs:
            raise NotFoundError(f"no run {run_id}")
        return self.log_text


@dataclass
class FakeScanner:
    world: "World"
    scanned: list[str] = field(default_factory=list)
    down: GroundswellError | None = None

    def scan(self, reference: Reference) -> Report:
        if self.down:
            raise self.down
        assert reference.digest
        self.scanned.append(reference.digest)
        bad = Finding(id="CVE-1", package="p", installed="1", fixed="2", severity=Severity.CRITICAL)
        findings = (bad,) if reference.repository in self.world.vulnerable else ()
        return Report(
            scanner="fake",
            digest=reference.digest,
            os="debian 12",
            findings=findings,
            scanned_at=self.world.time,
        )


@dataclass
class FakeDeployer:
    world: "World"
    running: dict[str, str] = field(default_factory=dict)
    patches: list[tuple[str, str]] = field(default_factory=list)

    def observe(self, workload: Workload) -> Rollout:
        if str(workload) not in self.running:
            raise NotFoundError(f"{workload} does not exist")
        image = self.running[str(workload)]
        former = image == f"{HOST}/old@sha256:old"
        sick = workload.name in self.world.unhealthy and not former
        if workload.name in self.world.slow and not former:
            return Rollout(image=image, health=Health.PROGRESSING)
        if self.world.ready_after.get(str(workload), 0.0) > self.world.time:
            return Rollout(image=image, health=Health.PROGRESSING)
        if workload.name in self.world.paused:
            return Rollout(image=image, health=Health.PROGRESSING, reason="paused", paused=True)
        health = Health.FAILED if sick else Health.HEALTHY
        return Rollout(image=image, health=health, reason="crash loop" if sick else "")

    def patch(self, workload: Workload, image: str, *, cause: str) -> None:
        self.patches.append((str(workload), image))
        self.running[str(workload)] = image


@dataclass
class FakeFinder:
    """Workloads that ask to follow their image: their images are what the deployer has."""

    world: "World"
    asking: list[Workload] = field(default_factory=list)

    @property
    def searches(self) -> bool:
        return bool(self.asking)

    def following(self) -> tuple[Found, ...]:
        return tuple(Found(workload=w, image=self.world.deployer.running[str(w)]) for w in self.asking)


class World:
    """The product on fakes. `drive` delivers messages until nothing is left to do."""

    def __init__(
        self,
        folder: Path,
        *images: Registration,
        slots: int = 4,
        poll: float = 5,
        rollouts: int = 5,
        settle: float = 0.0,
        store: Store | None = None,
    ) -> None:
        self.time = 1_800_000_000.0
        self.broken: set[str] = set()
        self.vulnerable: set[str] = set()
        self.unhealthy: set[str] = set()
        self.slow: set[str] = set()
        self.paused: set[str] = set()
        self.ready_after: dict[str, float] = {}
        self.on_old_base: set[str] = set()
        self.sources: dict[str, str] = {}
        self.takes: dict[str, int] = {}
        self.poisoned: list[str] = []
        settings = Settings(
            store="",
            queue_uri="",
            table_uri="",
            webhook_secret="s",
            webhook_header="Authorization",
            arm_endpoint="",
            registries={},
            clusters={},
            trivy="",
            trivy_cache="",
            slots=slots,
            settle_seconds=settle,
            poll_seconds=poll,
            rollouts=rollouts,
        )
        self.app = App(settings, lambda: self.time)
        self.registry = FakeRegistry()
        self.artifacts = FakeArtifacts(images=lambda digest: digest in self.registry.images)
        self.revisions = FakeRevisions(self)
        self.builder = FakeBuilder(self)
        self.scanner = FakeScanner(self)
        self.deployer = FakeDeployer(self)
        self.finder = FakeFinder(self)
        self.rights = FakeRights()
        self.permissions = FakePermissions()
        self.dates = FakeDates(lambda: self.time)
        self.deliveries = FakeDeliveries()
        self._folder = folder
        self._others: list[App] = []
        self._equip(self.app, store)
        self.registry.put(BASE, image_of(["sha256:base0"]))
        self.register(*images)
        self.registry.on_push = self.webhook

    def _equip(self, app: App, store: Store | None = None) -> None:
        vars(app).update(
            store=store or SqliteStore(self._folder / "store.db", clock=lambda: self.time),
            registry=self.registry,
            artifacts=self.artifacts,
            revisions=self.revisions,
            builder=self.builder,
            scanner=self.scanner,
            deployer=self.deployer,
            finder=self.finder,
            tasks=self.builder,
            rights=self.rights,
            permissions=self.permissions,
            dates=self.dates,
            deliveries=self.deliveries,
        )

    def another(self) -> App:
        """Another instance of the product, on the same store and services, that remembers nothing."""
        app = App(self.app.settings, lambda: self.time)
        self._equip(app)
        self._others.append(app)
        return app

    def close(self) -> None:
        for app in (self.app, *self._others):
            app.store.close()

    def register(self, *images: Registration) -> None:
        """Register images, and put what each was before into the registry and its workloads."""
        self.app.catalog.register(images, who="test")
        for image in images:
            base = self.registry.image(Reference.parse(image.runtime)) if image.runtime else None
            own = digest_of(image.repository, "1")
            old = image_of([*(base.platforms[0].diff_ids if base else ()), own])
            self.registry.put(ref(image.name), old)
            for target in image.deployments:
                self.deployer.running[str(target)] = f"{HOST}/old@sha256:old"
        for image in images:
            for base_ref in (image.runtime, *image.build):
                if base_ref and (digest := self.registry.tags.get(base_ref)):
                    self.app.bases.note(base_ref, digest=digest)

    def webhook(self, reference: Reference, digest: str) -> None:
        push = Push(
            id=f"e-{len(self.registry.history)}",
            registry=reference.registry,
            repository=reference.repository,
            tag=reference.tag or "",
            digest=digest,
            source="webhook",
        )
        self.app.receive(push)

    def push_base(self, layer: str = "sha256:base1", reference: str = BASE) -> str:
        """Push the base again, its webhook included; returns the digest."""
        self.time += 1.0
        return self.registry.put(reference, image_of([layer]))

    def drive(self, *, rng: random.Random | None = None, double: bool = False, until: float = 86_400.0) -> None:
        """Deliver messages, each at least once, until the queues are empty or `until` seconds have passed."""
        end = self.time + until
        while self.time < end:
            pairs = [(name, m) for name in QUEUES for m in self.app.store.receive(name, limit=32, lease=600)]
            if not pairs:
                if not any(self.app.store.depth(name) for name in QUEUES):
                    return
                self.time += 1.0
                continue
            if rng:
                rng.shuffle(pairs)
            for name, message in pairs:
                for _ in range(2 if double else 1):
                    self.deliver(name, message.body)
                self.app.store.delete(name, message)

    def deliver(self, name: str, body: str) -> None:
        if name == PUSHES:
            self.app.intake.handle(body)
        else:
            self.app.engine.handle(body)

    # Looking.

    @property
    def cascade(self) -> str:
        return self.cascades[0]

    @property
    def cascades(self) -> list[str]:
        """Newest first."""
        return [header.id for header in self.app.engine.records.recent(100)]

    def states(self, cascade: str | None = None) -> dict[str, Rebuild]:
        return {state.image: state for state in self.app.engine.records.rebuilds(cascade or self.cascade)}

    def statuses(self, cascade: str | None = None) -> dict[str, str]:
        return {name: state.status.value for name, state in self.states(cascade).items()}

    def results(self) -> list[Result]:
        """What became of each push, the oldest first."""
        return [Result(entry["result"]) for entry in reversed(self.app.intake.log(1000))]
