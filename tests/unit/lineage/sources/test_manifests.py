"""Who runs what: the images of Kubernetes workloads and of Helm values."""

from pathlib import Path

import pytest

from groundswell.errors import InputError
from groundswell.lineage.sources.manifests import workload_images


def seen(source: Path | str) -> list[tuple[str, str, str, str, str | None]]:
    return [
        (image.kind, image.namespace, image.name, image.container, image.reference or image.unresolved)
        for image in workload_images(source)
    ]


def test_workloads_of_every_kind_in_many_documents() -> None:
    pod = "{containers: [{name: c, image: nginx}]}"
    kinds = "Deployment StatefulSet DaemonSet ReplicaSet Job".split()
    documents = [f"kind: {kind}\nmetadata: {{name: n}}\nspec: {{template: {{spec: {pod}}}}}" for kind in kinds]
    documents += [
        f"kind: CronJob\nmetadata: {{name: n}}\nspec: {{jobTemplate: {{spec: {{template: {{spec: {pod}}}}}}}}}",
        "kind: Pod\nmetadata: {generateName: n-, namespace: space}\nspec: {initContainers: [{name: i, image: "
        f"busybox:1}}], containers: [{{name: c, image: 'r.io/a@sha256:{'a' * 64}'}}, {{name: none}}]}}",
        "kind: Service\nspec: {template: {spec: {containers: [{image: no}]}}}",
        "kind: ConfigMap\ndata: {image: no}",
        "",
        "just text",
        "[a, list]",
        "kind: Deployment\nspec: broken",
    ]
    latest = "docker.io/library/nginx:latest"
    assert seen("\n---\n".join(documents)) == [
        *((kind, "", "n", "c", latest) for kind in [*kinds, "CronJob"]),
        ("Pod", "space", "n-", "i", "docker.io/library/busybox:1"),
        ("Pod", "space", "n-", "c", f"r.io/a@sha256:{'a' * 64}"),
    ]


def test_lists_hold_others() -> None:
    item = "{kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: a}]}}"
    for kind in ("List", "PodList"):
        assert seen(f"kind: {kind}\nitems: [{item}, 3]") == [("Pod", "", "p", "c", "docker.io/library/a:latest")]


def test_what_is_filled_in_later_is_unresolved() -> None:
    images = ["${IMAGE}", "UPPER", "image:"]
    pod = "kind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n" + "".join(
        f"  - {{name: c, image: '{image}'}}\n" for image in images
    )
    assert [outcome for *_, outcome in seen(pod)] == [
        "a variable that something replaces before it is applied",
        "no image reference: invalid reference format: repository name (library/UPPER) must be lowercase",
        "no image reference: invalid reference format",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{{- if .Values.enabled }}\nkind: Pod\n{{- end }}\n",
        "kind: Pod\nspec:\n  containers:\n  - image: {{ .Values.image }}\n",
        'kind: Pod\nspec:\n  containers:\n  - image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n',
    ],
)
def test_a_template_is_one_unresolved_line(text: str) -> None:
    (image,) = workload_images(text)
    assert image.reference is None
    assert image.unresolved == "a Helm template; render it with `helm template` and scan the output"


def test_values_of_charts(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        """
        image: {registry: r.io, repository: team/app, tag: 1.10, pullPolicy: Always}
        web:
          image: {repository: nginx, digest: "sha256:%s"}
          sidecarImage: busybox:1
          imagePullSecrets: [a]
        list: [{image: {repository: a, tag: ""}}, {image: ""}, {image: {tag: x}}]
        """
        % ("b" * 64)
    )
    assert [(name, outcome) for _, _, name, _, outcome in seen(values)] == [
        ("image", "r.io/team/app:1.1"),
        ("web.image", f"docker.io/library/nginx@sha256:{'b' * 64}"),
        ("web.sidecarImage", "docker.io/library/busybox:1"),
        ("list.0.image", "no tag: it is the chart's version unless somebody sets it"),
    ]
    assert seen(values.read_text()) == []  # as a manifest it has no workload


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not valid YAML"):
        workload_images("a: [")
    with pytest.raises(InputError, match="cannot be read"):
        workload_images(tmp_path / "none.yaml")
