"""`python -m bench [--only NAME,...]`: measure, print a table, write bench/results.json."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import api, cli, engine, graph, imports, ingest, makespan, page, rebase, scale_out, scan
from bench.result import Result

BENCHMARKS: dict[str, Callable[[], Result]] = {
    "engine-10k": engine.transitions,
    "engine-ops": engine.operations,
    "engine-memory": engine.memory,
    "engine-linear": engine.linear,
    "engine-azurite": engine.azurite,
    "engine-azurite-ops": engine.azurite_operations,
    "hop": engine.hop,
    "ingest": ingest.ingest,
    "ingest-planning": ingest.planning,
    "makespan-exact": makespan.exact,
    "makespan-exact-worst": makespan.exact_worst,
    "makespan-noisy": makespan.noisy,
    "makespan-noisy-worst": makespan.noisy_worst,
    "makespan-noisy-flat": makespan.noisy_flat,
    "makespan-waves": makespan.waves,
    "api": api.answers,
    "cli-help": cli.help_,
    "cli-query": cli.query,
    "page": page.slowest,
    "import-time": imports.seconds,
    "import-memory": imports.memory,
    "rebase": rebase.rebase,
    "scale-out": scale_out.scale_out,
    "scan": scan.scan,
    "graph-load-100k": graph.load_100k,
    "graph-memory-100k": graph.memory_100k,
    "graph-update-100k": graph.update_100k,
    "impact-largest-100k": graph.impact_largest_100k,
    "impact-typical-100k": graph.impact_typical_100k,
    "graph-load-1m": graph.load_1m,
    "graph-memory-1m": graph.memory_1m,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", default="", help="comma-separated names: " + ", ".join(BENCHMARKS))
    names = [name for name in parser.parse_args().only.split(",") if name] or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    results = {name: BENCHMARKS[name]() for name in names}
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "value", "unit", "baseline", "its value", "ratio"):
        table.add_column(heading)
    for name, result in results.items():
        ratio = f"{result.ratio:.3g}"
        table.add_row(
            name, f"{result.value:.4g}", result.unit, result.baseline, f"{result.baseline_value:.4g}", ratio
        )
    Console().print(table)
    document = {"_about": _about(), **{name: result.to_json() for name, result in results.items()}}
    Path(__file__).with_name("results.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _about() -> dict[str, object]:
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": sys.version.split()[0],
        "system": platform.platform(),
    }


if __name__ == "__main__":
    main()
