"""A build begun once, whatever was begun before and meanwhile."""

import pytest

from groundswell.build.once import once
from groundswell.build.port import Run, RunStatus


def run(run_id: str, status: RunStatus = RunStatus.RUNNING) -> Run:
    return Run(id=run_id, status=status)


DONE = run("3", RunStatus.SUCCEEDED)


@pytest.mark.parametrize(
    ("before", "after", "kept", "resumed", "begun", "stopped"),
    [
        ([], [run("7")], "7", False, 1, []),
        ([], [], "7", False, 1, []),  # not to be seen yet
        ([run("3")], [], "3", True, 0, []),
        ([DONE], [], "3", True, 0, []),
        ([], [run("3"), run("7")], "3", True, 1, ["7"]),
        ([], [run("7"), run("9")], "7", False, 1, ["9"]),
        ([run("3"), run("4"), run("5", RunStatus.CANCELED)], [], "3", True, 0, ["4"]),
    ],
)
def test_the_oldest_counts_and_the_others_are_stopped(
    before: list[Run], after: list[Run], kept: str, *, resumed: bool, begun: int, stopped: list[str]
) -> None:
    looks, begins, stops = iter([before, after]), [], []

    def begin() -> Run:
        begins.append(1)
        return run("7")

    found = once("gs-1", find=lambda: next(looks), begin=begin, stop=stops.append)
    assert (found.id, found.resumed, len(begins), stops) == (kept, resumed, begun, stopped)
