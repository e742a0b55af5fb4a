"""What examples/company promises is true of real builds on the two variants of the base.

The base's packages come from the Debian mirror the first time.
"""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from graph.reference import Reference
from groundswell.local.bases import Variant, build_base
from groundswell.local.debs import fetch_packages
from groundswell.local.paths import ROOT, home
from groundswell.local.push import Login, push
from groundswell.local.trivy import binary
from groundswell.scan.gate import judge
from groundswell.scan.policy import Policy
from groundswell.scan.trivy import TrivyScanner
from groundswell.scan.verdict import Verdict
from tests.support.login_registry import login_registry
from tests.support.scanning import NOW, make_database

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

HOST = "groundswell.azurecr.io"
INTERNAL = {"platform/runtime": "12", "platform/toolchain": "12", "frameworks/web": "3", "frameworks/batch": "2"}

OFFERS = "usr/local/bin/serve-zlib-1.2.13.dfsg-1"
"""The command of shop/offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """The company's tree with one variant of the base under its internal images."""

    folder: Path
    login: Login

    def build(self, name: str, tag: str = "1") -> subprocess.CompletedProcess[str]:
        image = f"{self.login.registry}/{name}:{tag}"
        return self._buildah("bud", "--isolation", "chroot", "--pull-always", "-t", image, str(self.folder / name))

    def must(self, name: str, tag: str = "1") -> str:
        """Build and push; the digest."""
        built = self.build(name, tag)
        assert built.returncode == 0, built.stderr
        digest = self.folder / "digest"
        image = f"{self.login.registry}/{name}:{tag}"
        pushed = self._buildah("push", "--digestfile", str(digest), image)
        assert pushed.returncode == 0, pushed.stderr
        return digest.read_text()

    def has(self, name: str, file: str, tag: str = "1") -> bool:
        """Whether the built image has the file."""
        image = f"{self.login.registry}/{name}:{tag}"
        container = self._buildah("from", "--pull-never", image).stdout.strip()
        mounted = self._buildah("mount", container).stdout.strip()
        assert mounted, f"{image} cannot be mounted"
        try:
            return (Path(mounted) / file).exists()
        finally:
            self._buildah("rm", container)

    def diff_ids(self, name: str, tag: str = "1") -> str:
        image = f"{self.login.registry}/{name}:{tag}"
        shown = self._buildah("inspect", "--type", "image", "--format", "{{.OCIv1.RootFS.DiffIDs}}", image)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    def update(self, variant: Variant) -> None:
        """Push the base and build the internal images on it."""
        push(build_base(home() / "packages", variant), self.login, "mirror/debian", "12")
        for name, tag in INTERNAL.items():
            self.must(name, tag)

    def verdict(self, name: str, digest: str) -> Verdict:
        login = (self.login.user, self.login.password)
        scanner = TrivyScanner(binary(), self.folder / "trivy", lambda _: login, now=lambda: NOW)
        reference = Reference(registry=self.login.registry, repository=name, tag=None, digest=digest)
        return judge([scanner.scan(reference)], Policy(), subject=reference, now=NOW)

    def _buildah(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        place = self.folder.parent / "storage"
        options = ["--root", str(place / "root"), "--runroot", str(place / "run")]
        if command in ("bud", "push"):
            access = ["--cert-dir", str(self.folder.parent / "certs")]
            arguments = (*access, "--creds", f"{self.login.user}:{self.login.password}", *arguments)
        return subprocess.run(
            ["buildah", *options, command, *arguments], capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builds]:
    folder = tmp_path_factory.mktemp("company")
    fetch_packages(home() / "packages")
    with login_registry(folder) as login, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(login.ca))
        (folder / "certs").mkdir()
        shutil.copy(login.ca, folder / "certs" / "ca.crt")
        tree = folder / "tree"
        shutil.copytree(ROOT / "examples/company", tree)
        for dockerfile in tree.rglob("Dockerfile"):
            dockerfile.write_text(dockerfile.read_text().replace(HOST, login.registry))
        make_database(tree / "trivy")
        yield Builds(folder=tree, login=login)


def test_before_and_after_the_update(builds: Builds) -> None:
    """One story, because the second half needs what the first one left in the registry."""
    builds.update(Variant.VULNERABLE)
    builds.must("shop/status")
    status = builds.diff_ids("shop/status")
    builds.must("backoffice/tax")
    builds.must("shop/offers")
    assert builds.has("shop/offers", OFFERS)
    invoices = builds.verdict("backoffice/invoices", builds.must("backoffice/invoices"))
    assert [reason.split()[0] for reason in invoices.reasons] == ["CVE-2026-90001", "CVE-2026-90010"]

    builds.update(Variant.FIXED)

    builds.must("shop/status")
    assert builds.diff_ids("shop/status") == status, "it must come out unchanged"

    invoices = builds.verdict("backoffice/invoices", builds.must("backoffice/invoices"))
    assert invoices.reasons == ("CVE-2026-90010 (CRITICAL) in libfolio2 2.4.1-1: fixed in 2.4.1-2",)

    builds.must("shop/offers")
    assert not builds.has("shop/offers", OFFERS), "it must not start any more"

    failed = builds.build("backoffice/tax")
    assert failed.returncode == 3
    assert f"zlib1g {Variant.FIXED} is not certified; the certificate names {Variant.VULNERABLE}" in failed.stderr

    certified = builds.folder / "backoffice/tax/certified-packages.txt"
    certified.write_text(certified.read_text().replace(Variant.VULNERABLE, Variant.FIXED))
    assert builds.verdict("backoffice/tax", builds.must("backoffice/tax")).passed
