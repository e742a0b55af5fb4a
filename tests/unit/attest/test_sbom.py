"""The bill of materials that is made of scanners' lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.attest.sbom import LAYER, bill
from groundswell.attest.statements import encode
from groundswell.scan.cyclonedx import parse
from groundswell.scan.port import Package, Report
from groundswell.scan.source import Source

DIGEST = f"sha256:{'a' * 64}"
IMAGE = Reference.parse(f"acr.example.com/shop/web@{DIGEST}")


def report(*packages: Package, scanner: str = "trivy", os: str = "debian 12.5", **more: Any) -> Report:
    return Report(scanner=scanner, digest=DIGEST, os=os, findings=(), packages=packages, **more)


ZLIB = Package(name="zlib1g", version="1:1.2.13", layer="sha256:l1", purl="pkg:deb/debian/zlib1g@1%3A1.2.13")
BARE = Package(name="app", version="")


def test_the_packages_of_all_scanners_once() -> None:
    document = bill(IMAGE, [report(ZLIB, BARE), report(ZLIB, scanner="aqua", os="")])
    assert document is not None
    assert document["metadata"]["component"] == {
        "type": "container",
        "bom-ref": (purl := f"pkg:oci/web@sha256%3A{'a' * 64}?repository_url=acr.example.com/shop/web"),
        "name": "acr.example.com/shop/web",
        "version": DIGEST,
        "purl": purl,
    }
    assert [each["name"] for each in document["metadata"]["tools"]["components"]] == ["aqua", "trivy"]
    system, app, zlib = document["components"]
    assert (system["type"], system["name"], system["version"]) == ("operating-system", "debian", "12.5")
    assert app == {"type": "library", "bom-ref": "package:0", "name": "app"}
    assert zlib == {
        "type": "library",
        "bom-ref": "package:1",
        "name": "zlib1g",
        "version": "1:1.2.13",
        "purl": "pkg:deb/debian/zlib1g@1%3A1.2.13",
        "properties": [{"name": LAYER, "value": "sha256:l1"}],
    }


def test_a_system_without_a_version_and_none_at_all() -> None:
    for os, names in (("wolfi", ["wolfi"]), ("", [])):
        document = bill(IMAGE, [report(os=os)])
        assert document is not None
        assert [each["name"] for each in document["components"]] == names


def test_without_a_list_there_is_no_bill() -> None:
    silent = Report(scanner="sarif", digest=DIGEST, os="", findings=())
    assert bill(IMAGE, []) is None
    assert bill(IMAGE, [silent]) is None
    assert bill(IMAGE, [silent, report(ZLIB)]) == bill(IMAGE, [report(ZLIB)])


PACKAGES = st.lists(
    st.builds(Package, name=st.text(min_size=1), version=st.text(), layer=st.text(), purl=st.text()), max_size=5
)


@given(PACKAGES, st.randoms())
def test_the_same_packages_make_the_same_document(packages: list[Package], rng: Any) -> None:
    shuffled = rng.sample(packages, len(packages))
    one = bill(IMAGE, [report(*packages, scanned_at=1.0, database_at=2.0)])
    assert encode(one) == encode(bill(IMAGE, [report(*shuffled, scanned_at=3.0)]))
    assert one is not None
    references = [each["bom-ref"] for each in one["components"]]
    assert len(references) == len(set(references))


@pytest.mark.parametrize("extra", [{"vulnerabilities": []}])
def test_it_is_cyclonedx_as_our_own_reader_takes_it(extra: dict[str, Any]) -> None:
    document = bill(IMAGE, [report(ZLIB)])
    assert document is not None
    read = parse({**document, **extra}, Source(scanner="x", digest=DIGEST))
    assert [(each.name, each.version, each.layer) for each in read.packages or ()] == [
        ("zlib1g", "1:1.2.13", "sha256:l1")
    ]
