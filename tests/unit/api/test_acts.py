"""What people do to cascades over the API, each with who and why in the audit trail; and pushes told by hand."""

from typing import Any

import pytest

from groundswell.access.principal import Role
from groundswell.audit import entries
from groundswell.errors import TemporaryError
from tests.support.world import BASE, World, ref, registration, workload
from tests.unit.api.conftest import Api, token

TYPES = "https://groundswell.dev/problems/"


@pytest.fixture
def api(world: World) -> Api:
    world.register(
        registration("top", BASE, deployments=[workload("web")], approval="required"),
        registration("app", ref("top")),
    )
    world.drive()
    return Api(world)


def act(api: Api, world: World, verb: str, **body: Any) -> Any:
    return api.post(f"/cascades/{world.cascade}/{verb}", json={"reason": " because ", **body})


def done(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    return [(item["image"], item["status"]) for item in answer.json()["done"]]


def trail(world: World) -> list[tuple[str, str]]:
    return [(entry["action"], entry["subject"].rpartition("/")[2]) for entry in entries(world.app.store)]


def test_what_waits_for_an_approval_is_listed(api: Api, world: World) -> None:
    world.push_base()
    world.drive()
    (held,) = api.get(f"/cascades/{world.cascade}/rebuilds?hold=approval").json()["rebuilds"]
    assert (held["image"], held["status"], held["ring"]) == ("top", "held", "")
    assert held["holds"] == {"approval": "waits for approval"}
    whole = api.get(f"/cascades/{world.cascade}/rebuilds/top").json()
    assert (whole["holds"], whole["ring"]) == (held["holds"], "")
    assert act(api, world, "hold", image="top").status_code == 200
    (held,) = api.get(f"/cascades/{world.cascade}/rebuilds?hold=person").json()["rebuilds"]
    assert set(held["holds"]) == {"approval", "person"}
    assert act(api, world, "release", image="top").status_code == 200
    assert done(act(api, world, "approve", images=["top"]))[0][0] == "top"
    world.drive()
    assert api.get(f"/cascades/{world.cascade}/rebuilds?hold=approval").json()["rebuilds"] == []
    whole = api.get(f"/cascades/{world.cascade}/rebuilds/top").json()
    assert (whole["holds"], whole["rollouts"][0]["ring"], whole["rollouts"][0]["state"]) == ({}, "", "healthy")


def test_a_failure_is_replayed(api: Api, world: World) -> None:
    world.broken = {"top"}
    world.push_base()
    world.drive()
    world.broken = set()
    assert done(act(api, world, "replay", image="top")) == [("top", "ready")]
    newest = next(entry for entry in entries(world.app.store) if entry["action"] == "replay")
    assert (newest["who"], newest["why"]) == (api.who, "because")
    world.drive()
    assert world.statuses() == {"top": "held", "app": "done"}


@pytest.mark.parametrize(
    ("body", "images"),
    [
        ({"failed": True}, ["top"]),
        ({"all": True, "from": "build"}, ["top"]),
        ({"all": True, "force": True}, ["top"]),
    ],
)
def test_many_are_replayed(api: Api, world: World, body: dict[str, Any], images: list[str]) -> None:
    world.broken = {"top"}
    world.push_base()
    world.drive()
    answer = act(api, world, "replay", **body)
    assert [image for image, _ in done(answer)] == images
    assert answer.json()["done"][0]["stage"] == "build"
    assert [item["image"] for item in answer.json()["left"]] == ["app"]


def test_held_approved_and_released(api: Api, world: World) -> None:
    world.takes["top"] = 3
    world.push_base()
    world.drive(until=3)
    assert [image for image, _ in done(act(api, world, "hold", image="top"))] == ["top"]
    world.drive()
    assert world.statuses()["top"] == "held"
    assert done(act(api, world, "release", all=True)) == [("top", "scanning")]
    world.drive()
    assert done(act(api, world, "approve", images=["top"])) == [("top", "deploying")]
    world.drive()
    assert world.statuses()["top"] == "done"
    assert [action for action, subject in trail(world) if subject == "top"][:3] == ["approve", "release", "hold"]


def test_all_that_waits_is_approved(api: Api, world: World) -> None:
    world.push_base()
    world.drive()
    assert done(act(api, world, "approve", all=True, despite_freeze=True)) == [("top", "deploying")]
    assert act(api, world, "approve", images=["nobody"]).status_code == 404


def test_cancelled(api: Api, world: World) -> None:
    world.takes["top"] = 1000
    world.push_base()
    world.drive(until=3)
    assert done(act(api, world, "cancel", image="top")) == [("top", "cancelled")]
    assert done(act(api, world, "cancel", all=True)) == [("app", "cancelled")]
    assert act(api, world, "hold", all=True).json()["done"] == []


def test_what_its_state_does_not_allow_is_refused(api: Api, world: World) -> None:
    world.push_base()
    world.drive()
    for verb in ("hold", "release", "cancel", "replay"):
        answer = act(
            api, world, verb, image="app", **({"from": "scan", "force": False} if verb == "replay" else {})
        )
        if verb == "replay":
            continue
        assert (answer.status_code, answer.json()["type"]) == (409, TYPES + "refused"), verb
    assert act(api, world, "hold", image="nobody").status_code == 404
    assert api.post("/cascades/000/hold", json={"all": True, "reason": "x"}).status_code == 404


def test_one_that_another_cascade_rebuilds_is_refused(api: Api, world: World) -> None:
    world.broken = {"top"}
    world.push_base("sha256:1")
    world.drive()
    first = world.cascade
    world.takes["top"] = 1000
    world.push_base("sha256:2")
    world.drive(until=3)
    answer = api.post(f"/cascades/{first}/replay", json={"image": "top", "reason": "x"})
    assert (answer.status_code, answer.json()["type"]) == (409, TYPES + "refused")


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("replay", {}, "#"),
        ("replay", {"image": "top", "failed": True}, "#"),
        ("replay", {"all": True}, "#"),
        ("replay", {"failed": False}, "#/failed"),
        ("replay", {"image": "top", "from": "nowhere"}, "#/from"),
        ("replay", {"image": "top", "from": "scan", "force": True}, "#/from"),
        ("replay", {"image": "UPPER"}, "#/image"),
        ("hold", {}, "#"),
        ("hold", {"image": "top", "all": True}, "#"),
        ("hold", {"image": "top", "reason": " \n"}, "#/reason"),
        ("hold", {"image": "top", "reason": "x" * 1001}, "#/reason"),
        ("cancel", {"all": False}, "#/all"),
        ("approve", {}, "#"),
        ("approve", {"images": []}, "#/images"),
        ("approve", {"images": ["top"], "all": True}, "#"),
        ("approve", {"images": ["top"], "despite_freeze": "yes"}, "#/despite_freeze"),
    ],
)
def test_the_place_at_fault(api: Api, world: World, verb: str, body: dict[str, Any], pointer: str) -> None:
    world.push_base()
    world.drive()
    before = trail(world)
    answer = act(api, world, verb, **body)
    assert answer.status_code == 422
    assert pointer in [error["pointer"] for error in answer.json()["errors"]]
    assert trail(world) == before


@pytest.mark.parametrize(
    ("verb", "body", "complaint"),
    [
        ("replay", {}, {"pointer": "#", "detail": "give exactly one of image, failed, all"}),
        ("hold", {"image": "top", "all": True}, {"pointer": "#", "detail": "give exactly one of image, all"}),
        ("approve", {}, {"pointer": "#", "detail": "give exactly one of images, all"}),
        (
            "hold",
            {"image": "top", "reason": "\0\t"},
            {"pointer": "#/reason", "detail": "must say why, in words: 1000 characters at most"},
        ),
    ],
)
def test_a_complaint_says_what_to_give(
    api: Api, world: World, verb: str, body: dict[str, Any], complaint: dict[str, str]
) -> None:
    world.push_base()
    world.drive()
    assert act(api, world, verb, **body).json()["errors"] == [complaint]


def test_a_push_told_by_hand(api: Api, world: World) -> None:
    world.registry.on_push = lambda *_: None
    world.push_base()
    body = {"reference": BASE, "urgent": True, "reason": "its webhook was lost"}
    answer = api.post("/pushes", json=body)
    assert answer.status_code == 202
    world.drive()
    (pushed,) = api.get("/pushes?result=cascade").json()["pushes"]
    assert (pushed["id"], pushed["reference"], pushed["urgent"]) == (answer.json()["push"], BASE, True)
    assert pushed["cascade"] == world.cascade
    assert api.get(f"/pushes?cascade={world.cascade}").json()["pushes"] == [pushed]
    assert api.get("/pushes?cascade=none").json()["pushes"] == []
    assert api.get(f"/pushes?source={pushed['source']}&result=cascade").json()["pushes"] == [pushed]
    assert api.get("/pushes?source=nobody").json()["pushes"] == []
    assert api.get(f"/pushes?result=cascade&reference={BASE[:-3]}").json()["pushes"] == [pushed]
    assert api.get("/pushes?reference=other").json()["pushes"] == []
    assert f"{pushed['registry']}/{pushed['repository']}:{pushed['tag']}" == pushed["reference"]
    everything = api.get("/pushes").json()["pushes"]
    first = api.get("/pushes?limit=1").json()
    second = api.get(f"/pushes?limit=1&cursor={first['next_cursor']}").json()
    assert first["pushes"] + second["pushes"] == everything[:2]
    for wrong in ("UPPER", f"{BASE}@sha256:{'0' * 64}"):
        wrongly = api.post("/pushes", json={**body, "reference": wrong})
        assert (wrongly.status_code, wrongly.json()["errors"][0]["pointer"]) == (422, "#/reference")


KEY = {"Idempotency-Key": "0a1b-2c3d"}


def test_under_a_key_it_is_done_once(api: Api, world: World) -> None:
    body = {"reference": BASE, "reason": "x"}
    first = api.post("/pushes", json=body, headers=KEY)
    again = api.post("/pushes", json=body, headers=KEY)
    assert (first.status_code, again.status_code, again.json()) == (202, 202, first.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert world.app.store.depth("pushes") == 1
    other = api.post("/pushes", json={**body, "urgent": True}, headers=KEY)
    assert (other.status_code, other.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")
    assert api.post("/pushes", json=body).json() != first.json()
    somebody = token(world, Role.OPERATOR)
    assert api.post("/pushes", json=body, headers=KEY, token=somebody).json() != first.json()
    world.time += 86_400
    assert api.post("/pushes", json=body, headers=KEY).json() != first.json()


def test_what_went_wrong_may_be_tried_again_under_its_key(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise TemporaryError("the queue is away")

    with monkeypatch.context() as patch:
        patch.setattr("groundswell.api.pushes.announce", away)
        assert api.post("/pushes", json={"reference": BASE, "reason": "x"}, headers=KEY).status_code == 503
    assert api.post("/pushes", json={"reference": BASE, "reason": "x"}, headers=KEY).status_code == 202


def test_while_it_is_being_done_the_same_waits(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"reference": BASE, "reason": "x"}
    second: list[Any] = []

    def slow(*_: object, **__: object) -> None:
        second.append(api.post("/pushes", json=body, headers=KEY))
        raise TemporaryError("the queue is away")

    monkeypatch.setattr("groundswell.api.pushes.announce", slow)
    # Within a request, another one: on a loop of its own, in a thread of the pool.
    api.post("/pushes", json=body, headers=KEY)
    (answer,) = second
    assert (answer.status_code, answer.json()["type"]) == (409, TYPES + "under-way")
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "\x7f"])
def test_a_key_that_is_none(api: Api, key: str) -> None:
    answer = api.post("/pushes", json={"reference": BASE, "reason": "x"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "idempotency-key")
