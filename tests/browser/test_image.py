"""The page of an image in a real browser: an operator replays from it, a reader is offered nothing."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, look_over

pytestmark = pytest.mark.stack


def test_an_operator_replays_a_failed_image(operator: Page, server: Server) -> None:
    operator.goto(f"/ui/cascades/{server.company.failed}?status=failed")
    operator.get_by_role("link", name="shop/cart", exact=True).click()
    expect(operator.locator("#log")).to_contain_text("The log cannot be read")  # no build service is behind it
    assert operator.title().startswith("shop/cart"), "a part that was fetched is not the page"
    look_over(operator, "image")
    acts = operator.get_by_role("region", name="What can be done")
    acts.get_by_label("Reason").fill("its mirror is back")
    acts.get_by_role("button", name="Replay").click()
    expect(operator.get_by_role("region", name="It runs again")).to_be_visible()
    expect(operator.get_by_role("region", name="Moves")).to_contain_text("its mirror is back")


def test_a_reader_is_offered_nothing(reader: Page, server: Server) -> None:
    reader.goto(f"/ui/cascades/{server.company.running}/images/edge/site-0003")
    expect(reader.get_by_role("region", name="What it waits for")).to_contain_text("held by ben")
    expect(reader.get_by_role("region", name="What can be done")).to_have_count(0)
    expect(reader.locator("main form")).to_have_count(0)


def test_the_timeline(reader: Page, server: Server) -> None:
    reader.goto(f"/ui/cascades/{server.company.done}")
    reader.get_by_role("link", name="Timeline").click()
    expect(reader.get_by_role("table", name="Images of the critical path")).to_contain_text("platform/runtime")
    expect(reader.locator("svg.row").first).to_be_visible()
    look_over(reader, "timeline")
