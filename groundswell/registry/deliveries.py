"""The port to a registry's own record of the webhooks that it sent: which of them nobody took."""

from dataclasses import dataclass
from typing import Protocol

from graph.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A push that was announced in vain. `id` is the event's, `digest` what it said, `at` when it happened."""

    id: str
    reference: Reference
    digest: str
    at: float


class Deliveries(Protocol):
    """Raises TemporaryError where the record cannot be read now, PermanentError where we may not."""

    def registries(self) -> tuple[str, ...]:
        """The login servers that keep such a record for us."""
        ...

    def failed(self, registry: str) -> tuple[Delivery, ...]:
        """Announcements of tagged pushes that got no answer, or one that is no success; as far back as is kept."""
        ...
