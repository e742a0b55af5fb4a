"""Moves workloads by committing to git what they are to run, for Flux or Argo CD to carry to a cluster.

A commit goes to the branch they follow, or to one of our own with a pull request into it. Whatever is run again
after a crash finds what was done, and a commit is held to what was read, so nobody's change is lost. There is one
branch, and one open pull request, for a place in a file: a newer image is committed to it. What a pull request
proposes counts as what the workload was set to, until it is merged or withdrawn by us. Withdrawn is one that is
closed and whose branch was put back: a host may refuse to change the text of what is closed.
"""

import contextlib
import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from groundswell import clock as clocks
from groundswell.clock import Clock
from groundswell.deploy.git import images
from groundswell.deploy.git.forge import Forge, Pull, State
from groundswell.deploy.port import GitFile, Health, Rollout, Workload
from groundswell.errors import ConflictError, NotFoundError, PermanentError

logger = logging.getLogger(__name__)

WAIT_SECONDS = 60.0
"""For which an open pull request is taken to be open still: hosts limit how often they may be asked."""

_PROPOSED = re.compile(r"^Runs `([^`]+)`", re.MULTILINE)
_ATTEMPTS = 5
_SHORT = 12
_DOTS = re.compile(r"(?:\A|/)\.*(?:/|\Z)")
"""In a URL it would lead to another place of the API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    rollout: Rollout
    until: float


class GitDeployer:
    """The Deployer for workloads of the kind GIT. Safe to share between threads.

    `forge` gives the host of a repository by its URL.
    """

    def __init__(self, forge: Callable[[str], Forge], *, clock: Clock = clocks.now) -> None:
        self._forge = forge
        self._clock = clock
        self._waiting: dict[GitFile, _Seen] = {}

    def observe(self, workload: Workload) -> Rollout:
        """What the branch says, HEALTHY; or what our pull request proposes: PROGRESSING, or FAILED when closed.

        Whether a cluster runs it, that cluster tells, where the workload is registered there too.
        """
        git, forge = self._place(workload)
        if (seen := self._waiting.get(git)) and self._clock() < seen.until:
            return seen.rollout
        image = images.read(forge.read(git.branch, git.path).text, git)
        _, rollout = self._proposed(forge, git, image) if git.pull_request else (None, None)
        if rollout is None:
            return Rollout(image=image, health=Health.HEALTHY)
        if rollout.waits:
            self._waiting[git] = _Seen(rollout=rollout, until=self._clock() + WAIT_SECONDS)
        return rollout

    def patch(self, workload: Workload, image: str, *, cause: str) -> None:
        """Commit, or propose, the image; a proposal of another one is withdrawn where the branch has it already."""
        git, forge = self._place(workload)
        self._waiting.pop(git, None)
        attempt = 1
        while not self._done(forge, git, image, cause, last=attempt == _ATTEMPTS):
            attempt += 1

    def _done(self, forge: Forge, git: GitFile, image: str, cause: str, *, last: bool) -> bool:
        """False when somebody else wrote meanwhile; unless this is the last attempt, which raises."""
        try:
            if git.pull_request:
                self._propose(forge, git, image, cause)
            else:
                self._commit(forge, git, git.branch, image, cause)
        except ConflictError:
            if last:
                raise
            return False
        return True

    def _place(self, workload: Workload) -> tuple[GitFile, Forge]:
        if workload.git is None:
            raise PermanentError(f"{workload}: names no file in git; check the registration")
        if any(_DOTS.search(part) for part in (workload.git.branch, workload.git.path)):
            raise PermanentError(f"{workload}: the branch or the path has a part that is only dots")
        return workload.git, self._forge(workload.git.repository)

    def _commit(self, forge: Forge, git: GitFile, branch: str, image: str, cause: str) -> None:
        """Make the branch's file say it, in one commit, unless it does."""
        file = forge.read(branch, git.path)
        text = images.write(file.text, git, image)
        if text != file.text:
            forge.commit(branch, git.path, text, file, f"{_title(git, image)}\n\n{cause}\n\n{image}")
            extra = {"action": "deploy.commit", "repository": git.repository, "branch": branch, "image": image}
            logger.info("image committed", extra=extra)

    def _propose(self, forge: Forge, git: GitFile, image: str, cause: str) -> None:
        """Have one open pull request, for the image; none when the branch has it."""
        head = _head(git)
        says = images.read(forge.read(git.branch, git.path).text, git)
        pull, proposed = self._proposed(forge, git, says)
        is_open = pull is not None and pull.state is State.OPEN
        if says == image:
            if pull and is_open:
                forge.close_pull(pull)
            if proposed:
                self._begin(forge, git, head)
            return
        if is_open and proposed and proposed.image == image:
            return
        if not is_open and (pull or forge.tip(head) is None):
            self._begin(forge, git, head)
        self._commit(forge, git, head, image, cause)
        title, body = _title(git, image), f"Runs `{image}`.\n\n{cause}\n\nIt is rolled out once this is merged."
        if pull and is_open:
            forge.amend(pull, title, body)
        else:
            pull = forge.propose(head, git.branch, title, body)
        extra = {"action": "deploy.propose", "repository": git.repository, "pull": pull.number, "image": image}
        logger.info("image proposed", extra=extra)

    def _begin(self, forge: Forge, git: GitFile, head: str) -> None:
        """Put our branch where the one is that is followed; what was proposed on it before is of no use."""
        tip, own = forge.tip(git.branch), forge.tip(head)
        if tip is None:
            raise NotFoundError(f"{git.repository} has no branch {git.branch}; check the registration")
        if own != tip:
            forge.point(head, tip, own)

    def _proposed(self, forge: Forge, git: GitFile, says: str) -> tuple[Pull | None, Rollout | None]:
        """Our pull request, and what it makes of the workload: nothing where the branch has it, or if withdrawn."""
        head = _head(git)
        pull = forge.pull(head, git.branch)
        found = _PROPOSED.search(pull.body) if pull else None
        if pull is None or found is None or found[1] == says or pull.state is State.MERGED:
            return pull, None
        if pull.state is State.OPEN:
            reason = f"pull request #{pull.number} waits to be merged: {pull.url}"
            return pull, Rollout(image=found[1], health=Health.PROGRESSING, reason=reason, waits=True)
        with contextlib.suppress(NotFoundError):  # who closed it may have deleted the branch
            if images.read(forge.read(head, git.path).text, git) != found[1]:
                return pull, None
        reason = f"pull request #{pull.number} was closed without being merged: {pull.url}"
        return pull, Rollout(image=found[1], health=Health.FAILED, reason=reason)


def _head(git: GitFile) -> str:
    """`gs/NAME-PLACE`, our branch for one place in one file."""
    name = re.sub(r"[^a-z0-9-]+", "-", git.image.rpartition("/")[2].lower()).strip("-")[:40]
    place = "\n".join((git.branch, git.path, git.field, git.image))
    return f"gs/{name}-{hashlib.sha256(place.encode()).hexdigest()[:_SHORT]}"


def _title(git: GitFile, image: str) -> str:
    _, _, digest = image.partition("@sha256:")
    version = digest[:_SHORT] if digest else image.rpartition(":")[2]
    return f"Run {git.image.rpartition('/')[2]} at {version}"
