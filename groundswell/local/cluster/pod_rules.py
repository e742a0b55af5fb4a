"""What the API server refuses of pods and pod templates. Pure."""

import copy

from groundswell.local.cluster.causes import bad, forbidden, label, required
from groundswell.local.cluster.errors import Cause
from groundswell.local.cluster.objects import Json, containers_of

_CHANGEABLE = ("activeDeadlineSeconds", "tolerations")
_FIXED = (
    "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, "
    "`spec.activeDeadlineSeconds` or `spec.tolerations` (only additions to existing tolerations)"
)


def pod_spec(spec: Json, where: str, *, template: bool = True) -> list[Cause]:
    """Of a pod's spec, or (as the server is less strict there) of the one in a template."""
    causes: list[Cause] = []
    seen: set[str] = set()
    if not spec.get("containers"):
        causes.append(required(f"{where}.containers"))
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field) or ()):
            causes += _container(container, f"{where}.{field}[{index}]", seen, template=template)
    return causes


def _container(container: Json, here: str, seen: set[str], *, template: bool) -> list[Cause]:
    causes: list[Cause] = []
    name, image = container.get("name") or "", container.get("image") or ""
    if not name:
        causes.append(required(f"{here}.name"))
    elif name in seen:
        causes.append(("FieldValueDuplicate", f"{here}.name", f'Duplicate value: "{name}"'))
    else:
        causes += label(f"{here}.name", name)
    seen.add(name)
    if not image:
        causes.append(required(f"{here}.image"))
    elif not template and image != image.strip():
        causes.append(bad(f"{here}.image", image, "must not have leading or trailing whitespace"))
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            causes.append(required(f"{here}.env[{index}].name"))
    return causes


def pod_update(spec: Json, former: Json) -> list[Cause]:
    """Of a change to a pod that is there."""
    counts = [[len(one.get(field) or ()) for field in ("containers", "initContainers")] for one in (spec, former)]
    if counts[0] != counts[1]:
        return [forbidden("spec.containers", "pod updates may not add or remove containers")]
    return [] if _without_images(spec) == _without_images(former) else [forbidden("spec", _FIXED)]


def _without_images(spec: Json) -> Json:
    found: Json = copy.deepcopy({key: value for key, value in spec.items() if key not in _CHANGEABLE})
    for container in containers_of(found):
        del container["image"]
    return found
