"""What the pages show, to whom, and that text in them stays text."""

import re
from html.parser import HTMLParser

import pytest

from groundswell import audit
from groundswell.access.permissions import PERMISSIONS
from groundswell.access.principal import Role
from groundswell.dashboard import app as dashboard
from groundswell.dashboard.guard import POLICY
from groundswell.dashboard.routing import Pages
from groundswell.errors import TemporaryError
from tests.support.pages import Browser
from tests.support.world import BASE, World, ref, registration

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def unsafe(text: str) -> list[str]:
    """What a page may not have: inline scripts, styles and handlers, and images of elsewhere."""
    return [
        tag
        for tag, attributes in Tags(text).found
        if (tag == "script" and "src" not in attributes)
        or tag in ("style", "img")
        or any(name.startswith("on") or name == "style" for name in attributes)
    ]


def cascade(world: World) -> str:
    """One image that is done, one that failed, one rejected, one blocked."""
    names = ("shop/web", "shop/cart", "shop/api")
    world.register(*(registration(name, BASE) for name in names), registration("shop/top", ref("shop/cart")))
    world.broken, world.vulnerable = {"shop/cart"}, {"shop/api"}
    world.push_base()
    world.drive()
    return world.cascade


def test_a_page_lets_nothing_from_elsewhere_run(reader: Browser) -> None:
    for page in ("/ui/", "/ui/nowhere", "/ui/sign-in"):
        headers = reader.get(page).headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "private, no-store"
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self'")


def test_every_page_needs_an_operation_of_the_table(world: World) -> None:
    operations = [operation for pages in dashboard._SUBJECTS for operation in pages.operations]
    assert {operation for operation in operations if operation} <= PERMISSIONS.keys()
    assert operations.count(None) == 3  # signing in and out


def test_who_may_not_do_the_operation_does_not_get_the_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done = []
    pages = Pages()
    pages.act("/do", "cancel")(lambda asked: done.append(asked.who.name) or asked.see("/ui/"))  # type: ignore[func-returns-value]
    monkeypatch.setattr(dashboard, "_SUBJECTS", (*dashboard._SUBJECTS, pages))
    for role in Role:
        one = Browser(world)
        one.sign_in(role)
        one.get("/ui/")
        answer = one.send("/ui/do")
        allowed = role in (Role.OPERATOR, Role.ADMIN)
        assert answer.status_code == (303 if allowed else 403)
        assert allowed or "this needs the role operator" in answer.text
    assert len(done) == 2
    assert Browser(world).send("/ui/do").headers["location"] == "/ui/sign-in"


def test_now_shows_how_far_a_cascade_is_and_what_failed(reader: Browser, world: World) -> None:
    assert "Nothing is under way" in reader.get("/ui/").text
    known = cascade(world)
    page = reader.get("/ui/").text
    assert f'href="/ui/cascades/{known}"' in page
    assert re.findall(r'class="count">([^<]+)<', page) == ["1 done", "1 failed", "1 rejected", "1 blocked"]
    assert "shop/cart" in page
    assert "data-poll" not in page


def test_now_asks_again_only_while_something_is_under_way(reader: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.takes["shop/web"] = 10**6
    world.push_base()
    world.drive(until=30)
    page = reader.get("/ui/").text
    assert re.search(r'hx-get="/ui/\?" hx-trigger="every \d+s" hx-select="#cascades"', page)
    assert page.count(f'id="c-{world.cascade}"') == 1
    assert "1 building" in page
    only = reader.get("/ui/?phase=ended").text
    assert world.cascade not in only


def test_a_count_is_taken_again_when_something_moved(reader: Browser, world: World) -> None:
    known = cascade(world)
    reader.get("/ui/")
    world.broken.clear()
    world.app.operator.replay(known, "shop/cart", who="ann", why="repaired")
    world.drive()
    assert "3 done" in reader.get("/ui/").text


def test_lists_go_on_in_pages(reader: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    for number in range(3):
        world.push_base(f"sha256:{number}")
        world.drive()
    first = reader.get("/ui/?limit=2").text
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = reader.get("/ui/" + following.replace("&amp;", "&")).text
    shown = [re.findall(r'id="c-(\w+)"', page) for page in (first, second)]
    assert shown == [world.cascades[:2], world.cascades[2:]]


def images(text: str) -> list[str]:
    return re.findall(r'data-label="Image"><a class="reference" [^>]*>([^<]+)<', text)


def test_a_cascade_is_searched_and_paged(reader: Browser, world: World) -> None:
    known = cascade(world)
    everything = reader.get(f"/ui/cascades/{known}").text
    assert images(everything) == ["shop/api", "shop/cart", "shop/top", "shop/web"]
    assert "failed (build)" in everything
    assert "its log ends: step 1 | boom" in everything
    assert images(reader.get(f"/ui/cascades/{known}?q=BOOM").text) == ["shop/cart"]
    assert images(reader.get(f"/ui/cascades/{known}?status=rejected").text) == ["shop/api"]
    assert "No image fits" in reader.get(f"/ui/cascades/{known}?q=zebra").text
    first = reader.get(f"/ui/cascades/{known}?limit=3").text
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = reader.get(f"/ui/cascades/{known}" + following.replace("&amp;", "&")).text
    assert (len(images(first)), images(second)) == (3, ["shop/web"])


def test_an_archived_cascade_is_shown(reader: Browser, world: World) -> None:
    known = cascade(world)
    records = world.app.engine.records
    world.app.archive.keep(records.header(known).value, list(records.rebuilds(known)))
    (listed,) = records.listed()
    records.remove(listed)
    assert "archived" in reader.get(f"/ui/cascades/{known}").text
    assert known in reader.get("/ui/?archived=true").text


def test_the_audit_trail_is_filtered(reader: Browser, world: World) -> None:
    cascade(world)
    page = reader.get("/ui/audit?action=register").text
    assert "shop/web" in page
    assert "tests" not in reader.get("/ui/audit?action=register&who=&subject=nobody").text.partition("<table")[2]


def test_text_in_a_page_stays_text(reader: Browser, world: World) -> None:
    world.builder.log_text = EVIL
    known = cascade(world)
    audit.record(
        world.app.store,
        at=world.time + 1,
        who=EVIL,
        action="replay",
        subject=EVIL,
        why=EVIL,
        before={EVIL: EVIL},
        after={},
    )
    for page in ("/ui/audit", f"/ui/audit?who={EVIL}", f"/ui/cascades/{known}", f"/ui/cascades/{known}?q={EVIL}"):
        answer = reader.get(page)
        assert answer.status_code == 200
        assert "&lt;script&gt;" in answer.text
        assert unsafe(answer.text) == []
    assert unsafe(reader.get(f"/ui/{EVIL}").text) == []
    assert unsafe(reader.get(f"/ui/?base={EVIL}").text) == []


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/ui/nowhere", 404, "There is no such page"),
        ("/ui/cascades/none", 404, "no cascade none"),
        ("/ui/audit?limit=0", 422, "limit"),
        ("/ui/audit?nonsense=1", 422, "nonsense"),
        ("/ui/?cursor=%00", 422, "cursor"),
        ("/ui/?base=UPPER", 422, "base"),
        ("/ui/?base=%ff", 422, "cannot be decoded"),
        ("/ui/cascades/0abc?status=strange", 422, "status"),
    ],
)
def test_what_was_wrong_is_a_page_that_says_what_to_do(reader: Browser, path: str, status: int, said: str) -> None:
    answer = reader.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert said in answer.text
    assert 'href="/ui/"' in answer.text


@pytest.mark.parametrize("name", ["x" * 990, "%C3%A9" * 100], ids=["long", "long once it is encoded"])
@pytest.mark.parametrize(
    "path", ["/ui/cascades/{}", "/ui/lineage/{}", "/ui/lineage?told={}", "/ui/register?image={}"]
)
def test_what_no_key_of_the_store_can_be_is_no_fault_of_ours(reader: Browser, path: str, name: str) -> None:
    reader.sign_in(Role.ADMIN)
    assert reader.get(path.format(name)).status_code in (200, 404, 422)


def test_a_method_that_a_page_does_not_take(reader: Browser) -> None:
    assert reader.post("/ui/audit").status_code == 405


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (TemporaryError("the store does not answer", delay=7), 503, "Try again in a moment"),
        (RuntimeError("a secret of ours"), 500, "Number of the request"),
    ],
)
def test_our_own_faults_are_told_without_their_inside(
    reader: Browser, world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(world.app.engine.records, "open", fail)
    answer = reader.get("/ui/")
    assert answer.status_code == status
    assert said in answer.text
    assert "a secret" not in answer.text
    assert answer.headers.get("Retry-After") == ("7" if status == 503 else None)
