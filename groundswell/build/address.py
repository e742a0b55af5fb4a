"""Keeps what other people name as a git server away from where a cloud tells a machine of itself."""

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from groundswell.addresses import of_the_platform
from groundswell.errors import PermanentError


def _checked(connected: socket.socket, host: str) -> socket.socket:
    """The connection, before a byte is sent over it. Raises PermanentError."""
    address = connected.getpeername()[0]
    if of_the_platform(address):
        connected.close()
        raise PermanentError(f"{host} is at {address}, where no git server is: not asked; correct the source's URL")
    return connected


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _Tls(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _Tls


class NotThePlatform(HTTPAdapter):
    """A transport for `requests`. Behind a proxy the addresses are the proxy's to judge."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}
