"""What broke is found and replayed in three clicks, by mouse, by keyboard, and without scripts."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from groundswell.access.principal import Role
from groundswell.cascade.alerts import Alert, Remedy
from groundswell.errors import PermanentError
from groundswell.scan.verdict import Line
from tests.browser.conftest import Server, Watch, look_over, sign_in
from tests.support.company import Company
from tests.support.hosts import HostProcess
from tests.support.notices import deliver, listen
from tests.support.world import BASE, HOST, World, ref, registration, workload

pytestmark = pytest.mark.stack

_OFF = (
    "pushes rebuilds scans rollouts pushes_poison rebuilds_poison scans_poison rollouts_poison sweep reconcile "
    "orphans retention stock rescan cleanup notices notices_poison watch"
)
_HOOK = "https://hooks.example/x"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A host of its own: what is replayed here is gone for others. Nothing moves by itself."""
    folder = tmp_path_factory.mktemp("on-call")
    world = World(folder)
    world.time = time.time() - 1800.0
    try:
        tokens = _seed(world)
        store = f"sqlite:///{folder / 'store.db'}"
        company = Company(
            store=store, tokens=tokens, done="", failed=world.cascade, running="", images=tuple(world.states())
        )
    finally:
        world.close()
    values = {
        "GROUNDSWELL_STORE": store,
        "GROUNDSWELL_API_RATE": "1000",
        "GROUNDSWELL_NOTIFY": json.dumps({"all": {"kind": "slack", "url": _HOOK}}),
        "GROUNDSWELL_REGISTRIES": json.dumps({HOST: {"subscription": "s", "resource_group": "g", "name": "acr"}}),
        **{f"AzureWebJobs.{name}.Disabled": "true" for name in _OFF.split()},
    }
    with HostProcess(folder / "host", values) as host:
        httpx.get(f"{host.address}/ui/sign-in", timeout=60.0).raise_for_status()  # the first page is slow
        yield Server(address=host.address, company=company, folder=Path(folder))
        assert "Traceback" not in host.log


def _seed(world: World) -> dict[Role, str]:
    """One cause of which others stand still, one of several images, a rejection, and a rollout to approve."""
    world.register(
        registration("platform/python", BASE, owner="platform"),
        *(registration(f"shop/{name}", BASE, owner="shop") for name in ("cart", "checkout", "storefront")),
        registration("search/query", BASE, owner="search"),
        registration(
            "payments/ledger", BASE, owner="payments", deployments=[workload("ledger")], approval="required"
        ),
        *(
            registration(f"backoffice/{name}", ref("platform/python"), deployments=[workload(name)])
            for name in ("invoices", "reports")
        ),
    )
    world.push_base()
    world.builder.log_text = "step 1\nall is built\n"
    world.drive()
    world.app.operator.approve(world.cascade, who="ann", why="seen")
    world.drive()
    world.app.sweep.cascades()
    world.time += 600.0
    world.broken = {"platform/python", "shop/cart", "shop/checkout"}
    world.vulnerable = {"search/query"}
    world.builder.log_text = "Step 4/9 : RUN apt-get update\nE: The repository is not signed.\nexit code: 100\n"
    world.push_base("sha256:base2")
    world.drive()
    _amiss(world)
    create = world.app.tokens.create
    return {
        role: create(f"{role} token", roles=[role], teams=[], seconds=86_400.0, who="seed", why="tests")[1]
        for role in (Role.READER, Role.OPERATOR)
    }


def _amiss(world: World) -> None:
    """Beside the cascades: a workload that somebody changed, what runs and is bad, a notice that did not arrive."""
    state = world.states(world.cascades[-1])["backoffice/invoices"]
    world.app.workloads.drifted(state, state.rollouts[0], f"{HOST}/backoffice/invoices:hotfix")
    line = Line(id="CVE-2026-9", package="zlib1g", installed="1.2", fixed="1.3", severity="CRITICAL", refused=True)
    remedy = Remedy(image="payments/ledger", why="comes with its own packages")
    digest = world.states(world.cascades[-1])["payments/ledger"].promoted
    world.app.alerts.put(
        Alert(
            image="payments/ledger",
            digest=digest,
            reference=f"{HOST}/payments/ledger@{digest}",
            findings=(line,),
            first_seen=world.time - 7200.0,
            remedy=remedy,
        ),
        None,
    )
    listen(world).down[_HOOK] = PermanentError("it answered 404: no_service")
    world.app.notices.test("all", who="ann", why="newly set up")
    deliver(world.app)


def _open(page: Page) -> None:
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="On call").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("On call")


def test_what_broke_is_read(reader: Page) -> None:
    _open(reader)
    expect(reader.get_by_role("button", name="Replay")).to_have_count(0)
    cause = reader.get_by_role("article", name="The build failed")
    cause.get_by_text("End of the log").first.click()
    expect(cause.get_by_text("The log cannot be shown").first).to_be_visible()  # this host has no registry to ask
    cause.get_by_text("Against the last good run").first.click()
    expect(cause.get_by_text("last good run was in cascade").first).to_be_visible()
    expect(cause).to_contain_text("mirror/debian:12 linux/amd64")
    expect(reader.get_by_text("What stands wrong beside cascades")).to_have_count(0)  # what it leads to is there
    assert reader.title().endswith("failed · On call · Groundswell"), "a part that was fetched is not the page"
    look_over(reader, "on-call-unfolded")


def test_three_clicks_replay_what_broke(operator: Page) -> None:
    """Clicks are counted by the page: the link to it, the reason, the button."""
    look_at = operator
    _open(look_at)
    look_over(look_at, "on-call")
    look_at.evaluate(
        "window.clicks = 0; addEventListener('click', () => { sessionStorage.clicks = ++window.clicks; })"
    )
    cause = look_at.get_by_role("article", name="The gate refused it")
    cause.get_by_label("Reason").click()
    look_at.keyboard.type("the advisory was withdrawn")
    cause.get_by_role("button", name="Replay from build").click()
    expect(look_at.get_by_role("heading", name="Replayed: 1 image")).to_be_visible()
    assert int(look_at.evaluate("sessionStorage.clicks")) <= 3
    expect(look_at.locator("#told")).to_be_focused()
    expect(look_at.get_by_role("article", name="The gate refused it")).to_have_count(0)
    look_over(look_at, "on-call-told")


def test_some_and_then_all_of_a_cause_by_keyboard(operator: Page) -> None:
    _open(operator)
    cause = operator.get_by_role("article", name="The build failed")
    button = cause.locator("form.bulk button")
    expect(button).to_have_text("Replay all 3 from build")
    cause.get_by_role("checkbox", name="shop/cart").focus()
    operator.keyboard.press("Space")
    expect(button).to_have_text("Replay 1 checked from build")
    cause.locator("form.bulk").get_by_label("Reason").focus()
    operator.keyboard.type("the mirror is back")
    operator.keyboard.press("Enter")
    expect(operator.get_by_role("heading", name="Replayed: 1 image")).to_be_visible()
    expect(button).to_have_text("Replay all 2 from build")
    summary = cause.locator("details.replay summary").first
    summary.focus()
    operator.keyboard.press("Enter")
    expect(cause.locator("details.replay").first.get_by_label("Reason")).to_be_focused()
    cause.locator("form.bulk").get_by_label("Reason").fill("and the rest")
    button.dblclick()
    expect(operator.get_by_role("heading", name="Replayed: 2 images")).to_be_visible()
    expect(operator.get_by_role("article", name="The build failed")).to_have_count(0)


def test_an_approval_is_given_without_scripts(
    chromium: Browser, server: Server, watch_of: Callable[[Page], Watch]
) -> None:
    context = chromium.new_context(base_url=server.address, java_script_enabled=False)
    page = context.new_page()
    watch_of(page)
    sign_in(page, server.company.tokens[Role.OPERATOR])
    _open(page)
    waiting = page.get_by_role("region", name="Waiting for an approval")
    waiting.get_by_text("Approve", exact=True).first.click()
    waiting.get_by_label("Reason").first.fill("seen")
    waiting.get_by_role("button", name="Approve payments/ledger").first.click()
    expect(page.get_by_role("heading", name="Approved: 1 image")).to_be_visible()
    context.close()


def test_what_stands_wrong_beside_cascades_is_mended(operator: Page) -> None:
    """The part beside comes in by itself: its forms are as good as those of the page."""
    _open(operator)
    for title, button, done in (
        ("Changed by somebody else", "Release", "Released: 1 workload"),
        ("Notices that did not arrive", "Send it again", "Queued: 1 notice"),
    ):
        matter = operator.get_by_role("region", name=title)
        matter.locator("summary").click()
        expect(matter.get_by_label("Reason")).to_be_focused()
        if button == "Release":
            look_over(operator, "on-call-beside")
        operator.keyboard.type("it is in the image now")
        matter.get_by_role("button", name=button).dblclick()
        told = operator.get_by_role("region", name=done)
        expect(told).to_contain_text("Reason: it is in the image now")
        look_over(operator, "on-call-mended")
        expect(operator.get_by_role("region", name="Runs and is not good")).to_be_visible()
        expect(matter).to_have_count(0)


def test_an_image_is_built_anew_from_its_page(operator: Page, watch: Watch) -> None:
    watch.allow("status of 422")
    operator.goto("/ui/lineage/platform/python")
    fold = operator.locator("details").filter(has_text="Rebuild it anew")
    fold.locator("summary").click()
    expect(fold).to_contain_text("and then the 2 images that stand on it")
    look_over(operator, "image-anew")
    fold.get_by_label("Reason").fill(" ")
    fold.get_by_role("button", name="Rebuild platform/python").click()
    expect(operator.get_by_role("alert")).to_contain_text("say in a few words why")
    fold.get_by_label("Reason").fill("a fix in openssl")
    fold.get_by_role("button", name="Rebuild platform/python").click()
    told = operator.get_by_role("region", name="platform/python is built anew")
    expect(told).to_contain_text("Reason: a fix in openssl")
    expect(operator.get_by_role("heading", level=1)).to_contain_text("Cascade")
    expect(operator.get_by_role("row").filter(has_text="backoffice/reports")).to_be_visible()
    look_over(operator, "cascade-anew")


def test_a_registry_is_looked_through_only_when_asked_for(reader: Page) -> None:
    """It is not asked for here: nothing answers."""
    reader.goto(f"/ui/stale?registry={HOST}")
    expect(reader.get_by_role("status").first).to_contain_text(f"What else is in {HOST} was not looked at yet")
    expect(reader.get_by_label("What is looked at")).to_have_value(HOST)
    expect(reader.get_by_role("button", name="Look again")).to_be_visible()
    look_over(reader, "stale-registry")
