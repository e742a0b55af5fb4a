"""Keeps connections away from what only our own network should reach.

A name is looked up where the connection is made, and may have another address each time (DNS rebinding). So the
address that was connected to is looked at, before a byte is sent.
"""

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from groundswell.addresses import public
from groundswell.errors import PermanentError


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
