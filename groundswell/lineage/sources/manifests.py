"""Kubernetes manifests and Helm values: which workload runs which image.

Templates of Helm are recognised and not rendered: `helm template` does that, and its output is read here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph.reference import InvalidReferenceError, Reference
from groundswell.errors import InputError
from groundswell.lineage.sources import yamls
from groundswell.lineage.sources.files import MAX_SOURCE, read_text

_POD = ("spec",)
_TEMPLATE = ("spec", "template", "spec")
_KINDS: Mapping[str, tuple[str, ...]] = {
    "Pod": _POD,
    "Deployment": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "ReplicationController": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "PodTemplate": ("template", "spec"),
}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_VALUES = "Values"
_MAX_DEPTH = 50
_NOT_RENDERED = "a Helm template; render it with `helm template` and scan the output"
_NO_TAG = "no tag: it is the chart's version unless somebody sets it"
_VARIABLE = "a variable that something replaces before it is applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadImage:
    """A container and its image. `reference` is canonical, None when `unresolved` says why it cannot be named.

    An image block of Helm values has the kind `Values` and the path to it as its name. `namespace` is empty where
    the manifest leaves it to whoever applies it.
    """

    kind: str
    namespace: str
    name: str
    container: str
    raw: str
    reference: str | None = None
    unresolved: str | None = None


def workload_images(source: Path | str, *, values: bool = False) -> tuple[WorkloadImage, ...]:
    """The images that the workloads of a manifest (a file, or its text) run, in the order of the file.

    With `values` it is read as the values of a Helm chart, which `is_values` tells by a file's name. Raises
    InputError for what is no YAML; a template that is none is one unresolved image.
    """
    text = read_text(source, MAX_SOURCE) if isinstance(source, Path) else source
    if values or (isinstance(source, Path) and is_values(source.name)):
        return tuple(_values(yamls.load(text), ()))
    try:
        return tuple(image for document in yamls.load_all(text) for image in _document(document, ""))
    except InputError:
        if "{{" not in text:
            raise
    return (
        WorkloadImage(kind="Template", namespace="", name="", container="", raw="{{", unresolved=_NOT_RENDERED),
    )


def is_values(name: str) -> bool:
    """Whether a file of this name holds the values of a Helm chart."""
    return re.fullmatch(r"values(?:[._-].*)?\.ya?ml", name) is not None


def may_have_images(text: str) -> bool:
    """Whether it is worth to parse a YAML text: what says no `image` names none."""
    return "image" in text or "Image" in text


def _document(document: object, namespace: str, depth: int = 0) -> Iterator[WorkloadImage]:
    """The images of one object; lists hold others."""
    if not isinstance(document, dict) or depth > _MAX_DEPTH:
        return
    kind = str(document.get("kind") or "")
    if kind == "List" or (kind.endswith("List") and isinstance(document.get("items"), list)):
        for item in document.get("items") or []:
            yield from _document(item, namespace, depth + 1)
        return
    pod: Any = document if kind in _KINDS else None
    for key in _KINDS.get(kind, ()):
        pod = pod.get(key) if isinstance(pod, dict) else None
    if not isinstance(pod, dict):
        return
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for group in _CONTAINERS:
        containers = pod.get(group)
        for container in containers if isinstance(containers, list) else []:
            if isinstance(container, dict) and container.get("image") is not None:
                yield _image(
                    kind,
                    namespace=str(metadata.get("namespace") or namespace),
                    name=str(metadata.get("name") or metadata.get("generateName") or ""),
                    container=str(container.get("name") or ""),
                    raw=yamls.scalar_text(container["image"]),
                )


def _values(value: object, path: tuple[str, ...]) -> Iterator[WorkloadImage]:
    """The image blocks of Helm values: `image: {registry, repository, tag, digest}`, or a plain `image: REF`."""
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _values(item, (*path, str(number)))
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        inner = (*path, str(key))
        plain = isinstance(item, str) and item
        block = isinstance(item, dict) and isinstance(item.get("repository"), str) and item["repository"]
        if str(key).lower().endswith("image") and (plain or block):
            raw = item if isinstance(item, str) else _joined(item)
            untagged = isinstance(item, dict) and not (item.get("tag") or item.get("digest"))
            why = _NO_TAG if untagged else None
            yield _image(_VALUES, namespace="", name=".".join(inner), container="", raw=raw, unresolved=why)
        else:
            yield from _values(item, inner)


def _joined(block: Mapping[str, Any]) -> str:
    """The reference that charts make of an image block."""
    registry, tag, digest = (yamls.scalar_text(block.get(key)) for key in ("registry", "tag", "digest"))
    name = f"{registry.rstrip('/')}/{block['repository']}" if registry else str(block["repository"])
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _image(
    kind: str, *, namespace: str, name: str, container: str, raw: str, unresolved: str | None = None
) -> WorkloadImage:
    reference = None
    if "{{" in raw:
        unresolved = _NOT_RENDERED
    elif "$" in raw:
        unresolved = _VARIABLE
    elif unresolved is None:
        try:
            reference = str(Reference.parse(raw))
        except InvalidReferenceError as exc:
            unresolved = f"no image reference: {exc}"
    return WorkloadImage(
        kind=kind,
        namespace=namespace,
        name=name,
        container=container,
        raw=raw,
        reference=reference,
        unresolved=unresolved,
    )
