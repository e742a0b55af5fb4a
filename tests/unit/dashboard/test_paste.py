"""A lineage.yaml that is pasted: registered whole or not at all, mistakes with their line."""

from dataclasses import replace
from html import unescape

import pytest

from groundswell.access.principal import Role
from tests.support.pages import Browser
from tests.support.world import BASE, HOST, World, registration
from tests.unit.dashboard.test_lineage import words
from tests.unit.dashboard.test_pages import EVIL, unsafe

FILE = f"""version: 1
registry: {HOST}
source: {{git: "https://git.example.com/shop.git"}}
images:
  - name: shop/web
    owner: shop
    tags: ["1"]
    path: web
    dockerfile_content: |
      FROM {BASE}
  - name: shop/cart
    owner: shop
    tags: ["1"]
    dockerfile_content: |
      FROM {HOST}/shop/web:1
      RUN make
"""


@pytest.fixture
def registrar(world: World) -> Browser:
    one = Browser(world)
    one.sign_in(Role.REGISTRAR)
    assert one.get("/ui/register/file").status_code == 200
    return one


def test_it_is_looked_at_then_saved_and_what_happened_is_said(registrar: Browser, world: World) -> None:
    text = FILE.replace("\n", "\r\n")
    answer = registrar.send("/ui/register/file", text=text, reason="the shop", do="preview")
    assert "2 of 2 images would change" in words(answer.text)
    assert not world.app.catalog.briefs()
    answer = registrar.send("/ui/register/file", text=text, reason="the shop", do="save")
    assert answer.status_code == 303
    shown = words(registrar.get(answer.headers["location"]).text)
    assert "shop/web was registered just now by tests" in shown
    assert "shop/cart was registered just now by tests" in shown
    web, cart = (world.app.catalog.registration(name) for name in ("shop/web", "shop/cart"))
    assert (web.runtime, web.source.path, web.source.ref) == (BASE, "web", "main")
    assert cart.runtime == f"{HOST}/shop/web:1"
    assert "Nothing would change" in registrar.send("/ui/register/file", text=text, do="preview").text
    assert registrar.send("/ui/register/file", text=text, do="save").status_code == 303
    assert len(list(world.app.catalog.history("shop/web"))) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 1", "version: 2", "line 1: version: 1 was expected"),
        (FILE, "", "line 1: the file is empty"),
        (FILE, "a: [", "not valid YAML"),
        ('tags: ["1"]\n    path', "tags: [gs-1]\n    path", "line 7: images[0].tags[0]"),
        ("name: shop/cart", "name: shop/web", "line 11: shop/web is named twice"),
        ("path: web", "path: a/../../b", "line 8: shop/web: path: a/../../b leads out"),
        ("RUN make", "NONSENSE", "line 14: shop/cart: in its Dockerfile, line 2, column 1"),
        (f"FROM {BASE}", "FROM $X", "shop/web: in its Dockerfile,"),
        ("    dockerfile_content: |\n      FROM " + BASE + "\n", "", "'dockerfile_content' is a required property"),
        (f"registry: {HOST}\n", "", "line 4: shop/web has no registry"),
    ],
    ids=[str(number) for number in range(10)],
)
def test_mistakes_are_told_with_their_line_and_nothing_is_lost(
    registrar: Browser, world: World, old: str, new: str, said: str
) -> None:
    text = FILE.replace(old, new, 1)
    answer = registrar.send("/ui/register/file", text=text, reason="kept", do="save")
    assert answer.status_code == 422
    assert said in unescape(words(answer.text))
    assert text in unescape(answer.text)
    assert 'value="kept"' in answer.text
    assert not world.app.catalog.briefs()


@pytest.mark.parametrize(
    ("old", "new", "status", "said"),
    [
        ("owner: shop", "owner: search", 403, "shop/web is of team search"),
        ("path: web", "gate: {os: none}", 403, "would be looser than it is held to in os"),
        (f"FROM {BASE}", f"FROM {HOST}/shop/cart:1", 409, "in a circle"),
    ],
    ids=["team", "gate", "circle"],
)
def test_what_may_not_be_is_refused_whole(
    registrar: Browser, world: World, old: str, new: str, status: int, said: str
) -> None:
    for do in ("preview", "save"):
        answer = registrar.send("/ui/register/file", text=FILE.replace(old, new, 1), do=do)
        assert (answer.status_code, said in answer.text) == (status, True)
    assert not world.app.catalog.briefs()


def test_a_source_at_a_host_that_is_not_listed(registrar: Browser, world: World) -> None:
    world.app.settings = replace(world.app.settings, source_hosts=("github.com",))
    answer = registrar.send("/ui/register/file", text=FILE, do="save")
    assert answer.status_code == 422
    assert "line 5: shop/web: git: git.example.com is none of the hosts" in unescape(words(answer.text))
    assert not world.app.catalog.briefs()


def test_who_may_and_from_where(registrar: Browser, world: World) -> None:
    registrar.csrf = "0" * 64
    assert registrar.send("/ui/register/file", text=FILE, do="save").status_code == 403
    for role in (Role.READER, Role.OPERATOR):
        one = Browser(world)
        one.sign_in(role)
        assert one.get("/ui/register/file").status_code == 403
        assert one.send("/ui/register/file", text=FILE, do="save").status_code == 403
    assert not world.app.catalog.briefs()


def test_hostile_text_stays_text(registrar: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE, owner="shop"))
    for text in (
        EVIL,
        f"</textarea>{EVIL}",
        FILE.replace("shop/web", EVIL),
        FILE.replace("path: web", f"x: '{EVIL}'"),
    ):
        answer = registrar.send("/ui/register/file", text=text, reason=EVIL)
        assert (answer.status_code, unsafe(answer.text)) == (422, [])
        assert answer.text.count("</textarea>") == 1
