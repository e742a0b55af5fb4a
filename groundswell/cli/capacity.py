"""groundswell capacity: what a number of images and pushes asks for. It calculates, and asks nobody."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from groundswell import capacity as model
from groundswell.cli.common import Json, cell, console, print_json


def capacity(
    *,
    images: Annotated[int, typer.Option(help="Images that stand on what is pushed.", min=1, max=10_000_000)],
    pushes: Annotated[float, typer.Option(help="Pushes a day, after those that settle together.", min=0.0)],
    depth: Annotated[int, typer.Option(help="Images on one another, at most.", min=1, max=1000)] = 4,
    build_seconds: Annotated[float, typer.Option(help="Of one build, on average.", min=0.1)] = 120.0,
    scan_seconds: Annotated[float, typer.Option(help="Of one scan, on average.", min=0.0)] = 30.0,
    slots: Annotated[int, typer.Option(help="GROUNDSWELL_SLOTS, or a pool's.", min=1, max=100_000)] = 16,
    goal_minutes: Annotated[float, typer.Option(help="How long a cascade may take.", min=0.1)] = 60.0,
    build_cpus: Annotated[int, typer.Option(help="vCPUs of a build.", min=0)] = 2,
    scan_cpus: Annotated[int, typer.Option(help="vCPUs of a scan; 0: it is no run of ACR Tasks.", min=0)] = 2,
    cpu_price: Annotated[float, typer.Option(help="Of a vCPU-second.", min=0.0)] = model.CPU_PRICE,
    as_json: Json = False,
) -> None:
    """Print what so many images and pushes ask for: builds, slots, time, operations, and the price of the builds.

    Example: groundswell capacity --images 500 --pushes 4 --build-seconds 90 --goal-minutes 30
    """
    demand = model.Demand(
        images=images,
        pushes=pushes,
        depth=depth,
        build=build_seconds,
        scan=scan_seconds,
        slots=slots,
        goal=goal_minutes * 60,
        build_cpus=build_cpus,
        scan_cpus=scan_cpus,
        cpu_price=cpu_price,
    )
    found = model.capacity(demand)
    if as_json:
        print_json({"demand": asdict(demand), **asdict(found)})
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in _lines(demand, found):
        table.add_row(cell(name), cell(value))
    console.print(table)
    if cpu_price == model.CPU_PRICE:
        console.print(cell(f"{cpu_price} {model.PRICED}; give yours as --cpu-price"))


def _lines(demand: model.Demand, found: model.Capacity) -> list[tuple[str, str]]:
    goal = f"slots for {demand.goal / 60:g} minutes"
    if found.enough is None:
        slots = f"none: the longest path alone takes {found.longest_path / 60:.0f} minutes"
    else:
        slots = f"at least {found.at_least}; {found.enough} are always enough"
    pools = ", ".join(
        f"{model.machines(tier)} {tier} ({cpus} vCPU, {memory} GiB)"
        for tier, (cpus, memory) in model.TIERS.items()
        if model.machines(tier)
    )
    share = "" if found.busy <= 1 else "; pushes pile up"
    return [
        ("builds a day", f"{found.builds_a_day:,.0f}, {found.minutes_a_day:,.0f} minutes of building"),
        (
            "a cascade takes",
            f"{found.soonest / 60:.0f} to {found.latest / 60:.0f} minutes with {demand.slots} slots",
        ),
        ("its longest path", f"{found.longest_path / 60:.0f} minutes"),
        (goal, slots),
        ("slots in use", f"{100 * found.busy:.0f} % of the day{share}"),
        ("table operations a day", f"{found.table_operations:,.0f}"),
        ("queue operations a day", f"{found.queue_operations:,.0f}, and looks at empty queues"),
        ("function executions a day", f"{found.executions:,.0f}, of these {model.TIMERS:,} timers"),
        ("vCPU-seconds a day", f"{found.cpu_seconds:,.0f}"),
        ("runs a month", f"{found.price_a_month:,.2f} (the price of {model.MONTH} days)"),
        ("an agent pool holds", f"{pools} within the default quota of {model.QUOTA} vCPUs"),
    ]
