"""Invariant 3: killing the process between any two operations loses nothing and promotes nothing twice.

Here the process dies before or after a write to the store or to a queue, and is started again; `tests/faults` kills
it at every call of every service.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from groundswell.cascade.model import FORMER, Rebuild
from groundswell.cascade.records import Records, Stored
from groundswell.cascade.sweep import LONG_PATIENCE
from groundswell.store.sqlite import SqliteStore
from tests.invariants.mutations import MakeWorld, Mutation, fails_when
from tests.support.world import BASE, World, ref, registration

STEP = 5
"""Every fifth operation is where it dies: before it, after it, and so on in turn."""


SERVICES = {"settings", "clock", "store", "registry", "artifacts", "revisions", "builder", "scanner", "deployer"}
"""What outlives the process; the rest of an App is made anew."""


class Killed(BaseException):
    """Nothing in the product catches it: what was under way is under way no more."""


def holds(make_world: MakeWorld) -> None:
    for moment in count(1, STEP):
        world = make_world(registration("top", BASE), registration("app", ref("top")))
        world.push_base()
        died = run_and_die(world, moment)
        restart(world)
        assert len(world.cascades) == 1, f"killed at operation {moment}"
        assert world.statuses() == {"top": "done", "app": "done"}, f"killed at operation {moment}"
        moves = Counter(entry for entry in world.registry.history if f":{FORMER}" not in entry[0])
        assert max(moves.values()) == 1, f"a tag was moved twice, killed at operation {moment}"
        assert len(world.builder.requests) == 2, f"built twice, killed at operation {moment}"
        if not died:
            return


def run_and_die(world: World, moment: int) -> bool:
    """Work until the operation number `moment`, which is done when that is even; whether it came to that."""
    store, calls = world.app.store, count(1)

    def mortal(work: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            number = next(calls)
            if number == moment and moment % 2:
                raise Killed
            result = work(*args, **kwargs)
            if number >= moment:
                raise Killed
            return result

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("commit", "send", "delete"):
            patch.setattr(store, name, mortal(getattr(store, name)))
        try:
            world.drive()
        except Killed:
            return True
    return False


def restart(world: World) -> None:
    """Another process takes over: what the first one remembered is gone, and what it leased comes back."""
    for part in set(vars(world.app)) - SERVICES:
        del vars(world.app)[part]
    for _ in range(8):
        world.time += LONG_PATIENCE
        world.app.sweep.run()
        world.drive()


def commands_are_not_saved(patch: pytest.MonkeyPatch) -> None:
    save = Records.save

    def without(
        self: Records, cascade: str, moves: Sequence[tuple[Stored[Rebuild], Rebuild]], *, at: float
    ) -> None:
        save(self, cascade, [(old, replace(new, outbox=())) for old, new in moves], at=at)

    patch.setattr(Records, "save", without)


def messages_are_gone_when_they_are_received(patch: pytest.MonkeyPatch) -> None:
    receive, delete = SqliteStore.receive, SqliteStore.delete

    def taken(self: SqliteStore, queue: str, **how: Any) -> Any:
        messages = receive(self, queue, **how)
        for message in messages:
            delete(self, queue, message)
        return messages

    patch.setattr(SqliteStore, "receive", taken)
    patch.setattr(SqliteStore, "delete", lambda self, queue, message: None)
    patch.setattr("groundswell.cascade.sweep.Sweep.cascades", lambda self: None)


def test_it_holds(make_world: MakeWorld) -> None:
    holds(make_world)


@pytest.mark.parametrize("mutation", [commands_are_not_saved, messages_are_gone_when_they_are_received])
def test_it_can_fail(make_world: MakeWorld, mutation: Mutation) -> None:
    fails_when(mutation, holds, make_world)
