"""Registering and unregistering on conditions, and what became of it.

For the history and the audit trail `who` is "api", until requests carry an identity: a function key tells nobody
apart, and a name in a header is only what somebody wants to be taken for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from groundswell.api.conditions import Conditions, etag
from groundswell.api.problems import PreconditionFailedError
from groundswell.cascade.reconcile import seed
from groundswell.errors import ConflictError, NotFoundError
from groundswell.lineage.catalog import Catalog, Change, Stored
from groundswell.lineage.history import Action
from groundswell.lineage.model import Registration
from groundswell.store.conflicts import retry_conflicts
from groundswell.wiring import App

WHO = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """`change` is None when the image was that way already. `unread` are bases whose digest is not known yet.

    `stored` is the image as it is now, which may be what somebody wrote a moment later.
    """

    change: Change | None
    stored: Stored
    unread: list[str]

    @property
    def new(self) -> bool:
        return self.change is not None and self.change.action is Action.REGISTERED


def stored(catalog: Catalog, name: str) -> Stored | None:
    try:
        return catalog.stored(name)
    except NotFoundError:
        return None


def would_change(product: App, wanted: Registration, conditions: Conditions) -> Change | None:
    """What `register` would change. Raises what it would raise."""
    known = stored(product.catalog, wanted.name)
    conditions.check(etag(known) if known else None)
    return next(iter(product.catalog.changes([wanted])), None)


def register(product: App, wanted: Registration, conditions: Conditions, *, why: str) -> Registered:
    """Register an image, and enter the digests of bases that are new.

    Raises PreconditionFailedError, InputError for a contradiction, ConflictError when it is gone again at once.
    """
    catalog = product.catalog

    def write(etags: Mapping[str, str | None]) -> tuple[Change, ...]:
        return catalog.register([wanted], who=WHO, why=why, etags=etags)

    changes = _on_condition(conditions, wanted.name, stored(catalog, wanted.name), write)
    unread = seed(product.bases, catalog, product.registry, [wanted.name])
    now = stored(catalog, wanted.name)
    if now is None:
        raise ConflictError(f"somebody else unregistered {wanted.name} right after it was registered")
    return Registered(change=next(iter(changes), None), stored=now, unread=unread)


def unregister(product: App, name: str, conditions: Conditions, *, why: str) -> None:
    """Take an image out of the lineage. Raises NotFoundError, PreconditionFailedError."""

    def write(etags: Mapping[str, str | None]) -> None:
        product.catalog.unregister([name], who=WHO, why=why, etags=etags)

    _on_condition(conditions, name, product.catalog.stored(name), write)


def _on_condition[R](
    conditions: Conditions, name: str, known: Stored | None, write: Callable[[Mapping[str, str | None]], R]
) -> R:
    """Write if the conditions hold for the image as `known`, and still hold then; without any, be the last one."""
    if not conditions:
        return retry_conflicts()(write, {})
    conditions.check(etag(known) if known else None)
    try:
        return write({name: known.etag if known else None})
    except ConflictError as exc:
        raise PreconditionFailedError(str(exc)) from exc
