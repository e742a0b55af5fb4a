"""Our clock against that of others: the Date of what they answer. Tokens, leases and freezes all go by it."""

from collections.abc import Iterator, Sequence
from statistics import median_low

from groundswell.clock import Clock
from groundswell.doctor.check import Check, bad, lasted, ok, skipped, warn
from groundswell.errors import TemporaryError
from groundswell.registry.dates import Dates

LATE, WRONG = 30.0, 300.0


def look(urls: Sequence[str], dates: Dates, clock: Clock) -> Iterator[Check]:
    """By the middle one of those that answer: one wrong server must not be believed."""
    offsets = []
    for url in urls:
        before = clock()
        try:
            theirs = dates(url)
        except TemporaryError:
            continue  # that it cannot be reached, its own check says
        offsets.append((before + clock()) / 2 - theirs)
    if not offsets:
        why = "nobody who could be asked for the time answers" if urls else "there is nobody to ask for the time"
        yield skipped("clock", why)
        return
    offset = median_low(offsets)
    says = f"{lasted(abs(offset))} {'ahead of' if offset > 0 else 'behind'} those of others (asked: {len(offsets)})"
    fix = "set the clock (is NTP running?); tokens and leases go by it"
    if abs(offset) > WRONG:
        yield bad("clock", says, fix)
    elif abs(offset) > LATE:
        yield warn("clock", says, fix)
    else:
        yield ok("clock", f"as those of others, but for seconds (asked: {len(offsets)})")
