"""Deliveries: tried again, given up, sent again by a person; no channel waits for another."""

from itertools import pairwise

import pytest

from groundswell import audit
from groundswell.channels import Kind
from groundswell.errors import ConflictError, InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.notify.delivery import Call, Delivery, State
from groundswell.notify.post import CLAIM, MAX_TRIES, NOTICES, PATIENCE, backoff
from tests.support.notices import channel, deliver, deliveries, listen
from tests.support.world import World

DOWN = TemporaryError("it answered 503", delay=0.0)


def only(world: World) -> Delivery:
    (delivery,) = deliveries(world.app)
    return delivery


def tried(world: World) -> Delivery:
    """A test notice, after its first try."""
    world.app.notices.test("all", who="ann", why="newly set up")
    deliver(world.app)
    return only(world)


def test_a_channel_is_tried(world: World) -> None:
    sender = listen(world)
    known = tried(world)
    assert (known.state, known.tries, known.error) == (State.SENT, 1, "")
    (sent,) = sender.sent
    assert (sent[1].kind, sent[1].title) == (Kind.TEST, "Groundswell tries the channel all")
    entry = next(audit.entries(world.app.store))
    assert (entry["who"], entry["action"], entry["subject"], entry["why"]) == (
        "ann",
        "test notice",
        "channel all",
        "newly set up",
    )
    assert list(world.app.watch._box.waiting()) == []


def test_it_is_tried_again_later_each_time_and_given_up(world: World) -> None:
    sender = listen(world)
    sender.down["https://hooks.example/x"] = DOWN
    known = tried(world)
    assert (known.state, known.error) == (State.WAITING, "it answered 503")
    for _ in range(60 * 60):
        world.time += 60.0
        world.app.watch.run()  # does not call what has its message on the way
        deliver(world.app)
        if only(world).state is State.DEAD:
            break
    known = only(world)
    assert (known.state, known.tries) == (State.DEAD, MAX_TRIES)
    assert known.error == f"given up after {MAX_TRIES} tries: it answered 503"
    times = [at for _, _, at in sender.tried]
    assert len(times) == MAX_TRIES
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[0] < 100
    assert pauses[-1] > 3 * 3600
    assert {ident for _, ident, _ in sender.tried} == {known.notice.id}
    assert list(world.app.watch._box.waiting()) == []
    # A person sends it again.
    sender.down.clear()
    world.app.notices.resend(known.notice.id, "all", who="ann", why="it is back")
    deliver(world.app)
    assert (only(world).state, only(world).tries) == (State.SENT, 1)
    entry = next(audit.entries(world.app.store))
    assert (entry["action"], entry["before"], entry["after"]) == (
        "resend notice",
        {"state": "dead"},
        {"state": "waiting"},
    )


@pytest.mark.parametrize(
    ("tries", "asked", "chance", "wanted"),
    [
        (1, 0, 0.0, 12.0),
        (1, 0, 1.0, 18.0),
        (2, 0, 0.5, 45.0),
        (4, 0, 0.5, 405.0),
        (9, 0, 0.5, 4 * 3600.0),
        (1, 90, 0.5, 90.0),
        (4, 90, 0.5, 405.0),
    ],
)
def test_pauses(tries: int, asked: float, chance: float, wanted: float) -> None:
    assert backoff(tries, asked, chance) == pytest.approx(wanted)


def test_a_pause_that_is_asked_for_is_kept(world: World) -> None:
    sender = listen(world)
    sender.down["https://hooks.example/x"] = TemporaryError("it answered 429", delay=1800.0)
    known = tried(world)
    assert known.due == world.time + 1800.0
    world.time += 1799.0
    assert deliver(world.app) == 0
    world.time += 1.0
    assert deliver(world.app) == 1


def test_what_is_final_is_not_tried_again(world: World) -> None:
    sender = listen(world)
    sender.down["https://hooks.example/x"] = PermanentError("it answered 404")
    known = tried(world)
    assert (known.state, known.tries, known.error) == (State.DEAD, 1, "it answered 404")
    assert world.app.store.depth(NOTICES) == 0


def test_one_channel_does_not_hold_up_another(world: World) -> None:
    sender = listen(world, good=channel(url="https://good"), bad=channel(url="https://bad"))
    sender.down["https://bad"] = DOWN
    world.app.watch.gave_up("pushes", "x")
    world.app.watch.run()
    deliver(world.app)
    assert [url for url, _ in sender.sent] == ["https://good"]
    assert {each.channel: each.state for each in deliveries(world.app)} == {"good": "sent", "bad": "waiting"}


def test_a_doubled_message_makes_no_second_try(world: World) -> None:
    sender = listen(world)
    world.app.notices.test("all", who="ann", why="x")
    (message,) = world.app.store.receive(NOTICES)
    for _ in range(3):
        world.app.notices.handle(message.body)
    assert len(sender.tried) == 1
    sender.down["https://hooks.example/x"] = DOWN
    world.app.notices.test("all", who="ann", why="x")
    (message,) = world.app.store.receive(NOTICES)
    for _ in range(3):
        world.app.notices.handle(message.body)
    assert len(sender.tried) == 2


def test_who_is_at_it_is_left_alone_for_a_while(world: World) -> None:
    sender = listen(world)
    world.app.notices.test("all", who="ann", why="x")
    (message,) = world.app.store.receive(NOTICES)
    real = sender.send

    def meanwhile(*args: object, **rest: object) -> None:
        sender.send = real  # type: ignore[method-assign]  # the same message comes while the first is at it
        world.app.notices.handle(message.body)
        raise KeyboardInterrupt  # and the first dies

    sender.send = meanwhile  # type: ignore[method-assign]  # as above
    with pytest.raises(KeyboardInterrupt):
        world.app.notices.handle(message.body)
    assert sender.sent == []
    world.time += CLAIM - 1.0
    assert deliver(world.app) == 0
    world.time += 3.0
    deliver(world.app)
    assert len(sender.sent) == 1
    assert only(world).state is State.SENT


def test_what_lost_its_message_is_called_again(world: World) -> None:
    sender = listen(world)
    world.app.notices.test("all", who="ann", why="x")
    (message,) = world.app.store.receive(NOTICES)
    world.app.store.delete(NOTICES, message)
    world.time += PATIENCE - 1.0
    world.app.notices.again()
    assert deliver(world.app) == 0
    world.time += 1.0
    world.app.notices.again()
    assert deliver(world.app) == 1
    assert len(sender.sent) == 1


def test_a_channel_that_is_taken_out(world: World) -> None:
    listen(world)
    world.app.notices.test("all", who="ann", why="x")
    other = world.another()
    listen(world, other, new=channel())
    deliver(other)
    known = only(world)
    assert known.state is State.DEAD
    assert "no such channel" in known.error
    with pytest.raises(NotFoundError, match="there is: new"):
        other.notices.resend(known.notice.id, "all", who="ann", why="x")


def test_what_a_person_cannot_ask_for(world: World) -> None:
    sender = listen(world)
    sender.down["https://hooks.example/x"] = DOWN
    known = tried(world)
    for why in ("", " "):
        with pytest.raises(InputError, match="needs a reason"):
            world.app.notices.test("all", who="ann", why=why)
        with pytest.raises(InputError, match="needs a reason"):
            world.app.notices.resend(known.notice.id, "all", who="ann", why=why)
    with pytest.raises(NotFoundError, match="no channel other in GROUNDSWELL_NOTIFY; there is: all"):
        world.app.notices.test("other", who="ann", why="x")
    with pytest.raises(InputError, match="it is tried again by itself"):
        world.app.notices.resend(known.notice.id, "all", who="ann", why="x")
    for ident, place in (("nonsense", "all"), (known.notice.id, "other"), (known.notice.id[:-1] + "x", "all")):
        with pytest.raises(NotFoundError, match="no notice"):
            world.app.notices.resend(ident, place, who="ann", why="x")


def test_a_message_that_is_given_up_is_seen(world: World) -> None:
    listen(world)
    known = world.app.notices.test("all", who="ann", why="x")
    (message,) = world.app.store.receive(NOTICES)
    world.app.poisoned(NOTICES, message.body)
    assert only(world).state is State.DEAD
    assert "failed again and again" in only(world).error
    world.app.poisoned(NOTICES, message.body)  # once more changes nothing
    assert only(world).turn == known.turn + 1
    world.app.notices.resend(known.notice.id, "all", who="ann", why="x")
    assert only(world).state is State.WAITING


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"v":1,"row":"","turn":0}', '{"v":1,"row":"a","turn":"0"}', '{"v":9}', "null"]
)
def test_messages_that_are_none(world: World, text: str) -> None:
    listen(world)
    world.app.notices.handle(text)
    world.app.notices.poisoned(text)
    actions = [entry["action"] for entry in audit.entries(world.app.store)]
    assert actions.count("drop message") == 2


def test_a_message_of_what_is_forgotten(world: World) -> None:
    sender = listen(world)
    world.app.notices.handle(Call(row="gone", turn=0).to_text())
    world.app.notices.poisoned(Call(row="gone", turn=0).to_text())
    assert sender.tried == []


def test_old_notices_are_forgotten(world: World) -> None:
    listen(world)
    for _ in range(3):
        tried_ = world.app.notices.test("all", who="ann", why="x")
        world.time += 86_400.0
    deliver(world.app)
    world.time = tried_.notice.at + 89 * 86_400.0
    assert world.app.notices.forget() == 2  # of the second, which is 90 days old, too
    assert [each.notice.id for each in deliveries(world.app)] == [tried_.notice.id]
    assert world.app.notices.forget() == 0


def test_somebody_was_faster(world: World) -> None:
    """Who saves over what another changed meanwhile leaves the other's."""
    listen(world)
    world.app.notices.test("all", who="ann", why="x")
    box = world.app.watch._box
    (row,) = box.waiting()
    stored = box.delivery(row)
    assert stored is not None
    box.save(stored.value, stored.etag)
    with pytest.raises(ConflictError):
        box.save(stored.value, stored.etag)
