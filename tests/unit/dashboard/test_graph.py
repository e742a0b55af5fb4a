"""The graph of a cascade: a picture without a script, readable at 10 and at 2,000 images, and its states alone."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import quote

import pytest

from groundswell.cascade.model import Outcome, Rebuild, Wait
from groundswell.cascade.status import Status
from groundswell.dashboard.drawing.folding import LIMIT
from groundswell.dashboard.drawing.picture import faces, name_of, shape
from tests.support.pages import Browser
from tests.support.world import BASE, World, registration
from tests.unit.dashboard.test_pages import EVIL, cascade, unsafe


def boxes(text: str) -> dict[str, str]:
    """What each box of a page says, by its key."""
    found = re.findall(r'<(?:a|g) class="box[^>]*data-key="([^"]*)".*?<title>(.*?)</title>', text, re.DOTALL)
    return {unescape(key): unescape(label) for key, label in found}


def edges(text: str) -> set[tuple[str, str]]:
    keys = list(boxes(text))
    found = re.findall(r'data-from="(\d+)" data-to="(\d+)"', text)
    return {(keys[int(start)], keys[int(end)]) for start, end in found}


def fleet(world: World, count: int, *failed: str) -> str:
    """A cascade under way: 20 frameworks on the base, and `count` services on them."""
    world.register(registration("lang/00", BASE))
    world.takes["lang/00"] = 10**6
    world.push_base()
    world.drive(until=30)
    records = world.app.engine.records
    one = records.rebuild(world.cascade, "lang/00").value
    wait = one.waits[BASE]
    states = [replace(one, image=f"lang/{number:02d}", waits={BASE: wait}) for number in range(1, 20)]
    states += [
        replace(one, image=f"svc/{number:04d}", waits={f"lang/{number % 20:02d}": wait}) for number in range(count)
    ]
    states = [replace(each, status=Status.FAILED) if each.image in failed else each for each in states]
    records.extend(world.cascade, states, at=world.time)
    return world.cascade


def fail(world: World, image: str) -> None:
    records = world.app.engine.records
    stored = records.rebuild(world.cascade, image)
    records.save(world.cascade, [(stored, replace(stored.value, status=Status.FAILED))], at=world.time)


def test_it_shows_who_stands_on_whom_and_how_each_is(reader: Browser, world: World) -> None:
    place = f"/ui/cascades/{cascade(world)}/graph"
    text = reader.get(place).text
    assert edges(text) == {
        (BASE, "shop/web"),
        (BASE, "shop/cart"),
        (BASE, "shop/api"),
        ("shop/cart", "shop/top"),
    }
    told = boxes(text)
    assert told["shop/web"] == "shop/web: done"
    assert told["shop/cart"].startswith("shop/cart: failed, ")
    assert told["shop/api"].startswith("shop/api: rejected, ")
    assert told["shop/top"].startswith("shop/top: blocked")
    assert told[BASE] == f"{BASE}: pushed"
    assert re.search(r'class="box tone-bad" href="/ui/cascades/[^"/]+/images/shop/cart"', text)
    assert "2 failed or rejected:" in text
    assert "data-live" not in text
    assert "<noscript>" not in text
    assert unsafe(text) == []
    assert f'href="{place}" aria-current="page"' in text
    assert f'href="{place}"' in reader.get(f"/ui/cascades/{world.cascade}").text


def test_while_something_is_under_way_it_says_how_to_see_it(reader: Browser, world: World) -> None:
    fleet(world, 1)
    text = reader.get(f"/ui/cascades/{world.cascade}/graph").text
    assert " data-live>" in text
    assert "<noscript>" in text
    assert f'data-states="/ui/cascades/{world.cascade}/graph.json"' in text


def test_many_images_share_boxes_that_open(reader: Browser, world: World) -> None:
    fleet(world, 200, "svc/0007")
    place = f"/ui/cascades/{world.cascade}/graph"
    text = reader.get(place).text
    told = boxes(text)
    assert len(told) == 1 + 20 + 20 + 1
    assert told["svc/0007"].startswith("svc/0007: failed")
    assert told["svc/0000"] == "10 images, from svc/0000 to svc/0180: 10 building"
    assert ("lang/07", "svc/0007") in edges(text)
    assert "199 of them share boxes" in text
    (link,) = re.findall(r'href="([^"]*open=svc%2F0000)"', text)
    opened = reader.get(unescape(link)).text
    assert len(boxes(opened)) == len(told) + 9
    assert ("lang/00", "svc/0180") in edges(opened)
    assert f'<a href="{place}">Fold again' in opened
    (further,) = re.findall(r'href="([^"]*open=svc%2F0001)"', opened)
    assert len(boxes(reader.get(unescape(further)).text)) == len(told) + 18


def test_two_thousand_images_are_a_page_that_can_be_read(reader: Browser, world: World) -> None:
    fleet(world, 1_980)
    answer = reader.get(f"/ui/cascades/{world.cascade}/graph")
    assert len(answer.content) < 600_000
    assert len(boxes(answer.text)) <= LIMIT
    names = re.findall(r'data-names="([^"]*)"', answer.text)
    assert len({name for each in names for name in each.split()}) == 2_001  # the search finds each of them


def test_its_states_alone_are_what_the_picture_says(reader: Browser, world: World) -> None:
    fleet(world, 100)
    place = f"/ui/cascades/{world.cascade}/graph"
    for query in ("", "?open=svc/0000"):
        text, answer = reader.get(place + query).text, reader.get(f"{place}.json{query}")
        told = answer.json()
        assert answer.headers["content-type"] == "application/json"
        assert {key: face["label"] for key, face in told["boxes"].items()} == boxes(text)
        assert f'data-shape="{told["shape"]}"' in text
        assert told["live"] is True


def test_states_that_were_seen_are_not_sent_again(reader: Browser, world: World) -> None:
    fleet(world, 3)
    place = f"/ui/cascades/{world.cascade}/graph.json"
    first = reader.get(place)
    for tag in (first.headers["ETag"], f"W/{first.headers['ETag']}"):
        again = reader.get(place, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    assert reader.get(place, headers={"If-None-Match": '"other"'}).status_code == 200
    assert reader.get(place, headers={"If-None-Match": "other"}).status_code == 422
    fail(world, "svc/0001")
    later = reader.get(place, headers={"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200
    assert "1 failed or rejected" in later.json()["told"]
    assert later.json()["boxes"]["svc/0001"]["tone"] == "bad"


def test_a_failure_among_many_draws_it_anew(reader: Browser, world: World) -> None:
    fleet(world, 100)
    place = f"/ui/cascades/{world.cascade}/graph.json"
    before = reader.get(place).json()
    fail(world, "svc/0001")
    after = reader.get(place).json()
    assert before["shape"] != after["shape"]
    assert after["boxes"].keys() - before["boxes"].keys() == {"svc/0021"}  # which names the rest of the box now


@pytest.mark.parametrize("page", ["graph", "graph.json"])
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 200),
        ("?open=", 200),
        ("?open=no/such", 200),
        ("?open=shop/web&open=shop/web", 200),
        ("?" + "&".join(f"open=svc/{number:04d}" for number in range(90)), 200),
        ("?strange=1", 422),
        ("?open=%ff", 422),
    ],
)
def test_addresses(reader: Browser, world: World, page: str, query: str, status: int) -> None:
    cascade(world)
    assert reader.get(f"/ui/cascades/{world.cascade}/{page}{query}").status_code == status
    assert reader.get(f"/ui/cascades/none/{page}{query}").status_code == (404 if status == 200 else status)


@pytest.mark.parametrize("page", ["graph", "graph.json"])
def test_whoever_is_not_signed_in_sees_nothing(browser: Browser, world: World, page: str) -> None:
    place = f"/ui/cascades/{cascade(world)}/{page}"
    answer = browser.get(place)
    assert (answer.status_code, answer.content) == (303, b"")
    assert "sign-in" in answer.headers["location"]


def test_of_what_the_archive_does_not_know_it_says_so(reader: Browser, world: World) -> None:
    known = cascade(world)
    records = world.app.engine.records
    world.app.archive.keep(records.header(known).value, list(records.rebuilds(known)))
    (listed,) = records.listed()
    records.remove(listed)
    text = reader.get(f"/ui/cascades/{known}/graph").text
    assert "archived" in text
    assert "Of 1, which were not built, the archive does not say" in text
    assert (BASE, "shop/web") in edges(text)
    assert "shop/top" in boxes(text)


def state(image: str, status: Status = Status.DONE, *on: str, reason: str = "") -> Rebuild:
    return Rebuild(
        cascade="c",
        image=image,
        status=status,
        waits={base: Wait(outcome=Outcome.PROMOTED) for base in on},
        reason=reason,
    )


def test_text_of_others_stays_text(reader: Browser, world: World) -> None:
    """Of names that no registration would let in, were they in the records all the same."""
    known = cascade(world)
    records = world.app.engine.records
    stored = records.rebuild(known, "shop/cart")
    names = [f"shop/{EVIL}", 'shop/\x1b[31m" onload="x', *(f"{EVIL}{number}" for number in range(90))]
    bad = [replace(stored.value, image=name, reason=f"{EVIL}\x1b[31m", waits={}) for name in names]
    records.extend(known, bad[:2], at=world.time)
    records.extend(known, [replace(each, status=Status.DONE, reason="") for each in bad[2:]], at=world.time)
    for query in ("", f"?open={quote(names[0])}"):
        text = reader.get(f"/ui/cascades/{known}/graph{query}").text
        assert "&lt;script&gt;" in text
        assert unsafe(text) == []
        assert not any("\x1b" in label for label in boxes(text).values())
        assert f'href="/ui/cascades/{known}/images/{quote(names[0])}"' in text


@pytest.mark.parametrize(
    ("images", "name"),
    [
        (["shop/web"], "shop/web"),
        (["platform-infrastructure/storefront-api"], "platform-in…refront-api"),
        (["edge/site-0001", "edge/site-0920"], "2 · edge/site-0…"),
        (["edge/site-0001", "shop/web"], "2 images"),
        ([f"platform-infrastructure/{number}" for number in range(10)], "10 · platform-infrastr…"),
    ],
)
def test_names_fit_their_box(images: list[str], name: str) -> None:
    others = [f"x/{number}" for number in range(90)]
    states = [*(state(image, Status.DONE, "r") for image in images), state("r")]
    states += [state(image, Status.DONE, "q") for image in others]
    drawn = shape([*states, state("q")], [], [])
    assert name_of(drawn, images[0]) == name
    assert len(name) <= 23


def test_a_shared_box_says_how_far_its_images_are() -> None:
    counts = {Status.DONE: 60, Status.BUILDING: 30, Status.WAITING: 9, Status.HELD: 1}
    states = [state("r")]
    for status, count in counts.items():
        states += [state(f"{status}/{number}", status, "r") for number in range(count)]
    face = faces(shape(states, [], []), states)["building/0"]
    assert face.tone == "warn"
    assert face.word == "60 done, 30 building …"
    assert face.label.endswith(": 60 done, 30 building, 9 waiting, 1 held")
    assert [tone for tone, _, _ in face.bar] == ["ok", "idle", "busy", "warn"]
    assert face.bar[0] == ("ok", 0, 113)
    assert all(width >= 2 and 0 <= x <= 188 - width for _, x, width in face.bar)
