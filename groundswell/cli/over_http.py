"""The API over HTTP: one connection, kept while the command runs. The standard library's client starts fastest.

Redirects are not followed: a token goes to the address that a person wrote down, and to no other.
"""

import http.client
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from groundswell.cli.transport import Reply, UnreachableError
from groundswell.errors import GroundswellError, InputError, PermanentError

_CONNECT = 30.0
"""Seconds until a connection must stand."""
_LARGEST = 64 * 1024 * 1024
"""Bytes of an answer that are read."""


class HttpTransport:
    """`token` is "" where none is sent; `ca` is a file with the certificates to trust, "" for the system's."""

    def __init__(self, url: str, *, token: str = "", ca: str = "", timeout: float = _CONNECT) -> None:
        self.place = check_url(url)
        parts = urlsplit(self.place)
        self._path = parts.path
        self._token = check_token(token) if token else ""
        self._connection = _connection(parts.scheme, parts.hostname or "", parts.port, ca, timeout)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, patience: float) -> Reply:
        told = dict(headers) | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        sent = False
        try:
            if self._connection.sock is None:
                self._connection.connect()
            self._connection.sock.settimeout(patience)
            sent = True
            self._connection.request(method, self._path + target, body=body or None, headers=told)
            answer = self._connection.getresponse()
            found = answer.read(_LARGEST + 1)
        except (OSError, http.client.HTTPException) as exc:
            self._connection.close()
            raise _trouble(self.place, exc, sent=sent) from exc
        if len(found) > _LARGEST:
            self._connection.close()
            raise PermanentError(f"{self.place} answers with more than {_LARGEST // 1024**2} MiB")
        if 300 <= answer.status < 400 and answer.status != 304:
            raise PermanentError(
                f"{self.place} sends us elsewhere ({answer.status}); the context must name the service itself"
            )
        return Reply(
            status=answer.status, headers={name.lower(): text for name, text in answer.getheaders()}, body=found
        )

    def close(self) -> None:
        self._connection.close()


def check_url(url: str) -> str:
    """The address of a service, without a slash at its end.

    Raises InputError when it is none, or when a token would go over the network in clear.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as exc:
        raise InputError(f"{url!r} is no address of a service: {exc}") from exc
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise InputError(f"{url!r} is no address of a service: give https://HOST, and :PORT if need be")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise InputError("the address of a service has no user, query or fragment; tokens: `groundswell login`")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise InputError(f"{url!r} is no address of a service: it holds blanks")
    if parts.scheme == "http" and not _is_here(host):
        raise InputError(f"{url}: a token goes to another machine over https only")
    return url.rstrip("/").removesuffix("/api/v1")


def check_token(text: str) -> str:
    """What can be a token, as it is. Raises InputError, which does not show it: it goes into a header."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InputError("that is no token: one line, without blanks (`groundswell login`, or GROUNDSWELL_TOKEN)")
    return text


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _connection(scheme: str, host: str, port: int | None, ca: str, timeout: float) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        trusted = ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as exc:
        why = exc.strerror if isinstance(exc, OSError) and exc.strerror else "no certificates in PEM"
        raise InputError(f"--ca {ca} cannot be read: {why}") from exc
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=trusted)


def _trouble(place: str, error: Exception, *, sent: bool) -> GroundswellError:
    """Of the error nothing is told but the system's own words: a request holds the token."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return PermanentError(
            f"{place} is not believed: {error.verify_message}; where a certificate of your own signs it, "
            "`groundswell context add ... --ca FILE`"
        )
    if isinstance(error, TimeoutError):
        why = "no answer in time"
    elif isinstance(error, OSError):
        why = error.strerror or type(error).__name__
    else:
        why = "the connection was closed" if isinstance(error, http.client.RemoteDisconnected) else "no HTTP"
    return UnreachableError(f"{place} cannot be reached: {why}", sent=sent)
