"""Which addresses are the internet's, and which are a cloud's own."""

import socket
from typing import Any

import pytest

from groundswell.addresses import of_the_platform, public
from groundswell.build import address as build_address
from groundswell.build.git_http import GitRevisions
from groundswell.build.port import Source
from groundswell.errors import PermanentError


@pytest.mark.parametrize("address", ["8.8.8.8", "20.42.0.1", "2606:4700::1111", "64:ff9b::808:808"])
def test_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "168.63.129.16",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "::ffff:168.63.129.16",
        "64:ff9b::a00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:a00:1::1",
        "fec0::1",
        "::10.0.0.1",
        "::ffff:0:169.254.169.254",
    ],
)
def test_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::a9fe:a9fe%eth0",
        "::ffff:169.254.169.254",
        "::ffff:a83f:8110",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_of_the_platform(address: str) -> None:
    assert of_the_platform(address)
    assert not public(address)


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "192.168.1.1", "127.0.0.1", "8.8.8.8", "fd00::1", "::ffff:10.0.0.1"]
)
def test_a_network_of_ours_is_none_of_the_platforms(address: str) -> None:
    assert not of_the_platform(address)


class Connected:
    """A connection to some address, over which nothing may be sent."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.closed = False

    def getpeername(self) -> tuple[str, int]:
        return (self.address, 80)

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked of a connection that is not to be used")


HOSTS = [
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "[::ffff:169.254.169.254]",
    "rebound.example",
]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_git_server_at_such_an_address_is_not_sent_a_byte(
    host: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is written, and whatever its name was a moment ago: the address counts that was connected to."""
    met: list[Connected] = []

    def connect(*_: Any, **__: Any) -> Connected:
        met.append(Connected("169.254.169.254"))
        return met[-1]

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    with pytest.raises(PermanentError, match=r"is at 169\.254\.169\.254, where no git server is"):
        GitRevisions().revision(Source(location=f"{scheme}://{host}/latest/meta-data/x.git", ref="main"))
    assert [each.closed for each in met] == [True]


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1"])
def test_the_system_reads_such_spellings_as_addresses(host: str) -> None:
    """Why an address is judged after it was connected to, and not by how a URL writes it."""
    found = {entry[4][0] for entry in socket.getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_STREAM)}
    assert found == {"127.0.0.1"}


def test_what_may_be_asked_is_used_as_it_is() -> None:
    connected: Any = Connected("10.0.0.1")
    assert build_address._checked(connected, "git.example") is connected
    assert not connected.closed
