"""examples/company is a whole: its parts name each other, and the advisories, rightly."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundswell.lineage.checkout import read
from groundswell.lineage.model import Registration
from groundswell.local.advisories import read_advisories
from groundswell.local.bases import PACKAGE, Variant
from groundswell.local.paths import ROOT
from groundswell.scan.port import Severity

COMPANY = ROOT / "examples/company"
HOST = "groundswell.azurecr.io"
VENDOR = COMPANY / "backoffice/invoices/vendor"


@pytest.fixture(scope="module")
def images() -> dict[str, Registration]:
    return {image.name: image for image in read(COMPANY)}


def containers() -> dict[tuple[str, str, str, str], str]:
    """Image by (namespace, kind, name, container) as cluster.yaml has it."""
    found = {}
    for document in yaml.safe_load_all((COMPANY / "cluster.yaml").read_text()):
        spec: dict[str, Any] = document.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        for container in spec.get("template", {}).get("spec", {}).get("containers", []):
            meta = document["metadata"]
            key = (meta["namespace"], document["kind"], meta["name"], container["name"])
            found[key] = container["image"]
    return found


def test_every_deployment_is_in_the_cluster_with_the_images_tag(images: dict[str, Registration]) -> None:
    running = containers()
    ours = {key for key, image in running.items() if image.startswith(HOST)}
    named = set()
    for image in images.values():
        for workload in image.deployments:
            key = (workload.namespace, str(workload.kind), workload.name, workload.container)
            assert running[key] == f"{HOST}/{image.repository}:{image.tags[0]}"
            named.add(key)
    assert named == ours
    assert {key[0] for key in ours} == {"shop", "shop-staging", "backoffice"}
    assert len(running) > len(ours)  # sidecars


def test_the_shape_of_the_lineage(images: dict[str, Registration]) -> None:
    base = f"{HOST}/mirror/debian:12"
    published = {f"{HOST}/{image.repository}:{image.tags[0]}": image for image in images.values()}

    def depth(reference: str | None) -> int:
        image = published.get(reference or "")
        return 1 + depth(image.runtime) if image else 0

    assert max(depth(reference) for reference in published) == 4
    assert images["shop/cart"].build == (f"{HOST}/platform/toolchain:12",)
    assert images["shop/search"].build == (f"{HOST}/platform/toolchain:12",)
    assert images["shop/status"].runtime is None
    assert str(images["shop/payments"].runtime).startswith(f"{base}@sha256:")
    assert sum(image.labels["tier"] == "app" for image in images.values()) >= 10
    for image in images.values():
        for reference in filter(None, (image.runtime, *image.build)):
            assert reference in published or reference.startswith(base)


def test_the_vendored_package_is_made_of_the_folder_beside_it(tmp_path: Path) -> None:
    vendored = VENDOR / "libfolio2_2.4.1-1_all.deb"
    fields = subprocess.run(["dpkg-deb", "--field", str(vendored)], check=True, capture_output=True).stdout.decode()
    assert fields == (VENDOR / "libfolio2/DEBIAN/control").read_text()
    subprocess.run(["dpkg-deb", "--extract", str(vendored), str(tmp_path)], check=True)
    inside = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    beside = VENDOR / "libfolio2"
    sources = {path.relative_to(beside): path.read_bytes() for path in beside.rglob("*") if path.is_file()}
    del sources[Path("DEBIAN/control")]
    assert inside == sources


def test_the_vendored_package_has_a_fixable_critical() -> None:
    (advisory,) = [entry for entry in read_advisories().advisories if entry.package == "libfolio"]
    assert advisory.severity is Severity.CRITICAL
    assert advisory.fixed == "2.4.1-2"


def test_the_certificate_names_the_old_version() -> None:
    certified = (COMPANY / "backoffice/tax/certified-packages.txt").read_text()
    assert certified == f"{PACKAGE} {Variant.VULNERABLE}\n"


def test_the_readme_shows_every_image(images: dict[str, Registration]) -> None:
    readme = (COMPANY / "README.md").read_text()
    assert [name for name in images if f"─ {name}" not in readme] == []
    assert f"`{PACKAGE} {Variant.FIXED}`" in readme
