from dataclasses import replace

from groundswell.cascade.kept import Kept
from groundswell.dashboard.shelf import RebuildShelf
from groundswell.dashboard.tally import MOST, Tallies
from tests.support.world import BASE, World, registration


def test_the_records_are_read_once_in_a_moment_unless_the_header_changed(world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.push_base()
    world.drive()
    kept, clock = Kept(world.app.engine.records, world.app.archive, world.cascade), [0.0]
    header, shelf = kept.header(), RebuildShelf(lambda: clock[0])
    first = shelf.outlines(kept, header)
    assert [each.image for each in first] == ["shop/web"]
    assert shelf.outlines(kept, header) is first
    assert shelf.outlines(kept, replace(header, open=1)) is not first
    again = shelf.outlines(kept, header)
    clock[0] = 2.0
    assert shelf.outlines(kept, header) is not again


def test_a_page_counts_no_more_than_it_can(world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.push_base()
    world.drive()
    header = world.app.engine.records.header(world.cascade).value
    tallies = Tallies(world.app, lambda: 0.0)
    assert tallies.of([replace(header, total=MOST + 1)]) == {}
    assert tallies.of([header])[header.id].counts == {"done": 1}
