"""The list of images and the page of one: what they show, to whom, and what is done on them."""

import re
from urllib.parse import quote

import pytest

from groundswell import audit
from groundswell.access.principal import Role
from groundswell.build.port import Source
from groundswell.cascade.freezes import from_json
from groundswell.deploy.port import Kind, Workload
from groundswell.errors import TemporaryError
from groundswell.lineage.model import Registration
from tests.support.pages import Browser
from tests.support.world import BASE, HOST, World, ref, registration, workload
from tests.unit.dashboard.test_pages import EVIL, unsafe

PIN = "sha256:" + "a" * 64


def company(world: World) -> None:
    """A base of ours with a follower, a pin and a build on it, another team's image, and one from scratch."""
    world.register(
        registration("platform/runtime", BASE, owner="platform", labels={"tier": "gold"}),
        registration("shop/web", ref("platform/runtime"), owner="shop", deployments=[workload("web")]),
        registration("shop/old", f"{ref('platform/runtime')}@{PIN}", owner="shop"),
        registration("shop/tool", None, build=[ref("platform/runtime")], owner="shop"),
        registration("shop/cart", ref("shop/web"), owner="shop"),
        registration("search/query", BASE, owner="search"),
    )


def names(text: str) -> list[str]:
    return re.findall(r'data-label="Image"><a class="reference" href="/ui/lineage/[^"]+">([^<]+)<', text)


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["platform/runtime", "search/query", "shop/cart", "shop/old", "shop/tool", "shop/web"]),
        ("q=SHOP", ["shop/cart", "shop/old", "shop/tool", "shop/web"]),
        ("owner=search", ["search/query"]),
        ("owner=shop&q=web", ["shop/web"]),
        ("base=debian", ["platform/runtime", "search/query"]),
        (f"base={quote(BASE)}", ["platform/runtime", "search/query"]),
        ("base=platform/runtime", ["shop/old", "shop/tool", "shop/web"]),
        ("label=tier%3Dgold", ["platform/runtime"]),
        (
            "q=&owner=&base=&label=",
            ["platform/runtime", "search/query", "shop/cart", "shop/old", "shop/tool", "shop/web"],
        ),
        ("q=zebra", []),
    ],
)
def test_images_are_searched(reader: Browser, world: World, query: str, found: list[str]) -> None:
    company(world)
    answer = reader.get(f"/ui/lineage?{query}")
    assert answer.status_code == 200
    assert names(answer.text) == found
    assert found or "No image fits" in answer.text


def test_a_base_that_somebody_names_whole_is_not_taken_for_a_part_of_others(reader: Browser, world: World) -> None:
    world.register(registration("a", BASE), registration("b", f"{BASE}-slim"))
    assert names(reader.get(f"/ui/lineage?base={quote(BASE)}").text) == ["a"]
    assert names(reader.get(f"/ui/lineage?base={quote(BASE[:-1])}").text) == ["a", "b"]


def test_the_list_goes_on_in_pages_that_stay_in_step(reader: Browser, world: World) -> None:
    company(world)
    first = reader.get("/ui/lineage?limit=4&q=/").text
    assert "6 images registered, 4 on this page" in words(first)
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    world.app.catalog.unregister(["shop/old"], who="test", why="gone")
    second = reader.get("/ui/lineage" + following.replace("&amp;", "&")).text
    assert names(first) + names(second) == [
        "platform/runtime",
        "search/query",
        "shop/cart",
        "shop/old",
        "shop/tool",
        "shop/web",
    ]


def test_it_says_how_many_stand_on_an_image_directly(reader: Browser, world: World) -> None:
    company(world)
    text = reader.get("/ui/lineage?q=platform/runtime").text
    assert 'href="/ui/lineage?base=platform%2Fruntime" aria-label="3 standing on platform/runtime">3<' in text
    assert "none" in words(reader.get("/ui/lineage?q=search").text.partition("<tbody>")[2])


def test_an_empty_lineage_says_how_to_begin(browser: Browser, world: World) -> None:
    for role, link in ((Role.READER, False), (Role.REGISTRAR, True)):
        one = Browser(world)
        one.sign_in(role)
        text = one.get("/ui/lineage").text
        assert "Nothing is registered yet" in text
        assert ('href="/ui/register"' in text) == link


def test_an_image_tells_what_it_stands_on_and_what_stands_on_it(reader: Browser, world: World) -> None:
    company(world)
    text = words(reader.get("/ui/lineage/platform/runtime").text)
    assert "3 directly, 2 of them follow it; a promotion rebuilds 3 in all" in text
    assert f"{BASE} runtime followed" in text
    assert "shop/old runtime pinned" in text
    assert "shop/tool build followed" in text
    old = words(reader.get("/ui/lineage/shop/old").text)
    assert f"pinned {'a' * 12}" in old


def test_a_tag_that_is_not_moved_is_told(reader: Browser, world: World) -> None:
    world.register(registration("lib", BASE, tag_patterns=("1.4.*",)), registration("app", f"{HOST}/lib:1.4.2"))
    assert "app runtime fixed tag" in words(reader.get("/ui/lineage/lib").text)
    assert "fixed tag" in reader.get("/ui/lineage?q=app").text
    assert names(reader.get("/ui/lineage?base=lib").text) == ["app"]


def test_an_image_tells_its_last_rebuilds_digest_and_workloads(reader: Browser, world: World) -> None:
    company(world)
    before = words(reader.get("/ui/lineage/shop/cart").text)
    assert "not known: nothing was promoted yet" in before
    assert "No cascade that is kept holds it" in before
    world.push_base()
    world.drive()
    text = reader.get("/ui/lineage/shop/web").text
    assert f'href="/ui/cascades/{world.cascade}"' in text
    digest = world.registry.tags[ref("shop/web")]
    assert f'title="{digest}"' in text
    assert "c/n/deployment/web[app]" in text
    assert f"{HOST}/shop/web@{digest}" in text
    assert "promoted" in words(reader.get("/ui/lineage/shop/cart").text)


def test_what_keeps_a_workload_as_it_is_is_told(reader: Browser, world: World) -> None:
    company(world)
    rule = {"name": "end-of-year", "environment": "c", "zone": "UTC", "days": ["mon-sun"], "from": "00:00"}
    world.app.freezes.add(from_json({**rule, "until": "24:00", "why": "holidays"}), who="ann")
    text = reader.get("/ui/lineage/shop/web").text
    assert "end-of-year: holidays" in text
    assert "frozen" in words(text)


def test_the_gate_says_each_value_and_where_it_is_from(reader: Browser, world: World) -> None:
    allow = [{"id": "CVE-2026-1", "package": "*", "reason": "not reached", "expires": "2027-12-31"}]
    world.register(registration("shop/web", BASE, owner="shop", gate={"fixable_only": False, "allow": allow}))
    document = {"version": 1, "global": {}, "teams": {"shop": {"severity": "HIGH"}}, "vex": []}
    world.app.policies.set(document, who="ann", why="test")
    text = words(reader.get("/ui/lineage/shop/web").text)
    assert "severity HIGH team shop" in text
    assert "fixable only no image shop/web" in text
    assert "allow 1 entries" in text
    assert "CVE-2026-1" in text


def test_an_image_is_unregistered_with_a_reason_and_the_list_says_so(world: World) -> None:
    company(world)
    one = Browser(world)
    one.sign_in(Role.REGISTRAR)
    page = one.get("/ui/lineage/shop/cart").text
    (etag,) = re.findall(r'name="etag" value="([^"]+)"', page)
    assert one.send("/ui/lineage/shop/cart/unregister", etag=etag.replace("&#34;", '"')).status_code == 422
    answer = one.send("/ui/lineage/shop/cart/unregister", etag=etag.replace("&#34;", '"'), reason="retired")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/lineage?told=shop%2Fcart")
    assert "shop/cart was unregistered just now by" in words(one.get(answer.headers["location"]).text)
    assert "retired" in one.get(answer.headers["location"]).text
    assert one.get("/ui/lineage/shop/cart").status_code == 404
    assert world.app.catalog.briefs().keys() == {
        "platform/runtime",
        "search/query",
        "shop/old",
        "shop/tool",
        "shop/web",
    }


def test_what_changed_meanwhile_is_not_unregistered(world: World) -> None:
    company(world)
    one = Browser(world)
    one.sign_in(Role.REGISTRAR)
    etag = re.findall(r'name="etag" value="([^"]+)"', one.get("/ui/lineage/shop/cart").text)[0]
    world.app.catalog.register([registration("shop/cart", BASE, owner="shop")], who="ben")
    answer = one.send("/ui/lineage/shop/cart/unregister", etag=etag.replace("&#34;", '"'), reason="retired")
    assert answer.status_code == 412
    assert "somebody changed it meanwhile" in answer.text
    assert etag not in answer.text
    assert world.app.catalog.stored("shop/cart")


def test_who_may_not_unregister_is_not_offered_it_and_refused(world: World) -> None:
    company(world)
    refused = {Role.READER: "needs the role registrar", Role.OPERATOR: "needs the role registrar"}
    for role in (Role.READER, Role.OPERATOR, Role.REGISTRAR):
        one = Browser(world)
        one.sign_in(role)
        assert "Unregister" not in one.get("/ui/lineage/search/query").text
        answer = one.send("/ui/lineage/search/query/unregister", etag='"x"', reason="mine")
        assert answer.status_code == 403
        assert refused.get(role, "search/query is of team search") in answer.text
    assert world.app.catalog.stored("search/query")


def test_unregistering_needs_a_form_of_this_session(world: World) -> None:
    company(world)
    one = Browser(world)
    one.sign_in(Role.ADMIN)
    one.csrf = "0" * 64
    answer = one.send("/ui/lineage/shop/cart/unregister", etag="*", reason="x")
    assert answer.status_code == 403
    assert "not of this session" in answer.text
    assert world.app.catalog.stored("shop/cart")


def test_an_image_that_is_called_like_a_verb_is_shown_and_unregistered(world: World) -> None:
    world.register(registration("shop/unregister", BASE, owner="shop"), registration("shop", BASE, owner="shop"))
    one = Browser(world)
    one.sign_in(Role.ADMIN)
    etag = re.findall(r'name="etag" value="([^"]+)"', one.get("/ui/lineage/shop/unregister").text)[0]
    answer = one.send(
        "/ui/lineage/shop/unregister/unregister", etag=etag.replace("&#34;", '"'), reason="a bad name"
    )
    assert answer.status_code == 303
    assert world.app.catalog.briefs().keys() == {"shop"}


def form(page: str, reason: str) -> dict[str, str]:
    """Of the form that rebuilds the image of the page."""
    made = re.findall(r'/rebuild">\s*.*?name="made" value="(\d+)"', page)
    return {"made": made[0], "reason": reason}


def test_an_image_is_built_anew_and_one_comes_to_the_cascade_that_began(operator: Browser, world: World) -> None:
    company(world)
    page = operator.get("/ui/lineage/platform/runtime").text
    assert "and then the 3 images that stand on it" in words(page)
    fields = form(page, "a fix in openssl")
    answers = [operator.send("/ui/lineage/platform/runtime/rebuild", **fields) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert answers[0].headers["location"].startswith(f"/ui/cascades/{world.cascade}?told=")
    told = words(operator.follow(answers[1]))
    assert "platform/runtime is built anew, and then what stands on it Reason: a fix in openssl" in told
    assert len(world.cascades) == 1
    (entry,) = [entry for entry in audit.entries(world.app.store) if entry["action"] == "rebuild"]
    assert (entry["subject"], entry["why"]) == ("platform/runtime", "a fix in openssl")
    world.drive()
    assert set(world.statuses()) == {"platform/runtime", "shop/web", "shop/tool", "shop/cart"}
    world.time += 3600  # the same reason, another time
    again = form(operator.get("/ui/lineage/platform/runtime").text, "a fix in openssl")
    operator.follow(operator.send("/ui/lineage/platform/runtime/rebuild", **again))
    assert len(world.cascades) == 2


def test_while_it_is_being_begun_the_page_of_the_image_says_so(
    operator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    company(world)
    fields = form(operator.get("/ui/lineage/shop/cart").text, "x")
    told: list[str] = []
    begin = world.app.anew.begin

    def meanwhile(image: str, **said: str) -> str:
        answer = operator.send("/ui/lineage/shop/cart/rebuild", **fields)  # pressed once more
        told.extend((answer.headers["location"], operator.follow(answer)))
        return begin(image, **said)

    monkeypatch.setattr(world.app.anew, "begin", meanwhile)
    operator.send("/ui/lineage/shop/cart/rebuild", **fields)
    assert told[0].startswith("/ui/lineage/shop/cart?told=")
    assert "It is being done: load the page again in a moment" in told[1]
    assert "shop/cart is built anew" in operator.get(told[0].partition("#")[0]).text


def test_what_was_not_begun_is_said_and_what_was_entered_stays(
    operator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    company(world)
    operator.get("/ui/lineage/shop/cart")

    def planned(*_: object, **__: object) -> None:
        raise TemporaryError("cascade 0abc is still being planned", delay=5)

    with monkeypatch.context() as patch:
        patch.setattr(world.app.anew, "begin", planned)
        answer = operator.send("/ui/lineage/shop/cart/rebuild", reason=EVIL)
    assert (answer.status_code, "is still being planned" in answer.text) == (503, True)
    assert ('name="reason" value="&lt;script&gt;' in answer.text, unsafe(answer.text)) == (True, [])
    for wrong in ("", "r" * 1001):
        answer = operator.send("/ui/lineage/shop/cart/rebuild", reason=wrong)
        assert (answer.status_code, "That was not done: reason:" in answer.text) == (422, True)
    assert world.cascades == []
    assert operator.send("/ui/lineage/nowhere/rebuild", reason="x").status_code == 404


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_who_may_not_rebuild_is_not_offered_it_and_refused(world: World, role: Role) -> None:
    company(world)
    one = Browser(world)
    one.sign_in(role)
    allowed = role in (Role.OPERATOR, Role.ADMIN)
    assert ("Rebuild it anew" in one.get("/ui/lineage/shop/cart").text) is allowed
    one.get("/ui/lineage/shop/cart")
    assert one.send("/ui/lineage/shop/cart/rebuild", reason="x").status_code == (303 if allowed else 403)
    one.csrf = "0" * 64
    assert one.send("/ui/lineage/shop/web/rebuild", reason="x").status_code == 403
    assert len(world.cascades) == allowed


def test_hostile_text_in_a_registration_stays_text(reader: Browser, world: World) -> None:
    """As an older program, or whoever writes to the store, may have left it there."""
    place = Workload(cluster=EVIL, namespace=EVIL, kind=Kind.DEPLOYMENT, name=EVIL, container=EVIL)
    hostile = Registration(
        name=EVIL.replace("/", ""),
        registry=HOST,
        repository="evil",
        tags=("1",),
        source=Source(location=EVIL, ref=EVIL, path=EVIL),
        dockerfile=EVIL,
        target=EVIL,
        build_args={EVIL: EVIL},
        owner=EVIL,
        labels={EVIL: EVIL},
        gate={"never": [{"package": EVIL, "reason": EVIL}], "scanners": [EVIL]},
        deployments=(place,),
        runtime=f"{HOST}/{EVIL}:1",
        build=(f"{HOST}/{EVIL}@{PIN}",),
        frontend=EVIL,
        rings=({"environment": EVIL, "bake": EVIL},),
        builder=EVIL,
    )
    world.app.catalog.register([hostile, registration("on-it", f"{HOST}/evil:1", owner=EVIL)], who=EVIL, why=EVIL)
    for page in (
        "/ui/lineage",
        f"/ui/lineage?told={quote(hostile.name)}",
        f"/ui/lineage?q={quote(EVIL)}&owner={quote(EVIL)}&base={quote(EVIL)}",
        f"/ui/lineage/{quote(hostile.name)}",
        "/ui/lineage/on-it",
    ):
        answer = reader.get(page)
        assert answer.status_code == 200, page
        assert unsafe(answer.text) == []
        assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ui/lineage/nowhere", 404),
        ("/ui/lineage/shop/web?x=1", 422),
        ("/ui/lineage?label=nothing", 422),
        ("/ui/lineage?cursor=%21", 422),
        ("/ui/lineage?limit=501", 422),
    ],
)
def test_what_is_wrong_in_an_address_is_told(reader: Browser, path: str, status: int) -> None:
    assert reader.get(path).status_code == status


def test_who_stands_on_an_image_twice_follows_it_if_one_of_the_two_moves(reader: Browser, world: World) -> None:
    """And an image that stands on another tag of its own does not stand on itself."""
    world.register(
        registration("lib", f"{HOST}/lib:1", owner="platform"),
        registration("app", f"{ref('lib')}@{PIN}", build=[ref("lib")]),
    )
    text = words(reader.get("/ui/lineage/lib").text)
    assert "1 directly; a promotion rebuilds 1 in all" in text
    assert "app build, runtime followed" in text
