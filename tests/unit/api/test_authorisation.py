"""Who gets in, how often, and what a stranger's page may read."""

import pytest

from groundswell.access.buckets import Buckets
from groundswell.access.permissions import PERMISSIONS
from groundswell.access.principal import Role
from groundswell.errors import TemporaryError
from tests.support.world import World
from tests.unit.api.conftest import Api, sent, token

IMAGES = "/lineage/images"
TYPES = "https://groundswell.dev/problems/"


def test_without_a_token_nobody_gets_in(api: Api) -> None:
    for given in (None, "gs_000000000000_" + "x" * 43, "nonsense"):
        answer = api.get(IMAGES, token=given)
        assert (answer.status_code, answer.json()["type"]) == (401, TYPES + "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="groundswell"'


def test_a_token_in_the_url_is_none(api: Api) -> None:
    for name in ("code", "token", "access_token"):
        assert api.get(f"{IMAGES}?{name}={api.token}", token=None).status_code == 401


def test_who_may_not_is_told_before_the_body_is_looked_at(api: Api, world: World) -> None:
    answer = api.put(f"{IMAGES}/a?nonsense=1", token=token(world, Role.READER), content=b"{" * 3_000_000)
    assert (answer.status_code, answer.json()["type"]) == (403, TYPES + "forbidden")
    assert "needs the role registrar" in answer.json()["detail"]


def test_a_revoked_token_opens_nothing(api: Api, world: World) -> None:
    text = token(world, Role.READER)
    assert api.get(IMAGES, token=text).status_code == 200
    world.app.tokens.revoke(text.split("_")[1], who="ann", why="it leaked")
    assert api.get(IMAGES, token=text).status_code == 401


def test_too_many_requests(api: Api, world: World) -> None:
    vars(world.app)["buckets"] = Buckets(rate=0.25, burst=2, clock=lambda: 0.0)
    other = token(world, Role.READER)
    assert [api.get(IMAGES).status_code for _ in range(3)] == [200, 200, 429]
    answer = api.put(f"{IMAGES}/a", json=sent())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "4")
    assert answer.json()["type"] == TYPES + "throttled"
    assert api.get(IMAGES, token=other).status_code == 200
    assert api.get(IMAGES, token=None).status_code == 401


def test_who_it_is_cannot_be_found_out_now(api: Api, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise TemporaryError("the signing keys cannot be read now", delay=60)

    monkeypatch.setattr(world.app.tokens, "principal", away)
    answer = api.get(IMAGES)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_a_page_of_another_origin_reads_nothing(api: Api) -> None:
    origin = {"Origin": "https://evil.example.com"}
    preflight = api.request(
        "OPTIONS", IMAGES, headers={**origin, "Access-Control-Request-Method": "GET"}, token=None
    )
    assert preflight.status_code == 405
    for answer in (preflight, api.get(IMAGES, headers=origin), api.get(IMAGES, headers=origin, token=None)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_table_has_every_operation_and_no_other(api: Api) -> None:
    operations = {
        operation["operationId"] for path in api.document["paths"].values() for operation in path.values()
    }
    assert operations == set(PERMISSIONS)
