"""What a push would do, as the page tells it: the whole in numbers, and each image in its turn."""

import re
from urllib.parse import quote

import pytest

from groundswell.cascade.freezes import from_json
from groundswell.dashboard.foresight import Foresight
from tests.support.pages import Browser
from tests.support.world import BASE, World, ref, registration, workload
from tests.unit.dashboard.test_lineage import PIN, words
from tests.unit.dashboard.test_pages import EVIL, unsafe


def company(world: World) -> None:
    world.register(
        registration("platform/runtime", BASE, owner="platform"),
        registration(
            "shop/web", ref("platform/runtime"), owner="shop", deployments=[workload("web"), workload("w2")]
        ),
        registration(
            "shop/cart", ref("shop/web"), owner="shop", approval="required", deployments=[workload("cart")]
        ),
        registration("search/old", f"{BASE}@{PIN}", owner="search"),
    )
    world.app.durations.learn("0c", {"platform/runtime": 100.0, "shop/web": 60.0, "shop/cart": 30.0})


def images(text: str) -> list[str]:
    return re.findall(
        r'scope="row" data-label="Image"><a class="reference" href="/ui/lineage/[^"]+">([^<]+)<', text
    )


def test_the_whole_is_told_in_numbers(reader: Browser, world: World) -> None:
    company(world)
    text = words(reader.get(f"/ui/impact?reference={quote(BASE)}").text)
    for said in (
        "Would be rebuilt 3 images",
        "Waves 3",
        "Would take about 3 min 10 s 4 at once",
        "Workloads to roll out 3",
        "Held by a pin or a fixed tag 1",
        "The longest chain: 3 images platform/runtime shop/web shop/cart",
        "By team shop 2 platform 1",
    ):
        assert said in text, said


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["platform/runtime", "shop/web", "shop/cart", "search/old"]),
        ("&wave=2", ["shop/web"]),
        ("&owner=shop", ["shop/web", "shop/cart"]),
        ("&held=true", ["search/old"]),
        ("&wave=9", []),
    ],
)
def test_some_of_the_images_are_shown_in_their_turn(
    reader: Browser, world: World, query: str, found: list[str]
) -> None:
    company(world)
    text = reader.get(f"/ui/impact?reference={quote(BASE)}{query}").text
    assert images(text) == found
    assert "Would be rebuilt 3 images" in words(text)


def test_an_image_by_its_name_and_what_it_says_of_each(reader: Browser, world: World) -> None:
    company(world)
    text = reader.get("/ui/impact?reference=platform/runtime").text
    assert images(text) == ["shop/web", "shop/cart"]
    assert 'title="needs an approval">approval' in text
    rule = {
        "name": "yearend",
        "environment": "c",
        "zone": "UTC",
        "days": ["mon-sun"],
        "from": "00:00",
        "until": "24:00",
    }
    assert "yearend" not in text
    world.app.freezes.add(from_json({**rule, "why": "holidays"}), who="ann")
    text = reader.get("/ui/impact?reference=platform/runtime").text
    assert "Nothing is rolled out to c until" in words(text)
    assert "(yearend: holidays)" in text


def test_thousands_go_on_in_pages(reader: Browser, world: World) -> None:
    world.register(*(registration(f"i/{number:03}", BASE) for number in range(120)))
    found, place = [], f"?reference={quote(BASE)}"
    for _ in range(3):
        text = reader.get("/ui/impact" + place).text
        found += images(text)
        following = re.findall(r'rel="next" href="([^"]+)"', text)
        place = following[0].replace("&amp;", "&") if following else ""
    assert (sorted(found), place) == ([f"i/{number:03}" for number in range(120)], "")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("reference=UPPER", "neither a registered image nor a reference"),
        ("reference=a&slots=none", "valid integer"),
        ("reference=a&slots=0", "greater than or equal to 1"),
        (f"reference={'a' * 1001}", "at most 1000"),
    ],
)
def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_is_kept(
    reader: Browser, query: str, said: str
) -> None:
    answer = reader.get(f"/ui/impact?{query}")
    assert answer.status_code == 422
    assert said in answer.text
    assert 'aria-invalid="true" aria-describedby="wrong"' in answer.text
    assert f'value="{query.split("&", maxsplit=1)[0].removeprefix("reference=")}"' in answer.text


def test_what_nothing_stands_on_is_told(reader: Browser, world: World) -> None:
    assert "No registered image would be rebuilt: none stands on it." in words(
        reader.get("/ui/impact?reference=debian:12").text
    )
    assert reader.get("/ui/impact").status_code == 200
    answer = reader.get(f"/ui/impact?reference={quote(EVIL)}")
    assert (answer.status_code, unsafe(answer.text)) == (422, [])


def test_a_preview_is_computed_once_until_the_lineage_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    company(world)
    at = [0.0]
    foresight = Foresight(world.app, lambda: at[0])
    first = foresight.preview(BASE, 4)
    assert foresight.preview(BASE, 4) is first
    assert foresight.preview(BASE, 1) is not first
    at[0] = 61.0
    again = foresight.preview(BASE, 4)
    assert again is not first
    assert again == first
    world.register(registration("new", BASE))
    assert len(foresight.preview(BASE, 4).lines) == len(first.lines) + 1


def test_a_preview_is_what_the_command_tells_but_for_the_workloads(world: World) -> None:
    from dataclasses import replace

    from groundswell.cascade.preview import preview

    company(world)
    whole = preview(BASE, catalog=world.app.catalog, durations=world.app.durations, slots=4)
    assert len(whole.rolls) == 3
    assert Foresight(world.app).preview(BASE, 4) == replace(whole, rolls=())
