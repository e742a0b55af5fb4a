"""A push told by a person."""

from collections.abc import Callable

import pytest

from groundswell.audit import entries
from groundswell.cascade.announce import announce
from groundswell.cascade.push import Push, Result
from groundswell.errors import InputError
from tests.support.world import BASE, HOST, World, image_of, ref, registration

type MakeWorld = Callable[..., World]


def tell(world: World, reference: str, *, urgent: bool = False, why: str = "webhook lost") -> Push:
    app = world.app
    return announce(app.store, reference, urgent=urgent, who="ann", why=why, clock=app.clock)


def test_a_lost_push_is_told_and_a_known_one_starts_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    tell(world, BASE)
    world.drive()
    assert world.statuses() == {"top": "done"}
    header = world.app.engine.records.header(world.cascade).value
    assert (header.source, header.urgent) == ("by hand", False)
    (told,) = entries(world.app.store, limit=1)
    assert (told["action"], told["who"], told["subject"], told["why"]) == ("push", "ann", BASE, "webhook lost")
    world.time += 1.0
    tell(world, BASE)
    world.drive()
    assert len(world.cascades) == 1
    assert world.results()[-1] is Result.KNOWN


def test_what_follows_an_urgent_push_overtakes(make_world: MakeWorld) -> None:
    other = f"{HOST}/mirror/tools:1"
    many = [registration(f"a{number}", BASE) for number in range(4)]
    world = make_world(*many, registration("b", other), registration("b2", ref("b")), slots=1)
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(other, image_of(["sha256:tools0"]))
    world.app.bases.note(other, digest=world.registry.tags[other])
    world.takes = {item.name: 2 for item in many}
    world.push_base()
    tell(world, BASE)
    world.drive(until=8)
    world.registry.put(other, image_of(["sha256:tools1"]))
    tell(world, other, urgent=True, why="CVE-1")
    world.drive()
    built = [request.repository for request in world.builder.requests]
    assert set(built) == {"a0", "a1", "a2", "a3", "b", "b2"}
    assert built.index("b2") < 4  # behind what was building, before most of what stood in line
    assert world.app.engine.records.header(world.cascade).value.urgent


@pytest.mark.parametrize(
    ("reference", "why", "says"),
    [
        ("UPPER", "x", "is no reference"),
        (f"{BASE}@sha256:{'a' * 64}", "x", "names a digest"),
        (BASE, " ", "needs a reason"),
    ],
)
def test_what_cannot_be_told(make_world: MakeWorld, reference: str, why: str, says: str) -> None:
    world = make_world()
    with pytest.raises(InputError, match=says):
        tell(world, reference, why=why)
    assert list(entries(world.app.store)) == []
