"""Selectors and paths of the cluster look-alike, as decisions."""

import pytest

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import DEPLOYMENTS, NAMESPACES, PODS, Target, parse_path
from groundswell.local.cluster.selectors import field_selector, label_selector, matches_selector

LABELS = {"app": "web", "tier": "front"}
ITEM = {"metadata": {"name": "w", "namespace": "n", "labels": LABELS}, "status": {"phase": "Running"}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=web,tier=back", False),
        ("app!=web", False),
        ("missing!=web", True),
        ("app in (api, web)", True),
        ("app notin (api,web)", False),
        ("missing notin (api)", True),
        ("missing in (api)", False),
        ("app", True),
        ("!app", False),
        ("! missing,app in (web),tier", True),
    ],
)
def test_labels(text: str, expected: bool) -> None:
    assert label_selector(text)(ITEM) is expected


@pytest.mark.parametrize("text", ["app=web=x", "in (a)", "app within (a)", "=x"])
def test_labels_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        label_selector(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metadata.name=w,metadata.namespace=n", True),
        ("metadata.name!=w", False),
        ("status.phase==Running", True),
        ("spec.nodeName=", True),
    ],
)
def test_fields(text: str, expected: bool) -> None:
    assert field_selector(text, PODS)(ITEM) is expected


@pytest.mark.parametrize("text", ["status.phase=Running", "metadata.name"])
def test_fields_that_are_not_known(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        field_selector(text, DEPLOYMENTS)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("operator", "key", "expected"),
    [("In", "app", True), ("NotIn", "app", False), ("Exists", "app", True), ("DoesNotExist", "app", False)],
)
def test_a_selector_object(operator: str, key: str, expected: bool) -> None:
    expression = {"key": key, "operator": operator, "values": ["web"]}
    assert matches_selector({"matchExpressions": [expression]}, LABELS) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/apps/v1/deployments", Target(kind=DEPLOYMENTS)),
        ("/apis/apps/v1/namespaces/n/deployments", Target(kind=DEPLOYMENTS, namespace="n")),
        ("/apis/apps/v1/namespaces/n/deployments/d", Target(kind=DEPLOYMENTS, namespace="n", name="d")),
        (
            "/apis/apps/v1/namespaces/n/deployments/d/status",
            Target(kind=DEPLOYMENTS, namespace="n", name="d", subresource="status"),
        ),
        ("/api/v1/namespaces", Target(kind=NAMESPACES)),
        ("/api/v1/namespaces/n", Target(kind=NAMESPACES, name="n")),
        ("/api/v1/namespaces/n/pods/p", Target(kind=PODS, namespace="n", name="p")),
    ],
)
def test_a_path(path: str, expected: Target) -> None:
    assert parse_path(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1",
        "/api/v2/pods",
        "/api/v1/secrets",
        "/apis/apps/v1beta1/deployments",
        "/apis/apps/v1/deployments/d",
        "/apis/apps/v1/namespaces/n/deployments/d/scale",
        "/apis/apps/v1/namespaces/n/deployments/d/status/x",
    ],
)
def test_a_path_that_is_not_there(path: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_path(path)
    assert caught.value.status == 404
