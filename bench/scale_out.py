"""Throughput of one, two and four workers on one Azurite, with services that take their time.

A build takes a second elsewhere, in 16 slots; a scan holds one of a worker's four threads for a second. So one
worker is bound by its threads, and more of them by the slots, as long as two cores and Azurite's one thread keep
up: what is measured is whether workers get into each other's way.
"""

from functools import cache

from rich.console import Console
from rich.table import Table

from bench.result import Result
from groundswell.cascade.status import Status
from groundswell.local.azurite import Azurite
from tests.support.crew import Pace, Seen, run

_IMAGES = 120
_PACE = Pace(slots=16, build=1.0, scan=1.0, threads=4)
_WORKERS = (1, 2, 4)


def scale_out() -> Result:
    """Images a second with four workers, against one."""
    runs = {workers: _run(workers) for workers in _WORKERS}
    table = Table(title=f"{_IMAGES} images, {_PACE.slots} slots, {_PACE.threads} threads a worker", box=None)
    for heading in ("workers", "seconds", "images/s", "most builds at once", "builds started by each"):
        table.add_column(heading, justify="right")
    for workers, seen in runs.items():
        shares = ", ".join(str(count) for name, count in sorted(seen.started.items()) if name != "eye")
        table.add_row(str(workers), f"{seen.seconds:.1f}", f"{seen.rate:.2f}", str(seen.most), shares)
    Console().print(table)
    return Result(value=runs[4].rate, unit="images/s", baseline="one worker", baseline_value=runs[1].rate)


@cache
def _run(workers: int) -> Seen:
    with Azurite() as azurite:
        seen = run(azurite.connection_string, images=_IMAGES, workers=workers, pace=_PACE, patience=300.0)
    if seen.statuses != {Status.DONE: _IMAGES} or seen.most > _PACE.slots:
        raise RuntimeError(f"the cascade did not go as it should: {seen.statuses}, {seen.most} builds at once")
    return seen
