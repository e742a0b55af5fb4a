"""What moving a workload by git guarantees, with GitHub and with Azure DevOps.

The hosts are look-alikes over real repositories; the product speaks to them as the settings say, with its own HTTP.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.identity import ManagedIdentityCredential

from groundswell.deploy.git.deployer import GitDeployer
from groundswell.deploy.git.forge import State
from groundswell.deploy.git.hosts import Hosts
from groundswell.deploy.git.tokens import DEVOPS
from groundswell.deploy.port import GitFile, Health, Kind, Workload
from groundswell.errors import (
    ConflictError,
    GroundswellError,
    InputError,
    NotFoundError,
    PermanentError,
    TemporaryError,
)
from groundswell.local.certs import Certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.settings import GitHost
from tests.support import git_hosts
from tests.support.cluster import certs, servers
from tests.support.git_hosts import TOKEN, DevOps, GitHub
from tests.support.git_repository import Repository

__all__ = ["certs", "servers"]  # fixtures

WEB = "contoso.azurecr.io/web"
OLD, NEW, NEWER = (f"{WEB}@sha256:{digit * 64}" for digit in "123")
PATH = "apps/web/kustomization.yaml"
TEXT = f"# what runs\nimages:\n  - name: {WEB}  # ours\n    digest: {OLD.partition('@')[2]}\n"


@dataclass(slots=True, kw_only=True)
class Subject:
    host: git_hosts.GitHost
    url: str
    deployer: GitDeployer
    hosts: Hosts
    time: float = 0.0

    @property
    def repository(self) -> Repository:
        return self.host.repository

    def of(self, *, pull_request: bool = False, **fields: Any) -> Workload:
        git = GitFile(
            **{
                "repository": self.url,
                "branch": "main",
                "path": PATH,
                "image": WEB,
                "pull_request": pull_request,
                **fields,
            }
        )
        return Workload(
            cluster="fleet", namespace="main", kind=Kind.GIT, name=git.path, container=git.image, git=git
        )

    def said(self, branch: str = "main") -> str:
        return self.repository.read(branch, PATH)


@contextlib.contextmanager
def github(folder: Path, servers: Servers, entry: GitHost) -> Iterator[Subject]:
    host = GitHub(repository=Repository(folder / "fleet.git"), accepts=lambda header: header == f"Bearer {TOKEN}")
    with _served(host, servers, "https://github.com/contoso/fleet.git", "github.com/contoso", entry) as made:
        yield made


@contextlib.contextmanager
def devops(folder: Path, servers: Servers, entry: GitHost, accepts: Any) -> Iterator[Subject]:
    host = DevOps(repository=Repository(folder / "fleet.git"), accepts=accepts)
    url = "https://dev.azure.com/contoso/shop%20floor/_git/fleet"
    with _served(host, servers, url, "dev.azure.com/contoso", entry) as made:
        yield made


@contextlib.contextmanager
def _served(host: git_hosts.GitHost, servers: Servers, url: str, place: str, entry: GitHost) -> Iterator[Subject]:
    host.repository.write("main", {PATH: TEXT.encode(), "README.md": b"fleet"}, "begin")
    port = servers.serve(host.app)
    kind = "github" if isinstance(host, GitHub) else "azure-devops"
    values = {
        "kind": kind,
        "token": entry.token,
        "app": entry.app,
        "installation": entry.installation,
        "private_key": entry.private_key,
    }
    settings = {place: GitHost(**values, api=f"https://localhost:{port}")}
    hosts = Hosts(settings, ManagedIdentityCredential)
    try:
        made = Subject(host=host, url=url, deployer=GitDeployer(hosts.forge, clock=lambda: made.time), hosts=hosts)
        yield made
    finally:
        hosts.close()


@pytest.fixture(params=["github", "azure-devops", "azure-devops with entra id"])
def subject(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    servers: Servers,
    certs: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certs.ca))
    if request.param == "github":
        with github(tmp_path, servers, GitHost(token=TOKEN)) as made:
            yield made
    elif request.param == "azure-devops":
        basic = "Basic OmEtc2VjcmV0LXRva2Vu"  # ":" and TOKEN
        with devops(tmp_path, servers, GitHost(token=TOKEN), lambda header: bool(header == basic)) as made:
            yield made
    else:
        identity, audience = Identity(), DEVOPS.removesuffix("/.default")
        port = servers.serve(identity.app, tls=False)
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{port}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", identity.header)

        def known(header: str) -> bool:
            return identity.verify(header.removeprefix("Bearer "), audience)

        with devops(tmp_path, servers, GitHost(), known) as made:
            yield made


# on the branch itself


def test_a_commit_says_what_why_and_nothing_else(subject: Subject) -> None:
    of = subject.of()
    assert subject.deployer.observe(of).image == OLD
    subject.deployer.patch(of, NEW, cause="groundswell cascade 7")
    seen = subject.deployer.observe(of)
    assert (seen.image, seen.health, seen.reason) == (NEW, Health.HEALTHY, "")
    assert subject.said() == TEXT.replace(OLD.partition("@")[2], NEW.partition("@")[2])
    assert subject.repository.read("main", "README.md") == "fleet"
    assert subject.repository.log("main") == [
        f"Run web at {'2' * 12}\n\ngroundswell cascade 7\n\n{NEW}",
        "begin",
    ]


def test_repeating_it_makes_no_second_commit(subject: Subject) -> None:
    for _ in range(2):
        subject.deployer.patch(subject.of(), NEW, cause="c")
    assert len(subject.repository.log("main")) == 2


def test_the_way_back(subject: Subject) -> None:
    of = subject.of()
    subject.deployer.patch(of, NEW, cause="c")
    subject.deployer.patch(of, OLD, cause="rolled back by cascade c")
    assert subject.said() == TEXT


def test_nobodys_change_is_lost(subject: Subject) -> None:
    other = TEXT.replace("# what runs", "# what runs, and why").encode()
    subject.host.meddle = lambda: subject.repository.write("main", {PATH: other}, "meanwhile")
    subject.deployer.patch(subject.of(), NEW, cause="c")
    assert subject.said() == other.decode().replace(OLD.partition("@")[2], NEW.partition("@")[2])
    assert [message.splitlines()[0] for message in subject.repository.log("main")[1:]] == ["meanwhile", "begin"]


def test_who_always_comes_first_wins(subject: Subject) -> None:
    count = 0

    def again() -> None:
        nonlocal count
        count += 1
        subject.repository.write("main", {PATH: f"# {count}\n{TEXT}".encode()}, "meanwhile")
        subject.host.meddle = again

    subject.host.meddle = again
    with pytest.raises(ConflictError):
        subject.deployer.patch(subject.of(), NEW, cause="c")
    assert count == 5


def test_a_protected_branch_wants_a_pull_request(subject: Subject) -> None:
    subject.host.protected = True
    with pytest.raises(PermanentError, match="pull request"):
        subject.deployer.patch(subject.of(), NEW, cause="c")


# by a pull request


def test_a_pull_request_waits_until_it_is_merged(subject: Subject) -> None:
    of = subject.of(pull_request=True)
    assert subject.deployer.observe(of).image == OLD
    for _ in range(2):
        subject.deployer.patch(of, NEW, cause="groundswell cascade 7")
    (proposal,) = subject.host.proposals
    assert (proposal.into, proposal.title) == ("main", f"Run web at {'2' * 12}")
    assert proposal.body.startswith(f"Runs `{NEW}`.\n\ngroundswell cascade 7\n\n")
    assert subject.repository.ahead(proposal.head, "main") == 1
    seen = subject.deployer.observe(of)
    assert (seen.image, seen.health, seen.waits) == (NEW, Health.PROGRESSING, True)
    assert seen.reason.startswith("pull request #1 waits to be merged: https://")
    subject.host.merge(proposal)
    subject.time += 61.0
    seen = subject.deployer.observe(of)
    assert (seen.image, seen.health, seen.waits) == (NEW, Health.HEALTHY, False)
    subject.deployer.patch(of, NEW, cause="groundswell cascade 7")
    assert len(subject.host.proposals) == 1


def test_a_host_is_not_asked_all_the_time(subject: Subject) -> None:
    of = subject.of(pull_request=True)
    subject.deployer.patch(of, NEW, cause="c")
    subject.deployer.observe(of)
    subject.host.asked.clear()
    for _ in range(5):
        subject.time += 11.0
        assert subject.deployer.observe(of).waits
    assert subject.host.asked == []
    subject.deployer.patch(of, OLD, cause="back")  # what we do ourselves is seen at once
    assert subject.deployer.observe(of).image == OLD


@pytest.mark.parametrize("deleted", [False, True])
def test_a_pull_request_that_a_person_closes_has_failed(subject: Subject, deleted: bool) -> None:
    of = subject.of(pull_request=True)
    subject.deployer.patch(of, NEW, cause="cascade 7")
    (proposal,) = subject.host.proposals
    proposal.state = State.CLOSED
    if deleted:
        subject.repository.git("update-ref", "-d", f"refs/heads/{proposal.head}")
    seen = subject.deployer.observe(of)
    assert (seen.image, seen.health, seen.waits) == (NEW, Health.FAILED, False)
    assert seen.reason.startswith("pull request #1 was closed without being merged: https://")
    for _ in range(2):
        subject.deployer.patch(of, OLD, cause="rolled back by cascade 7")
        seen = subject.deployer.observe(of)
        assert (seen.image, seen.health) == (OLD, Health.HEALTHY)
    assert subject.said() == TEXT
    subject.repository.write("main", {"README.md": b"later"}, "later")
    subject.deployer.patch(of, NEW, cause="cascade 8")
    assert [each.state for each in subject.host.proposals] == [State.CLOSED, State.OPEN]
    assert subject.repository.read(proposal.head, "README.md") == "later"  # begun anew


def test_a_newer_image_goes_into_the_open_pull_request(subject: Subject) -> None:
    of, other = subject.of(pull_request=True), subject.of(pull_request=True, path="other.yaml")
    subject.repository.write("main", {"other.yaml": TEXT.encode()}, "another")
    subject.deployer.patch(other, NEW, cause="c")
    subject.deployer.patch(of, NEW, cause="c")
    subject.deployer.patch(of, NEWER, cause="d")
    first, second = subject.host.proposals
    assert (first.state, first.title) == (State.OPEN, f"Run web at {'2' * 12}")
    assert (second.state, second.title) == (State.OPEN, f"Run web at {'3' * 12}")
    assert subject.deployer.observe(of).image == NEWER
    subject.host.merge(second)
    subject.time += 61.0
    assert subject.deployer.observe(of).image == NEWER


def test_a_roll_back_withdraws_what_is_proposed(subject: Subject) -> None:
    of = subject.of(pull_request=True)
    subject.deployer.patch(of, NEW, cause="c")
    subject.deployer.patch(of, OLD, cause="rolled back by c")
    seen = subject.deployer.observe(of)
    assert (seen.image, seen.health) == (OLD, Health.HEALTHY)
    assert [each.state for each in subject.host.proposals] == [State.CLOSED]
    assert subject.said() == TEXT


def test_there_and_back_and_there_again(subject: Subject) -> None:
    of = subject.of(pull_request=True)
    for count, image in enumerate((NEW, OLD, NEW), start=1):
        subject.deployer.patch(of, image, cause=f"cascade {count}")
        assert len(subject.host.proposals) == count
        subject.host.merge(subject.host.proposals[-1])
        assert subject.deployer.observe(of).image == image


def test_what_a_person_wrote_on_the_branch_counts(subject: Subject) -> None:
    of = subject.of(pull_request=True)
    subject.deployer.patch(of, NEW, cause="c")
    by_hand = TEXT.replace(OLD.partition("@")[2], NEWER.partition("@")[2])
    subject.repository.write("main", {PATH: by_hand.encode()}, "by hand")
    subject.host.proposals[0].state = State.MERGED
    assert subject.deployer.observe(of).image == NEWER


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_crash_after_any_write_is_gone_on_from(
    subject: Subject, done: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = subject.of(pull_request=True)
    forge = subject.hosts.forge(subject.url)
    writes = 0

    class CrashError(Exception):
        pass

    def crashing(made: Any) -> Any:
        def crash(*arguments: Any) -> Any:
            nonlocal writes
            writes += 1
            found = made(*arguments)
            if writes == done:
                raise CrashError
            return found

        return crash

    for name in ("point", "commit", "propose"):
        monkeypatch.setattr(forge, name, crashing(getattr(forge, name)))
    with pytest.raises(CrashError):
        subject.deployer.patch(of, NEW, cause="c")
    subject.deployer.patch(of, NEW, cause="c")
    (proposal,) = subject.host.proposals
    assert subject.repository.ahead(proposal.head, "main") == 1
    assert subject.repository.read(proposal.head, PATH) != TEXT
    assert writes == 3


@pytest.mark.parametrize("crashed", ["commit", "amend"])
def test_a_crash_while_a_newer_image_is_proposed(
    subject: Subject, crashed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = subject.of(pull_request=True)
    subject.deployer.patch(of, NEW, cause="c")
    forge = subject.hosts.forge(subject.url)

    class CrashError(Exception):
        pass

    def crash(*_: Any) -> None:
        raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(forge, crashed, crash)
        with pytest.raises(CrashError):
            subject.deployer.patch(of, NEWER, cause="d")
    subject.deployer.patch(of, NEWER, cause="d")
    (proposal,) = subject.host.proposals
    assert (proposal.state, subject.repository.ahead(proposal.head, "main")) == (State.OPEN, 2)
    assert subject.deployer.observe(of).image == NEWER


@pytest.mark.parametrize("step", ["point", "commit", "propose"])
def test_two_at_once_make_one(subject: Subject, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of = subject.of(pull_request=True)
    forge = subject.hosts.forge(subject.url)
    made, others = getattr(forge, step), [NEW]

    def late(*arguments: Any) -> Any:
        while others:
            subject.deployer.patch(of, others.pop(), cause="c")  # is done before this one goes on
        return made(*arguments)

    monkeypatch.setattr(forge, step, late)
    subject.deployer.patch(of, NEW, cause="c")
    (proposal,) = subject.host.proposals
    assert subject.repository.ahead(proposal.head, "main") == 1


# what is refused


def test_what_is_not_there(subject: Subject) -> None:
    for fields in ({"path": "none.yaml"}, {"branch": "none"}):
        with pytest.raises(NotFoundError, match="none"):
            subject.deployer.observe(subject.of(**fields))


def test_a_branch_that_is_deleted_meanwhile(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject.hosts.forge(subject.url), "tip", lambda _: None)
    with pytest.raises(NotFoundError, match=r"main"):
        subject.deployer.patch(subject.of(pull_request=True), NEW, cause="c")


def test_what_the_file_does_not_say(subject: Subject) -> None:
    with pytest.raises(InputError, match="no entry with `name: other`"):
        subject.deployer.patch(subject.of(image="other"), NEW, cause="c")
    subject.repository.write("main", {PATH: b"\xff\xfe"}, "no text")
    with pytest.raises(PermanentError, match="no text in UTF-8"):
        subject.deployer.observe(subject.of())


def test_branches_that_may_not_be_made(subject: Subject) -> None:
    subject.host.protected = True
    with pytest.raises(PermanentError, match="refused"):
        subject.deployer.patch(subject.of(pull_request=True), NEW, cause="c")


def test_a_wrong_token_is_not_told(subject: Subject) -> None:
    subject.host.accepts = lambda _: False
    with pytest.raises(PermanentError, match=r"(401|203).*GROUNDSWELL_GIT") as caught:
        subject.deployer.observe(subject.of())
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ((403, {"x-ratelimit-remaining": "0"}, b"{}"), TemporaryError, "403"),
        ((403, {"Retry-After": "60"}, b"{}"), TemporaryError, "403"),
        (
            (403, {}, b'{"message": "Resource not accessible"}'),
            PermanentError,
            "403: Resource not accessible; see its",
        ),
        ((302, {"Location": "https://elsewhere"}, b""), PermanentError, "302"),
        ((429, {"Retry-After": "soon"}, b"[]"), TemporaryError, "429"),
        ((500, {}, b'{"message": 1}'), TemporaryError, "500"),
        ((400, {}, b'{"message": "odd", "errors": [{"message": "very"}, 1, {}]}'), PermanentError, "400: odd very"),
        ((200, {}, b"<html>"), TemporaryError, "no JSON"),
        ((200, {}, b"1" * (9 << 20)), PermanentError, "more than 8388608 bytes"),
    ],
)
def test_what_a_host_may_answer(
    subject: Subject, answer: tuple[int, dict[str, str], bytes], kind: type[GroundswellError], told: str
) -> None:
    subject.host.answer = answer
    with pytest.raises(GroundswellError) as caught:
        subject.deployer.observe(subject.of())
    assert isinstance(caught.value, kind)
    assert told in str(caught.value)
    assert len(subject.host.asked) == 1  # retries are the caller's
    if "60" in answer[1].values():
        assert isinstance(caught.value, TemporaryError)
        assert caught.value.delay == 60.0


@pytest.mark.parametrize(
    ("status", "body", "call", "told"),
    [
        (200, b"1", lambda forge: forge.tip("main"), "the answer|no file but a folder"),
        (200, b'{"object": {}, "value": [1]}', lambda forge: forge.tip("main"), "names no commit|no list"),
        (200, b"{}", lambda forge: forge.pull("gs/a", "main"), "no list"),
        (201, b"{}", lambda forge: forge.propose("a", "main", "t", "b"), "holds no pull request"),
        (201, b'{"number": 1, "state": []}', lambda forge: forge.propose("a", "main", "t", "b"), "holds no pull"),
    ],
)
def test_answers_of_another_shape(subject: Subject, status: int, body: bytes, call: Any, told: str) -> None:
    forge = subject.hosts.forge(subject.url)
    subject.host.answer = (status, {}, body)
    with pytest.raises((TemporaryError, PermanentError), match=told):
        call(forge)


def test_a_host_that_does_not_answer(subject: Subject) -> None:
    place = "github.com" if isinstance(subject.host, GitHub) else "dev.azure.com"
    hosts = Hosts(
        {
            place: GitHost(
                kind="github" if place == "github.com" else "azure-devops", token="t", api="https://localhost:1"
            )
        },
        ManagedIdentityCredential,
    )
    with pytest.raises(TemporaryError, match="localhost does not answer"):
        GitDeployer(hosts.forge).observe(subject.of())
    hosts.close()
