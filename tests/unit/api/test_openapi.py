"""The OpenAPI document: complete, true to the schemas in force, with examples that hold."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from groundswell.api import images
from groundswell.api.openapi import EXAMPLES
from groundswell.lineage.document import schema, validator
from tests.unit.api.conftest import Api, sent


def test_it_is_served(api: Api) -> None:
    document = api.get("/openapi.json").json()
    assert document == api.document
    assert document["openapi"].startswith("3.1")
    assert {path: set(operations) for path, operations in document["paths"].items()} == {
        "/api/v1/lineage/images": {"get"},
        "/api/v1/lineage/images/{name}": {"get", "put", "delete"},
        "/api/v1/lineage/images/{name}/history": {"get"},
        "/api/v1/impact": {"get"},
    }


def test_every_route_needs_a_token(api: Api) -> None:
    assert api.document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for operations in api.document["paths"].values():
        for operation in operations.values():
            assert operation["security"] == [{"bearer": []}]
            assert {"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys()


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


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_hold(api: Api, name: str) -> None:
    components = api.document["components"]
    (example,) = components["schemas"][name]["examples"]
    assert example == EXAMPLES[name]
    of = {"$ref": f"#/components/schemas/{name}", "components": components}
    assert [error.message for error in validator(of).iter_errors(example)] == []


def test_the_example_registers_the_example(api: Api) -> None:
    answer = api.put("/lineage/images/shop/web", json=EXAMPLES["SentImage"])
    assert answer.json()["image"] == EXAMPLES["Image"]


def test_what_is_sent_is_an_image_of_the_format() -> None:
    fields = images.sent()["properties"]
    assert fields.keys() - {"dockerfile_content"} == schema()["$defs"]["image"]["properties"].keys() - {
        "name",
        "path",
    }
    assert fields["source"]["properties"].keys() == {"git", "ref", "path"}
    assert "$ref" not in json.dumps(images.sent())
    assert validator(images.sent()).is_valid(sent())
