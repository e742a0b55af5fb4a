"""What a cold start costs: importing function_app in a fresh interpreter, against azure.functions alone."""

import json
import statistics
import subprocess
import sys

from bench.result import Result

# VmHWM, not ru_maxrss: the latter begins with what the parent used before exec.
_PROBE = """
import json, re, time
start = time.perf_counter()
import {module}
seconds = time.perf_counter() - start
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024
print(json.dumps([seconds, peak]))
"""
_RUNS = 7


def seconds() -> Result:
    return Result(
        value=_probe("function_app")[0],
        unit="s",
        baseline="import azure.functions",
        baseline_value=_probe("azure.functions")[0],
    )


def memory() -> Result:
    return Result(
        value=_probe("function_app")[1],
        unit="MiB",
        baseline="import azure.functions",
        baseline_value=_probe("azure.functions")[1],
    )


def _probe(module: str) -> tuple[float, float]:
    """Median (seconds, peak MiB) of importing `module`, the first run left out (it may compile)."""
    runs = []
    for _ in range(_RUNS + 1):
        output = subprocess.run(
            [sys.executable, "-c", _PROBE.format(module=module)], capture_output=True, check=True, text=True
        ).stdout
        runs.append(json.loads(output))
    return statistics.median(run[0] for run in runs[1:]), statistics.median(run[1] for run in runs[1:])
