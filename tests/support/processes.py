"""What goes on on this machine."""

from pathlib import Path


def alive(mark: str) -> bool:
    """Whether a process has `mark` on its command line; its words are separated by NUL."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in path.read_bytes():
                return True
        except OSError:  # it ended in this moment
            continue
    return False
