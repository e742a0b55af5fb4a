"""Names of the database's buckets, as Trivy works them out."""

import pytest

from groundswell.scan.coverage import knows_language, knows_system


@pytest.mark.parametrize(
    ("family", "version", "bucket"),
    [
        ("debian", "12.15", "debian 12"),
        ("ubuntu", "22.04", "ubuntu 22.04"),
        ("alpine", "3.20.1", "alpine 3.20"),
        ("alpine", "edge", "alpine edge"),
        ("amazon", "2 (Karoo)", "amazon linux 2"),
        ("amazon", "2023.6.20241010 (Amazon Linux)", "amazon linux 2023"),
        ("amazon", "AMI release 2018.03", "amazon linux 1"),
        ("azurelinux", "3.0", "Azure Linux 3.0"),
        ("cbl-mariner", "2.0.20240123", "CBL-Mariner 2.0"),
        ("redhat", "9.4", "Red Hat"),
        ("rocky", "9.4", "rocky 9"),
        ("oracle", "8.9", "Oracle Linux 8"),
        ("opensuse.leap", "15.5", "openSUSE Leap 15.5"),
        ("suse linux enterprise server", "15.5", "SUSE Linux Enterprise 15.5"),
        ("wolfi", "20230201", "wolfi"),
    ],
)
def test_systems(family: str, version: str, bucket: str) -> None:
    assert knows_system({bucket, "vulnerability"}, family, version)
    assert not knows_system({f"{bucket}0", "vulnerability"}, family, version)


@pytest.mark.parametrize("family", ["", "none", "fedora", "Debian"])
def test_a_family_without_advisories_is_never_known(family: str) -> None:
    assert not knows_system({"debian 12", family, f"{family} 1"}, family, "1")


@pytest.mark.parametrize(
    ("kind", "known"),
    [("gobinary", True), ("gomod", True), ("python-pkg", False), ("conda-pkg", False), ("", False)],
)
def test_languages(kind: str, known: bool) -> None:
    assert knows_language({"go::GitHub Security Advisory Go", "debian 12"}, kind) is known
