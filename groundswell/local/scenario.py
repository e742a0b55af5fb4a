"""What the demo says will happen to the company of examples/company (its README tells the same to people)."""

from collections.abc import Mapping

from groundswell.cascade.model import Status

BASE = "mirror/debian:12"
FIXED = "its vulnerable zlib1g fixed"

FAILS = "backoffice/tax"
BLOCKED_MEANWHILE = "backoffice/tax-export"
REJECTED = "backoffice/invoices"
UNCHANGED = "shop/status"
PINNED = "shop/payments"
REBASED = "shop/catalog"

REPAIR = ("backoffice/tax/certified-packages.txt", "1:1.2.13.dfsg-1\n", "1:1.2.13.dfsg-1+deb12u1\n")
"""File, old and new text: the tax office certifies the fixed package."""

EXCEPTIONS: Mapping[str, Status] = {REJECTED: Status.REJECTED, UNCHANGED: Status.UNCHANGED}
"""How images end that do not end as done, after the replay."""
