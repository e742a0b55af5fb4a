"""tools/fetch_cosign.py, with mirrors that are folders."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tools import fetch_cosign


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(fetch_cosign.platform, "machine", lambda: "x86_64")


def package(folder: Path) -> bytes:
    """A package with a program called cosign."""
    (folder / "tree/DEBIAN").mkdir(parents=True)
    (folder / "tree/usr/bin").mkdir(parents=True)
    (folder / "tree/usr/bin/cosign").write_text("#!/bin/sh\n")
    control = "Package: cosign\nVersion: 1\nArchitecture: all\nMaintainer: me <me@example.com>\nDescription: x\n"
    (folder / "tree/DEBIAN/control").write_text(control)
    built = folder / "built.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder / "tree", built], check=True)
    return built.read_bytes()


def mirror(folder: Path, content: bytes) -> str:
    path = folder / fetch_cosign.PACKAGE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return folder.as_uri()


def test_it_is_taken_from_the_first_mirror_that_has_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = package(tmp_path)
    monkeypatch.setattr(fetch_cosign, "SHA256", hashlib.sha256(good).hexdigest())
    mirrors = [(tmp_path / "none").as_uri(), mirror(tmp_path / "bad", b"else"), mirror(tmp_path / "good", good)]
    monkeypatch.setattr(fetch_cosign, "mirrors", lambda: mirrors)
    for _ in range(2):
        assert fetch_cosign.main() == 0
        assert (tmp_path / "home/cosign/cosign").read_text() == "#!/bin/sh\n"
        mirrors.clear()


def test_what_cannot_be_had_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fetch_cosign, "mirrors", lambda: [mirror(tmp_path / "bad", b"else")])
    assert fetch_cosign.main() == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "another checksum than the pinned one" in said
    monkeypatch.setattr(fetch_cosign.platform, "machine", lambda: "aarch64")
    assert fetch_cosign.main() == 1
    assert "not for aarch64" in capsys.readouterr().err


def test_debians_own_mirror_is_always_asked() -> None:
    assert "http://deb.debian.org/debian" in list(fetch_cosign.mirrors())
