"""Locks what pyproject.toml asks for: requirements.txt (the Functions app), requirements-dev.txt (everything), and
requirements-checkov.txt (what checks infra/, in an environment of its own).

`python tools/lock.py` resolves again with uv, for every platform at once, with hashes, keeping the versions that
still fit (`--upgrade`: the newest that fit). `--check` needs no network: each lock carries a seal over its own
lines and over the dependencies in pyproject.toml, so that a change to either without the other is noticed.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SEAL = "# seal: "
_NOTE = "# Made by `make lock` from pyproject.toml; do not edit by hand.\n"
_LOCKS: dict[str, tuple[str, ...]] = {
    "requirements.txt": ("pyproject.toml",),
    "requirements-dev.txt": ("pyproject.toml", "--extra", "dev", "--constraint", "requirements.txt"),
    "requirements-checkov.txt": ("--group", "checkov"),
}


def wanted(root: Path) -> str:
    """What pyproject.toml asks for, in a form that does not change with its comments and layout."""
    document = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    keys = ("requires-python", "dependencies", "optional-dependencies")
    asked = {key: document["project"].get(key) for key in keys}
    groups, overrides = document.get("dependency-groups"), document.get("tool", {}).get("uv")
    return json.dumps({**asked, "groups": groups, "uv": overrides}, sort_keys=True)


def seal(root: Path, body: str) -> str:
    """The seal of a lock with these lines."""
    return hashlib.sha256(f"{wanted(root)}\n{body}".encode()).hexdigest()


def problem(root: Path, name: str) -> str | None:
    """Why the lock cannot be used, or None."""
    path = root / name
    if not path.is_file():
        return f"{name} is missing"
    note, _, rest = path.read_text("utf-8").partition(_SEAL)
    stamp, _, body = rest.partition("\n")
    if note != _NOTE or stamp != seal(root, body):
        return f"{name} is not what was locked from pyproject.toml: one of the two was changed"
    return None


def lock(root: Path, name: str, *, upgrade: bool) -> None:
    """Resolve and write one lock, whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / name
        if (old := root / name).is_file() and not upgrade:
            made.write_bytes(old.read_bytes())  # uv keeps the versions it finds in its output file
        subprocess.run(
            [
                *(str(Path(sys.executable).with_name("uv")), "pip", "compile", *_LOCKS[name]),
                *("--universal", "--python-version", "3.13", "--generate-hashes"),
                *("--no-header", "--quiet", "--output-file", str(made)),
            ],
            cwd=root,
            check=True,
        )
        body = made.read_text("utf-8")
    if "://" in body or str(root) in body:
        raise SystemExit(f"{name}: the resolver wrote an address or a path of this machine; nothing was changed")
    part = root / f".{name}.part"
    part.write_text(f"{_NOTE}{_SEAL}{seal(root, body)}\n{body}", "utf-8")
    part.replace(root / name)


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Exit code 0 when the locks are right (after making them, unless only checking)."""
    parser = argparse.ArgumentParser(description="Lock the Python packages that pyproject.toml asks for.")
    parser.add_argument("--check", action="store_true", help="only say whether the locks are in step")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    options = parser.parse_args(arguments)
    if not options.check:
        for name in _LOCKS:
            lock(root, name, upgrade=options.upgrade)
    problems = [found for name in _LOCKS if (found := problem(root, name))]
    for found in problems:
        print(f"lock: {found}; run `make lock`", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
