"""What a client gets wrong: the answer says where and why, and nothing is stored."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.api.images import MAX_REGISTRATION
from groundswell.api.parameters import MAX_BODY
from groundswell.errors import InputError
from tests.support.world import BASE, HOST, World, ref, registration
from tests.unit.api.conftest import Api, sent

WEB = "/lineage/images/shop/web"
TYPES = "https://groundswell.dev/problems/"
SOURCE = {"git": "https://git.example.com/shop.git"}


@pytest.mark.parametrize(
    ("changes", "pointer", "why"),
    [
        ({"colour": "red"}, "#/colour", "there is no such field"),
        ({"name": "shop/web"}, "#/name", "there is no such field"),
        ({"path": "apps"}, "#/path", "there is no such field"),
        ({"runtime": BASE}, "#/runtime", "there is no such field"),
        ({"a/b~c d": 1}, "#/a~1b~0c%20d", "there is no such field"),
        ({"source": {**SOURCE, "branch": "x"}}, "#/source/branch", "there is no such field"),
        ({"tags": None}, "#", "'tags' is a required property"),
        ({"registry": None}, "#", "'registry' is a required property"),
        ({"source": None}, "#", "'source' is a required property"),
        ({"source": {}}, "#/source", "'git' is a required property"),
        ({"dockerfile_content": None}, "#", "'dockerfile_content' is a required property"),
        ({"tags": []}, "#/tags", "should be non-empty"),
        ({"tags": ["1", "gs-1"]}, "#/tags/1", "does not match"),
        ({"tags": ["1\n"]}, "#/tags/0", "does not match"),
        ({"tags": ["1", "1"]}, "#/tags", "non-unique"),
        ({"tags": "1"}, "#/tags", "is not of type 'array'"),
        ({"registry": "https://acr.example.com"}, "#/registry", "does not match"),
        ({"owner": 7}, "#/owner", "is not of type 'string'"),
        ({"labels": {"a": 1}}, "#/labels/a", "is not of type 'string'"),
        ({"gate": {"severity": "BAD"}}, "#/gate/severity", "is not one of"),
        ({"deployments": [{"cluster": "c"}]}, "#/deployments/0", "'namespace' is a required property"),
        ({"source": {**SOURCE, "path": "../other"}}, "#/source/path", "leads out of the repository"),
        ({"dockerfile": "../Dockerfile"}, "#/dockerfile", "leads out of the repository"),
        ({"dockerfile": "a/../../Dockerfile"}, "#/dockerfile", "leads out of the repository"),
        ({"dockerfile": "/etc/passwd"}, "#/dockerfile", "does not match"),
        ({"dockerfile_content": ""}, "#/dockerfile_content", "line 1, column 1"),
        ({"dockerfile_content": "FROM a\0b"}, "#/dockerfile_content", "does not match"),
        ({"target": "nope"}, "#/dockerfile_content", 'target stage "nope" could not be found'),
    ],
)
def test_the_place_at_fault(api: Api, world: World, changes: dict[str, Any], pointer: str, why: str) -> None:
    answer = api.put(WEB, json=sent(**changes))
    assert (answer.status_code, answer.json()["type"]) == (422, TYPES + "invalid")
    found = {error["pointer"]: error["detail"] for error in reversed(answer.json()["errors"])}
    assert why in found[pointer]
    assert world.app.catalog.registrations() == ()


def test_a_password_in_the_wrong_place_is_not_told_again(api: Api) -> None:
    url = "https://me:hunter2@git.example.com/shop.git"
    answer = api.put(WEB, json=sent(source=url, labels={"from": [url]}))
    assert answer.status_code == 422
    assert "is not of type" in answer.text
    assert "hunter2" not in answer.text


def test_a_dockerfile_that_leads_elsewhere_in_the_repository_is_fine(api: Api) -> None:
    changes = {"dockerfile": "../docker/Dockerfile", "source": {**SOURCE, "path": "apps/web"}}
    assert api.put(WEB, json=sent(**changes)).status_code == 201


def test_every_place_is_told_at_once(api: Api) -> None:
    errors = api.put(WEB, json=sent(tags=[], colour=1, owner=2)).json()["errors"]
    assert [error["pointer"] for error in errors] == ["#/colour", "#/owner", "#/tags"]


def test_a_dockerfile_that_buildkit_refuses(api: Api) -> None:
    answer = api.put(WEB, json=sent(dockerfile_content=f"FROM {BASE}\n  FRM x\n"))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "#/dockerfile_content",
            "detail": "line 2, column 3: unknown instruction: FRM",
            "line": 2,
            "column": 3,
        }
    ]


def test_a_base_that_cannot_be_resolved(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InputError("'x' cannot be resolved: why; give a build arg")

    monkeypatch.setattr("groundswell.api.images.with_edges", refuse)
    (error,) = api.put(WEB, json=sent()).json()["errors"]
    assert error["pointer"] == "#/dockerfile_content"
    assert "give a build arg" in error["detail"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b"registry: x", "Expecting value"),
        (b'{"a": 1, "a": 2}', "'a' is given twice"),
        (b'{"a": {"b": 1, "b": 1}}', "'b' is given twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (b'{"a": "\\ud800"}', "surrogates not allowed"),
        (b'{"a": "\xff"}', "invalid start byte"),
        ("{}".encode("utf-16"), "can't decode"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "Exceeds the limit"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json(api: Api, body: bytes, why: str) -> None:
    answer = api.put(WEB, content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, TYPES + "not-json")
    assert why in answer.json()["detail"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1"])
def test_json_that_is_no_object(api: Api, body: bytes) -> None:
    answer = api.put(WEB, content=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#")


def test_too_large(api: Api, world: World) -> None:
    comment = "#" * 60_000 + "\n"
    document = sent(dockerfile_content=f"FROM {BASE}\n")
    room = MAX_BODY - len(json.dumps(document))
    document["dockerfile_content"] += comment * (room // len(comment) - 1)
    assert api.put(WEB, content=json.dumps(document)).status_code == 201
    body = json.dumps(document).encode()
    at_the_limit = body + b" " * (MAX_BODY - len(body))
    assert api.put(WEB, content=at_the_limit).status_code == 200
    for larger in (at_the_limit + b" ", body * 20):
        answer = api.put(WEB, content=larger)
        assert (answer.status_code, answer.json()["type"]) == (413, TYPES + "too-large")
    copies = "".join(f"COPY --from=r.io/{n:04} /a /b\n" for n in range(MAX_REGISTRATION // 20))
    for changes in (
        {"owner": "x", "build_args": {"A": "x" * MAX_REGISTRATION}},
        {"dockerfile_content": f"FROM a\n{copies}"},
    ):
        answer = api.put("/lineage/images/large", json=sent(**changes))
        assert answer.status_code == 413
        assert "without the text of its Dockerfile" in answer.json()["detail"]


def test_the_largest_image_can_be_stored_and_changed(api: Api) -> None:
    # Text that does not compress well, so that the store's limits are what is met.
    noise = "".join(f"{hash((n, n)) & 0xFFFFFFFFFFFF:x}" for n in range(MAX_REGISTRATION // 12 - 200))
    args = {"A": noise[: MAX_REGISTRATION - 2000]}
    assert api.put(WEB, json=sent(build_args=args)).status_code == 201
    assert api.put(WEB, json=sent(build_args={"A": args["A"][::-1]})).status_code == 200


def test_a_circle_is_a_conflict_and_is_shown(api: Api) -> None:
    assert api.put("/lineage/images/a", json=sent(dockerfile_content=f"FROM {ref('b')}\n")).status_code == 201
    for query in ("", "?dry_run=true"):
        answer = api.put(f"/lineage/images/b{query}", json=sent(dockerfile_content=f"FROM {ref('a')}\n"))
        assert (answer.status_code, answer.json()["type"]) == (409, TYPES + "contradiction")
        assert "a -> b -> a" in answer.json()["detail"] or "b -> a -> b" in answer.json()["detail"]


def test_a_tag_that_is_published_already_is_a_conflict(api: Api, world: World) -> None:
    world.app.catalog.register([registration("top", BASE)], who="test")
    answer = api.put("/lineage/images/twin", json=sent(repository="top"))
    assert (answer.status_code, answer.json()["type"]) == (409, TYPES + "contradiction")
    assert answer.json()["detail"] == f"{HOST}/top:1 is published by both top and twin"


@pytest.mark.parametrize(
    ("method", "path", "parameter"),
    [
        ("GET", "/lineage/images?limit=0", "limit"),
        ("GET", "/lineage/images?limit=501", "limit"),
        ("GET", "/lineage/images?limit=many", "limit"),
        ("GET", "/lineage/images?cursor=%21", "cursor"),
        ("GET", "/lineage/images?cursor=_w", "cursor"),
        ("GET", "/lineage/images?cursor=%C3%A9", "cursor"),
        ("GET", "/lineage/images?label=tier", "label"),
        ("GET", "/lineage/images?label=%3Dgold", "label"),
        ("GET", "/lineage/images?prefix=Shop", "prefix"),
        ("GET", "/lineage/images?prefix=a%00", "prefix"),
        ("GET", "/lineage/images?team=shop", "team"),
        ("GET", "/lineage/images/shop/web?dry_run=true", "dry_run"),
        ("GET", "/lineage/images/UPPER", "name"),
        ("GET", "/lineage/images/shop//web", "name"),
        ("GET", "/lineage/images/shop/", "name"),
        ("GET", "/lineage/images/", "name"),
        ("GET", "/lineage/images/" + "a" * 201, "name"),
        ("GET", "/lineage/images/shop/web/history?limit=0", "limit"),
        ("PUT", "/lineage/images/shop/web?dryrun=true", "dryrun"),
        ("PUT", "/lineage/images/shop/web?dry_run=perhaps", "dry_run"),
        ("PUT", "/lineage/images/shop/web?reason=" + "x" * 1001, "reason"),
        ("DELETE", "/lineage/images/shop/web", "reason"),
        ("DELETE", "/lineage/images/shop/web?reason=", "reason"),
        ("DELETE", "/lineage/images/shop/web?reason=%20%0A", "reason"),
        ("GET", "/impact", "reference"),
        ("GET", "/impact?reference=", "reference"),
        ("GET", "/impact?reference=UPPER", "reference"),
    ],
)
def test_the_parameter_at_fault(api: Api, world: World, method: str, path: str, parameter: str) -> None:
    answer = api.request(method, path, json=sent() if method == "PUT" else None)
    assert (answer.status_code, answer.json()["type"]) == (422, TYPES + "invalid")
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]
    assert world.app.catalog.registrations() == ()


def test_where_there_is_nothing(api: Api) -> None:
    for path in ("", "/", "/lineage", "/lineage/images/a%0Ab", "/docs", "/redoc", "/lineage/images/none"):
        answer = api.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), path


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (WEB, "DELETE, GET, PUT"),
        ("/lineage/images", "GET"),
        ("/impact", "GET"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_a_method_that_there_is_not(api: Api, path: str, allowed: str) -> None:
    answer = api.request("PATCH", path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = st.sampled_from([*sent(), "labels", "gate", "deployments", "build_args", "target", "owner", "dockerfile"])


# The API is one for all examples; what it stores changes no answer below.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(_FIELDS | st.text(max_size=8), _VALUES, max_size=3))
def test_whatever_is_sent_the_fault_is_never_ours(api: Api, changes: dict[str, Any]) -> None:
    body = json.dumps(sent() | changes)
    assert api.put(f"{WEB}?dry_run=true", content=body).status_code in (200, 400, 422)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), name=st.text(min_size=1, max_size=20), query=st.text(max_size=20))
def test_nor_with_any_bytes_and_names(api: Api, body: bytes, name: str, query: str) -> None:
    path = f"/lineage/images/{quote(name, safe='')}"
    assert api.put(path, content=body, params={"dry_run": "true", "reason": query}).status_code < 500
    assert api.get(path, params={"cursor": query}).status_code < 500
    assert api.get("/lineage/images", params={"cursor": query, "label": query}).status_code < 500
    assert api.get("/impact", params={"reference": query}).status_code < 500
