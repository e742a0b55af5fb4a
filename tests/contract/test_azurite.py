"""The runner of Azurite: it starts on ports of its own, and leaves nothing behind."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from groundswell.errors import PermanentError
from groundswell.local.azurite import Azurite
from groundswell.store.azure import AzureStore


@pytest.mark.stack
def test_two_run_side_by_side_and_end() -> None:
    with Azurite() as one, Azurite() as two:
        first, second = (AzureStore.from_connection_string(each.connection_string) for each in (one, two))
        first.send("work", "only here")
        assert (first.depth("work"), second.depth("work")) == (1, 0)
        first.close()
        second.close()
        fields = dict(field.split("=", 1) for field in one.connection_string.rstrip(";").split(";"))
    for name in ("BlobEndpoint", "QueueEndpoint", "TableEndpoint"):
        endpoint = urlsplit(fields[name])
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((endpoint.hostname, endpoint.port), timeout=5)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="run `npm ci`"):
        Azurite(tmp_path / "azurite.js").start()


@pytest.mark.stack
def test_what_node_says_when_it_fails_is_passed_on(tmp_path: Path) -> None:
    script = tmp_path / "azurite.js"
    script.write_text("console.error('no room left'); process.exit(3)")
    with pytest.raises(PermanentError, match="no room left"):
        Azurite(script).start()
