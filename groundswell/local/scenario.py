"""What the demo says will happen to the company of examples/company (its README tells the same to people)."""

from collections.abc import Mapping

from groundswell.cascade.status import Status

BASE = "mirror/debian:12"
FIXED = "its vulnerable zlib1g fixed"

FAILS = "backoffice/tax"
BLOCKED_MEANWHILE = "backoffice/tax-export"
REJECTED = "backoffice/invoices"
UNCHANGED = "shop/status"
PINNED = "shop/payments"
REBASED = "shop/catalog"
NO_WORSE = "backoffice/ledger"
"""It has a flaw that the gate refuses, and passes, because production has the same one."""
ROLLED_BACK = "shop/offers"
"""Its new image does not start."""
APPROVED = "shop/storefront"
"""Its second ring waits for a person."""

REPAIR = ("backoffice/tax/certified-packages.txt", "1:1.2.13.dfsg-1\n", "1:1.2.13.dfsg-1+deb12u1\n")
"""File, old and new text: the tax office certifies the fixed package."""

EXCEPTIONS: Mapping[str, Status] = {
    REJECTED: Status.REJECTED,
    UNCHANGED: Status.UNCHANGED,
    ROLLED_BACK: Status.FAILED,
}
"""How images end that do not end as done, after the replay and the approval."""
