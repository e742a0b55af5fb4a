"""Text from outside (logs, reasons, names) as it may be shown on a terminal.

Nothing that it holds moves the cursor, changes colours or the title, or turns the order of what is read around.
"""

import re

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC and the like: the title
    r"|\x1b[ -/]*[0-~]"  # the short ones
)
"""Escape sequences as ECMA-48 has them; what it calls a string ends where the next escape begins."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BLANK = re.compile(r"[\t\n\x0b\f\r\x85\u2028\u2029]+")


def lines(text: str) -> str:
    """`text` with its lines and tabs, and without any other control character."""
    return _CONTROL.sub("", _ESCAPES.sub("", text))


def line(text: str) -> str:
    """`text` in one line: what would break it is a blank, other control characters are gone."""
    if text.isascii() and text.isprintable():
        return text  # nearly all that is shown
    return lines(_BLANK.sub(" ", _ESCAPES.sub("", text)))
