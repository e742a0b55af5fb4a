"""A push as it is queued, and what can become of it."""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from groundswell.cascade.engine import PUSHES
from groundswell.cascade.observing import observer
from groundswell.errors import PermanentError
from groundswell.registry.artifacts import is_of_artifacts
from groundswell.store import versions
from groundswell.store.port import Queues

VERSION = READ = 4
"""What is written, and the newest that is read (`store/versions.py`)."""


class Result(StrEnum):
    """What became of a push."""

    CASCADE = "cascade"  # it started one, or went into one
    SETTLING = "settling"  # others that are related may come: it waits for its window to pass
    KNOWN = "known"  # this digest was seen before, or we promoted it ourselves
    CANDIDATE = "candidate"  # our own build, not yet promoted
    UNTAGGED = "untagged"  # nothing can stand on it by tag
    UNKNOWN = "unknown"  # no registered image stands on it
    MISSING = "missing"  # the registry has no such tag
    PINNED = "pinned"  # all that stands on it names a digest
    GAVE_UP = "gave up"  # the registry could not be asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One observed fact, as queued. `digest` is what the event said, a hint only.

    What follows from an `urgent` one gets its build slots before others; `force` builds it in any case.
    `seen_at` is when it was dealt with first; one that has `waited` is back after its settle window. `trace` is its
    trace context (W3C `traceparent`), empty when none is kept.
    """

    id: str
    registry: str
    repository: str
    tag: str
    digest: str
    source: str
    urgent: bool = False
    force: bool = False
    tries: int = 0
    seen_at: float = 0.0
    waited: bool = False
    trace: str = ""

    def to_text(self) -> str:
        document = {"v": VERSION, **asdict(self)}
        if not self.trace:
            del document["trace"]
        return json.dumps(document, separators=(",", ":"))

    @staticmethod
    def from_text(text: str) -> "Push":
        """Raises PermanentError when the message is not a push, NewerError when a newer program queued it."""
        try:
            document = json.loads(text)
            versions.check("a push", document, READ)
            del document["v"]
            return Push(**document)
        except (ValueError, TypeError, KeyError, AttributeError) as exc:
            raise PermanentError(f"queue message is not a push: {exc}") from exc


def of_an_image(push: Push) -> bool:
    """Whether something can stand on what was pushed.

    Not on what has no tag (the parts of an index, artifacts that refer to an image), and not on what hangs on an
    image under a tag that is made of its digest: signatures, attestations, the list of referrers.
    """
    return bool(push.tag) and not is_of_artifacts(push.tag)


def queue(queues: Queues, push: Push, *, delay: float = 0.0) -> None:
    """Put a push on its queue."""
    if push.trace:
        queues.send(PUSHES, push.to_text(), delay=delay)
        return
    with observer().receiving(push) as trace:
        queues.send(PUSHES, replace(push, trace=trace).to_text(), delay=delay)
