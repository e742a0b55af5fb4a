"""The page of one image of a cascade: what it tells, what may be done from it and by whom, and its log."""

import re
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from groundswell import audit
from groundswell.access.principal import Role
from groundswell.cascade.model import Hold, Moment, Rebuild
from groundswell.cascade.status import Stage, Status
from groundswell.dashboard.image import offers
from groundswell.dashboard.log import PAGE, divided, tail
from tests.support.pages import Browser
from tests.support.world import BASE, World, ref, registration
from tests.unit.dashboard.test_pages import EVIL, cascade, unsafe


def send(browser: Browser, path: str, fields: dict[str, str]) -> httpx.Response:
    """A form with fields that are no names in Python."""
    return browser.send(path, headers=None, **fields)


def page(known: str, image: str) -> str:
    return f"/ui/cascades/{known}/images/{image}"


def offered(text: str) -> list[str]:
    return re.findall(r'action="/ui/cascades/\w+/(\w+)/', text)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("shop/web", ["promoted; nothing runs it", "proven to stand on", "passed", "source at"]),
        ("shop/cart", ["failed (build)", "its log ends: step 1 | boom"]),
        ("shop/api", ["rejected", "CVE-1", "CRITICAL", "refused", "Candidate"]),
        ("shop/top", ["blocked by shop/cart", "What it waits for", "groundswell replay"]),
    ],
)
def test_it_tells_how_an_image_is_and_why(reader: Browser, world: World, image: str, says: list[str]) -> None:
    known = cascade(world)
    text = reader.get(page(known, image)).text
    assert [each for each in says if each not in text] == []
    assert page(known, image) in reader.get(f"/ui/cascades/{known}").text
    assert offered(text) == []  # to a reader nothing


@pytest.mark.parametrize(
    ("image", "acts"),
    [
        ("shop/web", ["replay"]),
        ("shop/cart", ["replay"]),
        ("shop/api", ["replay"]),
        ("shop/top", ["hold", "cancel"]),
    ],
)
def test_what_makes_sense_is_offered_to_who_may(
    operator: Browser, world: World, image: str, acts: list[str]
) -> None:
    assert offered(operator.get(page(cascade(world), image)).text) == acts


def test_a_failed_image_is_replayed_with_a_reason_and_one_is_back_at_it(operator: Browser, world: World) -> None:
    known = cascade(world)
    place = page(known, "shop/cart")
    text = operator.get(place).text
    assert '<option value="build" selected>' in text
    assert "From build: its build left nothing to go on from." in text
    answer = send(operator, f"/ui/cascades/{known}/replay/shop/cart", {"from": "build", "reason": "repaired"})
    text = operator.follow(answer)
    assert answer.headers["location"].startswith(f"{place}?told=")
    assert "It runs again, and is ready now." in text
    assert "Reason: repaired" in text
    assert "replayed from build by" in text
    assert offered(text) == ["hold", "cancel"]
    assert "It runs again" not in operator.get(place).text
    newest = next(audit.entries(world.app.store))
    assert (newest["action"], newest["why"], newest["subject"]) == ("replay", "repaired", f"{known}/shop/cart")


def test_hold_release_and_cancel(operator: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.takes["shop/web"] = 10**6
    world.push_base()
    world.drive(until=30)
    known = world.cascade
    place = page(known, "shop/web")
    text = operator.get(place).text
    assert offered(text) == ["hold", "cancel"]
    assert 'hx-trigger="every 5s" hx-select="#image"' in text
    operator.send(f"/ui/cascades/{known}/hold/shop/web", reason="the launch")
    text = operator.get(place).text
    assert "to be held by" in text
    assert offered(text) == ["release", "cancel"]
    answer = operator.send(f"/ui/cascades/{known}/release/shop/web", reason="launched")
    assert "It is released, and is building now." in operator.follow(answer)
    answer = operator.send(f"/ui/cascades/{known}/cancel/shop/web", reason="not needed")
    assert "It is cancelled." in operator.follow(answer)
    assert world.statuses()["shop/web"] == "cancelled"


REFUSED = [
    ("replay/shop/web", {"reason": ""}, 422, "say in a few words why"),
    ("replay/shop/web", {"reason": "x" * 1001}, 422, "1000 characters at most"),
    ("replay/shop/cart", {"reason": "why", "from": "deploy"}, 409, "nothing was promoted"),
    ("replay/shop/cart", {"reason": "why", "from": "strange"}, 409, "there is no such stage"),
    ("replay/shop/cart", {"reason": "why", "from": "scan", "force": "true"}, 409, "cannot begin with scan"),
    ("replay/shop/top", {"reason": "why"}, 409, "replay that instead"),
    ("cancel/shop/web", {"reason": "why"}, 409, "cannot be cancelled"),
    ("hold/shop/web", {"reason": "why"}, 409, "nothing left to hold"),
    ("release/shop/top", {"reason": "why"}, 409, "not held by anybody"),
    ("approve/shop/web", {"reason": "why"}, 409, "does not wait for an approval"),
    ("approve/shop/none", {"reason": "why"}, 404, "no image shop/none"),
    ("replay/shop/none", {"reason": "why"}, 404, "no image shop/none"),
]


@pytest.mark.parametrize(("path", "fields", "status", "said"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
def test_what_is_refused_is_said_on_the_page(
    operator: Browser, world: World, path: str, fields: dict[str, str], status: int, said: str
) -> None:
    known = cascade(world)
    operator.get(page(known, "shop/cart"))
    before = world.states()
    answer = send(operator, f"/ui/cascades/{known}/{path}", fields)
    assert answer.status_code == status
    assert said in answer.text
    if status != 404:
        assert 'role="alert"' in answer.text
        assert f'href="/ui/cascades/{known}"' in answer.text
    assert world.states() == before


def test_what_was_entered_is_still_there(operator: Browser, world: World) -> None:
    known = cascade(world)
    operator.get(page(known, "shop/cart"))
    text = send(operator, f"/ui/cascades/{known}/replay/shop/cart", {"from": "deploy", "reason": EVIL}).text
    assert 'name="reason" value="&lt;script&gt;' in text
    assert unsafe(text) == []


@pytest.mark.parametrize("verb", ["replay", "cancel", "hold", "release", "approve"])
def test_a_reader_may_do_none_of_it(reader: Browser, world: World, verb: str) -> None:
    known = cascade(world)
    reader.get("/ui/")
    before = world.states()
    answer = reader.send(f"/ui/cascades/{known}/{verb}/shop/cart", reason="why")
    assert (answer.status_code, world.states()) == (403, before)


def test_an_address_makes_no_page_say_anything(operator: Browser, world: World) -> None:
    known = cascade(world)
    place = page(known, "shop/cart")
    operator.get(place)
    answer = operator.send(f"/ui/cascades/{known}/replay/shop/cart", reason="repaired")
    another = Browser(world)
    another.sign_in(Role.ADMIN)
    assert "It runs again" not in another.follow(answer)
    for key in ("x", "0" * 32, EVIL):
        told = operator.get(f"{place}?told={key}").text
        assert ('id="told"' in told, unsafe(told)) == (False, [])


def test_a_form_that_is_sent_twice_is_done_once(operator: Browser, world: World) -> None:
    known = cascade(world)
    operator.get(page(known, "shop/top"))
    answers = [operator.send(f"/ui/cascades/{known}/hold/shop/top", reason="wait", made="1") for _ in range(2)]
    assert "when it could begin" in operator.follow(answers[1])
    assert [entry["action"] for entry in audit.entries(world.app.store)].count("hold") == 1


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"status": Status.DONE}, ["build"]),
        ({"status": Status.FAILED, "failed_stage": Stage.SCAN, "candidate": "sha256:1"}, ["build", "verify"]),
        ({"status": Status.SUPERSEDED}, []),
        ({"status": Status.BUILDING}, ["hold", "cancel"]),
        ({"status": Status.PROMOTING}, ["hold"]),
        (
            {"status": Status.HELD, "holds": {Hold.APPROVAL: "x"}, "held_at": Stage.DEPLOY},
            ["hold", "cancel", "approve"],
        ),
        ({"status": Status.HELD, "holds": {Hold.PERSON: "x"}, "held_at": Stage.BUILD}, ["cancel", "release"]),
        (
            {"status": Status.HELD, "holds": {Hold.FREEZE: "x"}, "held_at": Stage.DEPLOY},
            ["hold", "cancel", "approve"],
        ),
    ],
    ids=["done", "failed", "superseded", "building", "promoting", "approval", "person", "freeze"],
)
def test_what_the_rules_allow_is_what_is_offered(change: dict[str, object], found: list[str]) -> None:
    moment = Moment(status=Status.READY, at=1.0)
    state = replace(
        Rebuild(cascade="c", image="i", status=Status.READY, waits={}, history=(moment,)),
        **change,  # type: ignore[arg-type]  # of several types
    )
    told = offers(state)
    acts = [name for name in ("hold", "cancel", "release", "approve") if getattr(told, name)]
    assert [*(stage.value for stage in told.stages), *acts] == found


def test_an_archived_image_is_shown_and_nothing_is_offered(operator: Browser, world: World) -> None:
    known = cascade(world)
    records = world.app.engine.records
    world.app.archive.keep(records.header(known).value, list(records.rebuilds(known)))
    (listed,) = records.listed()
    records.remove(listed)
    text = operator.get(page(known, "shop/cart")).text
    assert "archived" in text
    assert offered(text) == []
    operator.get("/ui/")
    assert operator.send(f"/ui/cascades/{known}/replay/shop/cart", reason="why").status_code == 404


def test_hostile_texts_stay_texts(operator: Browser, world: World) -> None:
    world.builder.log_text = f"\x1b[31m{EVIL}\u202e\n"
    known = cascade(world)
    records = world.app.engine.records
    stored = records.rebuild(known, "shop/cart")
    bad = replace(stored.value, image="shop/" + EVIL, reason=EVIL + "\u202e", run=EVIL, failed_stage=Stage.BUILD)
    records.extend(known, [bad], at=world.time)
    hostile = "shop/%3Cscript%3Ealert(1)%3C/script%3E%3Cimg%20src=x%20onerror=alert(2)%3E%22'"
    for place in (
        page(known, "shop/cart"),
        f"/ui/cascades/{known}/logs/shop/cart",
        page(known, hostile),
        f"/ui/cascades/{known}/logs/{hostile}",
        f"/ui/cascades/{known}",
    ):
        answer = operator.get(place)
        assert answer.status_code == 200
        assert "&lt;script&gt;" in answer.text
        assert unsafe(answer.text) == []
        assert "\u202e" not in answer.text
        assert "\x1b" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("images/shop/none", 404, "no image shop/none"),
        ("logs/shop/top", 404, "there is no log"),
        ("logs/shop/cart?page=0", 404, "the log has 1 pages"),
        ("logs/shop/cart?page=x", 422, "page"),
        ("logs/shop/cart?page=2", 404, "the log has 1 pages"),
        ("logs/shop/cart?nonsense=1", 422, "nonsense"),
    ],
)
def test_what_is_not_there_is_said(reader: Browser, world: World, path: str, status: int, said: str) -> None:
    answer = reader.get(f"/ui/cascades/{cascade(world)}/{path}")
    assert (answer.status_code, said in answer.text) == (status, True)


def test_a_log_is_read_from_its_end_or_in_pages(reader: Browser, world: World) -> None:
    world.builder.log_text = "".join(f"line {number}\n" for number in range(6000))
    known = cascade(world)
    place = f"/ui/cascades/{known}/logs/shop/cart"
    end = reader.get(place).text
    assert "line 5999\n" in end
    assert "line 0\n" not in end
    first = reader.get(f"{place}?page=1").text
    assert "line 0\n" in first
    assert f'rel="next" href="{place}?page=2"' in first
    assert f'hx-get="{place}" hx-trigger="load"' in reader.get(page(known, "shop/cart")).text


def test_a_log_that_cannot_be_read_is_said(reader: Browser, world: World) -> None:
    known = cascade(world)
    world.builder.runs.clear()
    answer = reader.get(f"/ui/cascades/{known}/logs/shop/cart")
    assert (answer.status_code, "The log cannot be read: no run" in answer.text) == (200, True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "x" * (PAGE * 3 + 7),
        lambda: ("y" * 99 + "\n") * 700,
        lambda: "\n" * (PAGE + 1),
        lambda: "z" * PAGE,
    ],
    ids=["empty", "one-line", "lines", "breaks", "exact"],
)
def test_pages_of_a_log_are_all_of_it(make: Callable[[], str]) -> None:
    text = make()
    parts = divided(text)
    assert "".join(parts) == text
    assert all(0 < len(part) <= PAGE + 2000 for part in parts) or text == ""
    assert divided(text + "more")[: len(parts) - 1] == parts[:-1]
    assert text.endswith(tail(text))
    assert len(tail(text)) <= PAGE


def test_bases_lead_to_their_pages(reader: Browser, world: World) -> None:
    world.register(registration("a/base", BASE), registration("b/top", ref("a/base")))
    world.push_base()
    world.drive()
    assert f'href="{page(world.cascade, "a/base")}"' in reader.get(page(world.cascade, "b/top")).text
    assert f'href="{page(world.cascade, "b/top")}"' in reader.get(page(world.cascade, "a/base")).text
