"""The queue triggers: a message that was delivered before is said to be one that comes again."""

import azure.functions as func
import pytest

from functions import workers


class Handler:
    def __init__(self) -> None:
        self.handled: list[tuple[str, bool]] = []
        self.engine = self

    def handle(self, text: str, *, again: bool = False) -> None:
        self.handled.append((text, again))


class Message(func.QueueMessage):
    def __init__(self, count: int | None) -> None:
        super().__init__(body=b"x")
        self._count = count

    @property
    def dequeue_count(self) -> int | None:
        return self._count


@pytest.mark.parametrize("queue", ["rebuilds", "scans", "rollouts"])
@pytest.mark.parametrize(("count", "again"), [(None, False), (1, False), (2, True)])
def test_a_redelivery_is_said_to_be_one(
    monkeypatch: pytest.MonkeyPatch, queue: str, count: int | None, *, again: bool
) -> None:
    handler = Handler()
    monkeypatch.setattr(workers, "app", lambda: handler)
    trigger = getattr(workers, queue)
    trigger.build().get_user_function()(Message(count))
    assert handler.handled == [("x", again)]
