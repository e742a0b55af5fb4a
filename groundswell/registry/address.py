"""Keeps connections away from what only our own network should reach.

A name is looked up where the connection is made, and may have another address each time (DNS rebinding). So the
address that was connected to is looked at, before a byte is sent.
"""

import ipaddress
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from groundswell.errors import PermanentError

_PLATFORM = ipaddress.ip_address("168.63.129.16")
"""Azure's own services for each virtual machine: by number a public address (Microsoft, "What is IP address
168.63.129.16?")."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


def public(text: str) -> bool:
    """Whether an IP address belongs to the internet at large."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        elif address.ipv4_mapped is not None:
            address = address.ipv4_mapped
    return address.is_global and not address.is_multicast and address != _PLATFORM


class _Connection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        address = connected.getpeername()[0]
        if not public(address):
            connected.close()
            raise PermanentError(
                f"{self.host} is at {address}, which is no public address: not asked "
                '(a registry of your own network is named with "private": true in GROUNDSWELL_EXTERNAL_REGISTRIES)'
            )
        return connected


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class PublicOnly(HTTPAdapter):
    """A transport for `requests` that speaks https with public addresses only.

    Behind a proxy the addresses are the proxy's to judge. Raises PermanentError.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"https": _PublicPool}
