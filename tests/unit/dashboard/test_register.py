"""The registration form: what it refuses and where it says so, who may what, and what is saved."""

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from groundswell.access.principal import Role
from groundswell.dashboard import fields
from groundswell.dashboard.fields import DOCKERFILE, FIELDS, MORE
from groundswell.lineage.model import Registration
from tests.support.pages import Browser
from tests.support.world import BASE, HOST, World, ref, registration, workload
from tests.unit.dashboard.test_lineage import words
from tests.unit.dashboard.test_pages import EVIL, unsafe

GIT = "https://git.example.com/company.git"
GOOD: dict[str, Any] = {
    "name": "shop/web",
    "owner": "shop",
    "registry": HOST,
    "tags": "1, latest",
    "git": GIT,
    "ref": "main",
    "path": "web",
    DOCKERFILE: f"FROM {BASE}\r\nRUN make\r\n",
    "reason": "a new shop",
}


@pytest.fixture
def registrar(world: World) -> Browser:
    """Of the team shop."""
    one = Browser(world)
    one.sign_in(Role.REGISTRAR)
    one.get("/ui/register")
    return one


def faults(text: str) -> dict[str, str]:
    """By field, as the field is described by them."""
    found = {}
    for name, said in re.findall(r'class="fault" id="e-([a-z_]+)">(.*?)</span></span>', text, re.DOTALL):
        found[name] = unescape(words(said)).strip()
        assert f'id="f-{name}"' in text
        assert re.search(rf'id="f-{name}"[^>]* aria-invalid="true"[^>]* aria-describedby="e-{name}"', text)
    return found


def typed_as(image: Registration) -> dict[str, Any]:
    """As somebody leaves the form of an image."""
    return fields.of(image)


def etag(text: str) -> str:
    return unescape(re.findall(r'name="etag" value="([^"]*)"', text)[0])


def test_an_image_is_registered_and_what_happened_is_said(registrar: Browser, world: World) -> None:
    answer = registrar.send("/ui/register", **GOOD, do="save")
    assert answer.status_code == 303, words(answer.text)
    text = words(registrar.get(answer.headers["location"]).text)
    assert "shop/web was registered just now by tests" in text
    assert "a new shop" in text
    image = world.app.catalog.registration("shop/web")
    assert (image.runtime, image.tags, image.owner) == (BASE, ("1", "latest"), "shop")
    assert world.app.bases.get(BASE)


@pytest.mark.parametrize(
    ("changed", "where", "said"),
    [
        ({"name": ""}, "name", "is needed"),
        ({"name": "Shop/Web"}, "name", "lower-case letters"),
        ({"name": "a" * 201}, "name", "at most 200"),
        ({"registry": ""}, "registry", "is needed: a login server"),
        ({"registry": "not a host"}, "registry", "'not a host' is not what it must be: a login server"),
        ({"tags": " , "}, "tags", "should be non-empty"),
        ({"tags": "1, gs-2"}, "tags", "'gs-2' is not what it must be"),
        ({"tags": "1 1"}, "tags", "non-unique"),
        ({"git": "git@github.com:x/y"}, "git", "must be the URL of a git repository"),
        ({"ref": "-x"}, "ref", "a branch, a tag or a commit"),
        ({"path": "../x"}, "path", "leads out of the repository"),
        ({"path": "/x"}, "path", "a folder of the repository"),
        ({"dockerfile": "../../D"}, "dockerfile", "leads out of the repository"),
        ({"platform": "linux"}, "platform", "such as linux/amd64"),
        ({"strategy": "magic"}, "strategy", "is not one of"),
        ({"builder": "NO"}, "builder", "GROUNDSWELL_BUILDERS"),
        ({"builder": "jenkins", "agent_pool": "pool"}, "agent_pool", "only ACR Tasks has agent pools"),
        ({"build_args": "A=1\nB"}, "build_args", "line 2: must be NAME=VALUE"),
        ({"build_args": "A=1\nA=2"}, "build_args", "line 2: A is given twice"),
        ({DOCKERFILE: " \r\n"}, DOCKERFILE, "is needed"),
        ({DOCKERFILE: "\r\n\r\nFROM a\r\nNONSENSE x"}, DOCKERFILE, "line 4"),
        ({DOCKERFILE: "ARG B\r\nFROM $B"}, DOCKERFILE, "B"),
        ({MORE: "gate:\n  severity: SOME"}, MORE, "line 2: gate.severity: 'SOME' is not one of"),
        ({MORE: "labels: {a: 1}"}, MORE, "line 1: labels.a: 1 is not of type 'string'"),
        ({MORE: "name: x"}, MORE, "line 1"),
        ({MORE: "a: ["}, MORE, "line 1: not valid YAML"),
        ({MORE: "x: &a 1\ny: *a"}, MORE, "line 2: aliases"),
        ({MORE: "text"}, MORE, "is not of type 'object'"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_is_kept(
    registrar: Browser, world: World, changed: dict[str, Any], where: str, said: str
) -> None:
    answer = registrar.send("/ui/register", **{**GOOD, **changed}, do="save")
    assert answer.status_code == 422
    found = faults(answer.text)
    assert said in found[where]
    assert set(found) == {where}
    assert f'<a href="#f-{where}">' in answer.text
    assert answer.text.count(" autofocus") == 1
    for name, typed in {**GOOD, **changed}.items():
        assert typed.strip().replace("\r\n", "\n") in unescape(answer.text), name
    assert not world.app.catalog.briefs()


def test_a_source_at_a_host_that_is_not_listed_is_said_at_its_field(registrar: Browser, world: World) -> None:
    world.app.settings = replace(world.app.settings, source_hosts=("github.com",))
    for do in ("preview", "save"):
        answer = registrar.send("/ui/register", **GOOD, do=do)
        assert answer.status_code == 422
        assert set(faults(answer.text)) == {"git"}
        assert "GROUNDSWELL_SOURCE_HOSTS" in faults(answer.text)["git"]
    assert not world.app.catalog.briefs()


def test_several_mistakes_are_said_at_once(registrar: Browser) -> None:
    answer = registrar.send("/ui/register", do="save")
    assert set(faults(answer.text)) >= {"name", "registry", "tags", "git", DOCKERFILE}


def test_it_is_looked_at_before_it_is_saved(registrar: Browser, world: World) -> None:
    answer = registrar.send("/ui/register", **GOOD, do="preview")
    text = words(answer.text)
    assert answer.status_code == 200
    assert "It would be registered" in text
    assert f"It stands on {BASE}" in text
    assert "tags 1, latest" in text
    assert not world.app.catalog.briefs()
    world.app.catalog.register([registration("shop/web", BASE, owner="shop")], who="ann")
    page = registrar.get("/ui/register?image=shop/web").text
    change: dict[str, Any] = {
        **GOOD,
        "tags": "1",
        "dockerfile_content": "",
        "path": "shop/web",
        MORE: "labels: {tier: gold}",
    }
    answer = registrar.send("/ui/register", **change, etag=etag(page))
    assert "It would be changed" in words(answer.text)
    assert "labels tier=gold" in words(answer.text)
    same = registrar.send("/ui/register", **{**change, MORE: ""}, etag=etag(page))
    assert "Nothing would change" in same.text


def test_enter_in_a_field_looks_first(registrar: Browser) -> None:
    """The first button of the form is what a browser presses for it."""
    text = registrar.get("/ui/register").text
    assert text.index('value="preview"') < text.index('value="save"')
    assert "novalidate" in text


def test_a_change_without_the_dockerfile_keeps_what_it_stands_on(registrar: Browser, world: World) -> None:
    world.register(
        registration(
            "shop/web", BASE, build=["x.io/y:1"], owner="shop", deployments=[workload("web")], labels={"a": "b"}
        )
    )
    page = registrar.get("/ui/register?image=shop/web").text
    typed: dict[str, Any] = {
        **typed_as(world.app.catalog.registration("shop/web")),
        "etag": etag(page),
        "do": "save",
    }
    assert registrar.send("/ui/register", **{**typed, "tags": "1 2"}).status_code == 303
    image = world.app.catalog.registration("shop/web")
    assert (image.tags, image.runtime, image.build) == (("1", "2"), BASE, ("x.io/y:1",))
    assert (image.deployments, image.labels) == ((workload("web"),), {"a": "b"})
    typed["etag"] = etag(registrar.get("/ui/register?image=shop/web").text)
    answer = registrar.send("/ui/register", **{**typed, "target": "other"})
    assert answer.status_code == 422
    assert "paste it" in faults(answer.text)[DOCKERFILE]


@pytest.mark.parametrize(
    "image",
    [
        registration("shop/web", BASE, owner="shop"),
        registration(
            "shop/web",
            BASE,
            owner="shop",
            tag_patterns=("1.*",),
            target="x",
            build_args={"A": "1=2", "B": ""},
            labels={"tier": "gold"},
            gate={"severity": "HIGH", "allow": [{"id": "C", "reason": "r", "expires": "2027-01-01"}]},
            deployments=[workload("web")],
            rings=({"environment": "test"}, {"environment": "prod-*", "bake": "30m", "approval": "required"}),
            approval="required",
            builder="jenkins",
            strategy="rebase",
        ),
    ],
    ids=["plain", "everything"],
)
def test_what_the_form_shows_is_what_it_sends(registrar: Browser, world: World, image: Any) -> None:
    world.register(image)
    page = registrar.get("/ui/register?image=shop/web")
    assert page.status_code == 200
    answer = registrar.send("/ui/register", **typed_as(image), etag=etag(page.text))
    assert "Nothing would change" in answer.text, words(answer.text)


def test_somebody_who_was_faster_is_told_of_and_nothing_is_lost(registrar: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE, owner="shop"))
    page = registrar.get("/ui/register?image=shop/web").text
    typed: dict[str, Any] = {**typed_as(world.app.catalog.registration("shop/web")), "tags": "1 2", "do": "save"}
    world.app.catalog.register(
        [registration("shop/web", BASE, owner="shop", labels={"a": "b"})], who="ben", why="new"
    )
    answer = registrar.send("/ui/register", **typed, etag=etag(page))
    assert answer.status_code == 412
    text = words(answer.text)
    assert "Somebody else changed it meanwhile. It was changed just now by ben: new" in text
    assert "labels a=b" in text
    assert 'value="1 2"' in answer.text
    assert world.app.catalog.registration("shop/web").tags == ("1",)
    assert registrar.send("/ui/register", **typed, etag=etag(answer.text)).status_code == 303
    assert world.app.catalog.registration("shop/web").tags == ("1", "2")


def test_one_that_was_unregistered_meanwhile(registrar: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE, owner="shop"))
    page = registrar.get("/ui/register?image=shop/web").text
    world.app.catalog.unregister(["shop/web"], who="ben", why="retired")
    answer = registrar.send("/ui/register", **GOOD, etag=etag(page), do="save")
    assert answer.status_code == 412
    assert "It was unregistered meanwhile" in answer.text
    assert registrar.send("/ui/register", **GOOD, etag=etag(answer.text), do="save").status_code == 303


def test_a_new_image_overwrites_none(registrar: Browser, world: World) -> None:
    world.register(registration("shop/web", None, owner="shop"))
    answer = registrar.send("/ui/register", **GOOD, do="save")
    assert answer.status_code == 412
    assert "There is an image shop/web already" in answer.text
    assert 'href="/ui/register?image=shop%2Fweb"' in answer.text
    assert etag(answer.text) == ""
    assert world.app.catalog.registration("shop/web").runtime is None


def test_the_same_form_sent_twice_is_saved_once(registrar: Browser, world: World) -> None:
    for _ in range(2):
        assert registrar.send("/ui/register", **GOOD, do="save").status_code == 303
    assert len(list(world.app.catalog.history("shop/web"))) == 1


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.READER, 403), (Role.OPERATOR, 403), (Role.REGISTRAR, 200), (Role.ADMIN, 200)],
)
def test_who_gets_the_form(world: World, role: Role, status: int) -> None:
    one = Browser(world)
    one.sign_in(role)
    assert one.get("/ui/register").status_code == status
    answer = one.send("/ui/register", **GOOD, do="save")
    assert answer.status_code == (303 if status == 200 else 403)
    assert bool(world.app.catalog.briefs()) == (status == 200)


def test_a_registrar_registers_for_the_own_team_only(registrar: Browser, world: World) -> None:
    page = registrar.get("/ui/register").text
    assert re.search(r"<option selected>shop</option>", page)
    answer = registrar.send("/ui/register", **{**GOOD, "owner": "search"}, do="save")
    assert answer.status_code == 403
    assert faults(answer.text) == {"owner": "must be a team of yours: shop"}
    assert "shop/web is of team search" in answer.text
    world.register(registration("shop/theirs", BASE, owner="search"))
    page = registrar.get("/ui/register?image=shop/theirs").text
    typed: dict[str, Any] = {
        **typed_as(world.app.catalog.registration("shop/theirs")),
        "owner": "shop",
        "do": "save",
    }
    answer = registrar.send("/ui/register", **typed, etag=etag(page))
    assert answer.status_code == 403
    assert "shop/theirs is of team search" in answer.text
    assert world.app.catalog.registration("shop/theirs").owner == "search"


@pytest.mark.parametrize("do", ["preview", "save"])
def test_a_registrar_does_not_loosen_the_gate(registrar: Browser, world: World, do: str) -> None:
    answer = registrar.send("/ui/register", **{**GOOD, MORE: "gate: {os: none}"}, do=do)
    assert answer.status_code == 403
    assert "would be looser than it is held to in os" in answer.text
    assert "gate: {os: none}" in answer.text
    assert not world.app.catalog.briefs()


def test_a_contradiction_is_told(registrar: Browser, world: World) -> None:
    world.register(registration("shop/base", ref("shop/web"), owner="shop"))
    answer = registrar.send("/ui/register", **{**GOOD, DOCKERFILE: f"FROM {ref('shop/base')}"}, do="save")
    assert answer.status_code == 409
    assert "in a circle" in answer.text


def test_it_needs_a_form_of_this_session(registrar: Browser, world: World) -> None:
    registrar.csrf = "0" * 64
    assert registrar.send("/ui/register", **GOOD, do="save").status_code == 403
    registrar.get("/ui/register")
    answer = registrar.send("/ui/register", headers={"Origin": "https://evil.example"}, **GOOD, do="save")
    assert answer.status_code == 403
    assert not world.app.catalog.briefs()


def test_hostile_text_in_a_field_stays_text(registrar: Browser) -> None:
    typed: dict[str, Any] = {**dict.fromkeys(FIELDS, EVIL), DOCKERFILE: f"</textarea>{EVIL}", "reason": EVIL}
    for field in (*FIELDS, "reason"):
        answer = registrar.send("/ui/register", **{**GOOD, field: typed[field]})
        assert unsafe(answer.text) == []
    answer = registrar.send("/ui/register", **typed)
    assert (answer.status_code, unsafe(answer.text)) == (422, [])
    assert answer.text.count("</textarea>") == 3


def test_what_is_too_large_is_refused(registrar: Browser) -> None:
    assert registrar.send("/ui/register", **{**GOOD, DOCKERFILE: "a" * 256 * 1024}).status_code == 413
    assert registrar.send("/ui/register", **{**GOOD, "reason": "a" * 1001}, do="save").status_code == 422
    assert registrar.get("/ui/register?image=nowhere").status_code == 404
