"""The on-call page: causes with what they block, replays that happen once, and what waits for a person."""

import re

import pytest

from groundswell import audit
from groundswell.access.principal import Role
from groundswell.cascade.comparing import Side, compared
from groundswell.cascade.freezes import from_json
from groundswell.dashboard.differences import parts
from groundswell.errors import TemporaryError
from tests.support.pages import Browser
from tests.support.world import BASE, HOST, World, ref, registration, workload
from tests.unit.dashboard.test_pages import EVIL, unsafe

PLACE = "/ui/on-call"
OTHER = f"{HOST}/mirror/alpine:3"


def broken(world: World) -> None:
    """Three images that failed alike, one of which blocks another, and one that was rejected."""
    world.register(
        *(registration(f"shop/{name}", BASE, owner="shop") for name in ("cart", "web", "api")),
        registration("shop/top", ref("shop/cart"), owner="top", deployments=[workload("top")]),
        registration("alone", OTHER, owner="lone"),
    )
    world.broken, world.vulnerable = {"shop/cart", "shop/web", "shop/api"}, {"alone"}
    world.push_base()
    world.drive()
    world.push_base("sha256:x", OTHER)
    world.drive()


def picks(page: str, image: str = "") -> list[str]:
    found = re.findall(r'type="checkbox" name="failure" value="([^"]+)"', page)
    return [each for each in found if each.endswith(image)]


def fields(page: str) -> dict[str, str]:
    """Of the form that replays all of the first cause."""
    return dict(re.findall(r'name="(cause|until)" value="([^"]+)"', page))


def replays(world: World) -> list[str]:
    trail = audit.entries(world.app.store)
    return sorted(entry["subject"].partition("/")[2] for entry in trail if entry["action"] == "replay")


def test_all_is_well(reader: Browser) -> None:
    page = reader.get(PLACE).text
    assert "All is well." in page
    assert 'href="/ui/on-call" aria-current="page"' in page


def test_causes_the_worst_first_with_what_they_block(reader: Browser, world: World) -> None:
    broken(world)
    page = reader.get(PLACE).text
    assert "<strong>4 images failed</strong>, for 2 causes; 1 wait behind them; 1 workload is not moved" in page
    first, second = page.split("<article")[1:]
    assert "The build failed:" in first
    assert ("3 failures" in first, "blocks 1 image" in first, "c/n/deployment/top[app]" in first) == (True,) * 3
    assert ("The gate refused it:" in second, "CVE-1 in p" in second) == (True, True)
    assert "Begin from build" in second
    assert f'href="/ui/cascades/{world.cascades[1]}/images/shop/cart"' in first


def test_only_of_a_team_and_only_a_cause(reader: Browser, world: World) -> None:
    broken(world)
    assert reader.get(f"{PLACE}?owner=lone").text.count("<article") == 1
    assert "Nothing of this team has failed" in reader.get(f"{PLACE}?owner=nobody").text
    (cause, _) = re.findall(r'id="c-([0-9a-f]{16})"', reader.get(PLACE).text)
    page = reader.get(f"{PLACE}?cause={cause}").text
    assert (page.count("<article"), "All causes" in page) == (1, True)
    assert "Nothing of this cause" in reader.get(f"{PLACE}?cause={'0' * 16}").text


def test_many_failures_of_a_cause_have_a_page_of_their_own(reader: Browser, world: World) -> None:
    world.register(*(registration(f"many/i{number}", BASE) for number in range(8)))
    world.broken = {f"many/i{number}" for number in range(8)}
    world.push_base()
    world.drive()
    page = reader.get(PLACE).text
    assert page.count('class="failure"') == 5
    (address,) = re.findall(r'href="([^"]+)">Show all 8<', page)
    assert reader.get(PLACE + address).text.count('class="failure"') == 8


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_who_may_not_replay_is_not_offered_it_and_is_refused(world: World, role: Role) -> None:
    broken(world)
    one = Browser(world)
    one.sign_in(role)
    page = one.get(PLACE).text
    allowed = role in (Role.OPERATOR, Role.ADMIN)
    assert ("/ui/on-call/replay" in page) is allowed
    assert bool(picks(page)) is allowed
    for act in ("replay", "approve", "release", "release-workload", "resend-notice"):
        answer = one.send(f"{PLACE}/{act}", reason="x", held="nothing")
        assert answer.status_code == (422 if allowed else 403)
    assert replays(world) == []


def test_a_form_of_elsewhere_is_refused(operator: Browser, world: World) -> None:
    broken(world)
    page = operator.get(PLACE).text
    operator.csrf = "0" * 64
    assert operator.send(f"{PLACE}/replay", reason="x", failure=picks(page)[0]).status_code == 403
    assert replays(world) == []


def test_one_is_replayed_from_the_stage_that_its_button_says(operator: Browser, world: World) -> None:
    broken(world)
    page = operator.get(PLACE).text
    assert "Replay from build" in page
    world.broken.clear()
    answer = operator.send(f"{PLACE}/replay", reason="the mirror is back", failure=picks(page, "shop/cart")[0])
    told = operator.follow(answer)
    assert ("Replayed: 1 image" in told, "from build" in told) == (True, True)
    assert "Reason: the mirror is back" in told
    (entry,) = [entry for entry in audit.entries(world.app.store) if entry["action"] == "replay"]
    assert (entry["why"], entry["who"].partition(" ")[0]) == ("the mirror is back", "tests")
    world.drive()
    assert world.statuses(world.cascades[1])["shop/top"] == "done"


def test_all_of_a_cause_are_replayed_once_however_often_it_is_sent(operator: Browser, world: World) -> None:
    broken(world)
    wanted = {**fields(operator.get(PLACE).text), "reason": "again"}
    first = operator.send(f"{PLACE}/replay", **wanted)
    second = operator.send(f"{PLACE}/replay", **wanted)
    assert first.headers["location"] == second.headers["location"]
    assert "Replayed: 3 images" in operator.follow(second)
    assert replays(world) == ["shop/api", "shop/cart", "shop/web"]
    world.drive()  # all fail again
    assert operator.send(f"{PLACE}/replay", **wanted).headers["location"] == first.headers["location"]
    assert len(replays(world)) == 3


def test_a_page_that_is_old_replays_nothing_that_failed_since(operator: Browser, world: World) -> None:
    broken(world)
    old = operator.get(PLACE).text
    cascade = world.cascades[1]
    world.app.operator.replay(cascade, "shop/cart", who="ann", why="faster")
    under_way = operator.follow(operator.send(f"{PLACE}/replay", reason="1", failure=picks(old, "cart")[0]))
    assert ("Replayed: 0 of 1; 1 not" in under_way, "it is under way" in under_way) == (True, True)
    world.time += 60
    world.drive()
    again = operator.follow(operator.send(f"{PLACE}/replay", reason="2", failure=picks(old, "cart")[0]))
    assert "failed once more since it was shown: look at it again" in again
    assert replays(world) == ["shop/cart"]
    some = operator.follow(operator.send(f"{PLACE}/replay", reason="3", **fields(old)))
    assert "Replayed: 2 images" in some
    none = operator.follow(operator.send(f"{PLACE}/replay", reason="4", **fields(old)))
    assert "Nothing was replayed" in none


def test_what_cannot_be_replayed_keeps_none_of_the_others_from_it(
    operator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(world)
    page = operator.get(PLACE).text
    gone = picks(page, "web")[0].replace("shop/web", "shop/gone").replace(world.cascades[1], "0none")
    body = [("csrf", operator.csrf), ("reason", "x"), ("failure", picks(page, "api")[0]), ("failure", gone)]
    answer = operator.post(
        f"{PLACE}/replay",
        content="&".join(f"{name}={text.replace(' ', '+')}" for name, text in body),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://groundswell"},
    )
    told = operator.follow(answer)
    assert ("Replayed: 1 of 2; 1 not" in told, "did not work" in told, "no cascade 0none" in told) == (True,) * 3
    assert replays(world) == ["shop/api"]


def test_after_a_fault_of_ours_it_may_be_tried_again(
    operator: Browser, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(world)
    page = operator.get(PLACE).text

    def down() -> None:
        raise TemporaryError("the store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(world.app.failures, "now", down)
        assert operator.send(f"{PLACE}/replay", reason="x", **fields(page)).status_code == 503
    assert "Replayed: 3" in operator.follow(operator.send(f"{PLACE}/replay", reason="x", **fields(page)))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"failure": "x"}, "reason"),
        ({"reason": " ", "cause": "0" * 16}, "reason"),
        ({"reason": "r" * 1001, "cause": "0" * 16}, "1000 characters"),
        ({"reason": "x"}, "choose at least one"),
        ({"reason": "x", "failure": "0abc 1 nowhere shop/web"}, "failure"),
        ({"reason": "x", "failure": "<b>"}, "failure"),
        ({"reason": "x", "cause": "0" * 16, "until": "-1"}, "until"),
    ],
    ids=["none", "blank", "long", "nothing", "stage", "form", "until"],
)
def test_what_is_wrong_with_a_form_is_told(operator: Browser, sent: dict[str, str], said: str) -> None:
    operator.get(PLACE)
    answer = operator.send(f"{PLACE}/replay", **sent)
    assert (answer.status_code, said in answer.text) == (422, True)


def test_what_one_did_nobody_else_is_told(operator: Browser, reader: Browser, world: World) -> None:
    broken(world)
    page = operator.get(PLACE).text
    answer = operator.send(f"{PLACE}/replay", reason="secret plan", failure=picks(page)[0])
    assert "secret plan" not in reader.follow(answer)


def test_the_end_of_a_log(reader: Browser, world: World) -> None:
    broken(world)
    cascade = world.cascades[1]
    world.builder.log_text = "".join(f"line {number}\n" for number in range(30)) + f"\x1b[31m{EVIL}\x1b[0m\u202e"
    page = reader.get(f"{PLACE}/log/{cascade}/shop/cart").text
    assert ("line 11\n" in page, "line 10\n" in page, "after 11 lines more" in page) == (True, False, True)
    assert ("\x1b" in page, "\u202e" in page, unsafe(page)) == (False, False, [])
    assert "&lt;script&gt;" in page
    assert "no build of its own" in reader.get(f"{PLACE}/log/{cascade}/shop/top").text
    assert reader.get(f"{PLACE}/log/{cascade}/nobody").status_code == 404


def test_a_log_that_cannot_be_read_says_so_in_its_place(reader: Browser, world: World) -> None:
    broken(world)
    world.builder.runs.clear()
    answer = reader.get(f"{PLACE}/log/{world.cascades[1]}/shop/cart")
    assert (answer.status_code, "The log cannot be shown: no run" in answer.text) == (200, True)


def test_against_the_last_good_run(reader: Browser, world: World) -> None:
    world.register(registration("shop/web", BASE))
    world.push_base()
    world.drive()
    world.broken = {"shop/web"}
    world.sources["shop/web"] = "2"
    world.push_base("sha256:base2")
    world.drive()
    newer, older = world.cascades
    page = reader.get(f"{PLACE}/compare/{newer}/shop/web").text
    assert f'href="/ui/cascades/{older}"' in page
    assert re.search(r"<dt>Source</dt><dd>\s*<ul class=\"names\"><li class=\"reference\">[0-9a-f]{12} → ", page)
    assert f"{BASE} linux/amd64: " in page
    assert re.search(r"<dt>Log</dt><dd>\s*<span class=\"dim\">the same", page)
    assert "no good rebuild of shop/web before it is known" in reader.get(f"{PLACE}/compare/{older}/shop/web").text


def test_the_lines_of_a_difference() -> None:
    spec = {"source": {"location": "l", "ref": "main", "path": "p"}, "platforms": ["linux/amd64"], "target": "a"}
    now = Side(
        spec={**spec, "target": "b", "build_args": {"A": "1"}},
        packages={"new": ("1",), "kept": ("2",)},
        findings=frozenset({("CVE-1", "new")}),
        missing={"source": "it was not built", "bases": "it was not built"},
    )
    good = Side(
        spec={**spec, "build_args": {}}, packages={"kept": ("1",), "old": ("3",)}, findings=frozenset(), log="x"
    )
    found = {part.name: part for part in parts(compared(now, good))}
    assert found["Settings"].lines == ("target: a → b",)
    assert found["Build arguments"].lines == ("A: unset → 1",)
    assert found["Packages"].lines == ("kept: 1 → 2", "+ new 1", "- old 3")
    assert found["Findings"].lines == ("+ CVE-1 in new",)
    assert (found["Source"].known, found["Source"].why) == (False, "this one: it was not built")


def test_hostile_text_stays_text(operator: Browser, world: World) -> None:
    world.builder.log_text = EVIL
    broken(world)
    page = operator.get(PLACE).text
    assert unsafe(page) == []
    told = operator.follow(operator.send(f"{PLACE}/replay", reason=EVIL + "\x1b[31m", failure=picks(page)[0]))
    assert ("&lt;script&gt;" in told, "\x1b" in told, unsafe(told)) == (True, False, [])
    assert unsafe(operator.get(f"{PLACE}?owner={EVIL}").text) == []
    assert unsafe(operator.get(f"{PLACE}?told={EVIL}").text) == []
    for wrong in ("page=0", "page=x", "nonsense=1"):
        assert operator.get(f"{PLACE}?{wrong}").status_code == 422


def test_what_waits_for_an_approval_is_approved_here(operator: Browser, world: World) -> None:
    world.register(registration("top", BASE, deployments=[workload("web")], approval="required", owner="shop"))
    world.push_base()
    world.drive()
    page = operator.get(PLACE).text
    assert ("Waiting for an approval" in page, "Nothing has failed." in page) == (True, True)
    assert "Waiting for an approval" not in operator.get(f"{PLACE}?owner=other").text
    (held,) = re.findall(r'name="held" value="([^"]+)"', page)
    first = operator.send(f"{PLACE}/approve", reason="seen", held=held)
    assert "Approved: 1 image" in operator.follow(first)
    assert world.statuses()["top"] == "deploying"
    assert (
        operator.send(f"{PLACE}/approve", reason="seen", held=held).headers["location"]
        == (first.headers["location"])
    )
    other = operator.follow(operator.send(f"{PLACE}/approve", reason="other", held=held))
    assert "is deploying since: look at it again" in other
    actions = [entry["action"] for entry in audit.entries(world.app.store)]
    assert actions.count("approve") == 1


def test_what_a_person_holds_is_released_here_and_freezes_are_told(operator: Browser, world: World) -> None:
    world.register(registration("top", BASE), registration("other", BASE))
    world.takes["other"] = world.takes["top"] = 3
    world.push_base()
    world.drive(until=3)
    world.app.operator.hold(world.cascade, "top", who="ben", why="the launch")
    world.drive()
    freeze = {
        "name": "launch", "environment": "prod-*", "zone": "UTC", "days": None,
        "from": "2027-01-01T00:00", "until": "2027-02-01T00:00", "why": "the <b>launch</b>",
    }  # fmt: skip
    world.app.freezes.add(from_json(freeze), who="ben")
    page = operator.get(PLACE).text
    assert ("Held by a person" in page, "the launch" in page) == (True, True)
    assert "until Mon 2027-02-01 00:00 UTC" in page
    assert "&lt;b&gt;launch" in page
    (held,) = re.findall(r'name="held" value="([^"]+)"', page)
    assert "Released: 1 image" in operator.follow(operator.send(f"{PLACE}/release", reason="over", held=held))
    assert "Held by a person" not in operator.get(PLACE).text


def test_of_those_that_block_alike_the_urgent_one_comes_first(reader: Browser, world: World) -> None:
    world.register(registration("older", BASE), registration("urgent", OTHER))
    world.vulnerable = {"older"}
    world.push_base()
    world.drive()
    world.broken = {"urgent"}
    world.app.anew.begin("urgent", who="ann", why="a leak")
    world.drive()
    for _ in range(2):  # as it is open, and as the book of failures has it
        first, second = reader.get(PLACE).text.split("<article")[1:]
        assert ("The build failed" in first, ">urgent</span>" in first) == (True, True)
        assert ">urgent</span>" not in second
        world.app.sweep.cascades()
