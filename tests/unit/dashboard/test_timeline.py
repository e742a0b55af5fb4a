"""The timeline of a cascade: the critical path first, a bar a phase, and everything in words too."""

import re

import pytest

from groundswell.cascade.status import Status
from groundswell.cascade.timeline import Link, Phase, Row, Span, Timeline
from groundswell.dashboard.timeline import ROWS, Scale, ordered, spent
from tests.support.pages import Browser
from tests.support.world import BASE, World, ref, registration
from tests.unit.dashboard.test_pages import unsafe


def test_it_is_told_in_bars_and_in_words(reader: Browser, world: World) -> None:
    world.register(registration("a/base", BASE), registration("b/top", ref("a/base")))
    world.push_base()
    world.drive()
    place = f"/ui/cascades/{world.cascade}/timeline"
    text = reader.get(place).text
    path, _, images = text.partition('id="images"')
    assert re.findall(r"/images/([^\"]+)\"", path) == ["a/base", "b/top"]
    assert "building 5 s" in path
    assert 'class="phase-building"' in images
    assert images.count('class="on-path"') == 3  # two images, and what the mark means
    assert "data-poll" not in text
    assert unsafe(text) == []
    assert f'href="{place}"' in reader.get(f"/ui/cascades/{world.cascade}").text


def test_it_asks_again_while_something_is_under_way(reader: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.takes["shop/web"] = 10**6
    world.push_base()
    world.drive(until=30)
    assert (
        'hx-trigger="every 5s" hx-select="#timeline"' in reader.get(f"/ui/cascades/{world.cascade}/timeline").text
    )


def test_of_many_images_a_page_is_shown(reader: Browser, world: World) -> None:
    world.register(*(registration(f"shop/w{number:02d}", BASE) for number in range(ROWS + 3)))
    world.broken = {"shop/w62"}
    world.push_base()
    world.drive()
    place = f"/ui/cascades/{world.cascade}/timeline"
    first, second = (reader.get(f"{place}?page={page}").text for page in (1, 2))
    assert f"{ROWS} of {ROWS + 3} images, page 1 of 2: the critical path first" in first
    shown = [
        re.findall(r'<th scope="row"[^>]*><a[^>]*>([^<]+)', page.partition('id="images"')[2])
        for page in (first, second)
    ]
    assert [len(page) for page in shown] == [ROWS, 3]
    assert len({*shown[0], *shown[1]}) == ROWS + 3
    assert "shop/w62" in shown[0][:2]


@pytest.mark.parametrize(
    ("query", "status"), [("?page=x", 422), ("?page=0", 200), ("?page=9", 200), ("?strange=1", 422)]
)
def test_addresses(reader: Browser, world: World, query: str, status: int) -> None:
    world.register(registration("shop/web", BASE))
    world.push_base()
    world.drive()
    assert reader.get(f"/ui/cascades/{world.cascade}/timeline{query}").status_code == status
    assert reader.get(f"/ui/cascades/none/timeline{query}").status_code == (422 if status == 422 else 404)


def _row(image: str, length: float, status: Status = Status.DONE, start: float = 0.0) -> Row:
    span = Span(phase=Phase.BUILDING, start=start, end=start + length)
    return Row(image=image, status=status, start=start, end=start + length, spans=(span,))


def test_the_order_of_many() -> None:
    rows = [_row(f"i{number:03d}", 1.0 + number) for number in range(ROWS)]
    bad, last = _row("bad", 1.0, Status.FAILED), _row("last", 2.0)
    path = (Link(image="last", start=0.0, end=2.0, spans=()),)
    known = Timeline(start=0.0, end=99.0, rows=(*rows, bad, last), path=path)
    assert [row.image for row in ordered(known)[:3]] == ["last", "bad", f"i{ROWS - 1:03d}"]
    few = Timeline(start=0.0, end=9.0, rows=(_row("b", 1.0, start=1.0), _row("a", 1.0, start=3.0)), path=())
    assert [row.image for row in ordered(few)] == ["b", "a"]


@pytest.mark.parametrize("length", [0.0, 0.4, 7.0, 61.0, 5_000.0, 400_000.0, 10**9])
def test_there_are_a_few_ticks_within_the_picture(length: float) -> None:
    ticks = Scale(Timeline(start=50.0, end=50.0 + length, rows=(), path=())).ticks()
    places = [float(x.rstrip("%")) for x, _ in ticks]
    assert places[0] == 0.0
    assert places == sorted(places)
    assert places[-1] <= 90.0
    assert len(ticks) <= 6


def test_words() -> None:
    row = _row("a", 65.0)
    assert spent(row.spans) == "building 1 min 5 s"
    (bar,) = Scale(Timeline(start=0.0, end=130.0, rows=(row,), path=())).bars(row.spans)
    assert (bar.x, bar.width, bar.title) == ("0.000%", "50.000%", "building 1 min 5 s, from 0 s on")
