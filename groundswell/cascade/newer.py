"""Messages that a newer program sent, or that meet what it wrote: they go back on their queue, for it to take.

While an app is upgraded, old and new instances take from the same queues. Sending it again keeps a message from the
poison queue, to which five deliveries to old instances would bring it, and gives it another week.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from groundswell.errors import NewerError
from groundswell.store.port import Queues

logger = logging.getLogger(__name__)


def leave(queues: Queues, queue: str, text: str, *, why: NewerError) -> None:
    """Put the message back, to come again later."""
    queues.send(queue, text, delay=why.delay)
    logger.warning("left to a newer program", extra={"queue": queue, "delay": why.delay, "why": str(why)})


def queue_of(text: str, queues: Mapping[Any, str], other: str) -> str:
    """Where a command of a newer program goes: by its kind where that is known, else to `other`, as any will do."""
    kind = json.loads(text).get("kind")
    return queues.get(kind, other) if isinstance(kind, str) else other
