"""What stands wrong beside cascades: how it is told, and what is done about it, once and as it was shown."""

import re

import httpx
import pytest

from groundswell import audit
from groundswell.access.principal import Role
from groundswell.cascade import unreadable
from groundswell.cascade.alerts import Alert, Remedy
from groundswell.errors import PermanentError
from groundswell.notify.delivery import Delivery
from groundswell.scan.verdict import Line
from tests.support.notices import FakeSender, channel, deliver, listen
from tests.support.pages import Browser
from tests.support.world import BASE, World, registration, workload
from tests.unit.dashboard.test_oncall import PLACE
from tests.unit.dashboard.test_pages import EVIL, unsafe

WORKLOAD = str(workload("web"))
HOOK = "https://hooks.example/x"


def drifted(world: World, runs: str = "other:1") -> None:
    """A workload of shop/top runs what somebody else gave it."""
    world.register(registration("shop/top", BASE, owner="shop", deployments=[workload("web")]))
    world.push_base()
    world.drive()
    found_again(world, runs)


def found_again(world: World, runs: str) -> None:
    state = world.states()["shop/top"]
    world.app.workloads.drifted(state, state.rollouts[0], runs)


def undelivered(world: World) -> tuple[Delivery, FakeSender]:
    sender = listen(world)
    sender.down[HOOK] = PermanentError("404: no such hook")
    sent = world.app.notices.test("all", who="ann", why="try")
    deliver(world.app)
    return sent, sender


def alert(world: World) -> None:
    line = Line(id="CVE-9", package="p", installed="1", fixed="2", severity="critical", refused=True)
    remedy = Remedy(image="shop/top", why="a newer base has it")
    found = Alert(
        image="shop/top", digest="sha256:1", reference="r", findings=(line,), first_seen=1.0, remedy=remedy
    )
    world.app.alerts.put(found, None)


def press(browser: Browser, act: str, **more: str) -> httpx.Response:
    """The first form beside that does `act`, as it is now."""
    page = browser.get(f"{PLACE}/beside").text
    (form,) = re.findall(rf'action="([^"]*{act})">(.*?)</form>', page, re.DOTALL)[:1]
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[1]))
    return browser.send(form[0], headers=None, **{**fields, "reason": "because", **more})


def done(world: World, action: str) -> list[tuple[str, str]]:
    trail = audit.entries(world.app.store)
    return [(entry["subject"], entry["why"]) for entry in trail if entry["action"] == action]


def test_what_stands_wrong_beside_cascades(reader: Browser, world: World) -> None:
    assert "nothing is known to be bad" in reader.get(f"{PLACE}/beside").text
    drifted(world, EVIL)
    alert(world)
    unreadable.record(world.app.store, "x", what="a push", why=ValueError("no JSON"), clock=lambda: world.time)
    page = reader.get(f"{PLACE}/beside").text
    for said in (
        "CVE-9 in p; a newer base has it",
        "groundswell rebuild shop/top --reason TEXT",
        "groundswell drift release c/n/deployment/web[app] --reason TEXT",
        "no JSON",
    ):
        assert said in page
    assert unsafe(page) == []
    assert "CVE-9" in reader.get(f"{PLACE}/beside?owner=shop").text
    assert "CVE-9" not in reader.get(f"{PLACE}/beside?owner=other").text


def test_a_notice_that_did_not_arrive(reader: Browser, world: World) -> None:
    sent, _ = undelivered(world)
    page = reader.get(f"{PLACE}/beside").text
    assert "404: no such hook" in page
    assert f"groundswell notices resend {sent.notice.id} all --reason TEXT" in page


@pytest.mark.parametrize("role", list(Role), ids=lambda role: role.value)
def test_what_mends_it_is_offered_to_who_may_and_the_command_to_others(world: World, role: Role) -> None:
    drifted(world)
    undelivered(world)
    alert(world)
    one = Browser(world)
    one.sign_in(role)
    page = one.get(f"{PLACE}/beside").text
    allowed = role in (Role.OPERATOR, Role.ADMIN)
    acts = ["/ui/lineage/shop/top/rebuild", f"{PLACE}/release-workload", f"{PLACE}/resend-notice"]
    assert [act for act in acts if f'action="{act}"' in page] == (acts if allowed else [])
    assert page.count("--reason TEXT") == (0 if allowed else 3)
    if not allowed:
        assert [one.send(act, reason="x").status_code for act in acts] == [403] * 3
        assert [done(world, act) for act in ("rebuild", "release", "resend notice")] == [[]] * 3


def test_a_drifted_workload_is_released_once(operator: Browser, world: World) -> None:
    drifted(world)
    page = operator.get(f"{PLACE}/beside").text
    assert "The next rollout of shop/top moves it, whatever it runs now." in page
    first = press(operator, "release-workload", made="1")
    told = operator.follow(first)
    assert ("Released: 1 workload" in told, "Reason: because" in told) == (True, True)
    assert 'href="/ui/lineage/shop/top">c/n/deployment/web[app]' in told
    assert done(world, "release") == [(f"workload {WORKLOAD}", "because")]
    assert "nothing is known to be bad" in operator.get(f"{PLACE}/beside").text
    world.push_base("sha256:base2")
    world.drive()
    assert world.statuses()["shop/top"] == "done"
    found_again(world, "other:2")  # and drifts once more
    assert "Released: 1 workload" in operator.follow(press(operator, "release-workload", made="1"))
    assert len(done(world, "release")) == 2


def test_a_form_that_is_sent_again_releases_nothing_more(operator: Browser, world: World) -> None:
    drifted(world)
    page = operator.get(f"{PLACE}/beside").text
    form = {"workload": WORKLOAD, "reason": "x", **dict(re.findall(r'name="(seen|made)" value="(\d+)"', page))}
    locations = set()
    for _ in range(2):
        locations.add(operator.send(f"{PLACE}/release-workload", headers=None, **form).headers["location"])
        found_again(world, "other:2")
    assert (len(locations), len(done(world, "release"))) == (1, 1)


def test_what_changed_since_it_was_shown_is_left_alone(operator: Browser, world: World) -> None:
    drifted(world)
    page = operator.get(f"{PLACE}/beside").text
    form = {"workload": WORKLOAD, **dict(re.findall(r'name="(seen|made)" value="(\d+)"', page))}
    world.time += 60
    found_again(world, "other:2")
    told = operator.follow(operator.send(f"{PLACE}/release-workload", headers=None, reason="1", **form))
    assert ("Released: 0 of 1; 1 not" in told, "look at it again" in told) == (True, True)
    world.app.workloads.release(WORKLOAD, who="ben", why="faster")
    told = operator.follow(operator.send(f"{PLACE}/release-workload", headers=None, reason="2", **form))
    assert "keeps it back any more" in told
    unknown = operator.send(
        f"{PLACE}/release-workload", headers=None, reason="3", **{**form, "workload": "n" * 600}
    )
    assert "left alone" in operator.follow(unknown)
    assert done(world, "release") == [(f"workload {WORKLOAD}", "faster")]


def test_the_team_stays_that_was_looked_at(operator: Browser, world: World) -> None:
    drifted(world)
    page = operator.get(f"{PLACE}/beside?owner=shop").text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    answer = operator.send(f"{PLACE}/release-workload", headers=None, **{**form, "reason": "x"})
    assert answer.headers["location"].startswith(f"{PLACE}?owner=shop&told=")


def test_a_notice_is_sent_again_once(operator: Browser, world: World) -> None:
    sent, sender = undelivered(world)
    page = operator.get(f"{PLACE}/beside").text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    answers = [
        operator.send(f"{PLACE}/resend-notice", headers=None, **{**form, "reason": "it is back"}) for _ in range(2)
    ]
    told = operator.follow(answers[1])
    assert "Queued: 1 notice" in told
    assert "Groundswell tries the channel all, to all" in told
    assert done(world, "resend notice") == [(f"{sent.notice.id} all", "it is back")]
    assert "resend-notice" not in operator.get(f"{PLACE}/beside").text  # it is being sent
    deliver(world.app)  # it fails once more, and is listed again
    sender.down.clear()
    assert "Queued: 1 notice" in operator.follow(press(operator, "resend-notice", reason="it is back", made="2"))
    deliver(world.app)
    assert [notice.id for _, notice in sender.sent] == [sent.notice.id]
    assert "all notices arrived" in operator.get(f"{PLACE}/beside").text


def test_a_notice_that_is_not_as_it_was_shown_is_not_sent_again(operator: Browser, world: World) -> None:
    sent, sender = undelivered(world)
    page = operator.get(f"{PLACE}/beside").text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    sender.down.clear()
    world.time += 60
    world.app.notices.resend(sent.notice.id, "all", who="ben", why="faster")
    deliver(world.app)
    told = operator.follow(operator.send(f"{PLACE}/resend-notice", headers=None, **{**form, "reason": "1"}))
    assert ("left alone" in told, "it is sent since it was shown" in told) == (True, True)
    other = operator.send(f"{PLACE}/resend-notice", headers=None, **{**form, "reason": "2", "channel": "none"})
    assert ("did not work" in (told := operator.follow(other)), "no notice" in told) == (True, True)
    assert done(world, "resend notice") == [(f"{sent.notice.id} all", "faster")]


def test_a_channel_that_is_gone_is_said(operator: Browser, world: World) -> None:
    undelivered(world)
    page = operator.get(f"{PLACE}/beside").text
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))
    listen(world, new=channel())
    answer = operator.send(f"{PLACE}/resend-notice", headers=None, **{**form, "reason": "1"})
    assert "no channel all in GROUNDSWELL_NOTIFY; there is: new" in operator.follow(answer)


def test_what_runs_and_is_bad_is_rebuilt_from_here(operator: Browser, world: World) -> None:
    drifted(world)
    alert(world)
    answer = press(operator, "/rebuild", reason="CVE-9")
    assert answer.headers["location"].startswith(f"/ui/cascades/{world.cascade}?told=")
    assert done(world, "rebuild") == [("shop/top", "CVE-9")]


@pytest.mark.parametrize(
    ("act", "sent", "said"),
    [
        ("release-workload", {"workload": WORKLOAD, "seen": "1"}, "reason"),
        ("release-workload", {"workload": WORKLOAD, "reason": "x"}, "seen"),
        ("release-workload", {"seen": "1", "reason": "x"}, "workload"),
        ("release-workload", {"workload": "n" * 1001, "seen": "1", "reason": "x"}, "workload"),
        ("resend-notice", {"notice": EVIL, "channel": "all", "seen": "1", "reason": "x"}, "notice"),
        ("resend-notice", {"notice": f"n{'1' * 25}", "channel": "A b", "seen": "1", "reason": "x"}, "channel"),
    ],
)
def test_what_is_wrong_with_a_form_is_told(operator: Browser, act: str, sent: dict[str, str], said: str) -> None:
    operator.get(PLACE)
    answer = operator.send(f"{PLACE}/{act}", headers=None, **sent)
    assert (answer.status_code, said in answer.text, unsafe(answer.text)) == (422, True, [])


def test_a_form_of_elsewhere_is_refused(operator: Browser, world: World) -> None:
    drifted(world)
    operator.get(PLACE)
    assert press(operator, "release-workload", csrf="0" * 64).status_code == 403
    assert done(world, "release") == []


def test_hostile_text_beside_stays_text(operator: Browser, world: World) -> None:
    drifted(world, EVIL)
    found = operator.get(f"{PLACE}/beside").text
    assert ("&lt;script&gt;" in found, unsafe(found)) == (True, [])
    told = operator.follow(press(operator, "release-workload", reason=EVIL))
    assert ("&lt;script&gt;" in told, unsafe(told)) == (True, [])
