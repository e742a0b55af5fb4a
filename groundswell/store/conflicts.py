"""What to do when two write the same document at once: the one whose ETag is stale loads and decides again."""

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from groundswell.errors import ConflictError


def retry_conflicts() -> Retrying:
    """Another try when somebody else's write came first: load and decide again, at once, with a little jitter.

    After 30 tries the ConflictError is raised.
    """
    return Retrying(
        retry=retry_if_exception_type(ConflictError),
        wait=wait_random(0, 0.05),
        stop=stop_after_attempt(30),
        reraise=True,
    )
