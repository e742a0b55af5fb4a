"""The API over a small world. Every answer is held against the OpenAPI document: none may be undocumented."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from groundswell.lineage.document import validator
from tests.support.asgi import Client
from tests.support.world import BASE, HOST, World

PREFIX = "/api/v1"


LIFETIME = 30 * 86_400.0
"""Seconds that tokens of tests live."""


def token(world: World, *roles: Role, teams: Collection[str] = (), name: str = "tests") -> str:
    """The text of a new API token."""
    return world.app.tokens.create(name, roles=roles, teams=teams, seconds=LIFETIME, who="test", why="test")[1]


_document: dict[str, Any] = {}
"""The OpenAPI document, made once for all tests: it takes longest, and is the same for every world."""


class Api(Client):
    """A client whose paths begin after the prefix; an admin's, unless a request says otherwise."""

    def __init__(self, world: World) -> None:
        vars(world.app)["buckets"] = Buckets(rate=1e6, burst=1e6)
        app = create(world.app)
        super().__init__(app, PREFIX)
        self.state = app.state
        if not _document:
            _document.update(app.openapi())
        self.document: dict[str, Any] = _document
        self.token = token(world, Role.ADMIN)
        self.who = world.app.tokens.principal(self.token).who

    def request(self, method: str, path: str, *, token: str | None = "", **rest: Any) -> httpx.Response:
        """`token` None sends none, "" the client's own."""
        given = self.token if token == "" else token
        headers = httpx.Headers(rest.pop("headers", None))
        if given:
            headers["Authorization"] = f"Bearer {given}"
        answer = super().request(method, path, headers=headers, **rest)
        self._check(method.lower(), answer)
        return answer

    def _check(self, method: str, answer: httpx.Response) -> None:
        path = answer.request.url.path
        operation = self._operation(method, path)
        media, body = answer.headers.get("content-type"), answer.content
        if operation is None:
            assert answer.status_code in (404, 405) or path.endswith("/openapi.json")
            content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
        else:
            documented = operation["responses"][str(answer.status_code)]
            content = documented.get("content", {})
            headers = {name.lower() for name in documented.get("headers", {})}
            said = {"etag", "idempotency-replayed", "location", "retry-after", "www-authenticate"}
            assert said & answer.headers.keys() <= headers
        assert bool(content) == bool(body)
        if body and not path.endswith("/openapi.json"):
            schema = content[media]["schema"] | {"components": self.document["components"]}
            assert [error.message for error in validator(schema).iter_errors(answer.json())] == []
        if answer.status_code >= 400:
            assert answer.json()["status"] == answer.status_code

    def _operation(self, method: str, path: str) -> Any:
        """The most particular route, as it comes first."""
        for template, operations in self.document["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]*", re.escape(template).replace(r"\{name\}", ".*"))
            if re.match(f"{pattern}$", path) and method in operations:
                return operations[method]
        return None


def sent(**changes: Any) -> dict[str, Any]:
    """An image as a client sends it; what is None is left out."""
    image = {
        "registry": HOST,
        "source": {"git": "https://git.example.com/shop.git"},
        "tags": ["1"],
        "dockerfile_content": f"FROM {BASE}\n",
    }
    return {name: value for name, value in {**image, **changes}.items() if value is not None}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def api(world: World) -> Api:
    return Api(world)
