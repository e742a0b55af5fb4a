"""Keeps for people what was on a queue and is no message of ours: no rebuild or push can show that it failed.

Put there by hand, or cut short; what a newer program sent is left to that one (`newer.py`). What it said is not
kept, for it may be anything.
"""

import hashlib
import logging

from groundswell import audit, printable
from groundswell.clock import Clock
from groundswell.store.port import Documents

logger = logging.getLogger(__name__)

WHO = "groundswell"
ACTION = "drop message"
_LONGEST = 200


def record(store: Documents, text: str, *, what: str, why: Exception, clock: Clock) -> None:
    """Log it, and enter it in the audit trail. `what` it was taken for."""
    reason = printable.line(str(why))[:_LONGEST]
    logger.error("unreadable message dropped", extra={"taken_for": what, "why": reason})
    content = text.encode(errors="replace")
    told = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    audit.record(store, at=clock(), who=WHO, action=ACTION, subject=what, why=reason, before=told, after={})
