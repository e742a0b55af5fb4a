"""What the page about past months shows: the same figures as the API, drawn and in a table."""

import re
from html import unescape

import pytest

from groundswell.access.principal import Role
from groundswell.cascade.statistics import rate
from groundswell.dashboard.words import lasted, month_name, percent
from tests.support import past
from tests.support.pages import Browser
from tests.support.world import BASE, World, registration, workload
from tests.unit.dashboard.test_pages import EVIL, cascade, unsafe


def cells(page: str, month: str) -> list[str]:
    """What stands in the table about a month."""
    table = page.partition('<table class="history">')[2]
    row = re.search(rf"<tr>\s*<th [^>]*>(?:<a [^>]*>)?{month}.*?</tr>", table, re.DOTALL)
    assert row, f"{month} is not in the table"
    parts = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row[0], re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", " ", part)).strip() for part in parts]


def titles(page: str) -> list[str]:
    return [unescape(title) for title in re.findall(r"<g>\s*<title>([^<]*)</title>", page)]


def test_nothing_has_ended_yet(reader: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    page = reader.get("/ui/history").text
    assert "no cascade has begun and ended" in page
    assert "<table" not in page
    assert "<g>" not in page
    mine = reader.get("/ui/history?owner=shop").text
    assert "no cascade with an image of <strong>shop</strong>" in mine
    assert 'href="?">Every team' in mine


def test_a_cascade_that_ended(reader: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE, owner="shop", deployments=[workload("web")]))
    world.push_base()
    world.drive()
    world.app.sweep.cascades()
    page = reader.get("/ui/history").text
    (month,) = world.app.yearbook.told(1)
    took = lasted(month.per_cascade.p50)
    row = cells(page, "January 2027")
    assert row[:4] == ["January 2027", "1", took, took]
    assert row[6:9] == ["100 %", "1 done", "0"]
    assert f"January 2027: p50 {took}, p95 {took}, of 1 cascade" in titles(page)
    assert "January 2027: 100 % of 1 images" in titles(page)
    assert 'aria-current="page">History' in page
    assert unsafe(page) == []


def test_the_figures_are_those_of_the_yearbook(reader: Browser, world: World) -> None:
    entered = past.enter(world.app.store, now=world.time)
    page = reader.get("/ui/history?months=12").text
    months = world.app.yearbook.told(12)
    assert sum(month.cascades for month in months) == entered
    for month in months:
        name = month_name(month.month)
        if not month.cascades:
            assert f"{name}: nothing was rolled out" in titles(page)
            continue
        times = (month.per_cascade.p50, month.per_cascade.p95, month.per_image.p50, month.per_image.p95)
        assert cells(page, name)[1:6] == [str(month.cascades), *map(lasted, times)]
        assert cells(page, name)[6] == percent(month.rate or 0.0)
        fixed = f"{name}: {month.fixed_per_cascade:g} per cascade, {sum(month.fixed.values())} in all"
        assert fixed in titles(page)
    assert re.findall(r'value="(\d+)" selected', page) == ["12"]
    slowest = re.findall(r'data-label="Image"><a class="reference" href="/ui/lineage/[^"]+">([^<]+)<', page)
    assert slowest == sorted(past.IMAGES, key=lambda image: -past.IMAGES[image])


def test_a_team_sees_its_part_and_fewer_months(reader: Browser, world: World) -> None:
    past.enter(world.app.store, now=world.time)
    world.register(registration("ml/trainer", BASE, owner="ml"))
    page = reader.get("/ui/history?months=2&owner=+ml+").text
    assert '<option value="ml">' in page
    assert len(titles(page)) == 2 * 3
    assert set(re.findall(r'class="reference" href="/ui/lineage/(ml|\w+)/', page)) == {"ml"}
    (now, _) = world.app.yearbook.told(2, owner="ml")
    assert cells(page, month_name(now.month))[1] == str(now.cascades)
    assert 'href="?months=2">Every team' in page
    assert 'value="2" selected' in page  # one that is not among those offered


def test_columns_are_drawn_as_high_as_they_should(reader: Browser, world: World) -> None:
    past.enter(world.app.store, now=world.time, count=2)
    page = reader.get("/ui/history?months=2").text
    first, second = reversed(world.app.yearbook.told(2))
    most = {
        float(y) for y in re.findall(r'class="part-most" x1="[\d.]+%" x2="[\d.]+%" y1="152\.0" y2="([\d.]+)"', page)
    }
    scale = max(float(y) for y in re.findall(r'<line class="across" x2="100%" y1="([\d.]+)"', page))
    assert len(most) == 2
    assert scale == 152
    slower, quicker = sorted((first.per_cascade.p95 or 0.0, second.per_cascade.p95 or 0.0), reverse=True)
    assert (152 - min(most)) / (152 - max(most)) == pytest.approx(slower / quicker, rel=0.02)


def test_a_month_leads_to_its_cascades(reader: Browser, world: World) -> None:
    known = cascade(world)
    world.app.sweep.cascades()
    (address,) = re.findall(r'href="([^"]+)">January 2027<', reader.get("/ui/history").text)
    assert f"/ui/cascades/{known}" in reader.get(unescape(address)).text
    world.time += 40 * 86_400.0
    reader.sign_in(Role.READER)
    world.push_base("sha256:later")
    world.drive()
    world.app.sweep.cascades()
    listed = reader.get(unescape(address)).text
    assert known in listed
    assert world.cascade not in listed
    months = re.findall(r'href="([^"]+)">(?:January|February) 2027<', reader.get("/ui/history").text)
    assert world.cascade in reader.get(unescape(months[0])).text


def test_an_old_month_leads_to_the_archive(reader: Browser, world: World) -> None:
    known = cascade(world)
    world.app.sweep.cascades()
    world.time += 200 * 86_400.0
    reader.sign_in(Role.READER)
    records = world.app.engine.records
    world.app.archive.keep(records.header(known).value, list(records.rebuilds(known)))
    (listed,) = records.listed()
    records.remove(listed)
    page = reader.get("/ui/history").text
    (address,) = re.findall(r'January 2027 <a class="dim" href="([^"]+)">archived', page)
    assert f"/ui/cascades/{known}" in reader.get(unescape(address)).text


def test_names_in_it_stay_text(reader: Browser, world: World) -> None:
    past.enter(world.app.store, now=world.time)
    page = reader.get("/ui/history", params={"owner": EVIL}).text
    assert "&lt;script&gt;" in page
    assert unsafe(page) == []


@pytest.mark.parametrize(
    ("query", "said"), [("months=0", "months"), ("months=61", "months"), ("months=x", "months"), ("year=1", "year")]
)
def test_what_it_cannot_show(reader: Browser, query: str, said: str) -> None:
    answer = reader.get(f"/ui/history?{query}")
    assert answer.status_code == 422
    assert said in answer.text


def test_the_rate_of_a_sum() -> None:
    assert rate({"done": 2, "unchanged": 1, "failed": 1, "cancelled": 7}) == 0.75
    assert rate({"cancelled": 1}) is None
    assert rate({}) is None
