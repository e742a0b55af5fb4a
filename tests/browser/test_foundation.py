"""The dashboard in a real browser: signing in and out, what it shows, that it refreshes, that all can use it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from groundswell.access.principal import Role
from groundswell.access.tokens import TokenBook
from groundswell.cascade.records import Records
from groundswell.cascade.status import Status
from groundswell.clock import now
from groundswell.store.sqlite import SqliteStore
from tests.browser.conftest import Server, Watch, look_over, sign_in

pytestmark = pytest.mark.stack


def test_one_signs_in_sees_what_was_asked_for_and_signs_out(page: Page, server: Server) -> None:
    page.goto("/ui/audit?action=replay&who=ann")
    expect(page).to_have_title("Sign in · Groundswell")
    look_over(page, "sign-in")
    page.get_by_label("API token").fill(server.company.tokens[Role.READER])
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/audit?action=replay&who=ann")
    expect(page.get_by_role("row").nth(1)).to_contain_text("ann (entra:ann)")
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Lax", "/")
    page.route("https://chat.example/", lambda route: route.fulfill(body=link(server), content_type="text/html"))
    page.goto("https://chat.example/")
    page.get_by_role("link", name="the cascade").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(server.company.failed)
    assert page.context.cookies(server.address) == [cookie]
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/ui/sign-in")
    page.goto("/ui/")
    expect(page).to_have_title("Sign in · Groundswell")


def link(server: Server) -> str:
    """A page of another site, as a notice in a chat is."""
    return f'<a href="{server.address}/ui/cascades/{server.company.failed}">the cascade</a>'


def test_a_wrong_token_is_told(page: Page, watch: Watch) -> None:
    watch.allow("status of 401")
    page.goto("/ui/sign-in")
    page.get_by_label("API token").fill("gs_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("there is no such API token")


def test_now(reader: Page, server: Server) -> None:
    under_way = reader.get_by_role("region", name="Under way")
    expect(under_way).to_contain_text(server.company.running)
    expect(under_way).to_contain_text("2 building")
    expect(reader.get_by_role("region", name="Recent")).to_contain_text("shop/cart")
    look_over(reader, "now")


def test_a_cascade_is_read_and_searched(reader: Page, server: Server) -> None:
    reader.get_by_role("link", name=server.company.failed).click()
    expect(reader.get_by_role("heading", level=1)).to_contain_text(server.company.failed)
    expect(reader.get_by_role("row")).to_have_count(8)
    look_over(reader, "cascade")
    reader.get_by_label("Search").fill("cart")
    reader.keyboard.press("Enter")
    expect(reader.get_by_role("row")).to_have_count(3)
    reader.get_by_role("link", name="failed 1").click()
    expect(reader.get_by_role("row")).to_have_count(2)


def test_audit(reader: Page) -> None:
    reader.get_by_role("navigation", name="Pages").get_by_role("link", name="Audit").click()
    expect(reader.get_by_role("link", name="Audit")).to_have_attribute("aria-current", "page")
    look_over(reader, "audit")
    reader.get_by_label("Who").fill("ben")
    reader.get_by_role("button", name="Show").click()
    expect(reader.get_by_role("row")).to_have_count(2)
    reader.get_by_text("Before and after").click()
    expect(reader.get_by_label("After", exact=True)).to_be_visible()


def test_an_error_page(reader: Page, watch: Watch) -> None:
    watch.allow("status of 404")
    reader.goto("/ui/cascades/none")
    expect(reader.get_by_role("heading", level=1)).to_have_text("There is no such thing")
    look_over(reader, "problem")


def test_a_cascade_under_way_refreshes_itself_and_keeps_the_focus(reader: Page, server: Server) -> None:
    link = reader.get_by_role("link", name=server.company.running)
    link.focus()
    store = SqliteStore(Path(server.company.store.removeprefix("sqlite:///")))
    records = Records(store)
    stored = records.rebuild(server.company.running, "edge/site-0001")
    after = replace(stored.value, status=Status.CANCELLED, outbox=())
    records.save(server.company.running, [(stored, after)], at=now())
    store.close()
    expect(reader.get_by_role("region", name="Under way")).to_contain_text("1 cancelled", timeout=10_000)
    expect(link).to_be_focused()


def test_the_keyboard_gets_past_the_navigation(reader: Page) -> None:
    reader.keyboard.press("Tab")
    skip = reader.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    reader.keyboard.press("Enter")
    expect(reader.locator("main")).to_be_focused()


def test_a_poll_after_the_token_was_revoked_leads_to_the_sign_in(page: Page, server: Server, watch: Watch) -> None:
    watch.allow("status of 401")
    watch.allow("Response Status Error Code 401")
    store = SqliteStore(Path(server.company.store.removeprefix("sqlite:///")))
    tokens = TokenBook(store, now)
    token, text = tokens.create("short", roles=[Role.READER], seconds=600, who="test", why="test")
    sign_in(page, text)
    tokens.revoke(token.id, who="test", why="test")
    store.close()
    page.wait_for_url("**/ui/sign-in", timeout=15_000)


def test_it_can_be_read_without_scripts(
    chromium: Browser, server: Server, watch_of: Callable[[Page], Watch]
) -> None:
    context = chromium.new_context(base_url=server.address, java_script_enabled=False)
    page = context.new_page()
    watch_of(page)
    sign_in(page, server.company.tokens[Role.READER])
    page.get_by_role("link", name=server.company.done).click()
    expect(page.get_by_role("row")).to_have_count(9)
    context.close()


def test_the_policy_keeps_away_what_got_into_a_page(reader: Page, watch: Watch) -> None:
    """That the watch sees a violation, and that nothing runs even in a page whose escaping had failed."""
    watch.allow("Content Security Policy|Refused|violates")
    injected = '<img src="data:," onerror="document.title=1"><p style="color: red">'
    with reader.expect_console_message():
        reader.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", injected)
    assert any("onerror" in text or "inline" in text for text in watch.complaints)
    assert reader.title() == "Now · Groundswell"
