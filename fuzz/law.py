"""The law that holds for every target, whoever gives the bytes: the fuzzer, or a test that replays the corpus."""

import resource
import time

from fuzz.targets import Target

MAX_SECONDS = 5.0
"""Of processor time for one input: some hundred times what any of the corpus takes."""
MAX_GROWTH = 512
"""MiB that one input may make the process grow by."""
MAX_MESSAGE = 20_000
"""Characters of an error's text: it is shown to people, logged, and sent as an answer."""


class BrokenLawError(AssertionError):
    """What a target did, and may not do."""


def hold(target: Target, data: bytes) -> None:
    """Run a target on these bytes. Raises BrokenLawError; errors that it may not raise pass through."""
    before, began = _peak(), time.process_time()
    try:
        target.run(data)
    except target.allowed as exc:
        if (length := len(str(exc))) > MAX_MESSAGE:
            raise BrokenLawError(f"{target.name}: an error of {length} characters") from exc
    took, grew = time.process_time() - began, _peak() - before
    if took > MAX_SECONDS:
        raise BrokenLawError(f"{target.name}: {took:.1f} s of processor time")
    if grew > MAX_GROWTH:
        raise BrokenLawError(f"{target.name}: {grew} MiB more than before")


def _peak() -> int:
    """MiB that this process had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
