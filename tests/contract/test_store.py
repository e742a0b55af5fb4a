"""The one suite that every store passes: SQLite, and Azure Storage as Azurite imitates it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.errors import ConflictError, NewerError, NotFoundError, PermanentError
from groundswell.store.azure import AzureStore
from groundswell.store.port import ANY, MAX_COMMIT, Delete, Put
from groundswell.store.sqlite import SqliteStore
from tests.support import azurite as azurite_support
from tests.support.stores import Clock, Subject, edgy, json_values, noise, texts

azurite = azurite_support.azurite

P = "partition/one"
A_WEEK = 7 * 24 * 3600


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.stack)])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    unique = uuid4().hex
    names = {"table": f"t{unique}", "queue": f"q-{unique}"}
    if request.param == "sqlite":
        clock = Clock()
        store = SqliteStore(tmp_path / "store.db", clock=clock)
        yield Subject(store=store, let_pass=clock.advance, **names)
        store.close()
    else:
        remote = AzureStore.from_connection_string(request.getfixturevalue("azurite").connection_string)
        yield Subject(store=remote, let_pass=time.sleep, **names)  # the service's clock is the real one
        remote.close()


def put(subject: Subject, row: str, value: dict[str, Any], etag: str | None = None) -> str:
    (new,) = subject.store.commit(subject.table, P, [Put(row=row, value=value, etag=etag)])
    return new


def rows(subject: Subject, **bounds: Any) -> list[str]:
    return [record.row for record in subject.store.scan(subject.table, P, **bounds)]


class TestAll:
    """What a backup reads."""

    def test_every_document_in_the_order_of_partitions_and_rows(self, subject: Subject) -> None:
        keys = ["a", "a/b", "b", "é", "\U0001f600"]
        for partition in reversed(keys):
            puts = [Put(row=row, value={"at": [partition, row]}, etag=ANY) for row in keys]
            subject.store.commit(subject.table, partition, puts)
        found = [(partition, each.row, each.value["at"]) for partition, each in subject.store.every(subject.table)]
        assert found == [(partition, row, [partition, row]) for partition in keys for row in keys]

    def test_more_than_a_page(self, subject: Subject) -> None:
        for partition in range(11):
            puts = [Put(row=f"{row:03}", value={}, etag=ANY) for row in range(100)]
            subject.store.commit(subject.table, f"{partition:02}", puts)
        found = [(partition, each.row) for partition, each in subject.store.every(subject.table)]
        assert found == [(f"{partition:02}", f"{row:03}") for partition in range(11) for row in range(100)]

    def test_which_tables_there_are(self, subject: Subject) -> None:
        assert subject.table not in subject.store.tables()
        assert list(subject.store.every(subject.table)) == []
        put(subject, "a", {})
        assert subject.table in subject.store.tables()
        assert subject.store.tables() == sorted(subject.store.tables())

    def test_what_a_newer_program_wrote_is_not_read(self, subject: Subject) -> None:
        put(subject, "a", {"v": 1})
        put(subject, "b", {"v": 2})
        put(subject, "c", {"v": "two"})
        reads: list[Callable[[], Any]] = [
            lambda: subject.store.get(subject.table, P, "b"),
            lambda: rows(subject),
            lambda: list(subject.store.every(subject.table)),
        ]
        for read in reads:
            with pytest.raises(NewerError, match=f"document 'b' of table {subject.table} has schema version 2"):
                read()
        for row in "ac":
            assert subject.store.get(subject.table, P, row) is not None


class TestOneDocument:
    def test_nothing_is_found_where_nothing_was_written(self, subject: Subject) -> None:
        assert subject.store.get(subject.table, P, "a") is None  # no such table
        assert rows(subject) == []
        put(subject, "a", {})
        assert subject.store.get(subject.table, P, "b") is None
        assert subject.store.get(subject.table, "other", "a") is None

    def test_insert(self, subject: Subject) -> None:
        etag = put(subject, "a", {"n": 1})
        record = subject.store.get(subject.table, P, "a")
        assert record is not None
        assert (record.row, record.value, record.etag) == ("a", {"n": 1}, etag)

    def test_insert_refuses_what_exists(self, subject: Subject) -> None:
        put(subject, "a", {"n": 1})
        with pytest.raises(ConflictError, match=subject.table):
            put(subject, "a", {"n": 2})
        assert subject.store.get(subject.table, P, "a").value == {"n": 1}

    def test_replace_drops_what_was_there(self, subject: Subject) -> None:
        old = put(subject, "a", {"n": 1, "gone": True})
        new = put(subject, "a", {"n": 2}, old)
        record = subject.store.get(subject.table, P, "a")
        assert (record.value, record.etag) == ({"n": 2}, new)
        assert new != old

    def test_replace_refuses_a_stale_etag(self, subject: Subject) -> None:
        stale = put(subject, "a", {"n": 1})
        put(subject, "a", {"n": 1}, stale)  # the same value is a change all the same
        with pytest.raises(ConflictError):
            put(subject, "a", {"n": 3}, stale)
        assert subject.store.get(subject.table, P, "a").value == {"n": 1}

    def test_replace_refuses_what_is_gone(self, subject: Subject) -> None:
        etag = put(subject, "a", {"n": 1})
        subject.store.commit(subject.table, P, [Delete(row="a", etag=etag)])
        with pytest.raises(ConflictError):
            put(subject, "a", {"n": 2}, etag)
        assert subject.store.get(subject.table, P, "a") is None

    def test_an_etag_does_not_come_back_with_the_document(self, subject: Subject) -> None:
        first = put(subject, "a", {"n": 1})
        subject.store.commit(subject.table, P, [Delete(row="a", etag=ANY)])
        put(subject, "a", {"n": 1})
        with pytest.raises(ConflictError):
            put(subject, "a", {"n": 2}, first)

    def test_any_writes_whatever_is_there(self, subject: Subject) -> None:
        first = put(subject, "a", {"n": 1, "gone": True}, ANY)
        second = put(subject, "a", {"n": 2}, ANY)
        record = subject.store.get(subject.table, P, "a")
        assert (record.value, record.etag) == ({"n": 2}, second)
        assert first != second

    def test_delete(self, subject: Subject) -> None:
        stale = put(subject, "a", {})
        etag = put(subject, "a", {}, stale)
        with pytest.raises(ConflictError):
            subject.store.commit(subject.table, P, [Delete(row="a", etag=stale)])
        assert rows(subject) == ["a"]
        assert subject.store.commit(subject.table, P, [Delete(row="a", etag=etag)]) == [""]
        assert rows(subject) == []
        with pytest.raises(ConflictError):
            subject.store.commit(subject.table, P, [Delete(row="a", etag=etag)])

    def test_delete_any_is_quiet_about_what_is_not_there(self, subject: Subject) -> None:
        assert subject.store.commit(subject.table, P, [Delete(row="a", etag=ANY)]) == [""]
        put(subject, "b", {})
        assert subject.store.commit(subject.table, P, [Delete(row=row, etag=ANY) for row in "abc"]) == [""] * 3
        assert rows(subject) == []


class TestCommit:
    def test_all_or_nothing(self, subject: Subject) -> None:
        etag = put(subject, "m", {"n": 1})
        with pytest.raises(ConflictError):
            subject.store.commit(
                subject.table,
                P,
                [
                    Put(row="a", value={}, etag=None),
                    Delete(row="m", etag=etag),
                    Put(row="z", value={}, etag=etag),  # is not there
                ],
            )
        assert rows(subject) == ["m"]
        assert subject.store.get(subject.table, P, "m").etag == etag

    def test_etags_come_in_order(self, subject: Subject) -> None:
        put(subject, "gone", {})
        writes = [
            Put(row="b", value={"n": 1}, etag=None),
            Delete(row="gone", etag=ANY),
            Delete(row="never", etag=ANY),
            Put(row="a", value={"n": 2}, etag=ANY),
        ]
        b, gone, never, a = subject.store.commit(subject.table, P, writes)
        assert (gone, never) == ("", "")
        found = {record.row: record.etag for record in subject.store.scan(subject.table, P)}
        assert found == {"a": a, "b": b}

    def test_a_missing_unconditional_delete_does_not_hide_a_conflict(self, subject: Subject) -> None:
        etag = put(subject, "a", {})
        subject.store.commit(subject.table, P, [Delete(row="a", etag=etag)])
        with pytest.raises(ConflictError):
            subject.store.commit(
                subject.table, P, [Delete(row="never", etag=ANY), Put(row="a", value={}, etag=etag)]
            )
        assert rows(subject) == []

    def test_limits(self, subject: Subject) -> None:
        assert subject.store.commit(subject.table, P, []) == []
        many = [Put(row=f"{n:03}", value={}, etag=None) for n in range(MAX_COMMIT + 1)]
        with pytest.raises(ValueError, match="at most 100 writes, not 101"):
            subject.store.commit(subject.table, P, many)
        with pytest.raises(ValueError, match="names a row twice"):
            subject.store.commit(subject.table, P, [many[0], Delete(row=many[0].row, etag=ANY)])
        assert rows(subject) == []
        etags = subject.store.commit(subject.table, P, many[:MAX_COMMIT])
        assert len(etags) == MAX_COMMIT
        assert all(etags)

    def test_no_increment_is_lost(self, subject: Subject) -> None:
        threads, each = 6, 8
        put(subject, "counter", {"n": 0})
        start = threading.Barrier(threads)

        def increment() -> int:
            start.wait()
            done = conflicts = 0
            while done < each:
                record = subject.store.get(subject.table, P, "counter")
                try:
                    put(subject, "counter", {"n": record.value["n"] + 1}, record.etag)
                except ConflictError:
                    conflicts += 1
                else:
                    done += 1
            return conflicts

        with ThreadPoolExecutor(threads) as pool:
            futures = [pool.submit(increment) for _ in range(threads)]
            conflicts = sum(future.result() for future in futures)
        assert subject.store.get(subject.table, P, "counter").value == {"n": threads * each}
        assert conflicts > 0  # else nothing was tried


class TestScan:
    def test_order_prefix_after_limit(self, subject: Subject) -> None:
        names = ["a", "a/b", "a0", "B", "a.b", "é", "a-b", "😀", "\uffee", "a?b"]
        subject.store.commit(subject.table, P, [Put(row=name, value={}, etag=None) for name in names])
        subject.store.commit(subject.table, "other", [Put(row="a/x", value={}, etag=None)])
        in_order = sorted(names)
        assert in_order.index("\uffee") < in_order.index("😀")  # by UTF-16 code unit it would be the other way
        assert rows(subject) == in_order
        assert rows(subject, prefix="a") == ["a", "a-b", "a.b", "a/b", "a0", "a?b"]
        assert rows(subject, prefix="a/") == ["a/b"]
        assert rows(subject, prefix="a", after="a.b") == ["a/b", "a0", "a?b"]
        assert rows(subject, after="a/a") == [name for name in in_order if name > "a/a"]
        assert rows(subject, prefix="b", after="a") == []
        assert rows(subject, limit=3) == in_order[:3]
        assert rows(subject, limit=0) == []
        assert rows(subject, prefix="\U0010ffff") == []

    def test_more_than_a_page(self, subject: Subject) -> None:
        names = [f"{n:04}" for n in range(1100)]
        for start in range(0, len(names), MAX_COMMIT):
            writes = [Put(row=name, value={"n": name}, etag=None) for name in names[start : start + MAX_COMMIT]]
            subject.store.commit(subject.table, P, writes)
        assert rows(subject) == names
        assert rows(subject, limit=1050) == names[:1050]
        assert rows(subject, prefix="0", after="0500") == names[501:1000]

        scan = subject.store.scan(subject.table, P)
        first = list(islice(scan, 10))
        subject.store.commit(subject.table, P, [Delete(row=names[-1], etag=ANY)])
        later = [record.row for record in scan]
        assert [record.row for record in first] + later == names[:-1]  # the last page was not read ahead


few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
partitions = count()  # one for each example, because the fixture's table is shared by all of them


class TestWhatIsStored:
    @few
    @given(names=st.sets(texts | edgy, min_size=1, max_size=15), probe=texts | edgy)
    def test_any_key(self, subject: Subject, names: set[str], probe: str) -> None:
        partition = f"{next(partitions)}{min(names)}"
        writes = [Put(row=name, value={"row": name}, etag=None) for name in names]
        subject.store.commit(subject.table, partition, writes)

        def scan(**bounds: str) -> list[str]:
            return [record.row for record in subject.store.scan(subject.table, partition, **bounds)]

        in_order = sorted(names)
        assert scan() == in_order
        middle = in_order[len(in_order) // 2]
        for mark in (probe, middle):
            assert scan(after=mark) == [name for name in in_order if name > mark]
            assert scan(prefix=mark[:2]) == [name for name in in_order if name.startswith(mark[:2])]
        assert subject.store.get(subject.table, partition, middle).value == {"row": middle}

    @few
    @given(value=st.dictionaries(st.text(), json_values, max_size=5))
    def test_any_value(self, subject: Subject, value: dict[str, Any]) -> None:
        etag = put(subject, "any", value, ANY)
        record = subject.store.get(subject.table, P, "any")
        assert (record.value, record.etag) == (value, etag)

    def test_awkward_values(self, subject: Subject) -> None:
        value = {
            "floats": [0.1, -0.0, 1e308, 5e-324, 3.0],
            "integers": [2**70, -(2**63), 0],
            "text": ["", "\x00", "\ud800 alone", "'; DROP TABLE documents; --", "2026-01-01T00:00:00Z", "😀"],
            "nothing": None,
            "PartitionKey": "a name that Azure uses itself",
            "odata.etag": [[[[{}]]]],
        }
        put(subject, "a", value)
        stored = subject.store.get(subject.table, P, "a").value
        assert stored == value
        assert [type(number) for number in stored["floats"]] == [float] * 5
        assert math.copysign(1, stored["floats"][1]) == -1

    @pytest.mark.parametrize("size", [31_950, 32_100, 200_000, 1_020_000])
    def test_large_value(self, subject: Subject, size: int) -> None:
        value = {"log": noise(size)}
        etag = put(subject, "a", {"log": "short"})
        etag = put(subject, "a", value, etag)  # nothing of what was there before may be left, whichever is longer
        put(subject, "b", {"small": True})
        assert [record.value for record in subject.store.scan(subject.table, P)] == [value, {"small": True}]
        etag = put(subject, "a", {"log": noise(70_000)}, etag)
        assert subject.store.get(subject.table, P, "a").value == {"log": noise(70_000)}
        for etag_of_next in (etag, ANY):
            put(subject, "a", {"log": "short"}, etag_of_next)
            assert subject.store.get(subject.table, P, "a").value == {"log": "short"}
            put(subject, "a", value, ANY)
            assert subject.store.get(subject.table, P, "a").value == value

    def test_too_large(self, subject: Subject) -> None:
        with pytest.raises(PermanentError, match=r"document 'a'.*too large"):
            put(subject, "a", {"log": noise(1_045_000)})
        large = {"log": noise(1_000_000)}
        with pytest.raises(PermanentError, match=r"too large.*split"):
            subject.store.commit(subject.table, P, [Put(row=row, value=large, etag=None) for row in "abcde"])
        assert rows(subject) == []

    def test_just_not_too_large(self, subject: Subject) -> None:
        value = {"log": noise(1_000_000)}
        subject.store.commit(subject.table, P, [Put(row=row, value=value, etag=None) for row in "abcd"])
        many = [Put(row=f"{n}", value={"log": '"' * 15_000}, etag=None) for n in range(MAX_COMMIT)]
        with pytest.raises(PermanentError, match="split"):
            subject.store.commit(subject.table, P, many)
        subject.store.commit(subject.table, P, many[:60])
        assert len(rows(subject)) == 64

    @pytest.mark.parametrize("value", [{"n": math.nan}, {"n": math.inf}, {"n": object()}, [1], "text"])
    def test_what_is_no_json_object(self, subject: Subject, value: Any) -> None:
        with pytest.raises(PermanentError, match="document 'a'"):
            put(subject, "a", value)

    def test_keys_that_no_store_can_keep(self, subject: Subject) -> None:
        put(subject, "x" * 512, {})
        with pytest.raises(PermanentError, match="too long"):
            put(subject, "x" * 513, {})
        with pytest.raises(PermanentError, match="too long"):
            subject.store.get(subject.table, P, "é" * 100)
        with pytest.raises(PermanentError, match="not valid Unicode"):
            put(subject, "\ud800", {})
        for partition, row in ((P, ""), ("", "a")):
            with pytest.raises(ValueError, match="empty"):
                subject.store.get(subject.table, partition, row)
        for table in ("ab", "with-dash", "Upper", "1st", "x" * 64, "a'b", "é" * 4):
            with pytest.raises(ValueError, match="table name"):
                subject.store.get(table, P, "a")
        with pytest.raises(ValueError, match="limit"):
            subject.store.scan(subject.table, P, limit=-1)


class TestQueue:
    def test_a_queue_that_does_not_exist_is_empty(self, subject: Subject) -> None:
        assert subject.store.receive(subject.queue) == []
        assert subject.store.depth(subject.queue) == 0

    def test_a_message_and_its_fields(self, subject: Subject) -> None:
        subject.store.send(subject.queue, '{"image": "é😀"}')
        message = subject.receive_one(lease=60)
        assert message.body == '{"image": "é😀"}'
        assert message.dequeue_count == 1
        assert message.expires_at - message.inserted_at == A_WEEK
        assert message.visible_at - message.inserted_at == pytest.approx(60, abs=2)
        assert subject.store.receive(subject.queue) == []  # hidden
        assert subject.store.depth(subject.queue) == 1
        subject.store.delete(subject.queue, message)
        assert subject.store.depth(subject.queue) == 0
        with pytest.raises(NotFoundError, match="no longer leased"):
            subject.store.delete(subject.queue, message)
        with pytest.raises(NotFoundError):
            subject.store.renew(subject.queue, message, lease=60)

    def test_the_oldest_is_of_those_that_nobody_has(self, subject: Subject) -> None:
        assert subject.store.oldest(subject.queue) is None  # no such queue
        subject.store.send(subject.queue, "for later", delay=60)
        assert subject.store.oldest(subject.queue) is None
        subject.store.send(subject.queue, "now")
        seen = subject.store.oldest(subject.queue)
        message = subject.receive_one(lease=60)
        assert seen == pytest.approx(message.inserted_at, abs=1)
        assert message.dequeue_count == 1  # looking took nothing
        assert subject.store.oldest(subject.queue) is None  # somebody has it

    def test_many(self, subject: Subject) -> None:
        for n in range(40):
            subject.store.send(subject.queue, str(n))
        first = subject.store.receive(subject.queue, limit=32)
        assert [message.body for message in first] == [str(n) for n in range(32)]
        assert [message.body for message in subject.store.receive(subject.queue)] == [str(n) for n in range(32, 40)]
        assert subject.store.depth(subject.queue) == 40

    def test_an_ended_lease_shows_the_message_again(self, subject: Subject) -> None:
        subject.store.send(subject.queue, "again")
        first = subject.receive_one(lease=1)
        subject.let_pass(1.1)
        second = subject.receive_one()
        assert (second.id, second.body, second.dequeue_count) == (first.id, "again", 2)
        with pytest.raises(NotFoundError):
            subject.store.delete(subject.queue, first)
        with pytest.raises(NotFoundError):
            subject.store.renew(subject.queue, first, lease=9)
        subject.store.delete(subject.queue, second)
        assert subject.store.depth(subject.queue) == 0

    def test_renew_keeps_the_message_hidden(self, subject: Subject) -> None:
        subject.store.send(subject.queue, "long work")
        first = subject.receive_one(lease=1)
        renewed = subject.store.renew(subject.queue, first, lease=60)
        assert renewed.receipt != first.receipt
        assert renewed.visible_at > first.visible_at
        assert (renewed.id, renewed.body, renewed.dequeue_count) == (first.id, first.body, 1)
        subject.let_pass(1.1)
        assert subject.store.receive(subject.queue) == []
        with pytest.raises(NotFoundError):
            subject.store.delete(subject.queue, first)  # its receipt was used up
        subject.store.delete(subject.queue, renewed)
        assert subject.store.depth(subject.queue) == 0

    def test_renewing_for_no_time_shows_the_message_at_once(self, subject: Subject) -> None:
        subject.store.send(subject.queue, "later")
        released = subject.store.renew(subject.queue, subject.receive_one(), lease=0)
        again = subject.receive_one()
        assert (again.body, again.dequeue_count) == ("later", 2)
        with pytest.raises(NotFoundError):
            subject.store.delete(subject.queue, released)

    def test_a_delayed_message_is_hidden_and_counted(self, subject: Subject) -> None:
        subject.store.send(subject.queue, "late", delay=1)
        subject.store.send(subject.queue, "soon")
        assert subject.receive_one().body == "soon"
        assert subject.store.receive(subject.queue) == []
        assert subject.store.depth(subject.queue) == 2
        subject.let_pass(2.1)
        assert subject.receive_one().body == "late"

    def test_two_consumers_share_the_messages(self, subject: Subject) -> None:
        for n in range(30):
            subject.store.send(subject.queue, str(n))
        start = threading.Barrier(2)

        def consume() -> list[str]:
            start.wait()
            seen = []
            while messages := subject.store.receive(subject.queue, limit=2):
                seen += [message.body for message in messages]
            return seen

        with ThreadPoolExecutor(2) as pool:
            first, second = (future.result() for future in [pool.submit(consume) for _ in range(2)])
        assert sorted(first + second, key=int) == [str(n) for n in range(30)]
        assert first
        assert second

    def test_bodies(self, subject: Subject) -> None:
        for body in ("", "<xml>&\x00</xml>", "é" * (24 * 1024)):
            subject.store.send(subject.queue, body)
            message = subject.receive_one()
            assert message.body == body
            subject.store.delete(subject.queue, message)
        with pytest.raises(PermanentError, match=subject.queue):
            subject.store.send(subject.queue, "é" * (24 * 1024) + "x")
        with pytest.raises(PermanentError, match="not valid Unicode"):
            subject.store.send(subject.queue, "\ud800")
        assert subject.store.depth(subject.queue) == 0

    def test_limits(self, subject: Subject) -> None:
        for name in ("ab", "Upper", "a--b", "-ab", "ab-", "a_b", "x" * 64):
            with pytest.raises(ValueError, match="queue name"):
                subject.store.send(name, "x")
        for limit in (0, 33):
            with pytest.raises(ValueError, match="limit"):
                subject.store.receive(subject.queue, limit=limit)
        for lease in (0, A_WEEK):
            with pytest.raises(ValueError, match="lease"):
                subject.store.receive(subject.queue, lease=lease)
        for delay in (-1, A_WEEK, math.nan):
            with pytest.raises(ValueError, match="delay"):
                subject.store.send(subject.queue, "x", delay=delay)
