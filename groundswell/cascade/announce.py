"""A push told by a person: the registry's webhook was lost, or what follows is urgent."""

from uuid import uuid4

from graph.reference import InvalidReferenceError, Reference
from groundswell import audit
from groundswell.cascade.push import Push, queue
from groundswell.clock import Clock
from groundswell.errors import InputError
from groundswell.store.port import Store

SOURCE = "by hand"
BY_HAND = "hand-"
"""How the ids of such pushes begin."""


def announce(
    store: Store, text: str, *, urgent: bool, who: str, why: str, clock: Clock, force: bool = False
) -> Push:
    """Queue a push of the reference `text`, after an entry in the audit trail.

    The digest is read back from the registry like that of any push: one that is known already starts nothing.
    Raises InputError when `text` is no tagged reference, or without a reason.
    """
    if not why.strip():
        raise InputError("telling a push needs a reason: --reason TEXT")
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError as exc:
        raise InputError(f"{text!r} is no reference: {exc}") from exc
    if reference.tag is None or reference.digest is not None:
        raise InputError(f"{text} names a digest; a push is of a tag, and its digest is read from the registry")
    push = Push(
        id=f"{BY_HAND}{uuid4().hex[:12]}",
        registry=reference.registry,
        repository=reference.repository,
        tag=reference.tag,
        digest="",
        source=SOURCE,
        urgent=urgent,
        force=force,
    )
    after = {"push": push.id, "urgent": urgent, "forced": force}
    audit.record(store, at=clock(), who=who, action="push", subject=str(reference), why=why, before={}, after=after)
    queue(store, push)
    return push
