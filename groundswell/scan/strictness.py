"""Whether one policy lets anything pass that another would refuse. Pure, and on the safe side.

Value by value: a policy is no looser than another when none of its values is. What cannot be compared, such as two
globs of packages, counts as looser when it is not the very same.
"""

from collections.abc import Callable, Mapping

from groundswell.scan.policy import Allowance, Mode, Policy

type _NoLooser = Callable[[Policy, Policy], bool]


def _scanners(new: Policy, old: Policy) -> bool:
    """Where a policy names none, the first one set up scans: to name another would be in place of that."""
    return set(old.scanners) <= set(new.scanners) and (bool(old.scanners) or not new.scanners)


def _database(new: Policy, old: Policy) -> bool:
    if old.max_database_age is None:
        return True
    return new.max_database_age is not None and new.max_database_age <= old.max_database_age


def _within(each: Allowance, old: Policy) -> bool:
    """Whether the same was allowed for as long at least; the reason is free."""
    return any(
        (each.id, each.package) == (known.id, known.package) and each.expires <= known.expires
        for known in old.allow
    )


_NO_LOOSER: Mapping[str, _NoLooser] = {
    "severity": lambda new, old: new.threshold <= old.threshold,
    "fixable_only": lambda new, old: old.fixable_only or not new.fixable_only,
    "unknown_as": lambda new, old: new.unknown_as >= old.unknown_as,
    "mode": lambda new, old: new.mode is Mode.CLEAN or old.mode is Mode.NO_WORSE,
    "os": lambda new, old: (
        (new.allow_no_os, new.allow_unsaid_os)
        in (
            (False, False),
            (old.allow_no_os, old.allow_unsaid_os),
        )
    ),
    "scanners": _scanners,
    "max_scan_age": lambda new, old: new.max_scan_age <= old.max_scan_age,
    "max_database_age": _database,
    "allow": lambda new, old: all(_within(each, old) for each in new.allow),
    "never": lambda new, old: set(old.never) <= set(new.never),
    "vex": lambda new, old: set(new.vex) <= set(old.vex),
}
"""By the key of the gate. `on_new_finding` lets nothing pass."""


def loosened(new: Policy, old: Policy) -> tuple[str, ...]:
    """The keys in which `new` is looser than `old`; none when all that passes `new` passes `old` too."""
    return tuple(key for key, no_looser in _NO_LOOSER.items() if not no_looser(new, old))
