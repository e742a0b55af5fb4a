"""What the contract tests of the store need from an adapter, beside the store itself."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from groundswell.store.port import Message, Store


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A store under test, a table and a queue that nobody else uses, and how to let time pass for it."""

    store: Store
    table: str
    queue: str
    let_pass: Callable[[float], None]

    def receive_one(self, *, lease: float = 600.0) -> Message:
        (message,) = self.store.receive(self.queue, limit=1, lease=lease)
        return message


texts = st.text(min_size=1, max_size=12)
edgy = st.text(st.sampled_from("a/\\#?%'\" \x00\x1f\x7f\x9f.~!_[>^é\uffff\U0001f600"), min_size=1, max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def noise(size: int) -> str:
    """Text that compresses to about three quarters, the same at every run."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(random.Random(size).choices(alphabet, k=size))
