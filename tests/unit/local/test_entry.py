"""What a node finds out about an image's program: as in its config, along PATH, after all layers."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.local.acr.layout import OCI_INDEX, Layout
from groundswell.local.entry import Entries
from groundswell.local.oci import digest_of, make_image

REPOSITORY = "shop/web"


def layer(*names: str) -> bytes:
    """A tar of empty files; a name that ends in a slash is a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(member)
    return buffer.getvalue()


class Storage:
    """A registry's storage folder, filled by hand."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "docker/registry/v2"
        self.entries = Entries(Layout(folder))

    def image(self, config: dict[str, Any], *layers: bytes) -> Reference:
        made = make_image(layers, config=config)
        for digest, blob in made.blobs.items():
            self._blob(digest, blob)
        return self.manifest(made.manifest)

    def manifest(self, content: bytes) -> Reference:
        digest = digest_of(content)
        self._blob(digest, content)
        code = digest.removeprefix("sha256:")
        link = self.root / "repositories" / REPOSITORY / "_manifests/revisions/sha256" / code / "link"
        link.parent.mkdir(parents=True)
        link.write_text(digest)
        return reference(digest)

    def _blob(self, digest: str, content: bytes) -> None:
        code = digest.removeprefix("sha256:")
        data = self.root / "blobs/sha256" / code[:2] / code / "data"
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_bytes(content)


def reference(digest: str) -> Reference:
    return Reference(registry="localhost:5000", repository=REPOSITORY, tag=None, digest=digest)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


@pytest.mark.parametrize(
    ("config", "starts"),
    [
        ({"Cmd": ["serve"]}, True),
        ({"Cmd": ["serve-1.2"]}, False),
        ({"Entrypoint": ["serve"], "Cmd": ["missing"]}, True),
        ({"Entrypoint": ["missing"], "Cmd": ["serve"]}, False),
        ({"Cmd": ["serve"], "Env": ["PATH=/usr/bin:/bin"]}, False),
        ({"Cmd": ["/usr/local/bin/serve", "-f"]}, True),
        ({"Cmd": ["/bin/serve"]}, False),
        ({"Cmd": ["./serve"], "WorkingDir": "/usr/local/bin"}, True),
        ({"Cmd": ["./serve"]}, False),
        ({"Cmd": ["local"], "Env": ["PATH=/usr"]}, False),  # a folder is no program
        ({}, True),  # a runtime would ask for a command; workloads may give one
    ],
)
def test_the_program_that_the_config_names(storage: Storage, config: dict[str, Any], starts: bool) -> None:
    image = storage.image(config, layer("usr/local/", "./usr/local/bin/serve"))
    assert storage.entries.starts(image) is starts


@pytest.mark.parametrize(
    ("upper", "starts"),
    [
        (("bin/.wh.serve",), False),
        ((".wh.bin",), False),
        (("bin/.wh..wh..opq",), False),
        (("bin/.wh..wh..opq", "bin/serve"), True),
        (("bin/.wh.serv",), True),
        (("srv/page",), True),
    ],
)
def test_later_layers_take_files_away(storage: Storage, upper: tuple[str, ...], starts: bool) -> None:
    image = storage.image({"Cmd": ["serve"]}, layer("bin/serve"), layer(*upper))
    assert storage.entries.starts(image) is starts


def test_an_index_starts_when_each_of_its_images_does(storage: Storage) -> None:
    good = storage.image({"Cmd": ["serve"]}, layer("bin/serve"))
    bad = storage.image({"Cmd": ["serve"]}, layer("bin/other"))
    for images, starts in (((good,), True), ((good, bad), False)):
        index = {"mediaType": OCI_INDEX, "manifests": [{"digest": each.digest} for each in images]}
        assert storage.entries.starts(storage.manifest(json.dumps(index).encode())) is starts


@pytest.mark.parametrize("content", [b"\x28\xb5\x2f\xfd zstd", b"", None])
def test_a_layer_that_cannot_be_read_is_believed(storage: Storage, tmp_path: Path, content: bytes | None) -> None:
    image = storage.image({"Cmd": ["serve"]}, layer("bin/other"))
    for data in tmp_path.rglob("data"):
        if data.read_bytes().startswith(b"\x1f\x8b"):
            data.unlink() if content is None else data.write_bytes(content)
    assert storage.entries.starts(image)


def test_an_artifact_starts_nothing(storage: Storage) -> None:
    assert storage.entries.starts(storage.manifest(b'{"layers": []}'))


def test_what_is_not_there_is_for_the_pull_to_say_and_is_looked_at_again(storage: Storage, tmp_path: Path) -> None:
    bad = storage.image({"Cmd": ["serve"]}, layer("bin/other"))
    link = next(tmp_path.rglob("link"))
    link.rename(tmp_path / "kept")
    assert storage.entries.starts(bad)
    (tmp_path / "kept").rename(link)
    assert not storage.entries.starts(bad)
