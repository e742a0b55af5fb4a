"""What holds for every test: hypothesis tries the same examples each time, so that a green tree stays green.

HYPOTHESIS_PROFILE=random looks for new ones. And what the tests of faults tried is told at the end, in whichever of
several processes they ran.
"""

import os
from typing import Any

import pytest
from hypothesis import settings

from tests.faults.report import LINES

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

WORKER = "faults survived"
"""Under which name a process of xdist tells the first one what the tests of faults tried."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[WORKER] = LINES


def pytest_testnodedown(node: Any, error: object) -> None:
    LINES.extend(getattr(node, "workeroutput", {}).get(WORKER, ()))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if LINES:
        terminalreporter.section(WORKER)
        for line in LINES:
            terminalreporter.write_line(line)
