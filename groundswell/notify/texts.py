"""What services that show messages have in common: one line, cut to their limits, times as people read them."""

import time
from collections.abc import Sequence

from groundswell import printable
from groundswell.channels import Severity
from groundswell.notify.notice import Notice

MARK = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "CRITICAL"}


def plain(text: str, longest: int) -> str:
    """Somebody else's text without control characters, its line breaks kept, cut to `longest` characters."""
    text = "\n".join(printable.line(line) for line in text.split("\n"))
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def facts(notice: Notice) -> Sequence[tuple[str, str]]:
    """What is told beside the text."""
    found = [("severity", MARK[notice.severity])]
    if notice.teams:
        found.append(("teams" if len(notice.teams) > 1 else "team", ", ".join(notice.teams)))
    if notice.cascade:
        found.append(("cascade", notice.cascade))
    found.append(("since", when(notice.since)))
    return [(name, plain(value, 300)) for name, value in found]


def when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))


def rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03d}Z"
