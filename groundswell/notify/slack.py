"""What an incoming webhook of Slack gets: blocks, and a text for where blocks are not shown.

Slack reads `<`, `>` and `&` in texts as its own (`<!channel>` would call everybody): they are escaped. `verbatim`
keeps it from making links of names. A section takes 3000 characters, a header 150, a context block 10 elements.
"""

import json
import re
from typing import Any

from groundswell.notify.notice import Notice
from groundswell.notify.texts import MARK, facts, plain

_HEADER, _SECTION, _FACT, _FALLBACK = 150, 3000, 400, 1000
_PART = re.compile(r"&[a-z]{0,3}$")


def body(notice: Notice) -> bytes:
    title = plain(notice.title, 300)
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": escaped(plain(title, _HEADER), _HEADER), "emoji": False},
        },
        {"type": "section", "text": _text(escaped(plain(notice.text, _SECTION), _SECTION))},
        {
            "type": "context",
            "elements": [_text(f"*{name}* {escaped(value, _FACT)}") for name, value in facts(notice)],
        },
    ]
    if notice.link:
        blocks.append({"type": "section", "text": _text(f"<{escaped(notice.link, 2000)}|Open in Groundswell>")})
    message = {
        "text": escaped(f"{MARK[notice.severity]}: {title}", _FALLBACK),
        "blocks": blocks,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text or "-", "verbatim": True}


def escaped(text: str, longest: int) -> str:
    """`text` as Slack wants it, cut to `longest` characters, not within one that is escaped."""
    told = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return told if len(told) <= longest else _PART.sub("", told[: longest - 1]) + "…"
