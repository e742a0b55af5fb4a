"""The OpenAPI document: complete, true to the schemas in force, with examples that hold."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from groundswell.api import images
from groundswell.api.openapi import shapes
from groundswell.lineage.document import schema, validator
from tests.unit.api.conftest import Api, sent


def test_it_is_served(api: Api) -> None:
    document = api.get("/openapi.json").json()
    assert document == api.document
    assert document["openapi"].startswith("3.1")
    assert {path.removeprefix("/api/v1"): set(operations) for path, operations in document["paths"].items()} == {
        "/health": {"get"},
        "/doctor": {"get"},
        "/me": {"get"},
        "/login": {"get"},
        "/lineage/images": {"get"},
        "/lineage/images/{name}": {"get", "put", "delete"},
        "/lineage/images/{name}/history": {"get"},
        "/lineage/register": {"post"},
        "/lineage/unregister": {"post"},
        "/lineage/graph": {"get"},
        "/impact": {"get"},
        "/stale": {"get"},
        "/discover": {"get"},
        "/pushes": {"get", "post"},
        "/cascades": {"get"},
        "/cascades/{cascade}": {"get"},
        "/cascades/{cascade}/rebuilds": {"get"},
        "/cascades/{cascade}/rebuilds/{name}": {"get"},
        "/cascades/{cascade}/logs/{name}": {"get"},
        "/cascades/{cascade}/why/{name}": {"get"},
        "/cascades/{cascade}/compare/{name}": {"get"},
        "/why/{name}": {"get"},
        "/failures": {"get"},
        "/statistics": {"get"},
        "/runs/{run}/log": {"get"},
        "/rebuilds": {"post"},
        "/alerts": {"get"},
        "/drift": {"get"},
        "/drift/release": {"post"},
        "/verify": {"get"},
        "/key": {"get"},
        "/tokens": {"get", "post"},
        "/tokens/{token}": {"delete"},
        "/cascades/{cascade}/replay": {"post"},
        "/cascades/{cascade}/cancel": {"post"},
        "/cascades/{cascade}/hold": {"post"},
        "/cascades/{cascade}/release": {"post"},
        "/cascades/{cascade}/approve": {"post"},
        "/freezes": {"get"},
        "/freezes/{name}": {"get", "put", "delete"},
        "/policy": {"get", "put"},
        "/policy/images/{name}": {"get"},
        "/audit": {"get"},
        "/notices": {"get"},
        "/notices/resend": {"post"},
        "/notices/test": {"post"},
    }


def test_every_route_needs_a_token(api: Api) -> None:
    assert api.document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for operations in api.document["paths"].values():
        for operation in operations.values():
            assert {"422", "500", "503"} <= operation["responses"].keys()
            if operation["operationId"] in ("show_health", "show_login"):
                assert "security" not in operation
                continue
            assert operation["security"] == [{"bearer": []}]
            assert {"401", "403", "429"} <= operation["responses"].keys()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for item in part:
            yield from references(item)


def test_what_it_refers_to_is_there(api: Api) -> None:
    named = {f"#/components/schemas/{name}" for name in api.document["components"]["schemas"]}
    assert set(references(api.document)) == named


@pytest.mark.parametrize("name", sorted(shapes()))
def test_examples_hold(api: Api, name: str) -> None:
    components = api.document["components"]
    (example,) = components["schemas"][name]["examples"]
    assert example == shapes()[name].example
    of = {"$ref": f"#/components/schemas/{name}", "components": components}
    assert [error.message for error in validator(of).iter_errors(example)] == []


def test_the_example_registers_the_example(api: Api) -> None:
    answer = api.put("/lineage/images/shop/web", json=shapes()["SentImage"].example)
    assert answer.json()["image"] == shapes()["Image"].example


def test_what_is_sent_is_an_image_of_the_format() -> None:
    fields = images.sent()["properties"]
    assert fields.keys() - {"dockerfile_content"} == schema()["$defs"]["image"]["properties"].keys() - {
        "name",
        "path",
    }
    assert fields["source"]["properties"].keys() == {"git", "ref", "path"}
    assert "$ref" not in json.dumps(images.sent())
    assert validator(images.sent()).is_valid(sent())


def test_where_an_address_may_fit_no_route_that_is_said(api: Api) -> None:
    for path, operations in api.document["paths"].items():
        if "{" in path:
            assert all("404" in operation["responses"] for operation in operations.values()), path
