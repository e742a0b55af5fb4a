"""Registering and unregistering on conditions, by those who answer for the image, and what became of it.

A registrar changes nothing of another team's: not its images, nor what its images are pushed to, nor the workloads
that run them. Else a build of one team would end up under the name, or in the cluster, of another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from groundswell.access.principal import ForbiddenError, Principal, Role
from groundswell.api.conditions import Conditions, etag
from groundswell.api.problems import PreconditionFailedError
from groundswell.cascade.reconcile import seed
from groundswell.errors import ConflictError, NotFoundError
from groundswell.lineage.catalog import Catalog, Change, Stored
from groundswell.lineage.history import Action
from groundswell.lineage.model import Registration
from groundswell.store.conflicts import retry_conflicts
from groundswell.wiring import App


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


def would_change(product: App, principal: Principal, wanted: Registration, conditions: Conditions) -> Change | None:
    """What `register` would change. Raises what it would raise."""
    known = stored(product.catalog, wanted.name)
    _check_teams(product.catalog, principal, wanted, known)
    conditions.check(etag(known) if known else None)
    return next(iter(product.catalog.changes([wanted])), None)


def register(
    product: App, principal: Principal, wanted: Registration, conditions: Conditions, *, why: str
) -> Registered:
    """Register an image, and enter the digests of bases that are new.

    Raises ForbiddenError, PreconditionFailedError, InputError for a contradiction, ConflictError when it is gone
    again at once, or changed while it was looked at whose it is.
    """
    catalog = product.catalog
    known = stored(catalog, wanted.name)
    _check_teams(catalog, principal, wanted, known)

    def write(etags: Mapping[str, str | None]) -> tuple[Change, ...]:
        return catalog.register([wanted], who=principal.who, why=why, etags=etags)

    changes = _on_condition(principal, conditions, wanted.name, known, write)
    unread = seed(product.bases, catalog, product.registry, [wanted.name])
    now = stored(catalog, wanted.name)
    if now is None:
        raise ConflictError(f"somebody else unregistered {wanted.name} right after it was registered")
    return Registered(change=next(iter(changes), None), stored=now, unread=unread)


def unregister(product: App, principal: Principal, name: str, conditions: Conditions, *, why: str) -> None:
    """Take an image out of the lineage. Raises NotFoundError, ForbiddenError, PreconditionFailedError."""
    known = product.catalog.stored(name)
    _check_owner(principal, known.registration)

    def write(etags: Mapping[str, str | None]) -> None:
        product.catalog.unregister([name], who=principal.who, why=why, etags=etags)

    _on_condition(principal, conditions, name, known, write)


def _on_condition[R](
    principal: Principal,
    conditions: Conditions,
    name: str,
    known: Stored | None,
    write: Callable[[Mapping[str, str | None]], R],
) -> R:
    """Write if the conditions hold for the image as `known`, and still hold then; without any, be the last one.

    But only an admin is the last one whatever came between: for others `known` says whose image it is.
    """
    seen = {name: known.etag if known else None}
    if not conditions:
        return retry_conflicts()(write, {}) if Role.ADMIN in principal.roles else write(seen)
    conditions.check(etag(known) if known else None)
    try:
        return write(seen)
    except ConflictError as exc:
        raise PreconditionFailedError(str(exc)) from exc


def _check_owner(principal: Principal, image: Registration) -> None:
    if not principal.answers_for(image.owner):
        whose = f"of team {image.owner}" if image.owner else "of no team, and an admin's to register"
        raise ForbiddenError(f"{image.name} is {whose}; {principal.name} registers images of {_teams(principal)}")


def _teams(principal: Principal) -> str:
    return ", ".join(sorted(principal.teams)) or "no team"


def _check_teams(catalog: Catalog, principal: Principal, wanted: Registration, known: Stored | None) -> None:
    """Raises ForbiddenError when the image, or what it would write to, is not the principal's to change."""
    if Role.ADMIN in principal.roles:
        return
    _check_owner(principal, wanted)
    if known is not None:
        _check_owner(principal, known.registration)
    repository, workloads = (wanted.registry, wanted.repository), _workloads(wanted)
    for other in catalog.each():
        if principal.answers_for(other.owner) or other.name == wanted.name:
            continue
        if (other.registry, other.repository) == repository:
            place = f"repository {wanted.repository} is pushed to by {other.name}"
        elif shared := sorted(workloads & _workloads(other)):
            place = f"{shared[0]} runs {other.name}"
        else:
            continue
        raise ForbiddenError(f"{place}, which is not of {_teams(principal)}")


def _workloads(image: Registration) -> set[str]:
    """Whatever container of them: they start and stop together."""
    return {str(workload).partition("[")[0] for workload in image.deployments}
