"""The licences of installed packages, as SPDX expressions, and which of them the app may carry.

Tools that run as processes of their own (Trivy, git, the Debian packages of set-up) are no part of the app and not
looked at here. What a package says in prose is translated by a table; what is not in it is not guessed.
"""

import importlib.metadata
import re
from collections.abc import Mapping

ALLOWED = frozenset({
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT", "MIT-0", "PSF-2.0"),
    "MPL-2.0",  # of its own files alone; used unchanged
})  # fmt: skip
"""None of them asks anything of the code beside it."""

_SPDX: Mapping[str, str] = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
_OF_PACKAGES: Mapping[str, str] = {
    "isodate": "BSD-3-Clause",  # its whole text stands where the name belongs
    "jinja2": "BSD-3-Clause",  # says "BSD License" only; LICENSE.txt has three clauses
}
_WORD = re.compile(r"[A-Za-z0-9.+-]+")


def expression(package: str) -> str | None:
    """The SPDX expression of an installed package's licence; None when it is not installed, or says none."""
    try:
        metadata = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return None
    if package in _OF_PACKAGES:
        return _OF_PACKAGES[package]
    if said := metadata.get("License-Expression"):
        return str(said)
    prose = metadata.get("License") or ""
    kinds = [
        kind.rpartition("::")[2].strip() for kind in metadata.get_all("Classifier") or () if "License ::" in kind
    ]
    for name in (prose, *kinds):
        known = _SPDX.get(name.strip().lower(), name.strip())
        if known in ALLOWED or name.strip().lower() in _SPDX:
            return str(known)
    return None


def may_carry(expression: str) -> bool:
    """Whether the app may carry it: of `OR` one must be allowed, of `AND` (and where there are parentheses) all."""
    choices = [expression] if "(" in expression else expression.split(" OR ")
    named = [[word for word in _WORD.findall(choice) if word not in ("AND", "OR")] for choice in choices]
    return any(words and ALLOWED.issuperset(words) for words in named)
