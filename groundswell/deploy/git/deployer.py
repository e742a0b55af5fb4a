"""Moves workloads by committing to git what they are to run, for Flux or Argo CD to carry to a cluster.

A commit goes to the branch they follow, or to one of our own with a pull request into it. Whatever is run again
after a crash finds what was done. A commit is held to what was read, so nobody's change is lost. A pull request's
branch is named after the place in the file and the image: there is one for an image at a time; one that proposes
another image is closed for it. What a person closed is not opened again for the same cause.
"""

import hashlib
import logging
import re
from collections.abc import Callable

from groundswell.deploy.git import images
from groundswell.deploy.git.forge import Forge, Pull, State
from groundswell.deploy.port import GitFile, Health, Rollout, Workload
from groundswell.errors import ConflictError, NotFoundError, PermanentError

logger = logging.getLogger(__name__)

_ATTEMPTS = 5
_SHORT = 12
_DOTS = re.compile(r"(?:\A|/)\.*(?:/|\Z)")
"""In a URL it would lead to another place of the API."""


class GitDeployer:
    """The Deployer for workloads of the kind GIT; `forge` gives the host of a repository by its URL."""

    def __init__(self, forge: Callable[[str], Forge]) -> None:
        self._forge = forge

    def observe(self, workload: Workload) -> Rollout:
        """What the file on the branch says. PROGRESSING while a pull request of ours waits to be merged.

        Whether a cluster runs it, that cluster tells, where the workload is registered there too.
        """
        git, forge = self._place(workload)
        image = images.read(forge.read(git.branch, git.path).text, git)
        if waiting := self._ours(forge, git):
            reason = f"pull request #{waiting[0].number} waits to be merged: {waiting[0].url}"
            return Rollout(image=image, health=Health.PROGRESSING, reason=reason)
        return Rollout(image=image, health=Health.HEALTHY)

    def patch(self, workload: Workload, image: str, *, cause: str) -> None:
        """Commit, or propose, the image. PermanentError when somebody closed the pull request of this cause."""
        git, forge = self._place(workload)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if git.pull_request:
                    self._propose(forge, git, image, cause)
                else:
                    self._commit(forge, git, git.branch, image, cause)
            except ConflictError:
                if attempt == _ATTEMPTS:
                    raise
            else:
                return

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
        """Have one open pull request for the image, and none for another; none at all when the branch has it."""
        there = images.read(forge.read(git.branch, git.path).text, git) == image
        head = "" if there else _prefix(git) + _short(image)
        ours = self._ours(forge, git)
        if not there and not any(pull.head == head for pull in ours):
            self._open(forge, git, head, image, cause)
        for pull in ours:
            if pull.head != head:
                forge.close_pull(pull)

    def _open(self, forge: Forge, git: GitFile, head: str, image: str, cause: str) -> None:
        former = forge.pulls(git.branch, head=head)
        closed = next((pull for pull in former if pull.state is State.CLOSED and cause in pull.body), None)
        if closed is not None:
            raise PermanentError(
                f"pull request #{closed.number} was closed without being merged: {closed.url}; "
                "reopen it, then replay from deploy"
            )
        tip, own = forge.tip(git.branch), forge.tip(head)
        if tip is None:
            raise NotFoundError(f"{git.repository} has no branch {git.branch}; check the registration")
        if own is None or former:  # what an earlier pull request left there is of no use
            forge.point(head, tip, own)
        self._commit(forge, git, head, image, cause)
        body = f"{cause}\n\nRuns `{image}` by `{git.path}`. Merge this to let it be rolled out."
        pull = forge.propose(head, git.branch, _title(git, image), body)
        extra = {"action": "deploy.propose", "repository": git.repository, "pull": pull.number, "image": image}
        logger.info("pull request opened", extra=extra)

    def _ours(self, forge: Forge, git: GitFile) -> tuple[Pull, ...]:
        """The open pull requests for this place in the file, the newest first."""
        if not git.pull_request:
            return ()
        prefix = _prefix(git)
        return tuple(pull for pull in forge.pulls(git.branch) if pull.head.startswith(prefix))


def _prefix(git: GitFile) -> str:
    """`gs/NAME-PLACE/`, the beginning of our branches for one place in one file."""
    name = re.sub(r"[^a-z0-9-]+", "-", git.image.rpartition("/")[2].lower()).strip("-")[:40]
    place = "\n".join((git.branch, git.path, git.field, git.image))
    return f"gs/{name}-{hashlib.sha256(place.encode()).hexdigest()[:_SHORT]}/"


def _short(image: str) -> str:
    return hashlib.sha256(image.encode()).hexdigest()[:_SHORT]


def _title(git: GitFile, image: str) -> str:
    _, _, digest = image.partition("@sha256:")
    version = digest[:_SHORT] if digest else image.rpartition(":")[2]
    return f"Run {git.image.rpartition('/')[2]} at {version}"
