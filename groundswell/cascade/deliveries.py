"""Finds the webhooks that reached nobody, in the registry's own record of them.

ACR tries a webhook once. Reading the bases back finds the digest that a lost one announced; this finds each
announcement, and so what no base names yet. A push that turns out to be known starts nothing.
"""

import logging
from collections.abc import Sequence

from groundswell.cascade.push import Push, of_an_image, queue
from groundswell.cascade.reconcile import SOURCE
from groundswell.clock import Clock
from groundswell.errors import ConflictError, PermanentError, TemporaryError
from groundswell.registry.deliveries import Deliveries, Delivery
from groundswell.store.port import Put, Store

logger = logging.getLogger(__name__)

SETTLED = 60.0
"""Seconds after which a delivery without an answer has failed; ACR waits five for it."""
_TABLE, _PARTITION = "deliveries", "seen"
_MOST = 2_000
"""Events looked at and remembered for each registry, the newest; what more announced, the bases tell."""


class LostWebhooks:
    """What was found is remembered by event, so that each is queued once, and again only after a crash."""

    def __init__(self, store: Store, deliveries: Deliveries, clock: Clock) -> None:
        self._store = store
        self._deliveries = deliveries
        self._clock = clock

    def find(self) -> None:
        """Queue the pushes announced in vain since the last round; the first round only notes what there was."""
        for registry in self._deliveries.registries():
            try:
                failed = self._deliveries.failed(registry)
            except (TemporaryError, PermanentError) as exc:
                logger.warning("deliveries not read", extra={"registry": registry, "why": str(exc)})
                continue
            now = self._clock()
            settled = (delivery for delivery in failed if now - delivery.at >= SETTLED)
            self._queue(registry, sorted(settled, key=lambda delivery: delivery.at)[-_MOST:])

    def _queue(self, registry: str, failed: Sequence[Delivery]) -> None:
        record = self._store.get(_TABLE, _PARTITION, registry)
        seen = set(record.value["events"]) if record else set()
        new = [delivery for delivery in failed if delivery.id not in seen]
        if record is not None and not new:
            return
        lost = [delivery for delivery in new if record is not None and of_an_image(_push(delivery))]
        for delivery in lost:
            logger.warning("a webhook was lost", extra={"push": delivery.id, "reference": str(delivery.reference)})
            queue(self._store, _push(delivery))
        value = {"events": [delivery.id for delivery in failed]}
        try:
            put = Put(row=registry, value=value, etag=record.etag if record else None)
            self._store.commit(_TABLE, _PARTITION, [put])
        except ConflictError:  # another instance found the same meanwhile
            logger.info("deliveries noted by another instance", extra={"registry": registry})


def _push(delivery: Delivery) -> Push:
    return Push(
        id=delivery.id,
        registry=delivery.reference.registry,
        repository=delivery.reference.repository,
        tag=delivery.reference.tag or "",
        digest=delivery.digest,
        source=SOURCE,
    )
