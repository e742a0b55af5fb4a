"""The tutorial, typed again on a stack of its own: what it shows is what happens."""

from pathlib import Path

import pytest

from tools import tutorial

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def test_the_page_is_what_a_run_gives(capfd: pytest.CaptureFixture[str]) -> None:
    assert tutorial.main(["--check"]) == 0, capfd.readouterr().err


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("0vet8ysr7z  localhost:41769/a:1  running  6.9", "0k3v9xab2c  localhost:5443/a:1   running  5.0"),
        ("seconds\n   54.4", "seconds\n    5.0"),
        ("in 9.3 s", "in 5.0 s"),
        ("seconds\n   60.0", "seconds\n   60.0"),
        ("service and command are 0.1.0", "service and command are 0.1.0"),
        ("on 19eec2270d25", "on 5f0c1d2e3a4b"),
        ("/x/work/shop and /x/home/certs", "~/shop and CLONE/.groundswell/certs"),
        ("2026-11-30 07:13:34Z", "2026-11-30 07:00:00Z"),
        ("0 of 1 as asked", "0 of 1 as asked"),
    ],
)
def test_what_differs_is_shown_alike(text: str, same: str) -> None:
    assert tutorial.same(text, Path("/x")) == f"{same}\n"


def test_a_step_that_goes_wrong_is_told() -> None:
    step = tutorial.Step(prose="", command="true", says=("done",))
    with pytest.raises(tutorial.WrongError, match="does not say \\['done'\\]"):
        tutorial._told(step, 0, "failed", Path("/x"))
    with pytest.raises(tutorial.WrongError, match="ended with 1"):
        tutorial._told(step, 1, "done", Path("/x"))
