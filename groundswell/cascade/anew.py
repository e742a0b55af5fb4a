"""A rebuild without a push: an image is built anew, so that what its packages are upgraded to is in it."""

from groundswell import audit
from groundswell.cascade.planning import Planner
from groundswell.clock import Clock
from groundswell.errors import InputError
from groundswell.lineage.catalog import Catalog
from groundswell.store.port import Documents


class Anew:
    def __init__(self, *, store: Documents, planner: Planner, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._planner = planner
        self._catalog = catalog
        self._clock = clock

    def draw(self) -> str:
        """An id under which a cascade can be begun."""
        return self._planner.draw()

    def begin(self, image: str, *, who: str, why: str, cascade: str = "") -> str:
        """Begin a cascade that builds `image` past every cache, and then what stands on it; returns its id.

        It is urgent, and in the audit trail. With the id of an earlier call that was interrupted, it goes on with
        that one. Raises InputError without a reason, NotFoundError when there is no such image, TemporaryError
        while an older cascade that matters is still being planned.
        """
        if not why.strip():
            raise InputError("a rebuild needs a reason: --reason TEXT")
        self._catalog.registration(image)
        cascade = cascade or self.draw()
        after = {"cascade": cascade}
        audit.record(
            self._store, at=self._clock(), who=who, action="rebuild", subject=image, why=why, before={}, after=after
        )
        self._planner.rebuild(image, cascade=cascade)
        return cascade
