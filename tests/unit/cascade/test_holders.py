"""Which cascades an image is in: asked image by image, and as long as there is a cascade."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from groundswell.cascade.holders import Holders
from groundswell.store.sqlite import SqliteStore
from tests.support.world import HOST, World, registration

type MakeWorld = Callable[..., World]


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[Holders]:
    store = SqliteStore(tmp_path / "store.db")
    yield Holders(store)
    store.close()


def test_only_those_that_hold_one_of_the_images_and_began_since(holders: Holders) -> None:
    holders.enter("0001", ["app", "team/app"])
    holders.enter("0002", ["app", *(f"i{number}" for number in range(250))])
    holders.enter("0002", ["app"])
    holders.enter("0003", ["app2", "ap"])
    assert holders.of(["app"], since="0001") == {"0001", "0002"}
    assert holders.of(["app"], since="0002") == {"0002"}
    assert holders.of(["app2", "team/app", "other"], since="0001") == {"0001", "0003"}
    assert holders.of(["i249"], since="0") == {"0002"}
    holders.leave("0001", ["app", "team/app", "never"])
    assert holders.of(["app", "team/app"], since="0001") == {"0002"}


def test_a_cascade_is_followed_among_many_that_have_nothing_to_do_with_it(make_world: MakeWorld) -> None:
    """More cascades are open than the new one has images: only the one that holds its image is read."""
    bases = [f"{HOST}/mirror/base{number}:1" for number in range(6)]
    images = [registration(f"i{number}", base) for number, base in enumerate(bases)]
    world = make_world(*images, registration("both", bases[0], build=[bases[1]]), slots=20)
    world.takes = {image.name: 10_000 for image in images} | {"both": 10_000}
    for base in (bases[0], *bases[2:]):
        world.push_base(f"sha256:{base}", base)
    world.drive(until=30)
    first = next(cascade for cascade in world.cascades if "both" in world.states(cascade))
    read: list[str] = []
    rebuilds = world.app.engine.records.rebuilds
    world.app.engine.records.rebuilds = lambda cascade: (read.append(cascade), rebuilds(cascade))[1]  # type: ignore[method-assign]
    world.push_base("sha256:last", bases[1])
    world.drive(until=30)
    newest = next(cascade for cascade in world.cascades if "i1" in world.states(cascade))
    assert set(read) - {newest} == {first}
    assert world.states(newest)["both"].reason == f"waits for {first}/both"
    world.takes = {}
    world.drive()
    assert set(world.statuses(newest).values()) <= {"done", "unchanged"}
