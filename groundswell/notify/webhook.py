"""What a webhook gets: a CloudEvent (1.0, structured JSON), signed as Standard Webhooks has it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence

from groundswell.channels import Kind
from groundswell.notify.notice import Notice
from groundswell.notify.texts import plain, rfc3339

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPE: Mapping[Kind, str] = {
    Kind.FAILED: "dev.groundswell.rebuild.failed",
    Kind.REJECTED: "dev.groundswell.rebuild.rejected",
    Kind.ROLLED_BACK: "dev.groundswell.rebuild.rolled_back",
    Kind.ENDED: "dev.groundswell.cascade.ended",
    Kind.APPROVAL: "dev.groundswell.rebuild.approval_wanted",
    Kind.DRIFT: "dev.groundswell.workload.drifted",
    Kind.REFUSED: "dev.groundswell.image.refused",
    Kind.UNSCANNABLE: "dev.groundswell.image.unscannable",
    Kind.POISON: "dev.groundswell.message.given_up",
    Kind.ORPHAN: "dev.groundswell.run.orphaned",
    Kind.HEALED: "dev.groundswell.notice.healed",
    Kind.TEST: "dev.groundswell.notice.test",
}
_TITLE, _TEXT, _SUBJECT = 300, 4000, 500


def body(notice: Notice, *, source: str) -> bytes:
    """The CloudEvent. It depends on nothing but the notice, so that it is the same each time it is sent."""
    data = {
        "kind": notice.kind.value,
        "severity": notice.severity.value,
        "title": plain(notice.title, _TITLE),
        "text": plain(notice.text, _TEXT),
        "teams": list(notice.teams),
        "cascade": notice.cascade or None,
        "subjects": [plain(each, _SUBJECT) for each in notice.subjects],
        "count": notice.count,
        "since": rfc3339(notice.since),
        "link": notice.link or None,
        "heals": notice.heals or None,
        "was": notice.was.value if notice.was else None,
    }
    event = {
        "specversion": "1.0",
        "id": notice.id,
        "source": source,
        "type": TYPE[notice.kind],
        "time": rfc3339(notice.at),
        "datacontenttype": "application/json",
        **({"subject": plain(notice.subjects[0], _SUBJECT)} if notice.subjects else {}),
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def headers(notice: str, content: bytes, keys: Sequence[bytes], *, at: float) -> dict[str, str]:
    """Those of one try at `at`: a signature with each key, so that one can take the place of another."""
    timestamp = str(int(at))
    signed = b".".join((notice.encode(), timestamp.encode(), content))
    signatures = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "Content-Type": CONTENT_TYPE,
        "webhook-id": notice,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
