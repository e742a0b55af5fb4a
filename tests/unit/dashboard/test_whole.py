"""What is done to all of a cascade from its page: by whom, when, and what the page tells of it."""

import re
from collections.abc import Callable

import httpx
import pytest

from groundswell import audit
from groundswell.access.principal import Role
from groundswell.cascade.decide import decide
from groundswell.cascade.events import Approved, Cancelled, Held, Released, Replayed
from groundswell.cascade.freezes import from_json
from groundswell.cascade.model import Rebuild
from groundswell.cascade.operate import Bulk, failed_at, restart
from groundswell.cascade.records import Phase
from groundswell.dashboard.offered import offers
from groundswell.errors import InputError
from tests.support.pages import Browser
from tests.support.world import BASE, World, ref, registration, workload
from tests.unit.dashboard.test_pages import EVIL, cascade, images, unsafe

VERBS = ("replay", "approve", "release", "hold", "cancel")


def under_way(world: World) -> str:
    """One that builds, one that waits for it, one that waits for an approval and one that a person holds."""
    world.register(
        registration("shop/slow", BASE),
        registration("shop/top", ref("shop/slow")),
        registration("shop/held", BASE, deployments=[workload("held")], approval="required"),
        registration("shop/kept", BASE, deployments=[workload("kept")], approval="required"),
    )
    world.takes["shop/slow"] = 10**6
    world.push_base()
    world.drive(until=60)
    world.app.operator.hold(world.cascade, "shop/kept", who="ben", why="not now")
    return world.cascade


def freeze(world: World) -> None:
    rule = {
        "name": "fair", "environment": "*", "zone": "UTC", "days": None,
        "from": "2027-01-01T00:00", "until": "2027-02-01T00:00", "why": "the fair",
    }  # fmt: skip
    world.app.freezes.add(from_json(rule), who="ben")


def offered(page: str) -> list[str]:
    return re.findall(r'action="/ui/cascades/\w+/(\w+)"', page)


def form(page: str, **more: str) -> dict[str, str]:
    """What a form of the page says, with a reason."""
    return {**dict(re.findall(r'name="(made|until)" value="(\d+)"', page)), "reason": "because", **more}


def send(browser: Browser, known: str, verb: str, **more: str) -> httpx.Response:
    """The form of the page as it is now."""
    fields = form(browser.get(f"/ui/cascades/{known}").text, **more)
    return browser.send(f"/ui/cascades/{known}/{verb}", headers=None, **fields)


def told(browser: Browser, answer: httpx.Response) -> str:
    """What the page says that one comes back to."""
    return browser.follow(answer).partition('<section id="told"')[2].partition("</section>")[0]


def fate(text: str) -> list[tuple[str, str]]:
    """By image, what became of it."""
    found = re.findall(r'class="state[^"]*">([^<]+)</span>\s*<a [^>]+>([^<]+)</a>', text)
    return sorted((image, what) for what, image in found)


def trail(world: World, action: str) -> list[str]:
    entries = audit.entries(world.app.store)
    return sorted(each["subject"].partition("/")[2] for each in entries if each["action"] == action)


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
@pytest.mark.parametrize(
    ("make", "acts"),
    [(cascade, ["replay", "hold", "cancel"]), (under_way, ["approve", "release", "hold", "cancel"])],
    ids=["ended", "under-way"],
)
def test_what_makes_sense_is_offered_to_who_may(
    world: World, role: Role, make: Callable[[World], str], acts: list[str]
) -> None:
    known, one = make(world), Browser(world)
    one.sign_in(role)
    page = one.get(f"/ui/cascades/{known}").text
    allowed = role in (Role.OPERATOR, Role.ADMIN)
    assert offered(page) == (acts if allowed else [])
    assert ("What can be done with all of it" in page) is allowed
    if not allowed:
        for verb in VERBS:
            assert one.send(f"/ui/cascades/{known}/{verb}", reason="x", until="9", confirm=known).status_code == 403
        assert [trail(world, verb) for verb in ("replay", "approve", "release", "cancel")] == [[]] * 4


def test_of_one_that_is_done_nothing_is_offered(operator: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.push_base()
    world.drive()
    assert "What can be done" not in operator.get(f"/ui/cascades/{world.cascade}").text


def test_of_one_in_the_archive_nothing_is_offered(operator: Browser, world: World) -> None:
    known = cascade(world)
    records = world.app.engine.records
    world.app.archive.keep(records.header(known).value, list(records.rebuilds(known)))
    (listed,) = records.listed()
    records.remove(listed)
    page = operator.get(f"/ui/cascades/{known}").text
    assert ("archived" in page, offered(page)) == (True, [])
    assert operator.send(f"/ui/cascades/{known}/replay", reason="x", until="9").status_code == 404


def fits(state: Rebuild, event: Replayed | Cancelled | Held | Released | Approved) -> bool:
    try:
        decide(state, event)
    except InputError:
        return False
    return True


@pytest.mark.parametrize("make", [cascade, under_way], ids=["ended", "under-way"])
def test_the_numbers_are_those_of_the_rules(world: World, make: Callable[[World], str]) -> None:
    if make is under_way:
        freeze(world)
    make(world)
    states = world.states().values()
    found, said = offers(states), {"at": 0.0, "who": "", "why": ""}
    failed = [state for state in states if state.status in ("failed", "rejected", "cancelled")]
    assert found.replay == sum(fits(s, Replayed(stage=restart(s, failed_at(s))[0], **said)) for s in failed)  # type: ignore[arg-type]  # as the events take it
    assert found.approve == sum(fits(state, Approved(**said)) for state in states)  # type: ignore[arg-type]  # as above
    assert found.release == sum(fits(state, Released(**said)) for state in states)  # type: ignore[arg-type]  # as above
    assert found.hold == sum(fits(state, Held(**said)) for state in states)  # type: ignore[arg-type]  # as above
    assert found.cancel == sum(fits(state, Cancelled(**said)) for state in states)  # type: ignore[arg-type]  # as above


def test_all_that_failed_is_replayed_and_each_is_told(operator: Browser, world: World) -> None:
    known = cascade(world)
    assert "Replay what failed: 2 images" in operator.get(f"/ui/cascades/{known}").text
    world.broken.clear()
    world.vulnerable.clear()
    text = told(operator, send(operator, known, "replay"))
    assert "Replayed: 2 of 3; 1 not" in text
    assert fate(text) == [("shop/api", "replayed"), ("shop/cart", "replayed"), ("shop/top", "left alone")]
    assert ("from build" in text, "from scan" in text, "it comes back by itself" in text) == (True,) * 3
    assert "Reason: because" in text
    assert trail(world, "replay") == ["shop/api", "shop/cart"]
    world.drive()
    assert set(world.statuses(known).values()) == {"done"}


def test_from_a_stage_or_in_any_case(operator: Browser, world: World) -> None:
    known = cascade(world)
    world.vulnerable.clear()
    text = told(operator, send(operator, known, "replay", force="true"))
    assert text.count("from build") == 2
    assert all(entry["after"]["forced"] for entry in audit.entries(world.app.store) if entry["action"] == "replay")
    world.drive()
    answer = send(operator, known, "replay", **{"from": "scan", "force": "true"})
    assert (answer.status_code, "begins with build" in answer.text) == (422, True)
    assert '<option value="scan" selected>' in answer.text
    assert send(operator, known, "replay", **{"from": "bake"}).status_code == 422


def test_it_is_done_once_however_often_the_form_is_sent(operator: Browser, world: World) -> None:
    known = cascade(world)
    fields = form(operator.get(f"/ui/cascades/{known}").text, reason="again")
    answers = [operator.send(f"/ui/cascades/{known}/replay", headers=None, **fields) for _ in range(2)]
    assert trail(world, "replay") == ["shop/api", "shop/cart"]
    assert "Replayed: 2 of 3" in told(operator, answers[1])
    world.drive()  # both fail once more: the page is another one, and so is its form
    told(operator, send(operator, known, "replay", reason="again"))
    assert trail(world, "replay") == ["shop/api", "shop/api", "shop/cart", "shop/cart"]


def test_the_page_that_tells_it_shows_what_became_of_it(operator: Browser, world: World) -> None:
    known = cascade(world)
    answer = send(operator, known, "hold")
    page = operator.follow(answer)
    assert ("Held: 1 image" in page, "Release what people hold: 1 image" in page) == (True, True)


def test_it_is_told_where_one_comes_back_to_and_nowhere_else(
    operator: Browser, reader: Browser, world: World
) -> None:
    known = under_way(world)
    answer = send(operator, known, "hold")
    page = operator.follow(answer)
    assert operator.follow(answer) == page  # one may look at an image that it names, and come back
    assert re.findall(r'"[^"]*told=', page) == []  # links and refreshes of the page do not tell it again
    assert 'id="told"' not in operator.get(f"/ui/cascades/{known}").text
    assert 'id="told"' not in reader.follow(answer)  # another one's


def test_what_is_still_being_done_is_told_when_the_page_is_loaded_again(
    operator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = under_way(world)
    fields, others = form(operator.get(f"/ui/cascades/{known}").text), []
    hold_all = world.app.operator.hold_all

    def meanwhile(cascade: str, **said: str) -> Bulk:
        others.append(operator.send(f"/ui/cascades/{known}/hold", headers=None, **fields))  # pressed once more
        others.append(operator.follow(others[0]))
        return hold_all(cascade, **said)

    monkeypatch.setattr(world.app.operator, "hold_all", meanwhile)
    operator.send(f"/ui/cascades/{known}/hold", headers=None, **fields)
    assert "It is being done: load the page again in a moment" in others[1]
    assert "Held: 3 of 4; 1 not" in operator.follow(others[0])


def test_what_waits_is_approved_as_it_was_shown(operator: Browser, world: World) -> None:
    world.register(registration("shop/late", BASE, deployments=[workload("late")], approval="required"))
    world.takes["shop/late"] = 10**6
    known = under_way(world)
    page = operator.get(f"/ui/cascades/{known}").text
    assert "Approve what waits for it: 2 images" in page
    world.takes["shop/late"] = 0
    world.drive(until=60)
    fields = form(page, reason="seen")
    text = told(operator, operator.send(f"/ui/cascades/{known}/approve", headers=None, **fields))
    assert fate(text) == [("shop/held", "approved"), ("shop/kept", "approved"), ("shop/late", "left alone")]
    assert "look at it again" in text
    assert trail(world, "approve") == ["shop/held", "shop/kept"]
    world.drive(until=60)
    assert (world.statuses(known)["shop/held"], world.statuses(known)["shop/kept"]) == ("done", "held")
    text = told(operator, send(operator, known, "approve"))
    assert fate(text) == [("shop/late", "approved")]


@pytest.mark.parametrize("despite", [False, True])
def test_a_freeze_is_ended_only_when_that_is_said(operator: Browser, world: World, *, despite: bool) -> None:
    freeze(world)
    world.register(registration("shop/web", BASE, deployments=[workload("web")]))
    world.push_base()
    world.drive(until=60)
    assert world.statuses() == {"shop/web": "held"}
    page = operator.get(f"/ui/cascades/{world.cascade}").text
    assert "Approve although it is frozen: 1 image<" in page
    answer = send(operator, world.cascade, "approve", **({"despite_freeze": "true"} if despite else {}))
    assert ("Approved: 1 image" if despite else "Nothing was approved") in told(operator, answer)
    assert trail(world, "approve") == (["shop/web"] if despite else [])


def test_all_is_held_and_released(operator: Browser, world: World) -> None:
    known = under_way(world)
    text = told(operator, send(operator, known, "hold"))
    assert [what for _, what in fate(text)].count("held") == 3
    assert ("shop/kept", "left alone") in fate(text)
    assert "Release what people hold: 4 images" in operator.get(f"/ui/cascades/{known}").text
    assert fate(told(operator, send(operator, known, "release"))) == [
        (image, "released") for image in ("shop/held", "shop/kept", "shop/slow", "shop/top")
    ]
    assert offers(world.states(known).values()).release == 0


@pytest.mark.parametrize("written", ["", "0abc", "yes"])
def test_all_is_cancelled_by_who_writes_out_its_id(operator: Browser, world: World, written: str) -> None:
    known = under_way(world)
    answer = send(operator, known, "cancel", confirm=written)
    assert answer.status_code == 422
    assert f"confirm: write {known} to cancel all of it" in answer.text
    assert 'value="because"' in answer.text
    assert trail(world, "cancel") == []
    text = told(operator, send(operator, known, "cancel", confirm=f" {known} "))
    assert "Cancelled: 4 images" in text
    assert trail(world, "cancel") == ["shop/held", "shop/kept", "shop/slow", "shop/top"]
    assert offered(operator.get(f"/ui/cascades/{known}").text)[0] == "replay"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"reason": ""}, "say in a few words why"),
        ({"reason": "x" * 1001}, "1000 characters at most"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_wrong_is_said_on_the_page(
    operator: Browser, world: World, verb: str, fields: dict[str, str], says: str
) -> None:
    known = under_way(world)
    before = world.states(known)
    answer = send(operator, known, verb, confirm=known, **fields)
    assert (answer.status_code, says in answer.text, 'role="alert"' in answer.text) == (422, True, True)
    assert images(answer.text) == ["shop/held", "shop/kept", "shop/slow", "shop/top"]
    assert f'href="/ui/cascades/{known}?status=held"' in answer.text  # its links lead to the page, not to the act
    assert world.states(known) == before


@pytest.mark.parametrize("until", ["", "-1"])
def test_what_is_approved_is_as_a_page_showed_it(operator: Browser, world: World, until: str) -> None:
    known = under_way(world)
    answer = send(operator, known, "approve", until=until)
    assert (answer.status_code, "not as the page had it" in answer.text) == (422, True)
    assert trail(world, "approve") == []


def test_while_it_is_planned_nothing_is_offered_and_it_is_said(operator: Browser, world: World) -> None:
    known = under_way(world)
    records = world.app.engine.records
    records.set_phase(records.header(known), Phase.PLANNING)
    assert offered(operator.get(f"/ui/cascades/{known}").text) == []
    answer = send(operator, known, "hold")
    assert (answer.status_code, "still being planned" in answer.text) == (503, True)


@pytest.mark.parametrize("verb", VERBS)
def test_of_one_that_there_is_not(operator: Browser, world: World, verb: str) -> None:
    operator.get("/ui/")
    answer = operator.send(f"/ui/cascades/none/{verb}", reason="x", until="9", confirm="none")
    assert (answer.status_code, "no cascade none" in answer.text) == (404, True)


def test_a_form_of_elsewhere_is_refused(operator: Browser, world: World) -> None:
    known = under_way(world)
    before = world.states(known)
    operator.get(f"/ui/cascades/{known}")
    for verb in VERBS:
        fields = {"reason": "x", "until": "9", "confirm": known, "csrf": "0" * 64}
        assert operator.send(f"/ui/cascades/{known}/{verb}", **fields).status_code == 403
    assert world.states(known) == before


def test_what_was_written_stays_text(operator: Browser, world: World) -> None:
    known = cascade(world)
    assert unsafe(send(operator, known, "replay", reason=EVIL * 50).text) == []
    text = told(operator, send(operator, known, "replay", reason=EVIL))
    assert ("&lt;script&gt;" in text, unsafe(text)) == (True, [])


def test_what_was_undone_is_done_again_for_the_same_reason(operator: Browser, world: World) -> None:
    """A hold of what builds leaves no move behind: it is the page that tells one form from the other."""
    world.register(registration("shop/web", BASE))
    world.takes["shop/web"] = 10**6
    world.push_base()
    world.drive(until=30)
    for verb, how in (("hold", "held"), ("release", "released"), ("hold", "held")):
        world.time += 1
        text = told(operator, send(operator, world.cascade, verb, reason="the launch"))
        assert fate(text) == [("shop/web", how)]
        assert bool(world.states()["shop/web"].holds) is (verb == "hold")
