"""The API as the Function app mounts it, through the adapter of azure-functions."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from functions import http
from groundswell.access.principal import Role
from groundswell.errors import InputError
from groundswell.local.paths import ROOT
from tests.support.world import BASE, World, registration
from tests.unit.api.conftest import token


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(http, "app", lambda: world.app)
    http._mounted.cache_clear()
    yield world
    http._mounted.cache_clear()
    world.close()


def ask(world: World, path: str, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    url = f"https://app.example.net{path}"
    headers = {"Authorization": f"Bearer {token(world, Role.READER)}", **(headers or {})}
    request = func.HttpRequest(method="GET", url=url, headers=headers, body=b"")
    context: Any = None
    function: Any = http.api
    answer: func.HttpResponse = asyncio.run(function._function.get_user_function()(request, context))
    return answer


def test_function_app_imports_no_framework() -> None:
    code = "import sys, function_app; print(*{name.partition('.')[0] for name in sys.modules})"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    ).stdout.split()
    assert "function_app" in output
    assert not {"fastapi", "starlette", "pydantic", "jsonschema", "anyio", "jinja2"} & set(output)


def test_an_answer_comes_through_whole(mounted: World) -> None:
    mounted.app.catalog.register([registration("shop/web", BASE)], who="test")
    for path in ("/api/v1/lineage/images/shop/web", "/api/v1/lineage/images/shop%2Fweb"):
        answer = ask(mounted, path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert b'"name":"shop/web"' in answer.get_body()
    same = ask(mounted, "/api/v1/lineage/images/shop/web", {"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.get_body()) == (304, b"")


def test_parameters_that_come_several_times_arrive(mounted: World) -> None:
    images = [registration(f"i{n}", BASE, labels={"a": str(n % 2), "b": str(n % 3)}) for n in range(6)]
    mounted.app.catalog.register(images, who="test")
    body = ask(mounted, "/api/v1/lineage/images?label=a%3D1&label=b%3D0").get_body()
    assert body.count(b'"name"') == 1
    assert b'"name":"i3"' in body


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/api/v1/lineage/images/%FF", {}), ("/api/v1/lineage/images/a", {"x-name": "\udcff"})],
)
def test_what_cannot_be_decoded(mounted: World, path: str, headers: dict[str, str]) -> None:
    answer = ask(mounted, path, headers)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


def test_wrong_settings_are_not_blamed_on_the_client(
    mounted: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse() -> None:
        raise InputError("setting GROUNDSWELL_STORE is missing")

    monkeypatch.setattr(http, "app", refuse)
    with pytest.raises(InputError):  # the host answers 500, and logs it
        ask(mounted, "/api/v1/lineage/images")
    monkeypatch.setattr(http, "app", lambda: mounted.app)
    assert ask(mounted, "/api/v1/lineage/images").status_code == 200
