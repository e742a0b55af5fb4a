"""Notices: whether people are told, and what could not be told them."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from groundswell.doctor.check import Check, ok, skipped, warn
from groundswell.notify.delivery import Delivery, State

_LATEST = 500
_WEEK = 7 * 86_400.0


def look(channels: Collection[str], deliveries: Iterable[Delivery], now: float) -> Iterator[Check]:
    """`deliveries`, the newest first."""
    if not channels:
        yield skipped(
            "notices", "nobody is told of anything", "GROUNDSWELL_NOTIFY names whom (docs/notifications.md)"
        )
        return
    dead: Counter[str] = Counter()
    for each in islice(deliveries, _LATEST):
        if each.state is State.DEAD and now - each.changed_at < _WEEK:
            dead[each.channel] += 1
    for channel, count in sorted(dead.items()):
        fix = f"`groundswell notices list` says why; try it: `groundswell notices test {channel} --reason TEXT`"
        yield warn(f"notices to {channel}", f"{count} could not be delivered within a week", fix)
    if not dead:
        yield ok("notices", f"none was given up within a week; channels: {', '.join(channels)}")
