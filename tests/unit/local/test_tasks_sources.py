"""Sources: what is a git repository, and that nothing leads out of the run's folder or past the limits."""

import io
import tarfile
from pathlib import Path

import pytest

from groundswell.local.tasks.archives import unpack
from groundswell.local.tasks.errors import RunError
from groundswell.local.tasks.sources import GitSource, parse_git, within
from tests.support.tasks import tarball


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("https://host/a/repo.git", ("https://host/a/repo.git", "", "")),
        ("https://host/repo.git#main", ("https://host/repo.git", "main", "")),
        ("http://host:8/repo.git#v1:dir/sub", ("http://host:8/repo.git", "v1", "dir/sub")),
        ("file:///srv/repo.git#:dir", ("file:///srv/repo.git", "", "dir")),
        ("https://dev.azure.com/o/p/_git/r#b:d", ("https://dev.azure.com/o/p/_git/r", "b", "d")),
    ],
)
def test_git_locations(location: str, parts: tuple[str, str, str]) -> None:
    url, ref, path = parts
    assert parse_git(location) == GitSource(url=url, ref=ref, path=path)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "source/x.tar.gz",
        "https://host/x.tar.gz",
        "ssh://host/r.git",
        "ext::sh -c id .git",
        "/srv/r.git",
        "-u.git",
    ],
)
def test_what_is_no_git_location(location: str) -> None:
    assert parse_git(location) is None


def test_paths_stay_within_the_source(tmp_path: Path) -> None:
    inside = tmp_path / "source"
    (inside / "dir").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (inside / "link").symlink_to("../secret")
    (inside / "ok").symlink_to("dir")

    assert within(inside, "ok", "folder") == inside / "dir"
    for path in ("../secret", "/etc/passwd", "link", "dir/../../secret"):
        with pytest.raises(RunError, match="leads out of the source"):
            within(inside, path, "folder")
    with pytest.raises(RunError, match="folder 'none' is not in the source"):
        within(inside, "none", "folder")


def archive_of(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def link(name: str, goal: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, goal
    return member


@pytest.mark.parametrize(
    "member",
    [
        tarfile.TarInfo("../escaped"),
        tarfile.TarInfo("a/../../escaped"),
        link("l", "/etc"),
        link("l", "../.."),
        link("l", "../escaped", tarfile.LNKTYPE),
        link("dev", "", tarfile.CHRTYPE),
    ],
)
def test_a_tarball_cannot_lead_out(tmp_path: Path, member: tarfile.TarInfo) -> None:
    archive = archive_of(tmp_path / "a.tar.gz", member)
    with pytest.raises(RunError, match="the source tarball is refused"):
        unpack(archive, tmp_path / "into", max_bytes=100, max_files=10)
    assert not (tmp_path / "escaped").exists()


def test_an_absolute_name_lands_inside(tmp_path: Path) -> None:
    unpack(archive_of(tmp_path / "a.tar.gz", tarfile.TarInfo("/abs")), tmp_path / "into", max_bytes=9, max_files=9)
    assert (tmp_path / "into" / "abs").exists()


def test_a_tarball_is_not_unpacked_beyond_the_limits(tmp_path: Path) -> None:
    big = tarfile.TarInfo("big")
    big.size = 101
    with pytest.raises(RunError, match="more than 100 bytes"):
        unpack(archive_of(tmp_path / "a.tar.gz", big), tmp_path / "into", max_bytes=100, max_files=10)
    many = [tarfile.TarInfo(str(index)) for index in range(3)]
    with pytest.raises(RunError, match="or 2 files"):
        unpack(archive_of(tmp_path / "b.tar.gz", *many), tmp_path / "other", max_bytes=100, max_files=2)


@pytest.mark.parametrize(
    "content", [b"", b"no tarball", tarball({"a": "b" * 5000})[:60]], ids=["empty", "text", "cut"]
)
def test_what_is_no_tarball_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(content)
    with pytest.raises(RunError, match="not a tarball that can be read"):
        unpack(path, tmp_path / "into", max_bytes=1 << 20, max_files=10)
