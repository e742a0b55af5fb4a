"""Defender's findings through the real SDK: in pages, whole or not at all, never clean for want of an answer."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from graph.reference import Reference
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.scan.port import NotYetError
from groundswell.scan.resource_graph import MAX_PAGES
from tests.support.resource_graph import SUBSCRIPTION, DefenderWorld, defender_world, row

DIGEST, OTHER = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
IMAGE = Reference(registry="contoso.azurecr.io", repository="shop/web", tag=None, digest=DIGEST)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DefenderWorld]:
    with defender_world(tmp_path_factory.mktemp("defender")) as world:
        yield world


@pytest.fixture
def world(made: DefenderWorld) -> DefenderWorld:
    made.graph.rows, made.graph.answers, made.graph.loses = [], [], 0
    made.graph.asked.clear()
    return made


def test_every_page_is_read(world: DefenderWorld) -> None:
    world.graph.rows = [row(DIGEST, f"CVE-{n}") for n in range(5)] + [row(OTHER, "CVE-9")]
    report = world.scanner.scan(IMAGE)
    assert (report.scanner, report.digest, report.os) == ("defender", DIGEST, "debian linux 12")
    assert [finding.id for finding in report.findings] == [f"CVE-{n}" for n in range(5)]
    assert [asked["options"].get("$skipToken") for asked in world.graph.asked] == [None, "2", "4"]
    assert all(asked["subscriptions"] == [SUBSCRIPTION] for asked in world.graph.asked)


def test_no_row_is_not_clean_but_not_assessed_yet(world: DefenderWorld) -> None:
    with pytest.raises(NotYetError, match=r"defender, sha256:abab.* has not assessed it yet"):
        world.scanner.scan(IMAGE)
    world.graph.rows = [row(DIGEST, status={"code": "Healthy"})]
    assert world.scanner.scan(IMAGE).findings == ()


@pytest.mark.parametrize(
    ("answer", "error", "said", "delay"),
    [
        (web.Response(status=429, headers={"Retry-After": "37"}), TemporaryError, "429", 37.0),
        (web.Response(status=503), TemporaryError, "503", 10.0),
        (web.Response(status=503, headers={"Retry-After": "soon"}), TemporaryError, "503", 10.0),
        (
            web.json_response({"error": {"code": "Forbidden", "message": "no right"}}, status=403),
            PermanentError,
            "403 no right; give the identity the role Security Reader",
            None,
        ),
        (
            web.json_response({"error": {"code": "BadRequest", "message": "what?"}}, status=400),
            PermanentError,
            "400 what",
            None,
        ),
        (web.json_response({"totalRecords": 1, "count": 1, "data": {}}), TemporaryError, "no list of rows", None),
        (
            web.json_response({"totalRecords": 9, "count": 0, "resultTruncated": "true", "data": []}),
            TemporaryError,
            "0 of 9 rows",
            None,
        ),
        (web.Response(text="<html>", content_type="text/html"), TemporaryError, "gave no answer", None),
    ],
)
def test_what_is_no_whole_answer_is_no_report(
    world: DefenderWorld, answer: web.Response, error: type[GroundswellError], said: str, delay: float | None
) -> None:
    world.graph.rows = [row(DIGEST, status={"code": "Healthy"})]
    world.graph.answers = [answer]
    with pytest.raises(error, match=said) as caught:
        world.scanner.scan(IMAGE)
    assert not isinstance(caught.value, NotYetError)
    if delay is not None:
        assert isinstance(caught.value, TemporaryError)
        assert caught.value.delay == delay
    assert len(world.graph.asked) == 1, "retries are the engine's"


def test_rows_that_get_lost_are_missed(world: DefenderWorld) -> None:
    world.graph.rows, world.graph.loses = [row(DIGEST)], 1
    with pytest.raises(TemporaryError, match="1 of 2 rows"):
        world.scanner.scan(IMAGE)


def test_pages_come_to_an_end(world: DefenderWorld) -> None:
    def page() -> web.Response:
        return web.json_response({"totalRecords": 1, "count": 0, "data": [], "$skipToken": "again"})

    world.graph.answers = [page() for _ in range(MAX_PAGES)]
    with pytest.raises(PermanentError, match="more than 100 findings"):
        world.scanner.scan(IMAGE)


def test_what_is_no_digest_is_not_asked_for(world: DefenderWorld) -> None:
    for digest in (None, 'sha256:" or 1 == 1', "sha512:" + "a" * 128):
        with pytest.raises(PermanentError, match="no sha256 digest"):
            world.scanner.scan(Reference(registry="contoso.azurecr.io", repository="a", tag=None, digest=digest))
    assert world.graph.asked == []


def test_a_registry_of_no_subscription_is_named(world: DefenderWorld) -> None:
    with pytest.raises(PermanentError, match=r"about other\.azurecr\.io: give `subscriptions`"):
        world.scanner.scan(Reference(registry="other.azurecr.io", repository="a", tag=None, digest=DIGEST))


def test_nobody_there_is_not_clean(tmp_path: Path) -> None:
    with defender_world(tmp_path) as gone:
        pass
    with pytest.raises(TemporaryError, match="gave no answer"):
        gone.scanner.scan(IMAGE)
