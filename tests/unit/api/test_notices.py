"""Notices over the API: the list and its filters, sending again, trying a channel."""

import pytest

from groundswell.audit import entries
from groundswell.errors import PermanentError
from tests.support.notices import FakeSender, channel, deliver, listen
from tests.support.world import World
from tests.unit.api.conftest import Api

TEST = {"channel": "one", "reason": "newly set up"}


@pytest.fixture
def sender(world: World) -> FakeSender:
    return listen(world, one=channel(url="https://one/hidden"), two=channel(url="https://two/hidden"))


def test_from_a_test_to_a_dead_letter_and_back(api: Api, world: World, sender: FakeSender) -> None:
    sender.down["https://one/hidden"] = PermanentError("it answered 404")
    made = api.post("/notices/test", json=TEST, headers={"Idempotency-Key": "a"})
    assert made.status_code == 202
    again = api.post("/notices/test", json=TEST, headers={"Idempotency-Key": "a"})
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")
    assert (made.json()["state"], made.json()["kind"], made.json()["due_at"]) == (
        "waiting",
        "test",
        made.json()["at"],
    )
    deliver(world.app)
    (dead,) = api.get("/notices?state=dead&channel=one").json()["notices"]
    assert (dead["id"], dead["error"], dead["tries"]) == (made.json()["id"], "it answered 404", 1)
    assert "hidden" not in api.get("/notices").text
    assert api.get("/notices?state=sent").json()["notices"] == []
    assert api.get("/notices?channel=two").json()["notices"] == []
    sender.down.clear()
    world.time += 1.0
    wanted = {"notice": dead["id"], "channel": "one", "reason": "it is back"}
    assert api.post("/notices/resend", json=wanted).json()["state"] == "waiting"
    refused = api.post("/notices/resend", json=wanted)
    assert (refused.status_code, "tried again by itself" in refused.json()["detail"]) == (409, True)
    deliver(world.app)
    assert [each["state"] for each in api.get("/notices").json()["notices"]] == ["sent"]
    first = next(entries(world.app.store))
    assert (first["who"], first["action"], first["why"]) == (api.who, "resend notice", "it is back")


def test_what_is_not_there(api: Api, sender: FakeSender) -> None:
    missing = api.post("/notices/test", json={**TEST, "channel": "three"})
    assert missing.status_code == 404
    assert "there is: one, two" in missing.json()["detail"]
    nobody = {"notice": "n1800000000000abcdefabcdef", "channel": "one", "reason": "x"}
    assert api.post("/notices/resend", json=nobody).status_code == 404
    assert api.get("/notices?state=lost").status_code == 422
    assert sender.tried == []


def test_pages(api: Api, world: World, sender: FakeSender) -> None:
    for name in ("one", "two", "one"):
        world.time += 1.0
        assert api.post("/notices/test", json={**TEST, "channel": name}).status_code == 202
    page = api.get("/notices?limit=2").json()
    rest = api.get(f"/notices?limit=2&cursor={page['next_cursor']}").json()
    told = [each["channel"] for each in [*page["notices"], *rest["notices"]]]
    assert (told, rest["next_cursor"]) == (["one", "two", "one"], None)
    assert sender.tried == []
