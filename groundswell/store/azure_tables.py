"""Documents in Azure Tables: one entity each, commits as entity group transactions (one write needs none).

A commit is sent once. When its answer is lost, or the service fails after it took the request, the caller gets
TemporaryError and must load again before deciding, because the commit may or may not be stored. (Sent again behind
the caller's back it would meet its own ETags, and look like a conflict with somebody else.) Reads are retried.

A document is a property `json` that people can read in Storage Explorer or, when it is large, compressed in binary
properties `z00`, `z01`, …
"""

import contextlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import batched, islice
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableClient, TableEntity, TableServiceClient, UpdateMode

from groundswell.errors import ConflictError, PermanentError
from groundswell.store import codec, keys, limits, versions
from groundswell.store.azure_errors import BEING_DELETED, code, present, translated
from groundswell.store.limits import Checked
from groundswell.store.port import ANY, Delete, Record, Write

_PAGE = 1000  # the most that Azure returns at once
_CHUNK = 64 * 1024  # the most that a binary property holds
_READABLE = "json"
_PACKED = "z"
_NO_TABLE = "TableNotFound"

type _Operation = tuple[str, Mapping[str, Any], Mapping[str, Any]]


class AzureDocuments:
    """The Documents half of the store, on one storage account. Tables are made when first written to."""

    def __init__(self, tables: TableServiceClient) -> None:
        self._tables = tables
        self._table_clients: dict[str, TableClient] = {}

    def _table(self, table: str) -> TableClient:
        if table not in self._table_clients:
            self._table_clients[table] = self._tables.get_table_client(table)
        return self._table_clients[table]

    def get(self, table: str, partition: str, row: str) -> Record | None:
        limits.check_table(table)
        partition_key, row_key = limits.check_key("partition", partition), limits.check_key("row", row)
        with translated(f"reading document {row!r} of table {table}"):
            try:
                entity = self._table(table).get_entity(partition_key, row_key)
            except ResourceNotFoundError:
                return None
        return _record(table, entity)

    def scan(
        self, table: str, partition: str, *, prefix: str = "", after: str = "", limit: int | None = None
    ) -> Iterator[Record]:
        limits.check_scan(table, partition, prefix, after, limit)
        bounds = {
            "PartitionKey eq @partition": ("partition", keys.encode(partition)),
            "RowKey ge @start": ("start", keys.encode(prefix)),
            "RowKey lt @end": ("end", keys.encoded_end(prefix)),
            "RowKey gt @after": ("after", keys.encode(after)),
        }
        return self._entities(table, " and ".join(bounds), dict(bounds.values()), limit)

    def tables(self) -> list[str]:
        """Others may have tables in the account (the Functions host has): ours are in lower case."""
        with translated("listing tables"):
            return sorted(table.name for table in self._tables.list_tables() if limits.is_table(table.name))

    def every(self, table: str) -> Iterator[tuple[str, Record]]:
        limits.check_table(table)
        with translated(f"reading table {table}"):
            try:
                for entity in self._table(table).list_entities(results_per_page=_PAGE):
                    yield _key(entity["PartitionKey"]), _record(table, entity)
            except ResourceNotFoundError:
                return  # no such table yet

    def _entities(self, table: str, where: str, parameters: dict[str, str], limit: int | None) -> Iterator[Record]:
        size = _PAGE if limit is None else min(_PAGE, limit)
        if size == 0:
            return
        with translated(f"reading table {table}"):
            found = self._table(table).query_entities(where, parameters=parameters, results_per_page=size)
            try:
                yield from (_record(table, entity) for entity in islice(found, limit))
            except ResourceNotFoundError:
                return  # no such table yet

    def commit(self, table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        pending = limits.check_commit(table, partition, writes)
        etags: dict[str, str] = {}
        with translated(f"writing to table {table}"):
            while pending:
                try:
                    answers = self._submit(table, [_operation(partition, each) for each in pending])
                except HttpResponseError as exc:
                    if exc.status_code in (409, 412) and code(exc) not in BEING_DELETED:
                        raise _conflict(table) from exc
                    if exc.status_code != 404 or code(exc) == _NO_TABLE:
                        raise
                    pending = self._without_done(table, partition, pending, exc)
                else:
                    etags = {
                        each.write.row: answer["etag"]
                        for each, answer in zip(pending, answers, strict=True)
                        if not isinstance(each.write, Delete)
                    }
                    break
        return [etags.get(write.row, "") for write in writes]

    def _submit(self, table: str, operations: list[_Operation]) -> list[Mapping[str, Any]]:
        client = self._table(table)
        try:
            return _send(client, operations)
        except HttpResponseError as exc:
            if code(exc) != _NO_TABLE:
                raise
        with contextlib.suppress(ResourceExistsError):  # another process was first
            client.create_table()
        return _send(client, operations)

    def _without_done(
        self, table: str, partition: str, pending: list[Checked], exc: HttpResponseError
    ) -> list[Checked]:
        """The writes less the unconditional deletes of what is not there, which Azure refuses and we do not."""
        left = [
            each
            for each in pending
            if not (isinstance(each.write, Delete) and each.write.etag == ANY)
            or self.get(table, partition, each.write.row)
        ]
        if len(left) == len(pending):
            raise _conflict(table) from exc  # a document that should be there is not
        return left


def _send(client: TableClient, operations: list[_Operation]) -> list[Mapping[str, Any]]:
    """The answers. A single write costs less than half of what a transaction of one does.

    But for the first one and the last: alone, the SDK does not say why it could not create, and takes a delete of
    what is not there for done, condition or no condition.
    """
    if len(operations) == 1:
        kind, entity, options = operations[0]
        if kind == "upsert":
            return [client.upsert_entity(entity, retry_total=0, **options)]
        if kind == "update":
            return [client.update_entity(entity, retry_total=0, **options)]
    return client.submit_transaction(operations, retry_total=0)


def _conflict(table: str) -> ConflictError:
    return ConflictError(f"a document of table {table} was changed by somebody else; load it again")


def _operation(partition: str, checked: Checked) -> _Operation:
    write = checked.write
    entity: dict[str, Any] = {"PartitionKey": keys.encode(partition), "RowKey": keys.encode(write.row)}
    unchanged = {"etag": write.etag, "match_condition": MatchConditions.IfNotModified}
    if isinstance(write, Delete):
        return "delete", entity, {} if write.etag == ANY else unchanged
    if checked.packed is None:
        entity[_READABLE] = checked.text
    else:
        chunks = batched(checked.packed, _CHUNK, strict=False)
        entity |= {f"{_PACKED}{index:02}": bytes(chunk) for index, chunk in enumerate(chunks)}
    if write.etag is None:
        return "create", entity, {}
    if write.etag == ANY:
        return "upsert", entity, {"mode": UpdateMode.REPLACE}
    return "update", entity, {"mode": UpdateMode.REPLACE, **unchanged}


def _record(table: str, entity: TableEntity) -> Record:
    row_key = entity["RowKey"]
    row = _key(row_key)
    try:
        if _READABLE in entity:
            text = entity[_READABLE]
        else:
            chunks = sorted(name for name in entity if name.startswith(_PACKED))
            text = codec.decompress(b"".join(entity[name] for name in chunks))
        value = codec.loads(text)
        etag = present(entity.metadata["etag"], "an ETag")
    except (ValueError, TypeError, zlib.error) as exc:
        raise PermanentError(f"entity {row_key!r} was not written by Groundswell; remove it") from exc
    versions.check_document(table, row, value)
    return Record(row=row, value=value, etag=etag)


def _key(encoded: str) -> str:
    try:
        return keys.decode(encoded)
    except ValueError as exc:
        raise PermanentError(f"entity {encoded!r} was not written by Groundswell; remove it") from exc
