"""What a patch does, on the look-alike as on real API servers (tests/support/places.py)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.places import Place
from tests.support.raw_api import JSON_PATCH, MERGE, STRATEGIC, ask, made, path, plain, still


def _images(spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


PATCHES: list[tuple[str, Any, int]] = [
    (STRATEGIC, {}, 200),
    (STRATEGIC, {"kind": "Other"}, 200),
    (STRATEGIC, {"$patch": "odd"}, 500),
    (STRATEGIC, [], 400),
    (STRATEGIC, {"spec": []}, 422),
    (STRATEGIC, {"spec": {"$patch": "delete"}}, 422),
    (STRATEGIC, _images({"containers": "web"}), 422),
    (STRATEGIC, _images({"containers": [{"image": "no name"}]}), 500),
    (STRATEGIC, {"metadata": {"annotations": {"a": 1}}}, 422),
    (STRATEGIC, {"metadata": {"name": "other"}}, 400),
    (STRATEGIC, {"metadata": {"namespace": "other"}}, 400),
    (STRATEGIC, {"metadata": {"uid": "other"}}, 422),
    (STRATEGIC, {"metadata": {"resourceVersion": "1"}}, 409),
    (STRATEGIC, {"metadata": {"resourceVersion": "x"}}, 500),
    (STRATEGIC, {"spec": {"selector": {"matchLabels": {"b": "c"}}}}, 422),
    (MERGE, {"kind": "Other"}, 422),
    (MERGE, [], 422),
    (MERGE, "text", 500),
    (MERGE, {"metadata": {"name": None}}, 400),
    (MERGE, {"metadata": None}, 400),
    (MERGE, {"spec": None}, 422),
    (JSON_PATCH, [], 200),
    (JSON_PATCH, '{"op": "remove"}', 400),
    (JSON_PATCH, [{"op": "odd", "path": "/spec"}], 422),
    (JSON_PATCH, [{"op": "remove"}], 422),
    (JSON_PATCH, [{"op": "add", "path": "spec", "value": 1}], 422),
    (JSON_PATCH, [{"op": "test", "path": "/spec/replicas", "value": 7}], 422),
    (JSON_PATCH, [{"op": "remove", "path": "/spec/template/spec/containers/9"}], 422),
    (JSON_PATCH, [{"op": "add", "path": "/metadata/annotations/a", "value": "1"}], 422),
    (JSON_PATCH, [{"op": "replace", "path": "/metadata/labels/new", "value": "1"}], 200),
    (JSON_PATCH, [{"op": "replace", "path": "/kind", "value": "Other"}], 422),
    ("application/json", {}, 415),
]


@pytest.fixture(scope="module")
def patched(at: Place) -> str:
    return made(at, still(at))


@pytest.mark.parametrize(("media_type", "body", "status"), PATCHES)
def test_whether_a_patch_is_taken(at: Place, patched: str, media_type: str, body: Any, status: int) -> None:
    answer = ask(at.admin, "PATCH", f"{patched}?dryRun=All", body, media_type=media_type)
    assert answer.status == status, answer


NAMED = st.sampled_from(["web", "proxy", "one", "two"])
VARIABLES = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from(["x", "y", None])}),
    max_size=3,
    unique_by=lambda one: one["name"],
)
CONTAINERS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"name": NAMED},
            optional={"image": st.sampled_from(["i:1", "i:2"]), "env": VARIABLES, "args": st.just(["a"])},
        ),
        st.fixed_dictionaries({"name": NAMED, "$patch": st.just("delete")}),
    ),
    max_size=4,
    unique_by=lambda one: one["name"],
)
WORDS = st.dictionaries(st.sampled_from(["a", "b/c", "d"]), st.sampled_from(["1", "2", None]), max_size=2)


@st.composite
def patches(draw: st.DrawFn) -> dict[str, Any]:
    containers = draw(CONTAINERS)
    if draw(st.booleans()) and draw(st.booleans()):
        containers = [{"$patch": "replace"}, *containers]
    pod: dict[str, Any] = {"containers": containers}
    # With deletions as well, where a new container comes depends on how the server's memory happens to be laid out.
    if draw(st.booleans()) and not any("$patch" in one for one in containers):
        order = draw(st.permutations(containers))
        pod["$setElementOrder/containers"] = [{"name": one["name"]} for one in order]
    metadata = draw(st.fixed_dictionaries({}, optional={"labels": WORDS, "annotations": WORDS}))
    return {"metadata": metadata, **_images(pod)}


@settings(max_examples=60)
@given(first=patches(), second=patches())
def test_two_strategic_merges_end_alike(both: tuple[Place, Place], first: Any, second: Any) -> None:
    ends = []
    for at in both:
        where = path("deployments", at, "alike")
        body = still(at, "alike")
        body["metadata"]["annotations"] = {"kept": "1"}  # nulls in a map that is not there were kept before 1.27
        assert ask(at.admin, "POST", path("deployments", at), body).status == 201
        answers = [ask(at.admin, "PATCH", where, body, media_type=STRATEGIC) for body in (first, second)]
        found = ask(at.admin, "GET", where).body
        assert ask(at.admin, "DELETE", where).status == 200
        metadata = {**plain(found["metadata"]), "namespace": "", "generation": found["metadata"]["generation"]}
        ends.append(([(one.status, one.fields) for one in answers], metadata, plain(found["spec"])))
    assert ends[0] == ends[1]
