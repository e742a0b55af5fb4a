"""API tokens: made, used, listed, ended; nothing of the secret is kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.access.principal import Role, UnauthenticatedError
from groundswell.access.tokens import LONGEST, TokenBook
from groundswell.audit import entries
from groundswell.errors import ConflictError, InputError, NotFoundError, PermanentError
from groundswell.store.port import Put
from groundswell.store.sqlite import SqliteStore

GOOD: dict[str, Any] = {"roles": [Role.OPERATOR], "seconds": 3600.0, "who": "ann", "why": "for the pipeline"}


class Books:
    def __init__(self, folder: Path) -> None:
        self.time = 1_800_000_000.0
        self.store = SqliteStore(folder / "store.db")
        self.book = TokenBook(self.store, lambda: self.time)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.store.close()


def test_a_token_says_who_it_is(books: Books) -> None:
    token, text = books.book.create("ci", **{**GOOD, "roles": [Role.REGISTRAR, Role.READER], "teams": ["shop"]})
    found = books.book.principal(text)
    assert (found.id, found.name) == (f"token:{token.id}", "ci")
    assert (found.roles, found.teams) == ({Role.REGISTRAR, Role.READER}, {"shop"})
    assert [each.id for each in books.book.each()] == [token.id]


def test_the_secret_is_not_kept(books: Books) -> None:
    _, text = books.book.create("ci", **GOOD)
    secret = text.split("_", 2)[2]
    kept = json.dumps([record.value for record in books.store.scan("tokens", "tokens")])
    assert secret not in kept
    assert secret not in json.dumps(list(entries(books.store)))
    assert "sha256" not in json.dumps([token.to_json() for token in books.book.each()])


def test_what_is_no_token(books: Books) -> None:
    _, text = books.book.create("ci", **GOOD)
    other = books.book.create("other", **GOOD)[1]
    mixed = f"{text[:16]}{other[16:]}"
    for wrong in ("", "gs_", text[:-1], text + "x", text[:-1] + ("a" if text[-1] != "a" else "b"), mixed, "gs_ü"):
        with pytest.raises(UnauthenticatedError, match="no such API token"):
            books.book.principal(wrong)


def test_it_expires(books: Books) -> None:
    token, text = books.book.create("ci", **GOOD)
    books.time = token.expires_at - 1
    assert books.book.principal(text).name == "ci"
    assert token.state(books.time) == "valid"
    books.time = token.expires_at
    with pytest.raises(UnauthenticatedError, match="ci is expired"):
        books.book.principal(text)


def test_it_is_revoked_at_once_and_for_good(books: Books) -> None:
    token, text = books.book.create("ci", **GOOD)
    books.time += 60
    ended = books.book.revoke(token.id, who="bob", why="it leaked")
    assert ended.revoked_at == books.time
    with pytest.raises(UnauthenticatedError, match="ci is revoked"):
        books.book.principal(text)
    books.time += 60
    assert books.book.revoke(token.id, who="eve", why="again") == ended
    assert [(entry["action"], entry["who"], entry["why"]) for entry in entries(books.store)] == [
        ("revoke", "bob", "it leaked"),
        ("token", "ann", "for the pipeline"),
    ]


def test_revoking_goes_on_when_somebody_else_was_faster(books: Books) -> None:
    token, _ = books.book.create("ci", **GOOD)
    commit, calls = books.store.commit, []

    def slow(table: str, partition: str, writes: Any) -> list[str]:
        calls.append(table)
        if table == "tokens" and calls.count("tokens") == 1:
            raise ConflictError("somebody else wrote first")
        return commit(table, partition, writes)

    vars(books.store)["commit"] = slow
    assert books.book.revoke(token.id, who="bob", why="it leaked").revoked_at == books.time


@pytest.mark.parametrize("wrong", ["", "nope", "/"])
def test_what_there_is_not_cannot_be_revoked(books: Books, wrong: str) -> None:
    with pytest.raises(NotFoundError, match="token list"):
        books.book.revoke(wrong, who="bob", why="x")


def test_ends_and_beginnings_need_a_reason(books: Books) -> None:
    with pytest.raises(InputError, match="reason"):
        books.book.create("ci", **{**GOOD, "why": " "})
    with pytest.raises(InputError, match="reason"):
        books.book.revoke("x", who="bob", why=" ")


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        ("", {}, "letters, digits"),
        ("a\nb", {}, "letters, digits"),
        ("x" * 64, {}, "63 at most"),
        ("ci", {"roles": []}, "needs a role"),
        ("ci", {"roles": [Role.REGISTRAR]}, "go together"),
        ("ci", {"teams": ["shop"]}, "go together"),
        ("ci", {"roles": [Role.REGISTRAR], "teams": [" "]}, "a team is a text"),
        ("ci", {"roles": [Role.REGISTRAR], "teams": ["x" * 201]}, "a team is a text"),
        ("ci", {"seconds": 0.0}, "expire within 366 days"),
        ("ci", {"seconds": LONGEST + 1}, "expire within 366 days"),
    ],
)
def test_what_is_no_good_token(books: Books, name: str, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        books.book.create(name, **{**GOOD, **changes})
    assert list(books.book.each()) == []
    assert list(entries(books.store)) == []


def test_a_newer_record_is_not_guessed_at(books: Books) -> None:
    token, text = books.book.create("ci", **GOOD)
    record = books.store.get("tokens", "tokens", token.id)
    assert record is not None
    books.store.commit("tokens", "tokens", [Put(row=token.id, value={**record.value, "v": 2}, etag=record.etag)])
    with pytest.raises(PermanentError, match="newer program"):
        books.book.principal(text)
