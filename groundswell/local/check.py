"""Whether what happened is what the scenario says, asked of registry and cluster, not of our own records."""

from collections.abc import Sequence

from graph.reference import Reference
from groundswell.attest.check import look, sound
from groundswell.attest.cosign import SIGNATURES
from groundswell.cascade.model import FORMER, Rebuild
from groundswell.cascade.status import Status
from groundswell.deploy.port import Workload
from groundswell.lineage.model import Registration
from groundswell.local import scenario
from groundswell.local.acr.journal import Entry
from groundswell.local.cluster.objects import Json
from groundswell.local.stack import Stack
from groundswell.registry.chain import prove, same_content
from groundswell.registry.port import Image

_SCANNER = "trivy"
_REVISION = "deployment.kubernetes.io/revision"
_WAITS = "production"
"""The environment whose ring waits for an approval."""


class Checks:
    """Looks at the world before the update, when nothing goes on by itself, and at the end. `made` counts."""

    def __init__(self, stack: Stack, registrations: Sequence[Registration]) -> None:
        self._stack = stack
        self._app = stack.app()
        self._registry = self._app.registry
        self._images = {registration.name: registration for registration in registrations}
        self._before = {name: self._digests(image) for name, image in self._images.items()}
        self._from = len(stack.registry.journal.entries())
        self._problems: list[str] = []
        self.made = 0

    @property
    def rolled_out(self) -> int:
        """Workloads that now run another digest than before."""
        return sum(
            self._runs(image, index) != self._ran(image)
            for image in self._images.values()
            for index in range(len(image.deployments))
        )

    def first_end(self) -> None:
        """Before a person does something: what failed, what stands on it, and what waits are as they were."""
        for name in (scenario.FAILS, scenario.BLOCKED_MEANWHILE):
            self._expect(
                self._digests(self._images[name]) == self._before[name],
                f"{name} moved though it failed or was blocked",
            )
            self._expect(not self._candidates(name), f"{name} was built though it failed or was blocked")
        waits = self._images[scenario.APPROVED]
        for index, workload in enumerate(waits.deployments):
            running = self._runs(waits, index)
            wanted = self._ran(waits) if workload.place == _WAITS else self._promoted(waits)
            self._expect(running == wanted, f"before the approval {workload} runs {running}, not {wanted}")

    def last_end(self, base: str, states: Sequence[Rebuild]) -> list[str]:
        """Everything; returns what is wrong, a line each."""
        for state in states:
            expected = scenario.EXCEPTIONS.get(state.image, Status.DONE)
            self._expect(
                state.status is expected, f"{state.image} is {state.status}, not {expected}: {state.reason}"
            )
        for name, image in self._images.items():
            moved = self._digests(image) != self._before[name]
            stays = name in (scenario.REJECTED, scenario.UNCHANGED, scenario.PINNED)
            self._expect(moved is not stays, f"{name} {'moved' if moved else 'did not move'}")
            self._expect(len(set(self._digests(image))) == 1, f"the tags of {name} point to different digests")
            if moved:
                self._stands_on_its_base(image, base)
                self._is_signed(image)
            for index, workload in enumerate(image.deployments):
                running = self._runs(image, index)
                wanted = self._ran(image) if name == scenario.ROLLED_BACK else self._promoted(image)
                self._expect(running == wanted, f"{workload} runs {running}, not {wanted}")
        self._nothing_unscanned_was_tagged()
        self._what_did_not_move_has_its_cause()
        self._what_was_rebased_was_not_built()
        self._what_is_no_worse_was_compared()
        self._what_does_not_start_was_tried_and_is_healthy_again()
        return self._problems

    def _what_did_not_move_has_its_cause(self) -> None:
        """The rejected image stands on the new base and was scanned; the unchanged one was built; the pin not."""
        scanned = {notice.digest for notice in self._notices() if _by_scanner(notice)}
        rejected = self._candidates(scenario.REJECTED)
        self._expect(
            bool(rejected) and rejected <= scanned,
            f"{scenario.REJECTED} was not built and scanned, so the gate cannot have refused it",
        )
        below = self._image(self._images[scenario.REJECTED].runtime or "")
        for digest in rejected:
            built = self._image(f"{self._images[scenario.REJECTED].references[0].name}@{digest}")
            good = built is not None and below is not None and prove(built, below).proven
            self._expect(good, f"{scenario.REJECTED}@{digest} does not stand on its new base")
        unchanged = self._images[scenario.UNCHANGED]
        now, again = self._image(str(unchanged.references[0])), self._candidates(scenario.UNCHANGED)
        self._expect(bool(again), f"{scenario.UNCHANGED} was not built")
        for digest in again:
            built = self._image(f"{unchanged.references[0].name}@{digest}")
            good = built is not None and now is not None and same_content(built, now)
            self._expect(good, f"{scenario.UNCHANGED}@{digest} has not the content of the old image")
        self._expect(not self._candidates(scenario.PINNED), f"{scenario.PINNED} was built though it is pinned")

    def _what_was_rebased_was_not_built(self) -> None:
        """Its last layer is that of before, on other layers: a build would have made it anew, with new times."""
        image = self._images[scenario.REBASED]
        before, now = self._image(self._ran(image)), self._image(str(image.references[0]))
        one, other = (each.platforms[0].diff_ids if each else () for each in (before, now))
        self._expect(one != other and one[-1:] == other[-1:], f"{image.name} was not rebased")

    def _what_is_no_worse_was_compared(self) -> None:
        """What production ran was scanned, too, which nothing else asks for."""
        image = self._images[scenario.NO_WORSE]
        scanned = {notice.digest for notice in self._notices() if _by_scanner(notice)}
        self._expect(
            self._before[image.name][0] in scanned, f"{image.name} passed, but what ran before was not scanned"
        )

    def _what_does_not_start_was_tried_and_is_healthy_again(self) -> None:
        """The first revision ran the old image, the second the new one, the third the old one again."""
        (workload,) = self._images[scenario.ROLLED_BACK].deployments
        manifest = self._manifest(workload)
        revision = manifest["metadata"]["annotations"].get(_REVISION)
        self._expect(revision == "3", f"{workload} is at revision {revision}, not the third")
        wanted, status = manifest["spec"]["replicas"], manifest["status"]
        counts = {status.get(field) for field in ("replicas", "updatedReplicas", "availableReplicas")}
        self._expect(counts == {wanted}, f"{workload} is not healthy again: {status}")

    def _notices(self) -> Sequence[Entry]:
        return self._stack.registry.journal.entries()[self._from :]

    def _candidates(self, name: str) -> set[str]:
        """The digests that builds pushed for the image, by the registry's own notifications."""
        repository = self._images[name].repository
        return {
            notice.digest
            for notice in self._notices()
            if notice.action == "push"
            and notice.repository == repository
            and notice.tag.startswith("gs-")
            and not notice.tag.startswith(FORMER)
        }

    def _stands_on_its_base(self, image: Registration, base: str) -> None:
        """The layers of what is tagged now begin with those of its base as it is tagged now."""
        if image.runtime is None:
            return
        below, built = self._image(image.runtime), self._image(str(image.references[0]))
        self._expect(
            built is not None and below is not None and prove(built, below).proven,
            f"{image.name} does not stand on {image.runtime}",
        )
        if image.runtime.endswith(scenario.BASE):
            self._expect(
                below is not None and below.digest == base, f"{image.runtime} is not the base that was pushed"
            )

    def _is_signed(self, image: Registration) -> None:
        """Image, verdict and proof, by the key that the settings name."""
        subject = image.references[0].with_digest(self._digests(image)[0])
        key = self._app.signer.public_key() if self._app.signer else None
        self._expect(sound(look(self._app.artifacts, subject, key)), f"{subject} is not signed")

    def _nothing_unscanned_was_tagged(self) -> None:
        """By the registry's own notifications: before a stable tag moved to a digest, it was scanned and signed."""
        stable = {(image.repository, tag): image.name for image in self._images.values() for tag in image.tags}
        scanned: set[str] = set()
        signed: set[str] = set()
        moves = 0
        for notice in self._notices():
            if _by_scanner(notice):
                scanned.add(notice.digest)
            elif notice.action == "push" and notice.tag.endswith(SIGNATURES):
                signed.add(notice.tag.removesuffix(SIGNATURES).replace("-", ":"))
            elif notice.action == "push" and (notice.repository, notice.tag) in stable:
                moves += 1
                name = f"{notice.repository}:{notice.tag}"
                self._expect(notice.digest in scanned, f"{name} pointed to {notice.digest} before it was scanned")
                self._expect(notice.digest in signed, f"{name} pointed to {notice.digest} before it was signed")
        self._expect(moves > 0, "the registry told of no promotion at all")

    def _digests(self, image: Registration) -> list[str]:
        return [self._stack.registry.digest(reference) or "" for reference in image.references]

    def _image(self, reference: str) -> Image | None:
        return self._registry.image(Reference.parse(reference))

    def _promoted(self, image: Registration) -> str:
        return f"{image.registry}/{image.repository}@{self._digests(image)[0]}"

    def _ran(self, image: Registration) -> str:
        return f"{image.registry}/{image.repository}@{self._before[image.name][0]}"

    def _runs(self, image: Registration, index: int) -> str:
        workload = image.deployments[index]
        manifest = self._manifest(workload)
        spec = manifest["spec"]
        template = spec["jobTemplate"]["spec"]["template"] if "jobTemplate" in spec else spec["template"]
        containers = template["spec"]["containers"]
        return str(next(item["image"] for item in containers if item["name"] == workload.container))

    def _manifest(self, workload: Workload) -> Json:
        return self._stack.cluster.get(workload.kind.value, workload.namespace, workload.name)

    def _expect(self, good: bool, problem: str) -> None:
        self.made += 1
        if not good:
            self._problems.append(problem)


def _by_scanner(notice: Entry) -> bool:
    return notice.action == "pull" and _SCANNER in notice.user_agent.lower()
