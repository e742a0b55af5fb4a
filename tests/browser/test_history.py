"""The page about past months: drawn for every screen, and narrowed to a team."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from groundswell.store.sqlite import SqliteStore
from tests.browser.conftest import Server, look_over
from tests.support import past

pytestmark = pytest.mark.stack


def test_history(reader: Page, server: Server) -> None:
    store = SqliteStore(Path(server.company.store.removeprefix("sqlite:///")))
    past.enter(store, now=time.time())
    store.close()
    reader.get_by_role("navigation", name="Pages").get_by_role("link", name="History").click()
    charts = reader.get_by_role("img")
    expect(charts).to_have_count(3)
    expect(charts.first).to_have_accessible_name(
        "From push to rolled out, by month; the table below has the figures"
    )
    look_over(reader, "history")
    months = reader.get_by_role("table", name="Of the cascades that began in a month")
    everything = months.get_by_role("row").count()
    reader.get_by_label("Months").select_option("3")
    reader.get_by_label("Owner").fill("ml")
    reader.get_by_role("button", name="Show").click()
    expect(months).to_contain_text("the part of ml")
    assert months.get_by_role("row").count() < everything
    expect(reader.get_by_role("table", name="What a build takes").get_by_role("rowheader")).to_have_text(
        ["ml/trainer", "ml/serving"]
    )
    reader.get_by_role("link", name="Every team").click()
    expect(reader.get_by_label("Owner")).to_have_value("")
    reader.get_by_label("Owner").fill("nobody")
    reader.keyboard.press("Enter")
    expect(reader.get_by_text("no cascade with an image of nobody")).to_be_visible()
