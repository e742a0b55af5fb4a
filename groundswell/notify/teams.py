"""What a workflow of Teams gets: a message with an Adaptive Card (1.4), as its trigger wants it.

Texts of others stand in TextRuns, which know no Markdown (https://adaptivecards.io/explorer/TextRun.html): there is
nothing to escape but the two braces by which cards mark dates. The service takes messages of 28 kB.
"""

import json
from typing import Any

from groundswell.channels import Severity
from groundswell.notify.notice import Notice
from groundswell.notify.texts import facts, plain

_COLOUR = {Severity.INFO: "accent", Severity.WARNING: "warning", Severity.CRITICAL: "attention"}
_TITLE, _TEXT = 300, 3000


def body(notice: Notice) -> bytes:
    title = _run(plain(notice.title, _TITLE), weight="bolder", size="medium", color=_COLOUR[notice.severity])
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": title["text"],
        "body": [
            _block(title),
            *(_block(_run(line)) for line in plain(notice.text, _TEXT).split("\n")),
            *(_block(_run(f"{name}: ", weight="bolder"), _run(value)) for name, value in facts(notice)),
        ],
    }
    if notice.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Groundswell", "url": notice.link}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    message = {"type": "message", "attachments": [attachment]}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _block(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text.replace("{{", "{ {"), **style}
