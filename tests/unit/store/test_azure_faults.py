"""When Azure Storage fails: which error the caller sees, and how often a request was sent.

A small HTTP server gives the answers that Azurite never gives: refusals, throttling, lost answers.
"""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from azure.data.tables import TableEntity

from groundswell.errors import ConflictError, PermanentError, TemporaryError
from groundswell.local.azurite import ACCOUNT, KEY
from groundswell.store.azure import AzureStore
from groundswell.store.azure_queues import _body
from groundswell.store.azure_tables import _record
from groundswell.store.port import Message, Put

LOSE = "lose the answer"
type Answer = tuple[int, str] | str


class Service(ThreadingHTTPServer):
    """Answers every request with the next of `answers`, the last one for ever; keeps what was asked."""

    daemon_threads = False  # so that closing waits for every handler

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[str] = []

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Handler(BaseHTTPRequestHandler):
    server: Service

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path.partition('?')[0]}")
        match self.server.next():
            case (int(status), str(code)):
                body = b""
                if status >= 300:
                    body = f'{{"odata.error": {{"code": "{code}", "message": {{"value": "made up"}}}}}}'.encode()
                self.send_response(status)
                self.send_header("x-ms-error-code", code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            case _:
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureStore]:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the SDKs' pauses between two tries
    store = AzureStore.from_connection_string(connection_string(service.server_port))
    yield store
    store.close()


def connection_string(port: int) -> str:
    endpoints = "".join(f"{kind}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};" for kind in ("Table", "Queue"))
    return f"AccountName={ACCOUNT};AccountKey={KEY};{endpoints}"


def commit(store: AzureStore) -> None:
    store.commit("things", "p", [Put(row="r", value={}, etag=None)])


@pytest.mark.parametrize("answer", [LOSE, (500, "InternalError"), (503, "ServerBusy"), (429, "TooManyRequests")])
def test_a_commit_is_sent_once(service: Service, store: AzureStore, answer: Answer) -> None:
    """Sent again after it was stored, an insert would meet itself and look like somebody else's."""
    service.answers = [answer]
    with pytest.raises(TemporaryError, match="writing to table things") as caught:
        commit(store)
    assert not isinstance(caught.value, ConflictError)
    assert service.asked == [f"POST /{ACCOUNT}/$batch"]


@pytest.mark.parametrize("answer", [LOSE, (500, "InternalError"), (503, "ServerBusy")])
def test_reads_are_tried_again(service: Service, store: AzureStore, answer: Answer) -> None:
    service.answers = [answer, (404, "ResourceNotFound")]
    assert store.get("things", "p", "r") is None
    assert len(service.asked) == 2


@pytest.mark.parametrize("answer", [LOSE, (500, "InternalError"), (503, "ServerBusy")])
def test_sends_are_tried_again(service: Service, store: AzureStore, answer: Answer) -> None:
    service.answers = [answer, (403, "AuthorizationFailure")]
    with pytest.raises(PermanentError):
        store.send("work", "x")
    assert len(service.asked) == 2


def test_tries_end(service: Service, store: AzureStore) -> None:
    service.answers = [(503, "ServerBusy")]
    with pytest.raises(TemporaryError, match="503 ServerBusy"):
        store.get("things", "p", "r")
    with pytest.raises(TemporaryError, match="503 ServerBusy"):
        store.depth("work")
    assert len(service.asked) == 2 * 4


@pytest.mark.parametrize("status", [401, 403])
def test_refused(service: Service, store: AzureStore, status: int) -> None:
    service.answers = [(status, "AuthorizationPermissionMismatch")]
    message = Message(id="1", body="", receipt="r", dequeue_count=1, inserted_at=0, expires_at=0, visible_at=0)
    for call in (
        lambda: commit(store),
        lambda: store.get("things", "p", "r"),
        lambda: list(store.scan("things", "p")),
        lambda: store.send("work", "x"),
        lambda: store.receive("work"),
        lambda: store.renew("work", message, lease=5),
        lambda: store.delete("work", message),
        lambda: store.depth("work"),
    ):
        with pytest.raises(PermanentError, match="Storage Table Data Contributor") as caught:
            call()
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((409, "TableBeingDeleted"), TemporaryError),
        ((413, "RequestBodyTooLarge"), PermanentError),
        ((400, "InvalidInput"), PermanentError),
        ((404, "TableNotFound"), TemporaryError),  # still, after it was made
    ],
)
def test_other_answers_to_a_commit(
    service: Service, store: AzureStore, answer: Answer, error: type[Exception]
) -> None:
    service.answers = [answer, (204, ""), answer]
    with pytest.raises(error, match=rf"writing to table things: .*{answer[1]}") as caught:
        commit(store)
    assert type(caught.value) is error


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    store = AzureStore.from_connection_string(connection_string(port))
    for call in (lambda: commit(store), lambda: store.get("things", "p", "r"), lambda: store.receive("work")):
        pauses.clear()
        with pytest.raises(TemporaryError, match="did not answer"):
            call()
        assert sum(pauses) <= 9  # three of at most 3 s; the SDK's own would be about a minute
    store.close()


def test_a_message_put_by_hand_is_passed_on_as_it_is() -> None:
    assert _body("not base64!") == "not base64!"
    assert _body(base64.b64encode(b"\xff\xfe").decode()) == "//4="
    assert _body(base64.b64encode("é".encode()).decode()) == "é"


@pytest.mark.parametrize(
    "properties",
    [
        {"RowKey": "a b", "json": "{}"},
        {"RowKey": "a", "json": "{"},
        {"RowKey": "a", "z00": b"not compressed"},
        {"RowKey": "a", "other": 1},
    ],
)
def test_an_entity_put_by_hand_is_named(properties: dict[str, object]) -> None:
    entity = TableEntity(properties)
    with pytest.raises(PermanentError, match=r"entity 'a.*' was not written by Groundswell"):
        _record("bases", entity)
