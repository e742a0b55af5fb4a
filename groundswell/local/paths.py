"""Where the local stack keeps things: `.groundswell/` in the clone, or $GROUNDSWELL_HOME."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The clone: the folder that holds host.json."""


def home() -> Path:
    """The state folder, made when missing. Never committed."""
    folder = Path(os.environ.get("GROUNDSWELL_HOME") or ROOT / ".groundswell")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
