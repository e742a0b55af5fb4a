"""What is stale, as the page tells it; and that no page waits until it is looked up."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from graph.lineage import EdgeKind
from groundswell.access.principal import Role
from groundswell.api.surveys import Stale
from groundswell.cascade.stale import Cause, Report, StaleImage, StaleWorkload
from groundswell.dashboard.stale_shelf import StaleShelf
from groundswell.errors import TemporaryError
from groundswell.settings import AcrRegistry
from tests.support.pages import Browser
from tests.support.world import BASE, HOST, World, registration
from tests.unit.dashboard.test_lineage import words
from tests.unit.dashboard.test_pages import EVIL, unsafe


def stale(image: str, since: float | None, cause: Cause = Cause.PINNED, detail: str = "change it") -> StaleImage:
    return StaleImage(
        image=image,
        owner="",
        base=BASE,
        kind=EdgeKind.RUNTIME,
        stands_on="sha256:" + "a" * 64,
        current="sha256:" + "b" * 64,
        since=since,
        cause=cause,
        detail=detail,
    )


class Desk:
    """A survey that finds `report`, or fails; `begun` are those that were begun, each to be run by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.report = Report(images=(), workloads=(), unread=())
        self.error: Exception | None = None
        self.begun: list[Callable[[], None]] = []
        self.asked: list[str] = []
        self.shelf = StaleShelf(self._survey, lambda: world.time, self.begun.append)

    def _survey(self, registry: str) -> Stale:
        self.asked.append(registry)
        if self.error:
            raise self.error
        return Stale(report=self.report, at=self.world.time)

    def finish(self) -> None:
        self.begun.pop()()


@pytest.fixture
def desk(world: World, reader: Browser) -> Desk:
    desk = Desk(world)
    app: Any = reader._app
    app.state.parts[StaleShelf] = desk.shelf
    return desk


def images(text: str) -> list[str]:
    return re.findall(r'scope="row" data-label="(?:Image|Workload)"><[^>]+>([^<]+)<', text)


def test_a_page_does_not_wait_for_a_survey(reader: Browser, desk: Desk) -> None:
    text = reader.get("/ui/stale").text
    assert "are being looked at" in text
    assert "data-poll" in text
    reader.get("/ui/stale")
    assert len(desk.begun) == 1
    desk.finish()
    text = reader.get("/ui/stale").text
    assert "data-poll" not in text
    assert "looked at just now" in words(text)
    assert "Nothing is stale: every image stands on its bases as they are now" in text


def test_the_oldest_stand_first_with_their_age_and_owner(reader: Browser, world: World, desk: Desk) -> None:
    world.register(registration("shop/web", BASE, owner="shop"), registration("shop/old", BASE, owner="shop"))
    now = world.time
    desk.report = replace(
        desk.report,
        images=(stale("shop/web", now - 3600), stale("other", None, Cause.FAILED), stale("shop/old", now - 90_000)),
        unread=("r/x:1: not in its registry",),
    )
    reader.get("/ui/stale")
    desk.finish()
    text = reader.get("/ui/stale").text
    assert images(text) == ["shop/old", "shop/web", "other"]
    assert "shop/old shop 1 d 1 h pinned change it" in words(text)
    assert "other no team not known failed" in words(text)
    assert "1 could not be looked at" in text
    assert images(reader.get("/ui/stale?by=name").text) == ["other", "shop/old", "shop/web"]
    assert images(reader.get("/ui/stale?owner=shop").text) == ["shop/old", "shop/web"]
    assert images(reader.get("/ui/stale?why=failed").text) == ["other"]
    assert "pinned 2" in words(text)
    first = reader.get("/ui/stale?limit=2").text
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert images(reader.get("/ui/stale" + following.replace("&amp;", "&")).text) == ["other"]


def test_workloads_are_told_by_themselves(reader: Browser, world: World, desk: Desk) -> None:
    found = StaleWorkload(
        workload="c/n/deployment/web[app]",
        image="shop/web",
        runs="sha256:" + "a" * 64,
        current="sha256:" + "b" * 64,
        since=world.time - 60,
        cause=Cause.REJECTED,
        detail="it was refused",
    )
    desk.report = replace(desk.report, workloads=(found,))
    reader.get("/ui/stale")
    desk.finish()
    assert "Nothing is stale of what could be looked at" not in reader.get("/ui/stale").text
    assert images(reader.get("/ui/stale?kind=workloads").text) == ["c/n/deployment/web[app]"]
    assert images(reader.get("/ui/stale").text) == []


def test_what_went_wrong_is_told_and_what_was_known_stays(reader: Browser, world: World, desk: Desk) -> None:
    desk.report = replace(desk.report, images=(stale("a", None),))
    reader.get("/ui/stale")
    desk.finish()
    world.time += 601
    desk.error = TemporaryError("the registry does not answer", delay=1)
    assert images(reader.get("/ui/stale").text) == ["a"]
    desk.finish()
    text = reader.get("/ui/stale").text
    assert "the registry does not answer" in text
    assert images(text) == ["a"]
    assert desk.begun == []
    desk.error = None
    answer = reader.send("/ui/stale/again")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/stale")
    desk.finish()
    assert "does not answer" not in reader.get("/ui/stale").text


def test_a_fault_of_ours_is_told_without_its_inside(reader: Browser, desk: Desk) -> None:
    desk.error = RuntimeError("a secret of ours")
    reader.get("/ui/stale")
    desk.finish()
    text = reader.get("/ui/stale").text
    assert "the fault is ours" in text
    assert "a secret" not in text


def test_it_is_not_looked_up_again_while_it_is_new_or_under_way(world: World, desk: Desk) -> None:
    desk.shelf.look()
    desk.shelf.look(again=True)
    assert len(desk.begun) == 1
    desk.finish()
    world.time += 599
    assert not desk.shelf.look().under_way
    world.time += 2
    assert desk.shelf.look().under_way
    assert desk.shelf.look().found is not None


def test_what_could_not_be_looked_at_is_not_called_up_to_date(reader: Browser, desk: Desk) -> None:
    desk.report = replace(desk.report, unread=("r/x:1: no answer",))
    reader.get("/ui/stale")
    desk.finish()
    text = words(reader.get("/ui/stale").text)
    assert "Nothing is stale of what could be looked at. 1 could not be looked at r/x:1: no answer" in text


@pytest.fixture
def registries(world: World) -> None:
    access = AcrRegistry(subscription="s", resource_group="g", name="acr")
    world.app.settings = replace(world.app.settings, registries={HOST: access, "other.example": access})


@pytest.mark.usefixtures("registries")
def test_a_registry_is_looked_through_when_somebody_asks_for_it_by_a_form(
    reader: Browser, world: World, desk: Desk
) -> None:
    world.register(registration("shop/web", BASE, owner="shop"))
    desk.report = replace(desk.report, images=(stale("shop/web", 1.0),))
    reader.get("/ui/stale")
    desk.finish()
    text = reader.get(f"/ui/stale?registry={HOST}").text
    assert f"What else is in {HOST} was not looked at yet" in text
    assert ("data-poll" in text, desk.begun) == (False, [])
    answer = reader.send("/ui/stale/again", registry=HOST)
    assert answer.headers["location"] == f"/ui/stale?registry={HOST}"
    assert "are being looked at" in reader.get(answer.headers["location"]).text
    stranger = stale(f"{HOST}/tools/strange:1", None, Cause.NOT_REGISTERED)
    desk.report = replace(desk.report, images=(stale("shop/web", 1.0), stranger))
    desk.finish()
    text = reader.get(answer.headers["location"]).text
    assert images(text) == ["shop/web", f"{HOST}/tools/strange:1"]
    assert "/ui/lineage/shop/web" in text
    assert "/ui/lineage/acr" not in text  # nobody registered it: there is no such page
    assert f'value="{HOST}" selected' in text
    assert f'href="?owner=shop&amp;registry={HOST}"' in text or f'href="?registry={HOST}&amp;owner=shop"' in text
    assert images(reader.get(f"/ui/stale?registry={HOST}&why=not+registered").text) == [f"{HOST}/tools/strange:1"]
    assert images(reader.get("/ui/stale").text) == ["shop/web"]  # as it was looked at without
    assert desk.asked == ["", HOST]
    world.time += 3600
    reader.get(f"/ui/stale?registry={HOST}")
    assert desk.begun == []


@pytest.mark.usefixtures("registries")
def test_what_goes_wrong_with_a_registry_is_said_of_that_alone(reader: Browser, desk: Desk) -> None:
    reader.get("/ui/stale")
    desk.finish()
    desk.error = TemporaryError("the registry does not answer", delay=1)
    reader.send("/ui/stale/again", registry=HOST)
    desk.finish()
    assert "does not answer" in reader.get(f"/ui/stale?registry={HOST}").text
    assert "does not answer" not in reader.get("/ui/stale").text


@pytest.mark.usefixtures("registries")
@pytest.mark.parametrize("registry", ["docker.io", "no such", EVIL])
def test_a_registry_that_we_do_not_build_in_is_not_asked(reader: Browser, desk: Desk, registry: str) -> None:
    reader.get("/ui/stale")
    desk.finish()
    for answer in (
        reader.get(f"/ui/stale?registry={quote(registry)}"),
        reader.send("/ui/stale/again", registry=registry),
    ):
        assert (answer.status_code, "registry" in answer.text, unsafe(answer.text)) == (422, True, [])
    assert desk.asked == [""]


def test_without_a_registry_there_is_nothing_to_choose(reader: Browser, desk: Desk) -> None:
    assert "what is registered" not in reader.get("/ui/stale").text
    assert reader.send("/ui/stale/again", registry=HOST).status_code == 422


def test_looking_again_needs_a_form_of_this_session(reader: Browser, desk: Desk) -> None:
    reader.csrf = "0" * 64
    assert reader.send("/ui/stale/again").status_code == 403
    assert desk.begun == []


def test_hostile_text_in_a_survey_stays_text(reader: Browser, desk: Desk) -> None:
    desk.report = replace(desk.report, images=(replace(stale(EVIL, None, detail=EVIL), base=EVIL),), unread=(EVIL,))
    reader.get("/ui/stale")
    desk.finish()
    for page in ("/ui/stale", "/ui/stale?owner=%3Cscript%3E"):
        answer = reader.get(page)
        assert answer.status_code == 200
        assert unsafe(answer.text) == []
    assert reader.get("/ui/stale?why=strange").status_code == 422


def test_it_is_looked_up_for_real(world: World) -> None:
    """With the product's own survey, on its own thread."""
    world.register(registration("shop/old", f"{BASE}@sha256:{'a' * 64}", owner="shop"))
    one = Browser(world)
    one.sign_in(Role.READER)
    one.get("/ui/stale")
    for thread in threading.enumerate():
        if thread.name == "stale":
            thread.join(30)
    text = one.get("/ui/stale").text
    assert images(text) == ["shop/old"]
    assert "pinned" in words(text)
