"""`python -m fuzz [NAME...] [--seconds N]`: every target for its share of the time. 1 on a finding.

The product is instrumented and imported once, then each target is forked from it: libFuzzer ends its process.
`--input FILE` tries one input again, which a finding names.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

NAMES = sorted(path.name for path in Path(__file__).with_name("corpus").iterdir())
"""The targets. They are not imported here: what is imported before it is instrumented, is fuzzed blindly."""

_FOUND = re.compile(r"(?:crash|timeout|oom|leak|slow-unit)-[0-9a-f]+")
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one target. `finding` is the input that broke its law, `said` what was printed."""

    name: str
    code: int
    executions: int
    finding: Path | None
    said: str

    @property
    def good(self) -> bool:
        return self.code == 0 and self.finding is None and self.executions > 0


def outcome(name: str, code: int, folder: Path) -> Outcome:
    said = (folder / "log").read_text("utf-8", "replace")
    counted = re.search(r"stat::number_of_executed_units:\s+(\d+)", said)
    found = [path for path in sorted(folder.iterdir()) if _FOUND.fullmatch(path.name)]
    if code and not found:
        found = [_last(folder)]
    return Outcome(
        name=name,
        code=code,
        executions=int(counted[1]) if counted else 0,
        finding=found[0] if found else None,
        said=said,
    )


def _last(folder: Path) -> Path:
    """The input that a process was at when it was ended: out of memory, or hanging."""
    now = (folder / "now").read_bytes()
    path = folder / "crash-last"
    path.write_bytes(now[8 : 8 + int.from_bytes(now[:8])])
    return path


def _forked(work: Callable[[], NoReturn], log: Path) -> int:
    """The id of a child that does `work`, everything it prints going to `log`."""
    child = os.fork()
    if child:
        return child
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        work()
    except SystemExit as exc:
        os._exit(exc.code if isinstance(exc.code, int) else 1)
    except BaseException:  # noqa: BLE001  # a child must not go on as its parent
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    os._exit(1)


def run(names: list[str], *, seconds: int, seed: int, jobs: int, folder: Path, files: list[Path]) -> list[Outcome]:
    """Each target for `seconds`, `jobs` of them at once."""
    from fuzz.child import fuzz  # it imports and instruments the product, which the children inherit

    outcomes: list[Outcome] = []
    running: dict[int, str] = {}
    waiting = list(names)
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            place = folder / name
            place.mkdir(parents=True, exist_ok=True)

            def work(name: str = name, place: Path = place) -> NoReturn:
                fuzz(name, seconds=seconds, seed=seed, folder=place, files=files)

            running[_forked(work, place / "log")] = name
        child, status = os.wait()
        name = running.pop(child)
        done = outcome(name, os.waitstatus_to_exitcode(status), folder / name)
        outcomes.append(done)
        print(f"{name:22} {done.executions:>9} inputs  {'ok' if done.good else 'FINDING'}", flush=True)
        if not done.good:
            print("\n".join(done.said.splitlines()[-_SHOWN:]))
            print(f"  again: python -m fuzz {name} --input {done.finding or '(no input kept)'}", flush=True)
    return outcomes


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz what reads other people's bytes.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"targets; all of them by default: {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--seconds", type=int, default=60, help="for all targets together, one second each at least"
    )
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="targets at once")
    parser.add_argument("--seed", type=int, default=1, help="where chance begins")
    parser.add_argument("--folder", type=Path, help="keeps what was found new, and begins with it the next time")
    parser.add_argument("--input", type=Path, action="append", default=[], help="try only this file")
    options = parser.parse_args(arguments)
    names = options.names or NAMES
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"no target is called {unknown[0]}; there are {', '.join(NAMES)}")
    try:
        import atheris  # noqa: F401  # whether it is there
    except ImportError:
        parser.exit(
            2, "fuzz: atheris is not installed (it has no wheel for this machine); its corpus is in the tests\n"
        )
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="groundswell-fuzz-"))).resolve()
    each = max(1, options.seconds * options.jobs // len(names))
    outcomes = run(
        names,
        seconds=each,
        seed=options.seed,
        jobs=options.jobs,
        folder=folder,
        files=[p.resolve() for p in options.input],
    )
    bad = [each.name for each in outcomes if not each.good]
    print(f"{sum(each.executions for each in outcomes)} inputs to {len(outcomes)} targets", end="")
    print(f"; findings in {', '.join(bad)}, kept in {folder}" if bad else "; no finding")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
