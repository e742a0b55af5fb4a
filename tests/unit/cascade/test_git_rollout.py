"""Rollouts by git, through the whole engine: committed, proposed and merged, refused by a person."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from groundswell.cascade.status import Stage, Status
from groundswell.deploy.git.deployer import GitDeployer
from groundswell.deploy.git.forge import File, Pull, State, latest
from groundswell.deploy.port import Workload
from groundswell.deploy.router import RoutedDeployer
from groundswell.errors import ConflictError
from groundswell.lineage.model import git_workload
from tests.support.world import BASE, HOST, World, registration, workload

type MakeWorld = Callable[..., World]
PATH = "kustomization.yaml"
OLD = f"{HOST}/old@sha256:old"


@dataclass
class FakeForge:
    """One repository in memory. Commits are numbered; `pull_requests` are in the order of their opening."""

    branches: dict[str, list[str]] = field(
        default_factory=lambda: {"main": [f"images: [{{name: top, newName: {HOST}/old, digest: 'sha256:old'}}]"]}
    )
    pull_requests: list[Pull] = field(default_factory=list)

    def close(self) -> None: ...

    def read(self, branch: str, path: str) -> File:
        assert path == PATH
        return File(text=self.branches[branch][-1], version=str(len(self.branches[branch])))

    def commit(self, branch: str, path: str, text: str, former: File, message: str) -> None:
        if former != self.read(branch, path):
            raise ConflictError("stale")
        assert message
        self.branches[branch].append(text)

    def tip(self, branch: str) -> str | None:
        return str(len(self.branches[branch])) if branch in self.branches else None

    def point(self, branch: str, commit: str, former: str | None) -> None:
        assert former == self.tip(branch)
        self.branches[branch] = self.branches["main"][: int(commit)]

    def pull(self, head: str, into: str) -> Pull | None:
        assert into == "main"
        return latest(pull for pull in self.pull_requests if pull.head == head)

    def amend(self, pull: Pull, title: str, body: str) -> None:
        assert title
        self.pull_requests[pull.number - 1] = replace(pull, body=body)

    def propose(self, head: str, into: str, title: str, body: str) -> Pull:
        assert title
        number = len(self.pull_requests) + 1
        self.pull_requests.append(Pull(number=number, state=State.OPEN, head=head, body=body, url=f"u/{number}"))
        return self.pull_requests[-1]

    def close_pull(self, pull: Pull) -> None:
        self.set_state(pull.number, State.CLOSED)

    def set_state(self, number: int, state: State) -> None:
        pull = self.pull_requests[number - 1]
        self.pull_requests[number - 1] = replace(pull, state=state)
        if state is State.MERGED:
            self.branches["main"].append(self.branches[pull.head][-1])


def by_git(*, pull_request: bool = False) -> Workload:
    repository = "https://github.com/contoso/fleet"
    return git_workload({"repository": repository, "path": PATH, "image": "top", "pull_request": pull_request})


@pytest.fixture
def forge() -> FakeForge:
    return FakeForge()


def started(make_world: MakeWorld, forge: FakeForge, *workloads: Workload) -> World:
    world = make_world(registration("top", BASE, deployments=workloads))
    world.app.__dict__["deployer"] = RoutedDeployer(
        clusters=world.deployer, git=GitDeployer(lambda _: forge, clock=lambda: world.time)
    )
    world.push_base()
    return world


def test_a_commit_is_a_rollout(make_world: MakeWorld, forge: FakeForge) -> None:
    world = started(make_world, forge, by_git())
    world.drive(double=True)
    state = world.states()["top"]
    assert state.status is Status.DONE
    assert forge.branches["main"][1:] == [
        f"images: [{{name: top, newName: {HOST}/top, digest: '{state.promoted}'}}]"
    ]


def test_a_pull_request_is_one_when_it_is_merged(make_world: MakeWorld, forge: FakeForge) -> None:
    world = started(make_world, forge, by_git(pull_request=True), workload("web"))
    world.drive(until=300)
    world.time += 5 * 86_400  # a review may take days
    world.app.sweep.cascades()
    world.drive(until=300)
    assert world.statuses() == {"top": "deploying"}
    assert [pull.state for pull in forge.pull_requests] == [State.OPEN]
    assert f"cascade {world.cascade}" in forge.pull_requests[0].body
    forge.set_state(1, State.MERGED)
    world.drive()
    state = world.states()["top"]
    assert state.status is Status.DONE
    assert world.deployer.running[str(workload("web"))] == f"{HOST}/top@{state.promoted}"
    assert len(forge.pull_requests) == 1


def test_a_pull_request_is_not_waited_for_for_ever(make_world: MakeWorld, forge: FakeForge) -> None:
    world = started(make_world, forge, by_git(pull_request=True))
    world.drive(until=300)
    world.time += 7 * 86_400
    world.app.sweep.cascades()
    assert world.states()["top"].reason.startswith("still deploying after 168 h: given up")


def test_a_pull_request_that_a_person_closes_fails_the_rollout(make_world: MakeWorld, forge: FakeForge) -> None:
    world = started(make_world, forge, by_git(pull_request=True))
    world.drive(until=300)
    forge.set_state(1, State.CLOSED)
    world.drive()
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.DEPLOY)
    assert "pull request #1 was closed without being merged: u/1" in state.reason
    assert len(forge.branches["main"]) == 1
    world.app.operator.replay(world.cascade, "top", stage=Stage.DEPLOY, who="test", why="again")
    world.drive(until=300)
    assert [pull.state for pull in forge.pull_requests] == [State.CLOSED, State.OPEN]


def test_what_a_person_committed_meanwhile_is_left_alone(make_world: MakeWorld, forge: FakeForge) -> None:
    world = started(make_world, forge, by_git(pull_request=True))
    world.drive(until=300)
    forge.set_state(1, State.MERGED)
    forge.branches["main"].append(f"images: [{{name: top, newName: {HOST}/top, newTag: hotfix}}]")
    world.drive()
    assert f"moved to {HOST}/top:hotfix by somebody else" in world.states()["top"].reason
    assert len(forge.branches["main"]) == 3
