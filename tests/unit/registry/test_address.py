"""Which addresses are the internet's."""

import pytest

from groundswell.registry.address import public


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
    ],
)
def test_not_public(address: str) -> None:
    assert not public(address)
