"""Log lines for machines and people: a constant message, then its fields as key=value."""

import logging
import sys

from groundswell import printable
from groundswell.errors import without_logins

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = ("azure", "azure_functions_runtime", "urllib3", "msal")


class Fields(logging.Formatter):
    """`TIME LEVEL LOGGER message key=value ...`: what was given as `extra` follows the message, on one line.

    Lines that follow (of a traceback) are indented, so that none that somebody else wrote looks like one of ours.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        # The traceback with it, which may be one that another handler made, in the words of other people's servers.
        text = super().format(record)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        fields = " ".join(f"{key}={_shown(value)}" for key, value in extra.items())
        head, *rest = printable.lines(without_logins(text)).split("\n")
        return "\n  ".join([f"{head} {fields}" if fields else head, *rest])


def _shown(value: object) -> str:
    text = str(value)
    return repr(text) if not text or not text.isprintable() or " " in text else text


def configure(level: int) -> None:
    """Log to stderr in this format; the SDKs only from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Fields())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
