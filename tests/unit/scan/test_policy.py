"""Policies: from what is written to what the gate is held to, and how levels are merged."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.scan.policy import Allowance, Ban, Level, Mode, Policy, merge, policy
from groundswell.scan.port import Severity

DAY = 86400.0
NEW_YEAR = 1_798_761_600.0  # 2027-01-01T00:00:00Z


def test_nothing_written_is_the_product_s_default() -> None:
    assert policy({}) == Policy()
    assert (Policy().threshold, Policy().fixable_only, Policy().mode) == (Severity.CRITICAL, True, Mode.CLEAN)


def test_all_that_may_be_written() -> None:
    gate = {
        "severity": "HIGH",
        "fixable_only": False,
        "unknown_as": "MEDIUM",
        "mode": "no-worse",
        "os": "none",
        "scanners": ["trivy", "aqua"],
        "max_scan_age": "30m",
        "max_database_age": "2d",
        "allow": [
            {"id": "CVE-1", "reason": "r", "expires": "2026-12-31"},
            {"id": "CVE-2", "package": "z*", "reason": "s", "expires": "2026-12-31"},
        ],
        "never": [{"package": "a"}, {"package": "b", "versions": ["1.*"], "reason": "t"}],
    }
    assert policy(gate) == Policy(
        threshold=Severity.HIGH,
        fixable_only=False,
        unknown_as=Severity.MEDIUM,
        mode=Mode.NO_WORSE,
        allow_no_os=True,
        scanners=("trivy", "aqua"),
        max_scan_age=1800.0,
        max_database_age=2 * DAY,
        allow=(
            Allowance(id="CVE-1", package="*", reason="r", expires=NEW_YEAR),
            Allowance(id="CVE-2", package="z*", reason="s", expires=NEW_YEAR),
        ),
        never=(Ban(package="a", versions=("*",), reason=""), Ban(package="b", versions=("1.*",), reason="t")),
    )
    assert policy({"os": "unsaid"}) == Policy(allow_unsaid_os=True)
    assert policy({"max_scan_age": "36h"}).max_scan_age == 1.5 * DAY


def test_the_more_special_wins_and_lists_add_up() -> None:
    allow = {"id": "CVE-1", "reason": "r", "expires": "2026-12-31"}
    merged = merge(
        [
            Level(
                name="global", gate={"severity": "HIGH", "scanners": ["trivy"], "mode": "clean", "allow": [allow]}
            ),
            Level(name="team shop", gate={"severity": "MEDIUM", "scanners": ["aqua", "trivy"]}),
            Level(name="image web", gate={"mode": "no-worse", "allow": [allow]}),
        ]
    )
    assert merged.gate == {
        "severity": "MEDIUM",
        "scanners": ["trivy", "aqua"],
        "mode": "no-worse",
        "allow": [allow],
    }
    assert merged.sources == {
        "severity": ("team shop",),
        "scanners": ("global", "team shop"),
        "mode": ("image web",),
        "allow": ("global", "image web"),
    }


GATES = st.fixed_dictionaries(
    {},
    optional={
        "severity": st.sampled_from(["LOW", "HIGH"]),
        "mode": st.sampled_from(["clean", "no-worse"]),
        "scanners": st.lists(st.sampled_from(["trivy", "aqua", "prisma"]), unique=True),
        "never": st.lists(st.sampled_from([{"package": "a"}, {"package": "b"}]), max_size=2),
    },
)


@given(st.lists(GATES, max_size=4))
def test_no_level_can_drop_what_another_demands(gates: list[dict[str, Any]]) -> None:
    merged = merge([Level(name=str(number), gate=gate) for number, gate in enumerate(gates)])
    for gate in gates:
        assert set(gate.get("scanners", ())) <= set(merged.gate.get("scanners", ()))
        assert all(ban in merged.gate["never"] for ban in gate.get("never", ()))
    for key in ("severity", "mode"):
        said = [gate[key] for gate in gates if key in gate]
        assert merged.gate.get(key) == (said[-1] if said else None)
    assert merged.sources.keys() == merged.gate.keys()


@given(st.lists(GATES, min_size=2, max_size=4), st.integers(1, 3))
def test_levels_may_be_merged_in_parts(gates: list[dict[str, Any]], cut: int) -> None:
    levels = [Level(name=str(number), gate=gate) for number, gate in enumerate(gates)]
    first = Level(name="first", gate=merge(levels[:cut]).gate)
    assert merge([first, *levels[cut:]]).gate == merge(levels).gate


@pytest.mark.parametrize(("expires", "said"), [("2026-13-01", "month"), ("soon", "soon")])
def test_a_day_that_is_none_is_no_allowance(expires: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        policy({"allow": [{"id": "CVE-1", "reason": "r", "expires": expires}]})
