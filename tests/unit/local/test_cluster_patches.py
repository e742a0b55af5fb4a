"""The patches of the cluster look-alike, as decisions."""

import copy
from typing import Any

import pytest

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.json_patch import json_patch
from groundswell.local.cluster.patches import merge, strategic_merge

POD: dict[str, Any] = {
    "containers": [
        {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"name": "proxy", "image": "proxy:1", "command": ["run", "fast"]},
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "finalizers": ["a", "b"],
    "labels": {"x": "1", "y": "2"},
}


@pytest.mark.parametrize(
    ("patch", "path", "expected"),
    [
        ({"containers": [{"name": "web", "image": "web:2"}]}, ("containers", 0, "image"), "web:2"),
        (
            {"containers": [{"name": "web", "image": "web:2"}]},
            ("containers", 0, "env"),
            POD["containers"][0]["env"],
        ),
        ({"containers": [{"name": "web", "image": "web:2"}]}, ("containers", 1), POD["containers"][1]),
        ({"containers": [{"name": "new", "image": "n"}]}, ("containers", 0), {"name": "new", "image": "n"}),
        ({"containers": [{"name": "web", "$patch": "delete"}]}, ("containers",), [POD["containers"][1]]),
        ({"containers": [{"$patch": "replace"}, {"name": "n"}]}, ("containers",), [{"name": "n"}]),
        (
            {"containers": [{"name": "web", "env": [{"name": "B", "value": "3"}]}]},
            ("containers", 0, "env"),
            [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}],
        ),
        ({"containers": [{"name": "proxy", "command": ["stop"]}]}, ("containers", 1, "command"), ["stop"]),
        ({"containers": [{"name": "web", "image": None}]}, ("containers", 0, "name"), "web"),
        ({"labels": {"x": None}}, ("labels",), {"y": "2"}),
        ({"labels": {"$patch": "replace", "z": "3"}}, ("labels",), {"z": "3"}),
        ({"labels": {"$retainKeys": ["x"], "x": "9"}}, ("labels",), {"x": "9"}),
        ({"finalizers": ["c", "a"]}, ("finalizers",), ["c", "a", "b"]),
        ({"$deleteFromPrimitiveList/finalizers": ["a"]}, ("finalizers",), ["b"]),
        (
            {"$setElementOrder/containers": [{"name": "proxy"}, {"name": "web"}], "containers": [{"name": "web"}]},
            ("containers", 0, "name"),
            "proxy",
        ),
    ],
)
def test_a_strategic_merge(patch: dict[str, Any], path: tuple[str | int, ...], expected: object) -> None:
    before = copy.deepcopy(POD)
    found: Any = strategic_merge(POD, patch)
    for step in path:
        found = found[step]
    assert found == expected
    assert before == POD


def test_null_and_delete_remove() -> None:
    assert "volumes" not in strategic_merge(POD, {"volumes": None})
    assert "labels" not in strategic_merge(POD, {"labels": {"$patch": "delete"}})
    assert "image" not in strategic_merge(POD, {"containers": [{"name": "web", "image": None}]})["containers"][0]


@pytest.mark.parametrize(
    "patch",
    [{"containers": [{"image": "x"}]}, {"containers": [{"$patch": "delete"}]}, {"labels": {"$patch": "explode"}}],
)
def test_a_strategic_merge_that_makes_no_sense(patch: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as caught:
        strategic_merge(POD, patch)
    assert caught.value.status == 500


def test_a_merge_patch_replaces_lists() -> None:
    assert merge(POD, {"containers": [{"name": "n"}], "labels": {"x": None}}) == {
        **POD,
        "containers": [{"name": "n"}],
        "labels": {"y": "2"},
    }


DOCUMENT = {"a": {"b": [1, 2, 3]}, "c/d": "x", "e~f": "y"}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/a/b/1", "value": 9}, {"a": {"b": [1, 9, 2, 3]}}),
        ({"op": "add", "path": "/a/b/-", "value": 9}, {"a": {"b": [1, 2, 3, 9]}}),
        ({"op": "add", "path": "/a/n", "value": 9}, {"a": {"b": [1, 2, 3], "n": 9}}),
        ({"op": "replace", "path": "/c~1d", "value": "z"}, {"c/d": "z"}),
        ({"op": "replace", "path": "/e~0f", "value": "z"}, {"e~f": "z"}),
        ({"op": "remove", "path": "/a/b/0"}, {"a": {"b": [2, 3]}}),
        ({"op": "move", "from": "/a/b/0", "path": "/a/b/2"}, {"a": {"b": [2, 3, 1]}}),
        ({"op": "copy", "from": "/a/b/0", "path": "/a/n"}, {"a": {"b": [1, 2, 3], "n": 1}}),
        ({"op": "test", "path": "/a/b/0", "value": 1}, {}),
        ({"op": "test", "path": "/a/nope", "value": None}, {}),  # as the server's library does, not as the RFC
        ({"op": "replace", "path": "/nope", "value": 2}, {"nope": 2}),  # likewise
    ],
)
def test_a_json_patch(operation: dict[str, Any], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(DOCUMENT)
    assert json_patch(DOCUMENT, [operation]) == {**DOCUMENT, **expected}
    assert before == DOCUMENT


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([{"op": "test", "path": "/a/b/0", "value": 2}], 422),
        ([{"op": "replace", "path": "/nope/nope", "value": 2}], 422),
        ([{"op": "replace", "path": "/a/b/9", "value": 2}], 422),
        ([{"op": "test", "path": "/nope", "value": 2}], 422),
        ([{"op": "remove", "path": "/a/b/9"}], 422),
        ([{"op": "add", "path": "/a/b/x", "value": 1}], 422),
        ([{"op": "explode", "path": "/a"}], 422),
        ([{"op": "add", "path": "a", "value": 1}], 422),
        ([{"op": "add", "path": "/a"}], 422),
        ({"op": "add"}, 400),
    ],
)
def test_a_json_patch_that_does_not_apply(operations: object, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        json_patch(DOCUMENT, operations)
    assert caught.value.status == status
