"""OpenVEX: whom a statement is about, which one counts, and what is no reason to let anything pass."""

from typing import Any

import pytest

from graph.reference import Reference
from groundswell.errors import InputError
from groundswell.scan.gate import judge
from groundswell.scan.policy import Policy, policy
from groundswell.scan.port import Finding, Report, Severity
from groundswell.scan.purl import Purl
from groundswell.scan.vex import statements

NOW = 1_798_000_000.0  # 2026-12-23
DIGEST = "sha256:" + "ab" * 32
SUBJECT = Reference(registry="contoso.azurecr.io", repository="shop/web", tag=None, digest=DIGEST)
IMAGE = "pkg:oci/web?repository_url=contoso.azurecr.io/shop/web"
ZLIB = "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64&distro=debian-12"
FOUND = Finding(
    id="CVE-2026-1", package="zlib1g", installed="1:1.2.13", fixed="2", severity=Severity.CRITICAL, purl=ZLIB
)


def statement(*products: Any, **changes: Any) -> dict[str, Any]:
    return {
        "vulnerability": {"name": "CVE-2026-1"},
        "products": list(products) or [{"@id": IMAGE}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_in_execute_path",
        **changes,
    }


def document(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://openvex.dev/docs/1",
        "author": "security@contoso.com",
        "timestamp": "2026-12-01T00:00:00Z",
        "version": 1,
        "statements": list(entries),
        **changes,
    }


def held_to(*documents: dict[str, Any], expires: str = "2026-12-31") -> Policy:
    return policy({"vex": [{"file": "f", "expires": expires, "document": each} for each in documents]})


def passes(entry: Policy, *findings: Finding) -> bool:
    report = Report(scanner="trivy", digest=DIGEST, os="debian 12", findings=findings or (FOUND,), scanned_at=NOW)
    return judge([report], entry, subject=SUBJECT, now=NOW).passed


@pytest.mark.parametrize(
    ("product", "clears"),
    [
        pytest.param({"@id": IMAGE}, True, id="the image"),
        pytest.param({"@id": f"pkg:oci/web@{DIGEST.replace(':', '%3A')}"}, True, id="the image by digest"),
        pytest.param({"@id": "pkg:oci/web"}, True, id="images of the name"),
        pytest.param({"@id": "pkg:oci/web@sha256%3Acd"}, False, id="another digest"),
        pytest.param({"@id": "pkg:oci/web?repository_url=other.io/shop/web"}, False, id="another registry"),
        pytest.param({"@id": "pkg:oci/api"}, False, id="another image"),
        pytest.param({"@id": "https://contoso.com/web"}, False, id="an identifier we cannot tie to it"),
        pytest.param({"@id": "x", "identifiers": {"purl": IMAGE}}, True, id="by identifier"),
        pytest.param(
            {"@id": IMAGE, "subcomponents": [{"@id": ZLIB.partition("?")[0]}]}, True, id="the package in it"
        ),
        pytest.param({"@id": IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/zlib1g"}]}, True, id="any version"),
        pytest.param(
            {"@id": IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/zlib1g@9"}]}, False, id="other version"
        ),
        pytest.param({"@id": IMAGE, "subcomponents": [{"@id": "pkg:deb/debian/libc6"}]}, False, id="other package"),
        pytest.param({"@id": IMAGE, "subcomponents": [{"@id": "libz"}]}, False, id="a part that is no package URL"),
        pytest.param({"@id": "pkg:deb/debian/zlib1g"}, True, id="the package anywhere"),
        pytest.param({"@id": "pkg:deb/ubuntu/zlib1g"}, False, id="another system's"),
        pytest.param(
            {"@id": "pkg:deb/debian/zlib1g", "subcomponents": [{"@id": ZLIB}]}, False, id="parts of a package"
        ),
        pytest.param(IMAGE, True, id="as version 0.0.1 names it"),
    ],
)
def test_whom_a_statement_is_about(product: Any, clears: bool) -> None:
    assert passes(held_to(document(statement(product)))) is clears


def test_what_was_found_without_a_package_url_is_cleared_by_image_only() -> None:
    bare = Finding(id="CVE-2026-1", package="zlib1g", installed="1", fixed="2", severity=Severity.CRITICAL)
    assert passes(held_to(document(statement())), bare)
    assert not passes(held_to(document(statement({"@id": "pkg:deb/debian/zlib1g"}))), bare)
    assert not passes(held_to(document(statement({"@id": IMAGE, "subcomponents": [{"@id": ZLIB}]}))), bare)


@pytest.mark.parametrize(
    ("status", "clears"),
    [("not_affected", True), ("fixed", True), ("affected", False), ("under_investigation", False)],
)
def test_what_a_status_means(status: str, clears: bool) -> None:
    assert passes(held_to(document(statement(status=status)))) is clears


def test_the_newest_statement_counts() -> None:
    clear = statement(timestamp="2026-12-02T00:00:00Z")
    doubt = statement(status="under_investigation", timestamp="2026-12-03T00:00:00Z")
    assert not passes(held_to(document(clear, doubt)))
    assert passes(held_to(document({**clear, "timestamp": "2026-12-04T00:00:00Z"}, doubt)))
    assert not passes(held_to(document(statement(), statement(status="affected"))))  # as old as each other


def test_the_newest_counts_across_documents_too() -> None:
    clear, doubt = document(statement()), document(statement(status="affected"), timestamp="2026-12-02T00:00:00Z")
    assert not passes(held_to(clear, doubt))
    assert not passes(held_to(doubt, clear))
    assert passes(held_to(doubt, document(statement(), timestamp="2026-12-03T00:00:00Z")))


def test_a_document_counts_until_it_expires() -> None:
    assert not passes(held_to(document(statement()), expires="2026-12-22"))
    assert passes(held_to(document(statement()), expires="2026-12-23"))


def test_by_another_name() -> None:
    entry = statement(vulnerability={"name": "GHSA-1", "aliases": ["CVE-2026-1"]})
    assert passes(held_to(document(entry)))
    assert passes(held_to(document(statement(vulnerability="CVE-2026-1"))))
    assert not passes(held_to(document(statement(vulnerability="CVE-2026-2"))))


def test_why_is_told() -> None:
    (said,) = statements(document(statement(impact_statement="x", justification="")), NOW)
    assert said.why == "not_affected: x"
    (bare,) = statements(document(statement(status="fixed", justification="")), NOW)
    assert bare.why == "fixed"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "its @context must begin with"),
        (document() | {"@context": 1}, "not an OpenVEX document: the report has @context"),
        (document(statement(status="fine")), "CVE-2026-1 has status 'fine'; it must be one of"),
        (document(statement(vulnerability={})), "a statement without a vulnerability has status"),
        (document(statement(justification="")), "not_affected without a justification"),
        (document(statement(), timestamp=""), "CVE-2026-1 has no timestamp"),
        (document(statement(), timestamp="soon"), "timestamp that is no time"),
        (document(statement(3)), "products that is no object"),
    ],
)
def test_what_is_refused(content: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        statements(content, NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pkg:npm/%40scope/pad@1.0", Purl(type="npm", name="@scope/pad", version="1.0")),
        ("pkg:npm/@scope/pad", Purl(type="npm", name="@scope/pad")),
        ("PKG:Golang/github.com/a/b@v1#sub", Purl(type="golang", name="github.com/a/b", version="v1")),
        ("pkg://deb/debian/x@1?arch=a", Purl(type="deb", name="debian/x", version="1")),
        (IMAGE, Purl(type="oci", name="web", repository="contoso.azurecr.io/shop/web")),
        ("pkg:deb", None),
        ("pkg:deb/", None),
        ("CVE-1", None),
        ("", None),
    ],
)
def test_package_urls(text: str, expected: Purl | None) -> None:
    assert Purl.parse(text) == expected
