"""The model of capacity: its laws, against the product's own scheduler, and the command."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench.makespan import play
from functions import timers
from graph.impact import dependants_of, impact, remaining_paths
from graph.lineage import Lineage, Node
from groundswell.capacity import TIERS, TIMERS, Demand, capacity, machines
from groundswell.cli import main

DEMAND = Demand(
    images=500,
    pushes=4,
    depth=4,
    build=90,
    scan=30,
    slots=16,
    goal=1800,
    build_cpus=2,
    scan_cpus=1,
    cpu_price=0.001,
)


def test_the_figures_of_a_day() -> None:
    found = capacity(DEMAND)
    assert (found.builds_a_day, found.minutes_a_day, found.longest_path) == (2000, 3000, 480)
    assert (found.soonest, found.latest) == (45_000 / 16, 480 + 45_000 / 16)
    assert (found.at_least, found.enough) == (25, 35)  # 45,000 s in 1,800, and in 1,320
    assert found.busy == pytest.approx(180_000 / (16 * 86_400))
    assert found.cpu_seconds == 2000 * (90 * 2 + 30)
    assert found.price_a_month == pytest.approx(found.cpu_seconds * 30 * 0.001)


@pytest.mark.parametrize(("goal", "slots"), [(480, (94, None)), (479, (None, None)), (481, (94, 45_000))])
def test_a_goal_that_the_longest_path_alone_misses(goal: float, slots: tuple[int | None, int | None]) -> None:
    found = capacity(replace(DEMAND, goal=goal))
    assert (found.at_least, found.enough) == slots


@given(st.integers(1, 60), st.integers(1, 6), st.integers(1, 20))
def test_the_product_is_as_fast_as_the_model_says(images: int, depth: int, slots: int) -> None:
    """Chains of `depth`, as many as there are images for, under the product's scheduler."""
    nodes = [
        Node(
            name=f"i{n}",
            publishes=(f"r.io/i{n}:1",),
            runtime="r.io/base:1" if n % depth == 0 else f"r.io/i{n - 1}:1",
        )
        for n in range(images)
    ]
    affected = impact(Lineage(nodes), "r.io/base:1").images
    seconds = {node.name: 10.0 for node in nodes}
    took = play(affected, remaining_paths(dependants_of(affected), seconds), seconds, slots)
    deepest = min(depth, images)
    found = capacity(replace(DEMAND, images=images, depth=deepest, build=10.0, scan=0.0, slots=slots))
    assert found.soonest <= took <= found.latest
    goal = capacity(replace(DEMAND, images=images, depth=deepest, build=10.0, scan=0.0, goal=10.0 * deepest + 15.0))
    assert goal.enough is not None
    assert (
        play(affected, remaining_paths(dependants_of(affected), seconds), seconds, goal.enough) <= 10 * deepest + 15
    )


def test_timers_are_counted_as_they_run() -> None:
    a_day = 0
    for function in timers.blueprint._function_builders:
        schedule = function._function.get_trigger().schedule.split()
        _, minute, hour = schedule[:3]
        a_day += {"*": 1440, "*/5": 288}.get(minute) or (24 if hour == "*" else 1)
    assert a_day == TIMERS


def test_machines_within_the_quota() -> None:
    assert {tier: machines(tier) for tier in TIERS} == {"S1": 8, "S2": 4, "S3": 2, "I6": 0}


def test_the_command() -> None:
    words = ("capacity", "--images", "500", "--pushes", "4", "--build-seconds", "90", "--goal-minutes", "30")
    told = CliRunner().invoke(main.app, words)
    assert told.exit_code == 0
    for words_of in (
        "2,000, 3,000 minutes",
        "at least 25; 35 are always enough",
        "8 S1 (2 vCPU, 3 GiB)",
        "--cpu-price",
    ):
        assert words_of in told.output
    found = json.loads(CliRunner().invoke(main.app, [*words, "--json"]).output)
    assert (found["enough"], found["demand"]["slots"]) == (35, 16)
    late = CliRunner().invoke(main.app, [*words[:-1], "5", "--cpu-price", "1", "--slots", "1", "--pushes", "9"])
    assert "none: the longest path alone takes 8 minutes" in late.output
    assert "pushes pile up" in late.output
    assert "c3x" not in late.output
    assert CliRunner().invoke(main.app, [*words, "--slots", "0"]).exit_code == 2
