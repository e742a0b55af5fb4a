"""One try, over https: what a receiver sees and can check, and what its answers mean."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from groundswell.channels import Channel, Service
from groundswell.errors import GroundswellError, PermanentError, TemporaryError
from groundswell.local.paths import ROOT
from groundswell.notify.send import Sender
from tests.support.receiver import Receiver, receiving
from tests.unit.notify.test_formats import NOTICE

SECRET, OTHER = "whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8
NOW = 1_800_000_000.0


@pytest.fixture(scope="module")
def receiving_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with receiving(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


@pytest.fixture
def receiver(receiving_: Receiver) -> Receiver:
    receiving_.got.clear()
    receiving_.answers.clear()
    return receiving_


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender(source="groundswell", read_seconds=0.5)
    yield sender
    sender.close()


def channel(
    receiver: Receiver, path: str = "/hook", *, service: Service = Service.WEBHOOK, private: bool = True
) -> Channel:
    keys = (b"AAA" * 8,) if service is Service.WEBHOOK else ()
    return Channel(service=service, url=receiver.url(path), keys=keys, private=private)


def test_the_documented_check_of_a_signature(
    receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs/notifications.md").read_text("utf-8")
    page: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], page)  # what readers are told to run
    sender.send(channel(receiver), NOTICE, at=NOW)
    (got,) = receiver.got
    monkeypatch.setattr(page["time"], "time", lambda: NOW + 299)
    assert page["authentic"](SECRET, got.headers, got.body)
    assert not page["authentic"](OTHER, got.headers, got.body)
    assert not page["authentic"](SECRET, got.headers, got.body + b" ")
    monkeypatch.setattr(page["time"], "time", lambda: NOW + 301)
    assert not page["authentic"](SECRET, got.headers, got.body)


def test_a_webhook_can_be_verified(receiver: Receiver, sender: Sender) -> None:
    sender.send(channel(receiver), NOTICE, at=NOW)
    sender.send(channel(receiver), NOTICE, at=NOW + 90)
    first, again = receiver.got
    assert first.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == NOTICE.id == json.loads(first.body)["id"]
    assert first.body == again.body
    assert first.signed_with(SECRET, now=NOW)
    assert again.signed_with(SECRET, now=NOW + 90)
    assert not first.signed_with(SECRET, now=NOW + 301)
    assert not first.signed_with(OTHER, now=NOW)
    assert first.headers["webhook-signature"] != again.headers["webhook-signature"]


@pytest.mark.parametrize("service", [Service.TEAMS, Service.SLACK])
def test_the_others_get_json(receiver: Receiver, sender: Sender, service: Service) -> None:
    sender.send(channel(receiver, service=service), NOTICE, at=NOW)
    (got,) = receiver.got
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert not [name for name in got.headers if name.startswith("webhook-")]
    assert json.loads(got.body)


@pytest.mark.parametrize(
    ("status", "headers", "error", "delay"),
    [
        (200, {}, None, 0),
        (204, {}, None, 0),
        (400, {}, PermanentError, 0),
        (404, {}, PermanentError, 0),
        (410, {}, PermanentError, 0),
        (302, {"Location": "/elsewhere"}, PermanentError, 0),
        (408, {}, TemporaryError, 0),
        (429, {"Retry_After": "90"}, TemporaryError, 90),
        (503, {"Retry_After": "999999"}, TemporaryError, 6 * 3600),
        (500, {"Retry_After": "soon"}, TemporaryError, 0),
    ],
)
def test_what_answers_mean(
    receiver: Receiver,
    sender: Sender,
    status: int,
    headers: dict[str, str],
    error: type[GroundswellError] | None,
    delay: float,
) -> None:
    receiver.answer(status, **headers)
    if error is None:
        sender.send(channel(receiver), NOTICE, at=NOW)
    else:
        with pytest.raises(error, match=f"it answered {status}") as caught:
            sender.send(channel(receiver), NOTICE, at=NOW)
        assert getattr(caught.value, "delay", 0) == delay
    assert [each.path for each in receiver.got] == ["/hook"]  # no redirect is followed


def test_what_is_said_of_an_error_holds_no_address(receiver: Receiver, sender: Sender) -> None:
    path = "/services/T0/B0/hidden"
    receiver.answer(400, path, text=f"invalid_blocks at {receiver.url(path)}\x1b[2J")
    with pytest.raises(PermanentError, match=r"^it answered 400: invalid_blocks at …$"):
        sender.send(channel(receiver, path), NOTICE, at=NOW)
    gone = Channel(service=Service.SLACK, url=f"https://localhost:{free_port()}{path}?sig=hidden", private=True)
    with pytest.raises(TemporaryError, match=r"^no answer: ") as caught:
        sender.send(gone, NOTICE, at=NOW)
    assert "hidden" not in str(caught.value)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def test_who_does_not_answer_is_not_waited_for(receiver: Receiver, sender: Sender) -> None:
    receiver.answer(599)
    with pytest.raises(TemporaryError, match="no answer: "):
        sender.send(channel(receiver), NOTICE, at=NOW)


def test_an_address_of_our_own_network_must_be_allowed(receiver: Receiver, sender: Sender) -> None:
    with pytest.raises(PermanentError, match=r'localhost is at no public address: .*"private": true'):
        sender.send(channel(receiver, private=False), NOTICE, at=NOW)
    assert receiver.got == []
