"""One at a time: two demos, or two stacks, in one state folder would take each other's things away.

The lock is the kernel's: it goes with the process that holds it, however that ends.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from groundswell.errors import PermanentError


@contextlib.contextmanager
def alone(what: str, folder: Path) -> Iterator[None]:
    """Hold the lock on `what` in `folder`. Raises PermanentError when another process has it, naming that."""
    path = folder / f"{what}.lock"
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            file.seek(0)
            raise PermanentError(
                f"another {what} is running in {folder} (process {file.read().strip() or 'unknown'}): "
                f"wait until it has ended, or stop it"
            ) from exc
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
