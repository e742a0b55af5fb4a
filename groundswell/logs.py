"""Log lines for machines and people: a constant message, then its fields as key=value."""

import logging
import sys

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOISY = ("azure", "azure_functions_runtime", "urllib3", "msal")


class Fields(logging.Formatter):
    """`TIME LEVEL LOGGER message key=value ...`: what was given as `extra` follows the message, on one line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        fields = " ".join(f"{key}={_shown(value)}" for key, value in extra.items())
        head, newline, rest = text.partition("\n")
        return f"{head} {fields}{newline}{rest}" if fields else text


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
