"""Four processes of the app on one Azurite: one limit for all, and each does its part.

`SCALE_IMAGES=1000` carries as many as that through; `make bench ONLY=scale-out` measures one, two and four.
"""

import os

import pytest

from groundswell.cascade.status import Status
from groundswell.local.azurite import Azurite
from tests.faults.report import tell
from tests.support.crew import Pace, run

IMAGES = int(os.environ.get("SCALE_IMAGES", "100"))
WORKERS, SLOTS = 4, 16


@pytest.mark.stack
@pytest.mark.timeout(60 + 2 * IMAGES)
def test_four_workers_share_one_limit_and_the_work() -> None:
    pace = Pace(slots=SLOTS, build=1.0, scan=0.2, threads=4)
    with Azurite() as azurite:
        seen = run(
            azurite.connection_string, images=IMAGES, workers=WORKERS, pace=pace, patience=40.0 + 2.0 * IMAGES
        )
    assert seen.statuses == {Status.DONE: IMAGES}
    assert set(seen.built.values()) == {1}  # no image was built twice
    assert seen.violations == []
    assert SLOTS / 2 < seen.most <= SLOTS  # by the build service's own count; the slots were used
    fair = IMAGES / WORKERS
    for counted in (seen.started, seen.scanned):
        shares = {name: count for name, count in counted.items() if name.startswith("w")}
        assert len(shares) == WORKERS, shares
        assert min(shares.values()) > fair / 4, shares
    tell("workers sharing one limit", schedules=1, faults=0)
