"""Each operation of the OpenAPI document: wrong roles, no token, bad input. What is new is in here by itself."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

import pytest

from groundswell.access.permissions import PERMISSIONS
from groundswell.access.principal import Role
from groundswell.api.openapi import shapes
from groundswell.settings import AcrRegistry
from tests.support.world import BASE, HOST, World, registration
from tests.unit.api.conftest import LIFETIME, PREFIX, Api, token

PLACES = {"cascade": "0k3v9xab2c", "name": "top", "run": "r0", "token": "5f0c1d2e3a4b"}
"""What stands in the paths, by the name that the OpenAPI document gives it."""


IDS = AcrRegistry(subscription="s", resource_group="g", name="acr")


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    parameters: tuple[Any, ...]
    sent: str | None

    def address(self, query: str = "", **places: str) -> str:
        path = self.path
        for name, there in {**PLACES, **places}.items():
            path = path.replace(f"{{{name}}}", there)
        assert "{" not in path, "a place that PLACES does not name"
        needed = [p for p in self.parameters if p["in"] == "query" and p.get("required") and p["name"] not in query]
        parts = [*(f"{p['name']}={_example(p)}" for p in needed), *([query] if query else [])]
        return f"{path}?{'&'.join(parts)}" if parts else path

    @property
    def body(self) -> Any:
        return shapes()[self.sent].example if self.sent else None


def _example(parameter: Any) -> str:
    return quote(parameter["schema"].get("examples", ["x"])[0])


@cache
def operations() -> tuple[Operation, ...]:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        document = Api(world).document
        world.close()
    return tuple(
        Operation(
            id=operation["operationId"],
            method=method.upper(),
            path=path.removeprefix(PREFIX),
            parameters=tuple(operation.get("parameters", ())),
            sent=_sent(operation),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )


def _sent(operation: Any) -> str | None:
    if "requestBody" not in operation:
        return None
    name: str = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    return name.rpartition("/")[2]


def each(*, sending: bool = False, closed: bool = False, given: bool = False) -> Any:
    """A test of each operation: that a body is sent to, that needs a role, that is given anything at all."""
    wanted = [
        operation
        for operation in operations()
        if (operation.sent or not sending)
        and (PERMISSIONS[operation.id] or not closed)
        and (operation.sent or operation.parameters or not given)
    ]
    return pytest.mark.parametrize("operation", wanted, ids=lambda operation: operation.id)


@pytest.fixture
def api(world: World) -> Api:
    world.register(registration("top", BASE, owner="shop"))
    world.drive()
    world.app.settings = replace(world.app.settings, registries={HOST: IDS})
    return Api(world)


def ask(api: Api, operation: Operation, query: str = "", **rest: Any) -> Any:
    rest.setdefault("json", operation.body)
    if "content" in rest:
        del rest["json"]
    return api.request(operation.method, operation.address(query), **rest)


def snapshot(world: World) -> list[Any]:
    tables = (("lineage", "lineage"), ("audit", "audit"), ("freezes", "freezes"), ("policies", "policies"))
    return [record for table, partition in tables for record in world.app.store.scan(table, partition)]


@each(closed=True)
def test_without_a_token(api: Api, world: World, operation: Operation) -> None:
    before = snapshot(world)
    revoked = token(world, Role.ADMIN)
    world.app.tokens.revoke(revoked.split("_")[1], who="test", why="test")
    expired = token(world, Role.ADMIN)
    assert ask(api, operation, token=None).status_code == 401
    assert ask(api, operation, token=revoked).status_code == 401
    assert ask(api, operation, token="gs_0_0").status_code == 401
    assert ask(api, operation, token=None, headers={"X-MS-CLIENT-PRINCIPAL": "e30="}).status_code == 401
    world.time += LIFETIME
    assert ask(api, operation, token=expired).status_code == 401
    assert len(snapshot(world)) == len(before) + 3  # of the tokens
    assert world.app.store.depth("pushes") == 0


@each(closed=True)
def test_with_every_role(api: Api, world: World, operation: Operation) -> None:
    needed = PERMISSIONS[operation.id]
    for role in Role:  # admin comes last
        text = token(world, role, teams=["shop", "shop-team"] if role is Role.REGISTRAR else [])
        before = snapshot(world)
        answer = ask(api, operation, token=text)
        if role is Role.ADMIN or needed in (role, Role.READER):
            assert answer.status_code in (200, 201, 202, 204, 404), answer.text
        else:
            assert answer.status_code == 403
            assert f"needs the role {needed}" in answer.json()["detail"]
            assert snapshot(world) == before


@each()
def test_a_parameter_that_there_is_not(api: Api, world: World, operation: Operation) -> None:
    before = snapshot(world)
    answer = ask(api, operation, "nonsense=1")
    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json()["errors"]] == ["nonsense"]
    assert snapshot(world) == before


def wrong(schema: Any) -> Iterator[str]:
    """Values that a parameter's schema refuses."""
    for part in (schema, *schema.get("anyOf", ()), schema.get("items", {})):
        if "maximum" in part:
            yield str(part["maximum"] + 1)
        if "minimum" in part:
            yield str(part["minimum"] - 1)
        if part.get("type") in ("integer", "boolean") or "enum" in part or "$ref" in part:
            yield "nonsense"
        if "maxLength" in part:
            yield "x" * (part["maxLength"] + 1)
        if part.get("minLength"):
            yield ""


@each()
def test_a_parameter_that_is_wrong(api: Api, operation: Operation) -> None:
    for parameter in operation.parameters:
        if parameter["in"] != "query":
            continue
        for value in wrong(parameter["schema"]):
            answer = ask(api, operation, f"{parameter['name']}={quote(value)}")
            assert answer.status_code == 422, (parameter["name"], value)
            assert [error["parameter"] for error in answer.json()["errors"]] == [parameter["name"]]


@each()
def test_a_place_that_is_wrong(api: Api, operation: Operation) -> None:
    places = [parameter["name"] for parameter in operation.parameters if parameter["in"] == "path"]
    for place, value in product(places, ("UPPER", "a%20b", "%00", "-", "%C3%A9", "x" * 500)):
        answer = api.request(operation.method, operation.address(**{place: value}), json=operation.body)
        assert answer.status_code in (404, 422), answer.text
        if answer.status_code == 422:
            assert [error["parameter"] for error in answer.json()["errors"]] == [place]


@each(sending=True)
def test_a_body_that_is_wrong(api: Api, world: World, operation: Operation) -> None:
    before = snapshot(world)
    for body in (b"", b"{", b"\xff", b'{"reason": NaN}', b'{"a": 1, "a": 2}', b"[" * 100_000):
        assert ask(api, operation, content=body).status_code == 400
    for document in ([], None, 7, "x"):
        answer = ask(api, operation, content=json.dumps(document).encode())
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "#"
    answer = ask(api, operation, json={**operation.body, "nonsense": 1})
    assert answer.status_code == 422
    assert "#/nonsense" in [error["pointer"] for error in answer.json()["errors"]]
    assert operation.sent is not None
    for name in shapes()[operation.sent].schema["required"]:
        less = {key: value for key, value in operation.body.items() if key != name}
        answer = ask(api, operation, json=less)
        assert answer.status_code == 422
        assert f"{name!r} is a required property" in answer.text
    for name in operation.body:
        answer = ask(api, operation, json={**operation.body, name: {"not": ["it"]}})
        assert answer.status_code == 422, name
        assert answer.json()["errors"][0]["pointer"].startswith(f"#/{name}")
    assert snapshot(world) == before
    assert world.app.store.depth("pushes") == 0


@each(sending=True)
def test_a_body_that_is_too_large(api: Api, operation: Operation) -> None:
    assert ask(api, operation, content=b" " * (16 * 1024 * 1024 + 1)).status_code == 413


@each()
def test_no_answer_is_kept_by_a_cache(api: Api, operation: Operation) -> None:
    answer = ask(api, operation)
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
