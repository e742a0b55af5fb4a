"""Conditional requests: nobody overwrites what they have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.api.conditions import Conditions
from groundswell.api.problems import PreconditionFailedError
from groundswell.lineage.catalog import Catalog
from groundswell.store.port import Write
from tests.support.world import BASE, World, registration
from tests.unit.api.conftest import Api, sent

WEB = "/lineage/images/shop/web"
PRECONDITION = "https://groundswell.dev/problems/precondition"


@pytest.mark.parametrize(
    ("match", "none_match", "current", "held"),
    [
        (None, None, None, True),
        (None, None, '"a"', True),
        (["*"], None, '"a"', True),
        (["*"], None, None, False),
        (['"a"'], None, '"a"', True),
        (['"b"', '"a"'], None, '"a"', True),
        (['"b"'], None, '"a"', False),
        (['W/"a"'], None, '"a"', False),
        (['"a"'], None, None, False),
        (None, ["*"], None, True),
        (None, ["*"], '"a"', False),
        (None, ['"a"'], '"a"', False),
        (None, ['W/"a"'], '"a"', False),
        (None, ['"b"'], '"a"', True),
        (['"a"'], ['"b"'], '"a"', True),
        (['"a"'], ['"a"'], '"a"', False),
    ],
)
def test_the_rules(match: list[str] | None, none_match: list[str] | None, current: str | None, held: bool) -> None:
    conditions = Conditions(
        match=None if match is None else frozenset(match),
        none_match=None if none_match is None else frozenset(none_match),
    )
    assert bool(conditions) == (match is not None or none_match is not None)
    if held:
        conditions.check(current)
    else:
        with pytest.raises(PreconditionFailedError):
            conditions.check(current)


def test_what_is_known_already_is_not_sent_again(api: Api) -> None:
    tag = api.put(WEB, json=sent()).headers["etag"]
    for seen in (tag, f"W/{tag}", "*", f'"other", {tag}'):
        answer = api.get(WEB, headers={"If-None-Match": seen})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert api.get(WEB, headers={"If-None-Match": '"other"'}).status_code == 200
    assert api.get(WEB, headers={"If-Match": tag}).status_code == 200
    assert api.get(WEB, headers={"If-Match": '"other"'}).status_code == 412


def test_a_write_on_a_condition(api: Api, world: World) -> None:
    assert api.put(WEB, json=sent(), headers={"If-Match": "*"}).status_code == 412
    tag = api.put(WEB, json=sent(), headers={"If-None-Match": "*"}).headers["etag"]
    assert api.put(WEB, json=sent(), headers={"If-None-Match": "*"}).status_code == 412
    moved = api.put(WEB, json=sent(owner="ann"), headers={"If-Match": tag}).headers["etag"]
    answer = api.put(WEB, json=sent(owner="bob"), headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["type"]) == (412, PRECONDITION)
    assert moved in answer.json()["detail"]
    assert api.put(f"{WEB}?dry_run=true", json=sent(owner="bob"), headers={"If-Match": tag}).status_code == 412
    assert api.delete(f"{WEB}?reason=old", headers={"If-Match": tag}).status_code == 412
    assert world.app.catalog.registration("shop/web").owner == "ann"
    assert api.delete(f"{WEB}?reason=old", headers={"If-Match": moved}).status_code == 204
    assert api.delete(f"{WEB}?reason=old", headers={"If-Match": moved}).status_code == 404


def meanwhile(world: World, act: Callable[[Catalog], object]) -> None:
    """Let `act` happen right before the next commit."""
    store = world.app.store
    real = store.commit

    def commit(table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        store.commit = real  # type: ignore[method-assign]
        act(Catalog(store, lambda: 2.0))
        return real(table, partition, writes)

    store.commit = commit  # type: ignore[method-assign]


def overwrite(catalog: Catalog) -> None:
    catalog.register([replace(registration("shop/web", BASE), owner="bob")], who="bob")


def test_a_condition_holds_until_the_very_write(api: Api, world: World) -> None:
    tag = api.put(WEB, json=sent()).headers["etag"]
    meanwhile(world, overwrite)
    answer = api.put(WEB, json=sent(owner="ann"), headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["type"]) == (412, PRECONDITION)
    meanwhile(world, lambda other: other.register([registration("shop/new", BASE)], who="bob"))
    assert api.put("/lineage/images/shop/new", json=sent(), headers={"If-None-Match": "*"}).status_code == 412
    tag = api.get(WEB).headers["etag"]
    meanwhile(world, lambda other: other.register([replace(registration("shop/web", BASE), owner="c")], who="c"))
    assert api.delete(f"{WEB}?reason=old", headers={"If-Match": tag}).status_code == 412


def test_without_a_condition_the_last_one_wins(api: Api, world: World) -> None:
    api.put(WEB, json=sent())
    meanwhile(world, overwrite)
    answer = api.put(WEB, json=sent(owner="ann"))
    assert (answer.status_code, answer.json()["fields"]["owner"]) == (200, {"before": "bob", "after": "ann"})
    meanwhile(world, overwrite)
    assert api.delete(f"{WEB}?reason=old").status_code == 204


@pytest.mark.parametrize("text", ["abc", '"a', '"a" "b"', '"a",', "", "*, *", 'w/"a"', '"a", *'])
def test_what_is_no_etag_is_refused(api: Api, text: str) -> None:
    answer = api.get(WEB, headers={"If-Match": text})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "If-Match"


def test_headers_that_come_twice_are_one_list(api: Api) -> None:
    tag = api.put(WEB, json=sent()).headers["etag"]
    twice = [("If-None-Match", '"other"'), ("If-None-Match", tag)]
    assert api.get(WEB, headers=twice).status_code == 304


_TAGS = st.frozensets(st.sampled_from(['"a"', '"b"', 'W/"a"', "*"]), min_size=1)


@given(_TAGS, st.sampled_from(['"a"', '"b"', None]))
def test_match_and_none_match_of_strong_tags_are_opposites(tags: frozenset[str], current: str | None) -> None:
    strong = frozenset(tag for tag in tags if not tag.startswith("W/"))

    def holds(conditions: Conditions) -> bool:
        try:
            conditions.check(current)
        except PreconditionFailedError:
            return False
        return True

    assert holds(Conditions(match=strong, none_match=None)) != holds(Conditions(match=None, none_match=strong))
