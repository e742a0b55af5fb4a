"""The gate on coverage: the decisions of the product are tested, each package for itself, lines and branches apart.

Reads what `pytest --cov` measured. A package of which nothing was measured fails the gate too.
"""

import json
import subprocess
import sys

PACKAGES = ("graph", "groundswell/cascade")
LEAST = 95.0


def measured(package: str) -> tuple[float, float]:
    """Percent of the lines and of the branches that ran."""
    command = [sys.executable, "-m", "coverage", "json", "--quiet", f"--include={package}/*", "-o", "-"]
    totals = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["totals"]
    return (
        _percent(totals["covered_lines"], totals["num_statements"]),
        _percent(totals["covered_branches"], totals["num_branches"]),
    )


def _percent(covered: int, whole: int) -> float:
    return 100 * covered / whole if whole else 0.0


def main() -> int:
    """Exit code 0 when every package passes."""
    low = False
    for package in PACKAGES:
        lines, branches = measured(package)
        low = low or min(lines, branches) < LEAST
        print(f"coverage of {package}: {lines:.1f} % of lines, {branches:.1f} % of branches (least: {LEAST:.0f} %)")
    if low:
        print(
            "coverage is too low: `.venv/bin/coverage report --show-missing` names what did not run",
            file=sys.stderr,
        )
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
