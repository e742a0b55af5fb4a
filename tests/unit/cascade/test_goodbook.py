"""The book of good builds."""

from pathlib import Path

from groundswell.cascade.goodbook import Good, GoodBook
from groundswell.store.sqlite import SqliteStore


def good(key: str, digest: str = "sha256:d") -> Good:
    return Good(key=key, digest=digest, cascade="c", at=1.0)


def test_a_place_is_taken_by_the_newest_and_a_key_is_never_taken_for_another(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    try:
        book = GoodBook(store)
        assert book.get("team/app", "aa11") is None
        book.note("team/app", good("aa11"))
        book.note("team/app", good("aa11"))
        book.note("team/app", good("bb22", "sha256:e"))
        assert book.get("team/app", "aa11") == good("aa11")
        assert book.get("team/app", "bb22") == good("bb22", "sha256:e")
        assert book.get("team/app", "aa33") is None
        assert book.get("team", "aa11") is None
        book.note("team/app", good("aa33"))
        assert book.get("team/app", "aa11") is None
        for number in range(2000):
            book.note("team/app", good(f"{number * 7919:08x}"[::-1]))
        assert len(list(store.scan("good", "team/app"))) == 16
    finally:
        store.close()
