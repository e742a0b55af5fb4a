"""A GET changes nothing: a link that somebody else made, in a chat or a mail, is opened with our cookie."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from groundswell.access.principal import Role
from groundswell.dashboard import app as dashboard
from tests.support.pages import Browser
from tests.support.world import BASE, World, registration, workload
from tests.unit.dashboard.test_pages import cascade

PAGES = tuple(
    sorted(
        {route.path for pages in dashboard._SUBJECTS for route in pages.routes if "GET" in (route.methods or ())}
    )
)
WITH: Mapping[str, Sequence[str]] = {
    "/ui/": ["?phase=ended", "?archived=true"],
    "/ui/on-call": ["?told=0123456789abcdef0123456789abcdef", "?owner=shop"],
    "/ui/cascades/{cascade}": ["?status=failed", "?q=cart", "?told=0123456789abcdef0123456789abcdef"],
    "/ui/cascades/{cascade}/images/{image:path}": ["?told=0123456789abcdef0123456789abcdef"],
    "/ui/cascades/{cascade}/logs/{image:path}": ["?page=1"],
    "/ui/lineage/{image:path}": ["?told=0123456789abcdef0123456789abcdef"],
    "/ui/impact": [f"?reference={BASE}"],
    "/ui/register": ["?image=shop/cart"],
    "/ui/audit": ["?who=nobody"],
    "/ui/sign-in": ["?next=/ui/sign-out"],
}
"""Questions that lead a page elsewhere than when it is asked nothing."""


@pytest.fixture
def known(world: World) -> str:
    """A cascade with an image of every end, and one that waits for an approval."""
    world.register(registration("shop/held", BASE, deployments=[workload("held")], approval="required"))
    return cascade(world)


@pytest.fixture
def stored(world: World, tmp_path: Path) -> Iterator[Callable[[], Sequence[Any]]]:
    """All that the store holds, and what was done to the services."""
    connection = sqlite3.connect(tmp_path / "store.db")

    def look() -> Sequence[Any]:
        tables = [
            connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
            for table in ("documents", "messages")
        ]
        builder = world.builder
        done = [
            builder.requests,
            builder.cancelled,
            builder.forgotten,
            world.registry.history,
            world.deployer.patches,
        ]
        return [*tables, *(list(each) for each in done)]

    yield look
    connection.close()


def test_nothing_is_changed_by_a_get(world: World, known: str, stored: Callable[[], Sequence[Any]]) -> None:
    browser = Browser(world)
    browser.sign_in(Role.ADMIN, Role.OPERATOR, Role.REGISTRAR, Role.READER)
    before = stored()
    assert len(before[0]) > 40
    for page in PAGES:
        place = page.replace("{cascade}", known).replace("{image:path}", "shop/cart")
        for address in (place, *(place + query for query in WITH.get(page, ()))):
            answer = browser.get(address)
            assert answer.status_code == 200, f"{address}: {answer.text}"
            assert browser.request("HEAD", address).status_code == 200
            assert stored() == before, address


def test_what_is_asked_for_is_of_a_page_that_there_is() -> None:
    assert WITH.keys() <= set(PAGES)
    assert len(PAGES) >= 17


def test_a_page_is_read_or_a_form_is_sent(world: World) -> None:
    """No address takes anything besides GET and POST, and what changes something takes POST alone."""
    methods = {
        (route.path, *sorted(route.methods or ())) for pages in dashboard._SUBJECTS for route in pages.routes
    }
    assert {each[1:] for each in methods} == {("GET", "HEAD"), ("POST",)}
    one = Browser(world)
    one.sign_in(Role.READER)
    acts = {path for path, *how in methods if how == ["POST"]} - set(PAGES)
    for path in sorted(acts):
        address = path.replace("{cascade}", "c").replace("{image:path}", "i")
        assert one.get(address).status_code in (404, 405), path
