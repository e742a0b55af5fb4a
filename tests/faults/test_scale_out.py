"""Four processes of the app on one Azurite: one limit for all, each with its part, and more done than by one.

`SCALE_IMAGES=1000` carries as many as that through; `make bench ONLY=scale-out` measures one, two and four.
"""

import os

import pytest

from groundswell.cascade.status import Status
from groundswell.local.azurite import Azurite
from tests.faults.report import tell
from tests.support.crew import Pace, Seen, run

IMAGES = int(os.environ.get("SCALE_IMAGES", "100"))
ALONE = 60
"""Images that one worker carries through by itself: enough for a rate."""
WORKERS, SLOTS = 4, 16
PACE = Pace(slots=SLOTS, build=1.0, scan=1.5, threads=4)
"""One worker waits for its scans, four threads of 1.5 s, whatever else the machine does; four have sixteen."""


def carried(images: int, workers: int) -> Seen:
    with Azurite() as azurite:
        patience = 40.0 + 2.0 * images
        seen = run(azurite.connection_string, images=images, workers=workers, pace=PACE, patience=patience)
    assert seen.statuses == {Status.DONE: images}
    assert set(seen.built.values()) == {1}  # no image was built twice
    assert seen.violations == []
    assert seen.most <= SLOTS  # by the build service's own count
    return seen


@pytest.mark.stack
@pytest.mark.timeout(120 + 2 * (IMAGES + ALONE))
def test_four_workers_share_one_limit_and_the_work_and_do_more_than_one() -> None:
    alone, seen = carried(ALONE, 1), carried(IMAGES, WORKERS)
    assert seen.most > SLOTS / 2  # the slots were used
    fair = IMAGES / WORKERS
    for counted in (seen.started, seen.scanned):
        shares = {name: count for name, count in counted.items() if name.startswith("w")}
        assert len(shares) == WORKERS, shares
        assert min(shares.values()) > fair / 4, shares
    assert seen.rate > 1.5 * alone.rate
    tell("workers sharing one limit", schedules=2, faults=0)
