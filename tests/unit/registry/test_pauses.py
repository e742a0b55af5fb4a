"""When a registry is left alone."""

import logging

import pytest

from groundswell.registry.pauses import DEFAULT, LONGEST, Pauses
from groundswell.registry.port import PausedError


class Turned:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def rest(pauses: Pauses, *, pull: bool, registry: str = "docker.io") -> float:
    try:
        pauses.check(registry, "docker.io/a:1", pull=pull)
    except PausedError as exc:
        assert "asked to be left alone" in str(exc)
        return exc.delay
    return 0.0


@pytest.mark.parametrize(
    ("status", "headers", "look", "pull"),
    [
        (200, {}, 0.0, 0.0),
        (500, {"Retry-After": "9"}, 0.0, 0.0),
        (503, {}, 0.0, 0.0),
        (503, {"Retry-After": "9"}, 9.0, 9.0),
        (429, {"Retry-After": "17"}, 17.0, 17.0),
        (429, {}, DEFAULT, DEFAULT),
        (429, {"Retry-After": "1700000000"}, LONGEST, LONGEST),
        (200, {"RateLimit-Remaining": "7;w=21600"}, 0.0, 0.0),
        (200, {"RateLimit-Remaining": "0;w=21600"}, 0.0, DEFAULT),
        (200, {"RateLimit-Remaining": "0", "RateLimit-Reset": "40"}, 0.0, 40.0),
    ],
)
def test_how_long(status: int, headers: dict[str, str], look: float, pull: float) -> None:
    pauses = Pauses(Turned())
    pauses.heed("docker.io", status, headers)
    assert (rest(pauses, pull=False), rest(pauses, pull=True)) == (look, pull)
    assert rest(pauses, pull=True, registry="quay.io") == 0.0


def test_a_pause_ends_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    clock = Turned()
    pauses = Pauses(clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            pauses.heed("docker.io", 429, {"Retry-After": "30"})
        assert len(caplog.records) == 1
        clock.time += 29
        assert rest(pauses, pull=False) == 1.0
        pauses.heed("docker.io", 429, {"Retry-After": "1"})  # a shorter one does not shorten it
        assert rest(pauses, pull=False) == 1.0
        clock.time += 1
        assert rest(pauses, pull=False) == 0.0
        pauses.heed("docker.io", 429, {"Retry-After": "30"})
        assert len(caplog.records) == 2
