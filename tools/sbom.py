"""Writes what the app is made of as CycloneDX, from the lock: `python -m tools.sbom [FILE]`.

The same lock gives the same bytes: no time, no random number, nothing of this machine. Every package has its
version, the hashes of its files, its licence where it is installed, and the packages that it stands on.
"""

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.licences import expression

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.txt"
_REFERENCE = re.compile(r"[A-Za-z0-9._-]+==\S+")
_FOR = re.compile(r"    #(?: via|  ) ([A-Za-z0-9][A-Za-z0-9._-]*)(?: \(.*\))?")


def wanted_by(lock: str) -> dict[str, set[str]]:
    """Package -> the packages that it is locked for, as the lock's `# via` lines have it."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in lock.splitlines():
        if head := _REFERENCE.match(line):
            name = head[0].partition("==")[0]
            found[name] = set()
        elif (via := _FOR.fullmatch(line)) and name:
            found[name].add(via[1])
    return found


def document(lock: Path = LOCK) -> dict[str, Any]:
    """The bill of materials."""
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "cyclonedx_py",
                "requirements",
                "--pyproject",
                str(ROOT / "pyproject.toml"),
            ),
            *("--output-reproducible", "--sv", "1.6", "--of", "JSON", str(lock)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    bom: dict[str, Any] = json.loads(done.stdout)
    root = bom["metadata"]["component"]
    references = {}
    for component in bom["components"]:
        references[component["name"]] = component["bom-ref"] = component["purl"]
        component.pop("description", None)  # the lines of the lock
        if licence := expression(component["name"]):
            component["licenses"] = [{"expression": licence}]
    below: dict[str, set[str]] = {reference: set() for reference in (root["bom-ref"], *references.values())}
    references[root["name"]] = root["bom-ref"]
    for name, parents in wanted_by(lock.read_text("utf-8")).items():
        for parent in parents:
            below[references[parent]].add(references[name])
    bom["dependencies"] = [
        {"ref": reference, **({"dependsOn": sorted(on)} if on else {})} for reference, on in sorted(below.items())
    ]
    bom["components"].sort(key=lambda component: component["bom-ref"])
    return bom


def main(arguments: Sequence[str]) -> int:
    warnings.simplefilter("ignore")
    path = Path(arguments[0]) if arguments else ROOT / "dist" / "groundswell.cdx.json"
    bom = document()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{len(bom['components'])} packages in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
