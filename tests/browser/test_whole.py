"""What is done to all of a cascade in a real browser. It leaves the cascade as it was: others look at it too."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server, Watch, look_over

pytestmark = pytest.mark.stack


def test_all_is_held_and_released_and_cancelled_only_by_its_id(
    operator: Page, server: Server, watch: Watch
) -> None:
    watch.allow("status of 422")
    operator.goto(f"/ui/cascades/{server.company.failed}")
    cancel = fold(operator, "Cancel what can still be stopped")
    cancel.get_by_label("Reason").fill("never mind")
    cancel.get_by_label("To confirm").fill("all of it")
    cancel.get_by_role("button", name="Cancel all").click()
    expect(operator.get_by_role("alert")).to_contain_text(f"write {server.company.failed}")
    expect(cancel.get_by_label("Reason")).to_have_value("never mind")
    look_over(operator, "cascade-acts")
    operator.goto(f"/ui/cascades/{server.company.failed}")
    for act, done in (("Hold", "Held"), ("Release", "Released")):
        form = fold(operator, f"{act} what")
        form.get_by_label("Reason").fill("the launch is tonight")
        form.get_by_role("button", name=f"{act} all").click()
        told = operator.get_by_role("region", name=re.compile(f"^{done}: "))
        expect(told.get_by_role("link", name="shop/cart-admin")).to_be_visible()
        expect(told).to_contain_text("Reason: the launch is tonight")
    look_over(operator, "cascade-told")


def fold(page: Page, begins: str) -> Locator:
    """What can be done, unfolded."""
    acts = page.get_by_role("region", name="What can be done with all of it")
    found = acts.locator("details").filter(has_text=re.compile(rf"^\s*{begins}"))
    found.locator("summary").click()
    return found
