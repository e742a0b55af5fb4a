"""What is fuzzed: every parser of what somebody else wrote, each with the errors that it may raise.

The law of each: whatever the bytes are, it answers, or raises an error of the documented kind whose text is short
enough to be shown, within the time and the memory that `fuzz.law` sets. Anything else is a finding.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from graph.dockerfile import DockerfileError, resolve
from graph.reference import InvalidReferenceError, Reference
from groundswell.build import ls_refs
from groundswell.errors import GroundswellError, InputError
from groundswell.lineage import document, policy_document
from groundswell.lineage.sources import acr_task, bake, compose
from groundswell.lineage.sources.build import Build, Options, Source
from groundswell.lineage.sources.files import Tree
from groundswell.lineage.sources.kinds import Kind
from groundswell.lineage.sources.manifests import workload_images
from groundswell.registry import chain, challenge, manifests, provenance
from groundswell.registry.port import Image, PlatformImage
from groundswell.scan import formats, report
from groundswell.scan.source import Source as Scanned
from groundswell.settings import AcrRegistry
from groundswell.webhooks import acr, distribution, event_grid
from groundswell.webhooks.events import FieldError

DIGEST = "sha256:" + "ab" * 32
"""The image that every report of the corpus is about."""
_SCANNED = Scanned(scanner="fuzz", digest=DIGEST, image_id="sha256:" + "cd" * 32, made_at=1_700_000_000.0)
_BUCKETS = frozenset({"debian 12", "alpine 3.20", "pip::", "npm::"})
_REGISTRIES = {
    "contoso.azurecr.io": AcrRegistry(
        subscription="00000000-0000-0000-0000-000000000001", resource_group="rg", name="contoso"
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`run` is given the bytes; `allowed` is what it may raise."""

    name: str
    run: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _dockerfile(data: bytes) -> object:
    """Behind a zero byte stand build arguments, one NAME=VALUE a line."""
    text, _, rest = _text(data).partition("\0")
    pairs = (line.partition("=") for line in islice(rest.splitlines(), 20))
    return resolve(text, build_args={name: value for name, _, value in pairs})


def _reference(data: bytes) -> object:
    found = Reference.parse(_text(data))
    if Reference.parse(str(found)) != found:
        raise AssertionError(f"{found} is not read as what it was written from")
    return found


@cache
def _folder() -> Path:
    """A tree with what the files of the corpus name; it goes with the process."""
    keep = tempfile.TemporaryDirectory(prefix="groundswell-fuzz-")
    _kept.append(keep)
    folder = Path(keep.name)
    for place in (folder, folder / "app"):
        place.mkdir(exist_ok=True)
        (place / "Dockerfile").write_text("ARG BASE=alpine:3.20\nFROM ${BASE}\n")
    (folder / ".env").write_text("TAG=1\n")
    return folder


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _rows(name: str, kind: Kind, read: Callable[[Source], list[Build]]) -> Callable[[bytes], object]:
    """The rows of a file in a tree: what is wrong with it stands in a row, and nothing is raised."""

    def run(data: bytes) -> object:
        folder = _folder()
        path = folder / name
        path.write_bytes(data)
        tree = Tree(given=folder, root=folder)
        try:
            rows = read(Source(tree=tree, kind=kind, path=path, options=Options(environment={"TAG": "2"})))
        finally:
            path.unlink()
        for row in rows:
            if (row.resolution is None) == (row.error is None):
                raise AssertionError(f"{row} is neither an answer nor an error")
        return rows

    return run


def _policy(data: bytes) -> object:
    def read(_: str) -> str:
        raise InputError("there is no such file")

    return policy_document.parse(_text(data), "policy.yaml", read)


def _trivy(data: bytes) -> object:
    return report.parse(data, digest=DIGEST, buckets=_BUCKETS)


def _scan(name: str) -> Callable[[bytes], object]:
    return lambda data: formats.read(name, data, _SCANNED)


def _event_grid(data: bytes) -> object:
    for trusted in (True, False):
        event_grid.handshake(data, _REGISTRIES, trusted=trusted)
    return event_grid.parse(data, _REGISTRIES)


def _refs(data: bytes) -> object:
    lines = data.split(b"\n")
    return ls_refs.told_by_0(lines[0], iter(lines[1:])), ls_refs.told_by_2(iter(lines))


def _manifest(data: bytes) -> object:
    found = manifests.json_object(data, "an image")
    answers: dict[str, object] = {}
    tries: Mapping[str, Callable[[], object]] = {
        "children": lambda: manifests.children(found, "an image"),
        "attestations": lambda: manifests.attestations(found, "an image"),
        "annotations": lambda: manifests.annotations(found),
        "config": lambda: manifests.config_of(found, "an image"),
        "image": lambda: _same(manifests.platform_image(data, digest=DIGEST, platform="", subject="an image")),
        "statements": lambda: provenance.statements(found, "an image"),
        "provenance": lambda: provenance.images(found),
    }
    for name, ask in tries.items():
        try:
            answers[name] = ask()
        except GroundswellError as exc:
            answers[name] = str(exc)
    return answers


def _same(platform: PlatformImage) -> bool:
    image = Image(digest=DIGEST, media_type=manifests.OCI_MANIFEST, platforms=(platform,))
    if not chain.same_content(image, image):
        raise AssertionError(f"{image} has other content than itself")
    return chain.prove(image, image).proven


def _all() -> Iterator[Target]:
    yield Target(name="dockerfile", run=_dockerfile, allowed=(DockerfileError,))
    yield Target(name="reference", run=_reference, allowed=(InvalidReferenceError,))
    yield Target(name="compose", run=_rows("compose.yaml", Kind.COMPOSE, compose.read), allowed=())
    yield Target(name="bake-hcl", run=_rows("docker-bake.hcl", Kind.BAKE, bake.read), allowed=())
    yield Target(name="bake-json", run=_rows("docker-bake.json", Kind.BAKE, bake.read), allowed=())
    yield Target(name="acr-task", run=_rows("acr-task.yaml", Kind.TASK, acr_task.read), allowed=())
    yield Target(name="lineage", run=lambda data: document.parse(_text(data)), allowed=(InputError,))
    yield Target(name="policy", run=_policy, allowed=(InputError,))
    yield Target(name="manifests", run=lambda data: workload_images(_text(data)), allowed=(InputError,))
    yield Target(name="webhook-acr", run=acr.parse, allowed=(FieldError,))
    yield Target(name="webhook-event-grid", run=_event_grid, allowed=(FieldError,))
    yield Target(name="webhook-distribution", run=distribution.parse, allowed=(FieldError,))
    for name in sorted(formats.FORMATS):
        yield Target(name=f"report-{name}", run=_scan(name), allowed=(GroundswellError,))
    yield Target(name="report-trivy", run=_trivy, allowed=(GroundswellError,))
    yield Target(name="image-manifest", run=_manifest, allowed=(GroundswellError,))
    yield Target(name="git-refs", run=_refs, allowed=())
    yield Target(name="challenge", run=lambda data: challenge.parse(_text(data)), allowed=())


TARGETS: Mapping[str, Target] = {target.name: target for target in _all()}
"""By name; `fuzz/corpus/NAME` holds what each begins with."""

CORPUS = Path(__file__).with_name("corpus")


def corpus(name: str) -> list[Path]:
    """The files that a target begins with."""
    return sorted((CORPUS / name).iterdir())


def words(name: str) -> list[str]:
    """What stands in the formats that a target reads, for the fuzzer to put in."""
    text = CORPUS.with_name("words.json").read_text("utf-8")
    known: dict[str, list[str]] = json.loads(text)
    return known.get(name, [])
