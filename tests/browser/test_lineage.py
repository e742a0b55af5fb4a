"""The lineage in a real browser: from a search to what a push would do, and an image registered by keyboard."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from groundswell.access.principal import Role
from groundswell.clock import now
from groundswell.lineage.catalog import Catalog
from groundswell.store.sqlite import SqliteStore
from tests.browser.conftest import Server, Watch, look_over, sign_in
from tests.support.company import DEBIAN, PYTHON
from tests.support.world import registration

pytestmark = pytest.mark.stack

_PIN = "sha256:" + "a" * 64


def test_from_a_search_to_what_a_push_would_do(reader: Page) -> None:
    reader.get_by_role("navigation", name="Pages").get_by_role("link", name="Lineage").click()
    expect(reader.get_by_role("link", name="Lineage")).to_have_attribute("aria-current", "page")
    look_over(reader, "lineage")
    reader.get_by_label("Name").fill("platform/py")
    reader.keyboard.press("Enter")
    expect(reader.get_by_role("row")).to_have_count(2)
    reader.get_by_role("link", name="platform/python", exact=True).click()
    expect(reader.get_by_role("heading", level=1)).to_have_text("platform/python")
    expect(reader.get_by_role("region", name="Stands on", exact=True)).to_contain_text(PYTHON)
    expect(reader.get_by_role("region", name="Stands on it")).to_contain_text("shop/cart")
    expect(reader.get_by_text("Unregister it")).to_have_count(0)
    look_over(reader, "image")
    reader.get_by_role("link", name="What a push would do").click()
    expect(reader.get_by_label("Base or image")).to_have_value("platform/python")
    reader.get_by_label("Base or image").fill(DEBIAN)
    reader.keyboard.press("Enter")
    expect(reader.get_by_role("row").nth(1)).to_contain_text("platform/runtime")
    look_over(reader, "impact")
    reader.get_by_role("link", name="wave 2").click()
    expect(reader.get_by_role("rowheader", name="platform/runtime")).to_have_count(0)


def test_what_is_wrong_with_a_reference_is_said_at_the_field(reader: Page, watch: Watch) -> None:
    watch.allow("status of 422")
    reader.goto("/ui/impact")
    reader.get_by_label("Base or image").fill("No Such")
    reader.keyboard.press("Enter")
    said = re.compile("'No Such' is neither a registered image nor a reference")
    expect(reader.get_by_label("Base or image")).to_have_accessible_description(said)


def test_what_is_stale_comes_in_by_itself(reader: Page, server: Server) -> None:
    store = SqliteStore(Path(server.company.store.removeprefix("sqlite:///")))
    catalog = Catalog(store, now)
    catalog.register([registration("shop/frozen-in", f"{DEBIAN}@{_PIN}", owner="shop")], who="test")
    try:
        reader.get_by_role("navigation", name="Pages").get_by_role("link", name="Stale").click()
        row = reader.get_by_role("row").filter(has=reader.get_by_role("link", name="shop/frozen-in"))
        expect(row).to_contain_text("pinned", timeout=30_000)
        look_over(reader, "stale")
        reader.get_by_label("Owner").fill("search")
        reader.keyboard.press("Enter")
        expect(reader.get_by_text("Nothing that fits is stale")).to_be_visible()
    finally:
        catalog.unregister(["shop/frozen-in"], who="test", why="it was for a test")
        store.close()


def test_an_image_is_registered_by_keyboard_with_a_mistake_corrected(
    page: Page, server: Server, watch: Watch
) -> None:
    watch.allow("status of 422")
    sign_in(page, server.company.tokens[Role.REGISTRAR])
    page.goto("/ui/lineage")
    page.get_by_role("link", name="Register an image").focus()
    page.keyboard.press("Enter")
    page.get_by_role("textbox", name="Name").focus()
    for typed in ("shop/Vouchers", None, "contoso.azurecr.io", "", "1", "", "https://git.example.com/shop.git"):
        if typed:
            page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.get_by_label("Text of the Dockerfile").fill(f"FROM {DEBIAN}\n")
    page.keyboard.press("Tab")
    page.get_by_label("Reason, for the history").focus()
    page.keyboard.type("vouchers for the winter")
    page.keyboard.press("Enter")
    wrong = page.get_by_role("textbox", name="Name")
    expect(wrong).to_be_focused()
    expect(wrong).to_have_value("shop/Vouchers")
    expect(page.get_by_role("alert")).to_contain_text("lower-case letters and digits")
    look_over(page, "register-wrong")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("shop/vouchers")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Register it")).to_be_focused()
    expect(page.get_by_role("region", name="It would be registered")).to_contain_text(DEBIAN)
    look_over(page, "register-preview")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("shop/vouchers was registered just now")
    page.get_by_role("link", name="shop/vouchers").first.click()
    page.get_by_text("Unregister it").click()
    page.get_by_label("Reason").fill("a test")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("shop/vouchers was unregistered just now")


def test_a_file_is_pasted_and_looked_at(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("status of 422")
    sign_in(page, server.company.tokens[Role.REGISTRAR])
    page.goto("/ui/register")
    page.get_by_role("link", name="Paste a lineage.yaml").click()
    text = f"""version: 1
registry: contoso.azurecr.io
source: {{git: "https://git.example.com/shop.git"}}
images:
  - name: shop/gifts
    owner: shop
    tags: [latest]
    dockerfile_content: |
      FRM {DEBIAN}
"""
    page.get_by_label("lineage.yaml").fill(text)
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_label("lineage.yaml")).to_be_focused()
    expect(page.get_by_label("lineage.yaml")).to_have_accessible_description(re.compile("line 8: shop/gifts"))
    page.get_by_label("lineage.yaml").fill(text.replace("FRM", "FROM"))
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("region", name="1 of 1 image would change")).to_contain_text("shop/gifts")
    look_over(page, "paste")
