"""The stand-in for oras: what it attaches, what it refuses, and a list that several write at once."""

import json
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

import certifi
import pytest

from groundswell.errors import InputError, TemporaryError
from groundswell.local import oras
from groundswell.local.oci import MANIFEST, digest_of
from groundswell.local.oras import INDEX, File, attach

SUBJECT = json.dumps({"mediaType": MANIFEST}).encode()
DIGEST = digest_of(SUBJECT)
TAG = DIGEST.replace(":", "-")
FILE = File(name="report.json", media_type="application/x", content=b"{}")


@dataclass
class Registry:
    """A registry's client, in memory. Before each of the first `rivals` lists is put, somebody else puts his."""

    lists_referrers: bool = True
    rivals: int = 0
    manifests: dict[str, bytes] = field(default_factory=lambda: {DIGEST: SUBJECT})
    blobs: dict[str, bytes] = field(default_factory=dict)

    def read(self, path: str, accept: str) -> bytes | None:
        assert accept
        return self.manifests.get(path.removeprefix("manifests/"))

    def upload(self, digest: str, blob: bytes) -> None:
        self.blobs[digest] = blob

    def must(self, method: str, path: str, body: bytes, media_type: str = "") -> Message:
        assert (method, media_type in (MANIFEST, INDEX)) == ("PUT", True)
        name = path.removeprefix("manifests/")
        self.manifests[name] = body
        if name == TAG and self.rivals:
            self.rivals -= 1
            self.manifests[name] = json.dumps({"manifests": [{"digest": f"rival-{self.rivals}"}]}).encode()
        answer = Message()
        if self.lists_referrers and "subject" in json.loads(body):
            answer["OCI-Subject"] = DIGEST
        return answer

    def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.manifests[TAG])["manifests"]
        return found


def attached(registry: Registry, *files: File) -> str:
    return attach(registry, DIGEST, "application/report", {"a": "b"}, files or [FILE])  # type: ignore[arg-type]  # a fake


def test_an_artifact_names_its_subject_its_type_and_its_files() -> None:
    registry = Registry()
    document = json.loads(registry.manifests[attached(registry)])
    assert document["subject"] == {"mediaType": MANIFEST, "digest": DIGEST, "size": len(SUBJECT)}
    assert document["artifactType"] == "application/report"
    (layer,) = document["layers"]
    assert layer["annotations"] == {"org.opencontainers.image.title": "report.json"}
    assert registry.blobs[layer["digest"]] == b"{}"
    assert registry.blobs[document["config"]["digest"]] == b"{}"
    assert document["annotations"]["a"] == "b"
    assert TAG not in registry.manifests, "the registry keeps the list"


def test_where_the_registry_keeps_no_list_it_is_kept_under_a_tag() -> None:
    registry = Registry(lists_referrers=False)
    first = attached(registry)
    second = attached(registry, File(name="x", media_type="application/y", content=b"1"))
    assert [each["digest"] for each in registry.listed()] == [first, second]
    assert registry.listed()[0]["artifactType"] == "application/report"
    assert registry.listed()[0]["annotations"]["a"] == "b"


def test_a_list_that_somebody_else_wrote_at_the_same_time_is_written_again() -> None:
    registry = Registry(lists_referrers=False, rivals=2)
    mine = attached(registry)
    assert [each["digest"] for each in registry.listed()] == ["rival-0", mine]
    with pytest.raises(TemporaryError, match="by too many at once"):
        attached(Registry(lists_referrers=False, rivals=99))


def test_what_is_not_there_gets_nothing_attached() -> None:
    registry = Registry(manifests={})
    with pytest.raises(InputError, match="is not in the registry"):
        attached(registry)
    assert registry.blobs == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["localhost:1/a@sha256:short", "f:t"], "Error: "),
        ([f"localhost:1/a@{DIGEST}", "missing.json:t"], "missing.json"),
    ],
)
def test_what_goes_wrong_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"auths": {}}')
    certificate = certifi.where()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    assert oras.main(["attach", "--artifact-type", "t", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
