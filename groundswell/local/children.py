"""Programs that end when we do, even when we are killed: nothing of a stack outlives it."""

import errno
import os
import shutil


def with_us(*command: str) -> list[str]:
    """`command` in the care of setpriv (util-linux), which has the kernel end it with its parent.

    Raises FileNotFoundError, as starting it without would, when there is no such program.
    """
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    return ["setpriv", "--pdeathsig", "TERM", "--", program, *command[1:]]
