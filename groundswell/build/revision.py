"""The revision port: which content a source has now."""

from typing import Protocol

from groundswell.build.port import Source


class Revisions(Protocol):
    """Raises TemporaryError when the server does not answer, PermanentError when the revision cannot be known."""

    def revision(self, source: Source) -> str:
        """What `source.ref` points to now: for git the id of a commit, which can be built in the ref's place."""
        ...
