"""The graph of a cascade in a real browser: search, zoom, failures, keys along its edges, states that change."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from groundswell.cascade.records import Records
from groundswell.cascade.status import Status
from groundswell.store.sqlite import SqliteStore
from tests.browser.conftest import Server, look_over

pytestmark = pytest.mark.stack


def seen(page: Page) -> tuple[float, ...]:
    """What part of the drawing is in sight: its corner and its size."""
    return tuple(float(each) for each in (page.locator("#drawing").get_attribute("viewBox") or "").split())


def box(page: Page, name: str) -> Locator:
    return page.locator(f'#drawing .box[data-key="{name}"]')


def test_one_finds_ones_way(reader: Page, server: Server) -> None:
    reader.goto(f"/ui/cascades/{server.company.failed}")
    reader.get_by_role("link", name="Graph", exact=True).click()
    expect(box(reader, "shop/cart")).to_have_class("box tone-bad")
    look_over(reader, "graph")

    reader.get_by_label("Search").fill("shop")
    expect(reader.locator("#hits")).to_have_text("3 found")
    expect(box(reader, "search/query")).not_to_have_class("hit")
    marked = reader.locator("#drawing .box.at")
    first = marked.get_attribute("data-key")
    reader.keyboard.press("Enter")
    expect(reader.locator("#hits")).to_have_text("2 of 3")
    assert marked.get_attribute("data-key") != first
    reader.keyboard.press("Escape")
    expect(reader.locator("#drawing .hit")).to_have_count(0)

    canvas = reader.get_by_role("region", name="Graph of the cascade")
    expect(canvas).to_be_focused()
    before = seen(reader)
    reader.keyboard.press("+")
    assert seen(reader)[2] < before[2]
    reader.keyboard.press("ArrowRight")
    assert seen(reader)[0] > before[0]
    reader.get_by_role("button", name="Fit").click()
    fitted = seen(reader)
    canvas.hover()
    reader.mouse.wheel(0, -400)
    reader.wait_for_function("width => +drawing.getAttribute('viewBox').split(' ')[2] < width", arg=fitted[2])
    zoomed = seen(reader)
    reader.mouse.down()
    reader.mouse.move(100, 300, steps=3)
    reader.mouse.up()
    assert seen(reader)[2:] == zoomed[2:]
    assert seen(reader)[:2] != zoomed[:2]
    assert reader.url.endswith("/graph")  # dragging opens nothing


def test_failures_and_edges_by_keyboard(reader: Page, server: Server) -> None:
    reader.goto(f"/ui/cascades/{server.company.failed}/graph")
    bad = []
    for number in (1, 2, 1):
        reader.keyboard.press("f")
        expect(reader.locator("#hits")).to_have_text(f"failure {number} of 2")
        bad.append(reader.evaluate("document.activeElement.dataset.key"))
    assert sorted(bad[:2]) == ["search/query", "shop/cart"]
    assert bad[2] == bad[0]
    box(reader, "shop/cart").focus()
    reader.keyboard.press("ArrowRight")
    expect(box(reader, "shop/cart-admin")).to_be_focused()
    reader.keyboard.press("ArrowLeft")
    reader.keyboard.press("ArrowLeft")
    expect(box(reader, "platform/python")).to_be_focused()
    reader.keyboard.press("ArrowRight")
    one = reader.evaluate("document.activeElement.dataset.key")
    reader.keyboard.press("ArrowDown")
    assert reader.evaluate("document.activeElement.dataset.key") != one
    here = seen(reader)
    reader.keyboard.press("Shift+ArrowLeft")
    assert seen(reader)[0] < here[0]
    box(reader, "shop/cart").focus()
    reader.keyboard.press("Enter")
    reader.wait_for_url("**/images/shop/cart")


@contextmanager
def changed(server: Server, image: str, status: Status) -> Iterator[None]:
    """While it lasts, an image of the cascade under way is in another state."""
    cascade = server.company.running
    store = SqliteStore(Path(server.company.store.removeprefix("sqlite:///")))
    records = Records(store)
    stored = records.rebuild(cascade, image)
    records.save(cascade, [(stored, replace(stored.value, status=status, outbox=()))], at=time.time())
    yield
    records.save(cascade, [(records.rebuild(cascade, image), stored.value)], at=time.time())
    store.close()


def test_states_change_by_themselves(reader: Page, server: Server) -> None:
    reader.goto(f"/ui/cascades/{server.company.running}/graph")
    image = box(reader, "edge/site-0002")
    expect(image).to_have_class("box tone-busy")
    expect(reader.get_by_role("button", name="Next failure")).to_be_disabled()
    image.focus()
    reader.keyboard.press("+")
    where = seen(reader)
    with changed(server, "edge/site-0002", Status.FAILED):
        expect(image).to_have_class(re.compile(r"\btone-bad\b"), timeout=10_000)
        expect(image.locator(".word")).to_have_text("failed")
        expect(reader.locator(".failures")).to_contain_text("edge/site-0002")
        expect(reader.get_by_role("button", name="Next failure")).to_be_enabled()
    assert seen(reader) == where
    expect(image).to_be_focused()


def test_another_drawing_is_fetched_and_one_looks_at_the_same_part(reader: Page, server: Server) -> None:
    """As when an image fails that shared a box: the shape is another then."""
    reader.goto(f"/ui/cascades/{server.company.running}/graph")
    image = box(reader, "edge/site-0000")
    image.focus()
    reader.keyboard.press("+")
    where = seen(reader)
    reader.evaluate("drawing.dataset.old = ''")

    def other(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "shape": "another"})

    reader.route("**/graph.json", other, times=1)
    expect(reader.locator("#drawing[data-old]")).to_have_count(0, timeout=10_000)
    expect(image).to_be_focused()
    assert seen(reader) == where
    expect(image).to_have_accessible_name(re.compile("^edge/site-0000: "))
