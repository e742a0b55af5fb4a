"""The demo's base: what is in the image, that it is the same every time, and what its two variants share."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from groundswell.errors import PermanentError
from groundswell.local.bases import Variant, build_base
from groundswell.local.debs import fetch_packages
from groundswell.local.oci import OciImage, digest_of
from tests.support.packages import make_packages


def contents(image: OciImage) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    (layer,) = json.loads(image.manifest)["layers"]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.blobs[layer["digest"]]))) as archive:
        return {
            member.name: (member, stream.read() if (stream := archive.extractfile(member)) else b"")
            for member in archive
            if not member.issym()
        }


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_packages(tmp_path_factory.mktemp("packages"))


def test_files_and_the_record_of_packages(packages: Path) -> None:
    files = contents(build_base(packages, Variant.VULNERABLE))
    assert files["etc/mime.types"][1] == b"text/plain txt\n"
    assert files["tmp"][0].mode == 0o1777
    assert not any(name.startswith("usr/share/doc/") for name in files)
    status = files["var/lib/dpkg/status"][1].decode()
    assert status.count("Status: install ok installed\n") == 5
    assert f"Source: zlib\nVersion: {Variant.VULNERABLE}\n" in status
    assert "Version: 12.4+deb12u15\n" in status


def test_every_entry_has_a_parent_before_it(packages: Path) -> None:
    seen = {""}
    for name in contents(build_base(packages, Variant.FIXED)):
        assert name.rpartition("/")[0] in seen
        seen.add(name)


def test_the_same_bytes_every_time_and_other_bytes_for_the_other_variant(packages: Path, tmp_path: Path) -> None:
    first = build_base(packages, Variant.VULNERABLE)
    again = build_base(make_packages(tmp_path), Variant.VULNERABLE)
    assert (first.digest, dict(first.blobs)) == (again.digest, dict(again.blobs))
    assert build_base(packages, Variant.FIXED).digest != first.digest


def test_the_variants_differ_in_one_version_only(packages: Path) -> None:
    old, new = (contents(build_base(packages, variant)) for variant in Variant)
    assert old.keys() == new.keys()
    assert [name for name in old if old[name][1] != new[name][1]] == ["var/lib/dpkg/status"]
    assert {name: info.mtime for name, (info, _) in old.items()} == {
        name: info.mtime for name, (info, _) in new.items()
    }


def test_the_manifest_names_blobs_that_are_there(packages: Path) -> None:
    image = build_base(packages, Variant.FIXED)
    manifest = json.loads(image.manifest)
    for descriptor in (manifest["config"], *manifest["layers"]):
        blob = image.blobs[descriptor["digest"]]
        assert (digest_of(blob), len(blob)) == (descriptor["digest"], descriptor["size"])
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    layer = gzip.decompress(image.blobs[manifest["layers"][0]["digest"]])
    assert config["rootfs"]["diff_ids"] == [digest_of(layer)]


def test_what_is_there_is_not_fetched_again(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.local.debs._TIMEOUT", 30)
    before = sorted(packages.iterdir())
    fetch_packages(packages)
    assert sorted(packages.iterdir()) == before


def test_another_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="not Debian 12's"):
        fetch_packages(make_packages(tmp_path, release="13.1"))


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="base-files is not in"):
        build_base(tmp_path, Variant.FIXED)
