"""Trivy beside the app, against a real registry and the local stack's database; what all scanners promise is in
`test_scanners.py`."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from graph.reference import Reference
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.local.advisories import Advisories, read_advisories
from groundswell.local.bases import Variant, build_base
from groundswell.local.oci import OciImage, make_image
from groundswell.local.push import Login, push
from groundswell.local.trivy import binary
from groundswell.scan.gate import judge
from groundswell.scan.policy import Policy
from groundswell.scan.port import Report, Severity
from groundswell.scan.trivy import TrivyScanner
from groundswell.scan.verdict import Verdict
from tests.support.layers import layer
from tests.support.login_registry import login_registry
from tests.support.packages import make_packages
from tests.support.scanning import NOW, make_database

pytestmark = pytest.mark.stack

STATUS = "Package: zlib1g\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nMaintainer: n\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    login: Login
    packages: Path
    folder: Path
    trivy: Path

    def scanner(self, cache: Path | None = None, password: str | None = None) -> TrivyScanner:
        pair = (self.login.user, self.login.password if password is None else password)
        return TrivyScanner(self.trivy, cache or self.folder / "cache", lambda _: pair, now=lambda: NOW)

    def pushed(self, image: OciImage) -> Reference:
        digest = push(image, self.login, "tests/image", "1")
        return Reference(registry=self.login.registry, repository="tests/image", tag=None, digest=digest)

    def base(self, variant: Variant) -> Reference:
        return self.pushed(build_base(self.packages, variant))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("scan")
    make_database(folder / "cache")
    packages = make_packages(folder / "packages")
    with login_registry(folder) as login, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(login.ca))
        yield World(login=login, packages=packages, folder=folder, trivy=binary())


def judged(report: Report, policy: Policy | None = None, base_layers: tuple[str, ...] | None = None) -> Verdict:
    subject = Reference(registry="r.example.com", repository="tests/image", tag=None, digest=report.digest)
    return judge([report], policy or Policy(), subject=subject, now=NOW, base_layers=base_layers)


def test_findings_with_their_repair_and_layer(world: World) -> None:
    image = build_base(world.packages, Variant.VULNERABLE)
    reference = world.pushed(image)
    report = world.scanner().scan(reference)
    assert (report.digest, report.os) == (reference.digest, "debian 12.15")
    found = {finding.id: finding for finding in report.findings}
    critical = found["CVE-2026-90001"]
    assert (critical.package, critical.severity) == ("zlib1g", Severity.CRITICAL)
    assert (critical.installed, critical.fixed) == (Variant.VULNERABLE, Variant.FIXED)
    assert critical.layer.startswith("sha256:")
    assert found["CVE-2026-90003"].fixed == ""
    assert critical.purl.startswith("pkg:deb/debian/zlib1g@")
    assert ("zlib1g", str(Variant.VULNERABLE)) in {(each.name, each.version) for each in report.packages or ()}
    assert judged(report, base_layers=(critical.layer,)).reasons[0].endswith(", from its base")
    assert judged(report, base_layers=()).reasons[0].endswith(", from its own layers")
    assert judged(report).reasons == (
        f"CVE-2026-90001 (CRITICAL) in zlib1g {Variant.VULNERABLE}: fixed in {Variant.FIXED}",
    )


def test_the_update_repairs_it(world: World) -> None:
    report = world.scanner().scan(world.base(Variant.FIXED))
    assert judged(report).passed
    assert "CVE-2026-90003" in {finding.id for finding in report.findings}  # CRITICAL, but not fixable yet
    assert not judged(report, Policy(fixable_only=False)).passed


def test_scans_side_by_side_agree(world: World) -> None:
    references = [world.base(variant) for variant in Variant] * 3
    alone = {reference: world.scanner().scan(reference) for reference in set(references)}
    with ThreadPoolExecutor(len(references)) as pool:
        assert list(pool.map(world.scanner().scan, references)) == [alone[reference] for reference in references]


def test_a_lone_static_program_has_no_system(world: World) -> None:
    reference = world.pushed(make_image([layer({"app": "a program"})], config={}))
    report = world.scanner().scan(reference)
    assert (report.os, report.findings) == ("", ())
    assert not judged(report).passed
    assert judged(report, Policy(allow_no_os=True)).passed


@pytest.mark.parametrize(
    ("files", "said"),
    [
        pytest.param({"var/lib/dpkg/status": STATUS}, "does not recognise the system", id="no os-release"),
        pytest.param(
            {"etc/os-release": "ID=strange\nVERSION_ID=9\n", "var/lib/dpkg/status": STATUS},
            "does not recognise the system",
            id="strange system",
        ),
        pytest.param(
            {"etc/debian_version": "13.1\n", "var/lib/dpkg/status": STATUS}, "debian 13", id="not in the database"
        ),
        pytest.param({"etc/debian_version": "12.1\n"}, "record of its packages", id="package database removed"),
        pytest.param({"app/package.json": '{"name": "x", "version": "1.0.0"}'}, "node-pkg", id="language"),
    ],
)
def test_what_the_database_cannot_judge_is_refused(world: World, files: dict[str, str], said: str) -> None:
    reference = world.pushed(make_image([layer(files)], config={}))
    with pytest.raises(PermanentError, match=said):
        world.scanner().scan(reference)


def test_a_database_of_other_platforms_is_no_database(world: World, tmp_path: Path) -> None:
    source = read_advisories().platforms["debian 12"]
    make_database(tmp_path, Advisories(platforms={"debian 13": source}, advisories=()))
    with pytest.raises(PermanentError, match=r"no advisories for debian 12\.15"):
        world.scanner(tmp_path).scan(world.base(Variant.VULNERABLE))


def test_a_large_database_is_read_to_the_end(world: World, tmp_path: Path) -> None:
    """Real bbolt walks the trees that our writer made: thousands of buckets, several levels, long values."""
    content = read_advisories()
    (model,) = [advisory for advisory in content.advisories if advisory.id == "CVE-2026-90001"]
    others = tuple(
        replace(model, id=f"CVE-2026-{91000 + n}", package=f"zzz-{n}", title="made up " * (n % 900))
        for n in range(4000)
    )
    last = replace(model, id="CVE-2026-99999")
    make_database(tmp_path, replace(content, advisories=(*others, last)))
    report = world.scanner(tmp_path).scan(world.base(Variant.VULNERABLE))
    assert [(finding.id, finding.severity) for finding in report.findings] == [(last.id, Severity.CRITICAL)]


def test_files_where_we_stand_do_not_hide_findings(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".trivyignore").write_text("CVE-2026-90001\n")
    (tmp_path / "trivy.yaml").write_text("severity: [LOW]\n")
    monkeypatch.chdir(tmp_path)
    report = world.scanner().scan(world.base(Variant.VULNERABLE))
    assert "CVE-2026-90001" in {finding.id for finding in report.findings}


def test_a_wrong_password_is_told_from_a_clean_image_and_never_shown(world: World) -> None:
    with pytest.raises(TemporaryError, match="UNAUTHORIZED") as caught:
        world.scanner(password="not-the-one").scan(world.base(Variant.FIXED))
    assert "not-the-one" not in str(caught.value)


def test_an_image_that_is_not_there(world: World) -> None:
    missing = Reference(
        registry=world.login.registry, repository="tests/image", tag=None, digest="sha256:" + "ab" * 32
    )
    with pytest.raises(GroundswellError, match="MANIFEST_UNKNOWN"):
        world.scanner().scan(missing)


def test_the_password_of_a_scan_is_not_left_in_our_environment(world: World) -> None:
    world.scanner().scan(world.base(Variant.FIXED))
    assert not [name for name in os.environ if name.startswith("TRIVY_")]
