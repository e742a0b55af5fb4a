"""Answers under an Idempotency-Key: claimed, kept, released, forgotten."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundswell.access.answers import CLAIMED, KEPT, Answer, AnswerBook, Asked, UnderWayError
from groundswell.errors import ConflictError, InputError
from groundswell.store.sqlite import SqliteStore

ASKED = Asked(principal="token:1", key="k", print="p")
GIVEN = Answer(status=202, body={"push": "1"}, headers={"Location": "/x"})


class Books:
    def __init__(self, folder: Path) -> None:
        self.time = 1_800_000_000.0
        self.store = SqliteStore(folder / "store.db")
        self.book = AnswerBook(self.store, lambda: self.time)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.store.close()


def test_what_was_answered_is_answered_again(books: Books) -> None:
    assert books.book.claim(ASKED) is None
    books.book.keep(ASKED, GIVEN)
    assert books.book.claim(ASKED) == GIVEN
    books.time += KEPT - 1
    assert books.book.claim(ASKED) == GIVEN
    books.time += 1
    assert books.book.claim(ASKED) is None


def test_a_key_is_one_principals_and_one_requests(books: Books) -> None:
    assert books.book.claim(ASKED) is None
    books.book.keep(ASKED, GIVEN)
    assert books.book.claim(Asked(principal="token:2", key="k", print="p")) is None
    assert books.book.claim(Asked(principal="token:1", key="l", print="p")) is None
    with pytest.raises(InputError, match="another request"):
        books.book.claim(Asked(principal="token:1", key="k", print="q"))


def test_one_at_a_time(books: Books) -> None:
    assert books.book.claim(ASKED) is None
    with pytest.raises(UnderWayError):
        books.book.claim(ASKED)
    books.book.release(ASKED)
    assert books.book.claim(ASKED) is None


def test_of_two_that_claim_it_at_once_one_has_it(books: Books) -> None:
    commit = books.store.commit

    def late(*args: Any) -> list[str]:
        vars(books.store)["commit"] = commit
        assert books.book.claim(ASKED) is None
        return commit(*args)

    vars(books.store)["commit"] = late
    with pytest.raises(UnderWayError):
        books.book.claim(ASKED)


def test_a_claim_that_was_left_behind_is_taken_over(books: Books) -> None:
    assert books.book.claim(ASKED) is None
    books.time += CLAIMED
    assert books.book.claim(ASKED) is None
    with pytest.raises(UnderWayError):
        books.book.claim(ASKED)


def test_what_is_old_is_dropped(books: Books) -> None:
    for number in range(250):
        books.book.keep(Asked(principal="token:1", key=str(number), print="p"), GIVEN)
    books.time += KEPT / 2
    books.book.keep(ASKED, GIVEN)
    assert books.book.forget() == 0
    books.time += KEPT / 2
    assert books.book.forget() == 250
    assert books.book.claim(ASKED) == GIVEN


def test_one_that_is_claimed_again_meanwhile_is_left(books: Books) -> None:
    books.book.keep(ASKED, GIVEN)
    books.time += KEPT
    commit = books.store.commit

    def late(*args: Any) -> list[str]:
        vars(books.store)["commit"] = commit
        raise ConflictError("it was claimed again")

    vars(books.store)["commit"] = late
    assert books.book.forget() == 0
    assert books.book.forget() == 1


def test_an_answer_is_found_by_whose_it_is(books: Books) -> None:
    assert books.book.find("token:1", "k") is None
    books.book.claim(ASKED)
    with pytest.raises(UnderWayError):
        books.book.find("token:1", "k")
    books.book.keep(ASKED, GIVEN)
    assert books.book.find("token:1", "k") == GIVEN
    assert books.book.find("token:2", "k") is None
    books.time += KEPT
    assert books.book.find("token:1", "k") is None
