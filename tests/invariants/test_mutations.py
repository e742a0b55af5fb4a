"""The judge of the mutations is judged too."""

import pytest

from graph.reference import Reference
from groundswell.errors import PermanentError
from tests.invariants.mutations import MakeWorld, fails_when
from tests.support.world import BASE, World, digest_of, registration


def check(make_world: MakeWorld) -> None:
    assert make_world(registration("top", BASE)).cascades == []


def refuse(self: World, *_: object, **__: object) -> None:
    raise PermanentError("not today")


def test_a_mutation_that_nothing_notices_is_told(make_world: MakeWorld) -> None:
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        fails_when(lambda patch: None, check, make_world)


def test_an_error_on_the_way_is_no_proof(make_world: MakeWorld) -> None:
    with pytest.raises(PermanentError, match="not today"):
        fails_when(lambda patch: patch.setattr(World, "register", refuse), check, make_world)


def test_an_assertion_of_somebody_else_is_no_proof(make_world: MakeWorld) -> None:
    def elsewhere(make_world: MakeWorld) -> None:
        unknown = Reference.parse(BASE).with_digest(digest_of("what no registry has"))
        make_world().registry.promote(unknown, ["1"])

    with pytest.raises(AssertionError, match="did not fail by its own assertion"):
        fails_when(lambda patch: None, elsewhere, make_world)
