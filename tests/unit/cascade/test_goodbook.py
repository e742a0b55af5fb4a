"""The book of good builds."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from groundswell.cascade.goodbook import Good, GoodBook
from groundswell.errors import PermanentError
from groundswell.store.port import ANY, Put, Write
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


def test_scans_go_with_a_build_or_alone_and_too_large_ones_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(tmp_path / "store.db")
    try:
        book = GoodBook(store)
        scan = Put(row="scan:s", value={"v": 1}, etag=ANY)
        book.note("app", good("aa11"), [scan])
        book.note("alone", None, [scan])
        assert [record.row for record in store.scan("good", "app")] == ["a", "scan:s"]
        assert [record.row for record in store.scan("good", "alone")] == ["scan:s"]
        commit = store.commit

        def refuse_scans(table: str, partition: str, writes: Sequence[Write]) -> list[str]:
            if scan in writes:
                raise PermanentError("too large")
            return commit(table, partition, writes)

        monkeypatch.setattr(store, "commit", refuse_scans)
        book.note("large", good("aa11"), [scan])
        book.note("large", None, [scan])
        assert [record.row for record in store.scan("good", "large")] == ["a"]
        assert "scan not kept" in caplog.text
    finally:
        store.close()


def test_what_cannot_be_stored_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(tmp_path / "store.db")

    def refuse(*_: object) -> list[str]:
        raise PermanentError("no")

    monkeypatch.setattr(store, "commit", refuse)
    with pytest.raises(PermanentError, match="no"):
        GoodBook(store).note("app", good("aa11"))
    store.close()
