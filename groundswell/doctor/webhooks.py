"""Whether webhooks arrive: what the push log says, and the registry's own record of what it sent in vain."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from groundswell.cascade import announce, reconcile
from groundswell.cascade.deliveries import SETTLED
from groundswell.doctor.check import Check, lasted, ok, skipped, warn
from groundswell.registry.deliveries import Delivery

LINES = 1000
"""Of the push log, the newest, that are looked at."""
_WEEK, _DAY = 7 * 86_400.0, 86_400.0
_FIX = (
    "does the registry's webhook point to https://APP/webhooks/acr, with the header {header} and the secret? "
    "See docs/operations.md, Sources of pushes"
)


def look(registry: str, log: Iterable[Mapping[str, Any]], *, now: float, header: str) -> Iterator[Check]:
    """`log` are lines of the push log, the newest first. What reconcile found had been announced to nobody."""
    name, fix = f"webhook {registry}", _FIX.format(header=header)
    arrived: list[float] = []
    missed: list[float] = []
    for line in log:
        if line["registry"] == registry and now - line["at"] < _WEEK and line["source"] != announce.SOURCE:
            (missed if line["source"] == reconcile.SOURCE else arrived).append(line["at"])
    last = max(arrived, default=0.0)
    after = [at for at in missed if at > last]
    if after:
        since = f"the last webhook came {lasted(now - last)} ago" if arrived else "no webhook came within a week"
        yield warn(name, f"{since}; found by reconcile since: {len(after)}", fix)
    elif arrived:
        lost = f"; lost, and found by reconcile: {len(missed)}" if missed else ""
        yield ok(name, f"the last one came {lasted(now - last)} ago, of {len(arrived)} in a week{lost}")
    else:
        yield skipped(name, "no push of it was announced within a week", "push something, and look again")


def failed(registry: str, deliveries: Iterable[Delivery], *, now: float, header: str) -> Iterator[Check]:
    """By the registry's own record."""
    lost = [each.at for each in deliveries if SETTLED <= now - each.at < _DAY]
    if lost:
        says = f"{registry} sent {len(lost)} in vain within a day, the last {lasted(now - max(lost))} ago"
        yield warn(f"webhook {registry}", says, _FIX.format(header=header))
