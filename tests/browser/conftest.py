"""A real browser on the real Functions host. One browser for a run; a page that complains fails its test."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from groundswell.access.principal import Role
from groundswell.local.paths import ROOT
from tests.support.company import Company, seed
from tests.support.hosts import HostProcess

CHROMIUM = "/usr/bin/chromium"
_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_AXE = ROOT / "node_modules/axe-core/axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 360, "height": 740}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`address` has no slash at its end."""

    address: str
    company: Company
    folder: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The host on a seeded store, with its workers and timers off: nothing moves but what a test moves."""
    folder = tmp_path_factory.mktemp("browser")
    company = seed(folder, now=time.time())
    off = (
        "pushes rebuilds scans rollouts pushes_poison rebuilds_poison scans_poison rollouts_poison sweep reconcile "
        "orphans retention stock rescan cleanup"
    )
    values = {
        "GROUNDSWELL_STORE": company.store,
        "GROUNDSWELL_API_RATE": "1000",
        **{f"AzureWebJobs.{name}.Disabled": "true" for name in off.split()},
    }
    with HostProcess(folder / "host", values) as host:
        httpx.get(
            f"{host.address}/ui/sign-in", timeout=60.0
        ).raise_for_status()  # the first page is slow, as on any host
        yield Server(address=host.address, company=company, folder=folder)
        assert "Traceback" not in host.log
        assert not any(token in host.log for token in company.tokens.values())


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Ends with these tests: while it is there, an event loop runs in this thread, where others want their own."""
    flags = [*_FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Watch:
    """What a page complained about. `allow` a complaint that a test means to make."""

    def __init__(self, page: Page) -> None:
        self.complaints: list[str] = []
        self._allowed: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):  # what the policy of the page keeps away is an error here
            self.complaints.append(message.text)

    def allow(self, pattern: str) -> None:
        self._allowed.append(pattern)

    def check(self) -> None:
        assert [text for text in self.complaints if not any(re.search(each, text) for each in self._allowed)] == []


@pytest.fixture
def context(server: Server, chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=server.address, viewport=SIZES["desktop"])  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, watch_of: Callable[[Page], Watch]) -> Page:
    """Nobody is signed in."""
    page = context.new_page()
    watch_of(page)
    return page


@pytest.fixture
def watch_of() -> Iterator[Callable[[Page], Watch]]:
    """The watch of a page; all of them are checked at the end of the test."""
    watches: dict[Page, Watch] = {}

    def watch(page: Page) -> Watch:
        if page not in watches:
            watches[page] = Watch(page)
        return watches[page]

    yield watch
    for each in watches.values():
        each.check()


@pytest.fixture
def watch(page: Page, watch_of: Callable[[Page], Watch]) -> Watch:
    return watch_of(page)


def sign_in(page: Page, token: str) -> None:
    page.goto("/ui/sign-in")
    page.get_by_label("API token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/ui/")


@pytest.fixture
def reader(page: Page, server: Server) -> Page:
    """A page of a reader, at /ui/."""
    sign_in(page, server.company.tokens[Role.READER])
    return page


@pytest.fixture
def operator(page: Page, server: Server) -> Page:
    """A page of an operator, at /ui/."""
    sign_in(page, server.company.tokens[Role.OPERATOR])
    return page


@pytest.fixture
def admin(page: Page, server: Server) -> Page:
    sign_in(page, server.company.tokens[Role.ADMIN])
    return page


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is now. It is run from outside: the page's policy stays."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE.read_text())
    found: Any = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(all => all.violations)",
        _RULES,
    )
    return [f"{each['id']}: {each['help']}: {node['html']}" for each in found for node in each["nodes"]]


def shot(page: Page, name: str) -> None:
    """Keep a picture of a page, in $GROUNDSWELL_SCREENSHOTS or .groundswell/screenshots."""
    folder = Path(os.environ.get("GROUNDSWELL_SCREENSHOTS") or ROOT / ".groundswell/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", full_page=True)


def look_over(page: Page, name: str) -> None:
    """What every page must pass: axe in light and dark, and no sideways scrolling on a phone. Pictures are kept."""
    for size, scheme in (("phone", "light"), ("desktop", "dark"), ("desktop", "light")):
        page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name} is too wide on a {size}"
        )
        shot(page, f"{name}-{size}-{scheme}")
