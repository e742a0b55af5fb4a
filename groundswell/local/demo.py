"""The demo: a base is pushed again with its vulnerable package fixed; by hand come one repair and one approval.

`python -m groundswell.local.demo [--store sqlite|azurite] [--cluster look-alike|kube]`. Exit 0 only if every
image ended as the scenario says, which is checked against the registry and the cluster (`check.py`), not against
our own records.
"""

import argparse
import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.text import Text

from graph.impact import remaining_paths
from groundswell.cascade.model import Hold, Move, Rebuild
from groundswell.cascade.records import Header, Phase
from groundswell.cascade.rows import rows
from groundswell.cascade.status import Status
from groundswell.cascade.view import Row, short
from groundswell.cli.cascades import follow
from groundswell.cli.common import make_console
from groundswell.cli.progress import print_whole
from groundswell.errors import GroundswellError, PermanentError
from groundswell.lineage.checkout import read
from groundswell.lineage.model import Registration
from groundswell.local import clusters, scenario, seed
from groundswell.local.alone import alone
from groundswell.local.bases import Variant, build_base
from groundswell.local.check import Checks
from groundswell.local.company import HOST, Company
from groundswell.local.debs import fetch_packages
from groundswell.local.paths import home
from groundswell.local.push import push
from groundswell.local.stack import SLOTS, Stack, wait_until
from groundswell.wiring import App

_UNDER = 12 * " "

console = make_console()


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "azurite"), default="sqlite")
    parser.add_argument("--cluster", choices=clusters.NAMES, default=clusters.LOOK_ALIKE)
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
    folder = home() / "demo"
    try:
        with alone("demo", home()):
            shutil.rmtree(folder, ignore_errors=True)
            with Stack(folder, store=arguments.store, cluster=arguments.cluster) as stack:
                return run(stack)
    except GroundswellError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def run(stack: Stack) -> int:
    """The whole story on a running stack; returns the exit status."""
    say("1. The company as it is: a mirrored base, images on it, workloads that run them")
    packages = home() / "packages"
    fetch_packages(packages)
    app = stack.app()
    company, registrations = prepare(stack, app, packages)
    stack.start_host()
    for name, address in stack.addresses.items():
        note(f"{name:24}{address}")

    say("2. The platform team registers the lineage")
    command(stack, "lineage", "register", str(company.tree))

    say(f"3. {scenario.BASE} is pushed again, {scenario.FIXED}. What follows goes on by itself")
    checks = Checks(stack, registrations)
    fixed = push(build_base(packages, Variant.FIXED), stack.login, *scenario.BASE.split(":"))
    pushed_at = time.time()
    note(f"{scenario.BASE} -> {short(fixed)}")
    header = wait_until("the cascade", lambda: next(iter(app.engine.records.recent(1)), None), seconds=30)
    say("4. How every image ends, or what it waits for")
    header = watch(app, header.id)
    seconds = time.time() - pushed_at
    states = list(app.engine.records.rebuilds(header.id))
    table(header, states)
    checks.first_end()
    least = bound(states)
    explain(stack, header)

    replayed = repair(stack, company, app, header)
    approved = approve(stack, app, header)
    states = list(app.engine.records.rebuilds(header.id))
    header = app.engine.records.header(header.id).value
    table(header, states)

    say("8. The same, asked of the registry and the cluster")
    problems = checks.last_end(fixed, states)
    for line in problems:
        console.print(Text(f"   WRONG  {line}"), style="bold red")
    if not problems:
        note(f"{checks.made} checks, all as the scenario says")
    status = stack.stop_host()
    if status != 0:
        problems.append(f"the Functions host ended with status {status}")
    ends = summary(header, states, rolled_out=checks.rolled_out, replayed=replayed, approved=approved)
    print(json.dumps({**ends, "seconds": round(seconds, 1), "bound_seconds": round(least, 1)}))
    return 1 if problems else 0


def prepare(stack: Stack, app: App, packages: Path) -> tuple[Company, tuple[Registration, ...]]:
    """The world before the update: registry, git repository and cluster."""
    base = build_base(packages, Variant.VULNERABLE)
    pin = push(base, stack.login, *scenario.BASE.split(":"))
    company = Company(stack.repositories, stack.addresses["git"])
    company.create(registry=stack.registry.login_server, pin=pin)
    registrations = read(company.tree)
    started = time.monotonic()
    how = seed.images(stack, app, registrations, base=pin)
    seed.remember(app, registrations)
    note(f"{len(registrations)} images {how} in {time.monotonic() - started:.1f} s")
    deploy(stack, registrations, company)
    return company, registrations


def deploy(stack: Stack, registrations: Sequence[Registration], company: Company) -> None:
    """Put the company's workloads into the cluster, running the digests that its tags have now."""
    text = (company.tree / "cluster.yaml").read_text("utf-8")
    for registration in registrations:
        for reference in registration.references:
            digest = stack.registry.digest(reference)
            text = text.replace(f"{reference}\n", f"{reference.name}@{digest}\n")
    if HOST in text:
        raise PermanentError(f"cluster.yaml names an image that is not registered at {HOST}")
    for manifest in yaml.safe_load_all(text):
        if manifest:
            stack.cluster.create(manifest)


def at_rest(header: Header, states: Sequence[Rebuild]) -> bool:
    """Nothing goes on by itself: what is not settled waits for an approval."""
    return header.phase is not Phase.PLANNING and all(
        state.status.settled or (state.status is Status.HELD and Hold.APPROVAL in state.holds) for state in states
    )


def ended(header: Header, _: Sequence[Rebuild]) -> bool:
    return header.phase is Phase.ENDED


def watch(
    app: App, cascade: str, *, since: float = 0.0, until: Callable[[Header, Sequence[Rebuild]], bool] = at_rest
) -> Header:
    """Show a cascade live, from its records."""
    records = app.engine.records
    states: list[Rebuild] = []

    def look() -> tuple[Header, Sequence[Row]]:
        header = records.header(cascade).value
        states[:] = records.rebuilds(cascade)
        return header, rows(states, now=time.time())

    return follow(look, pause=0.25, since=since, until=lambda header, _: until(header, states))


def explain(stack: Stack, header: Header) -> None:
    """What the product itself says of the image that was refused, of one that was not, and of what went back."""
    say("5. Why: one is refused, one is no worse than what runs, one does not start")
    command(stack, "cascades", header.id, scenario.REJECTED, part="scan")
    command(stack, "cascades", header.id, scenario.NO_WORSE, part="scan")
    command(stack, "cascades", header.id, scenario.ROLLED_BACK, part="rollouts")


def approve(stack: Stack, app: App, header: Header) -> int:
    """Show what waits for a person, approve it, and see it through; returns how many were approved."""
    state = app.engine.records.rebuild(header.id, scenario.APPROVED).value
    say(f"7. {scenario.APPROVED} runs on staging and waits for a person before production")
    if state.status is not Status.HELD:
        return 0
    command(stack, "cascades", header.id, scenario.APPROVED, part="rings")
    command(stack, "why", scenario.APPROVED, part="waits for")
    began = time.time()
    command(stack, "approve", header.id, scenario.APPROVED, "--reason", "staging looks right")
    watch(app, header.id, since=began, until=ended)
    return 1


def repair(stack: Stack, company: Company, app: App, header: Header) -> int:
    """Show why the image failed, mend its source, and replay it; returns how many were replayed."""
    state = app.engine.records.rebuild(header.id, scenario.FAILS).value
    say(f"6. {scenario.FAILS} failed: its cause, the repair, one replay")
    if state.status is not Status.FAILED:
        return 0
    note(state.reason)
    command(stack, "runs", "logs", state.run, tail=6)
    company.change(*scenario.REPAIR, message="Certify the fixed package")
    note(f"repaired: {scenario.REPAIR[0]}")
    began = time.time()
    command(stack, "replay", header.id, scenario.FAILS, "--from", "build", "--reason", "source repaired")
    watch(app, header.id, since=began)
    return 1


def summary(
    header: Header, states: Sequence[Rebuild], *, rolled_out: int, replayed: int, approved: int
) -> dict[str, object]:
    """How the images ended, for machines."""

    def count(status: Status) -> int:
        return sum(state.status is status for state in states)

    return {
        "cascade": header.id,
        "images": header.total,
        "done": count(Status.DONE),
        "rejected": count(Status.REJECTED),
        "failed": count(Status.FAILED),
        "blocked": count(Status.BLOCKED),
        "unchanged": count(Status.UNCHANGED),
        "no_worse": sum(_no_worse(state.verdict) for state in states),
        "rebased": sum("rebased" in state.inputs for state in states),
        "pinned": len(header.pinned),
        "replayed": replayed,
        "rolled_out": rolled_out,
        "rolled_back": sum(each.move is Move.RETURNED for state in states for each in state.rollouts),
        "approved": approved,
    }


def _no_worse(verdict: Mapping[str, Any]) -> bool:
    """Passed, after a comparison with what production runs: of what is clean there is none."""
    return bool(verdict and verdict["passed"] and verdict.get("compared"))


def bound(states: Sequence[Rebuild]) -> float:
    """Seconds that no schedule could beat: the critical path, or all the building spread over the slots."""
    dependants = {
        state.image: tuple(image for cascade, image in state.dependants if cascade == state.cascade)
        for state in states
    }
    whole = {state.image: _lasted(state, Status.DEPLOYING) for state in states}
    building = sum(_lasted(state, Status.VERIFYING) for state in states)
    return max(*remaining_paths(dependants, whole).values(), building / SLOTS)


def _lasted(state: Rebuild, until: Status) -> float:
    """Seconds from the start of the build until the rebuild reached `until`, or ended."""
    began = next((moment.at for moment in state.history if moment.status is Status.BUILDING), None)
    if began is None:
        return 0.0
    ends = (m.at for m in state.history if m.at >= began and (m.status is until or m.status.settled))
    return next(ends, began) - began


def table(header: Header, states: list[Rebuild]) -> None:
    """How the images ended; on a terminal the live table already says it."""
    if not console.is_terminal:
        print_whole(console, header, rows(states, now=time.time()), now=time.time())


def say(text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def note(text: str) -> None:
    console.print(Text(f"   {text}"), soft_wrap=True)


def command(stack: Stack, *args: str, tail: int | None = None, part: str = "") -> None:
    """Run the product's own command as a person would, and show what it prints: the last lines, or a part."""
    console.print(Text(f"   $ groundswell {shlex.join(args)}", style="cyan"), soft_wrap=True)
    done = subprocess.run(
        [sys.executable, "-m", "groundswell.cli.main", *args],
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = (done.stdout + done.stderr).splitlines()
    for line in part_of(lines, part) if part else lines[-tail:] if tail else lines:
        note(line)
    if done.returncode:
        raise PermanentError(f"groundswell {args[0]} ended with status {done.returncode}")


def part_of(lines: Sequence[str], heading: str) -> Iterator[str]:
    """The first line, and the part under `heading`; what is left out shows as `…`."""
    inside = False
    for number, line in enumerate(lines):
        was, inside = inside, line.startswith(f"  {heading} ") or (inside and line.startswith(_UNDER))
        if number == 0 or inside:
            yield line
        elif was or number == 1:
            yield "  …"


if __name__ == "__main__":
    sys.exit(main())
