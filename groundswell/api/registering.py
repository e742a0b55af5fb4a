"""Registering and unregistering on conditions, by those who answer for the image, and what became of it.

A registrar changes nothing of another team's: not its images, nor what its images are pushed to, nor the workloads
that run them. Else a build of one team would end up under the name, or in the cluster, of another. Nor does it
loosen the gate of an own image: what may pass is not for those to say whose image is held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graph.reference import Reference
from groundswell.access.principal import ForbiddenError, Principal, Role
from groundswell.api.conditions import Conditions, etag
from groundswell.api.problems import PreconditionFailedError
from groundswell.cascade.reconcile import seed
from groundswell.errors import ConflictError, NotFoundError
from groundswell.lineage.catalog import Catalog, Change, Stored
from groundswell.lineage.history import Action
from groundswell.lineage.model import Registration
from groundswell.lineage.policies import Policies
from groundswell.scan.strictness import loosened
from groundswell.store.conflicts import retry_conflicts
from groundswell.wiring import App

_POLICY_AGE = 1.0
"""Seconds for which the policy is remembered: many images are held against one."""


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
    _check(product, principal, {wanted.name: wanted}, {wanted.name: known} if known else {})
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
    _check(product, principal, {wanted.name: wanted}, {wanted.name: known} if known else {})

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


def would_change_all(product: App, principal: Principal, wanted: Mapping[str, Registration]) -> Sequence[Change]:
    """What `register_all` would change. Raises what it would raise."""
    _check(product, principal, wanted, product.catalog.known(wanted))
    return product.catalog.changes(wanted.values())


def register_all(
    product: App, principal: Principal, wanted: Mapping[str, Registration], *, why: str
) -> tuple[Sequence[Change], list[str]]:
    """Register images together, as `Catalog.register` does; the changes, and the bases that could not be read.

    The last one wins. Raises ForbiddenError when one of them is not the principal's, InputError for a
    contradiction, ConflictError when one of them changed while it was looked at whose it is.
    """
    known = product.catalog.known(wanted)
    _check(product, principal, wanted, known)
    changes = _last_one(
        principal,
        {name: known[name].etag if name in known else None for name in wanted},
        lambda etags: product.catalog.register(wanted.values(), who=principal.who, why=why, etags=etags),
    )
    return changes, seed(product.bases, product.catalog, product.registry, wanted)


def unregister_all(product: App, principal: Principal, names: Sequence[str], *, why: str) -> dict[str, list[str]]:
    """Take images out of the lineage together; by image, who still stands on its tags.

    Raises NotFoundError, ForbiddenError, ConflictError.
    """
    known = product.catalog.known(names)
    for each in known.values():
        _check_owner(principal, each.registration)
    with product.catalog.lineage() as lineage:
        left = {name: sorted(set(lineage.followers(name)) - set(names)) for name in names if name in lineage}
    _last_one(
        principal,
        {name: each.etag for name, each in known.items()},
        lambda etags: product.catalog.unregister(names, who=principal.who, why=why, etags=etags),
    )
    return left


def _last_one[R](
    principal: Principal,
    seen: Mapping[str, str | None],
    write: Callable[[Mapping[str, str | None]], R],
) -> R:
    """Write without a condition: an admin whatever came between, others only what they were seen to answer for."""
    return retry_conflicts()(write, {}) if Role.ADMIN in principal.roles else write(seen)


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
        return _last_one(principal, seen, write)
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


def _check(
    product: App,
    principal: Principal,
    wanted: Mapping[str, Registration],
    known: Mapping[str, Stored],
) -> None:
    """Raises ForbiddenError when an image, its gate, or what it would write to is not the principal's to change."""
    if Role.ADMIN in principal.roles:
        return
    for name, image in wanted.items():
        _check_owner(principal, image)
        before = known.get(name)
        if before is not None:
            _check_owner(principal, before.registration)
        _check_gate(product.policies, principal, image, before.registration if before else None)
    _check_others(product.catalog, principal, wanted)


def _check_gate(policies: Policies, principal: Principal, wanted: Registration, known: Registration | None) -> None:
    """Raises ForbiddenError for a gate that is looser than all the others ask, and than it is now.

    All the others are global policy and team; when the image changes hands, the team it is of now.
    """
    new = policies.policy(wanted, age=_POLICY_AGE)
    asked = loosened(new, policies.policy(replace(known or wanted, gate={}), age=_POLICY_AGE))
    if asked and (known is None or loosened(new, policies.policy(known, age=_POLICY_AGE))):
        raise ForbiddenError(
            f"the gate of {wanted.name} would be looser than it is held to in {', '.join(asked)}; "
            f"that is for an admin to register, or for the policy to say, not for {principal.name}"
        )


def _check_others(catalog: Catalog, principal: Principal, wanted: Mapping[str, Registration]) -> None:
    """Raises ForbiddenError for a repository or a workload of another team's image.

    Of a repository that nobody has registered, those have a say who stand on it: a mirror of a base is everybody's.
    """
    repositories = {_repository(image.registry, image.repository): image for image in wanted.values()}
    workloads = {place for image in wanted.values() for place in _workloads(image)}
    ours: set[str] = set()
    stood_on: dict[str, str] = {}
    for other in catalog.each():
        place = _repository(other.registry, other.repository)
        if principal.answers_for(other.owner) or other.name in wanted:
            ours.add(place)
            continue
        if place in repositories:
            why = f"repository {other.repository} is pushed to by {other.name}"
        elif shared := sorted(workloads & _workloads(other)):
            why = f"{shared[0]} runs {other.name}"
        else:
            stood_on |= dict.fromkeys(_bases(other) & repositories.keys(), other.name)
            continue
        raise ForbiddenError(f"{why}, which is not of {_teams(principal)}")
    for place in sorted(stood_on.keys() - ours):
        raise ForbiddenError(
            f"repository {repositories[place].repository} is what {stood_on[place]} stands on, and no image of "
            f"{_teams(principal)} is pushed there yet; that is for an admin to register"
        )


def _repository(registry: str, repository: str) -> str:
    """The same however the host is written."""
    return f"{registry.lower().removesuffix(':443')}/{repository}"


def _bases(image: Registration) -> set[str]:
    """The repositories that it stands on."""
    given = (Reference.parse(base) for base in (image.runtime, image.frontend, *image.build) if base)
    return {_repository(base.registry, base.repository) for base in given}


def _workloads(image: Registration) -> set[str]:
    return {workload.whole for workload in image.deployments}
