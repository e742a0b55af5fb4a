"""Pushes an OCI image by the registry's own HTTP API, logging in the way `docker login` does.

What the registry already holds is not sent again; repeating a push changes nothing.
"""

import base64
import json
import re
import ssl
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen

from groundswell.errors import PermanentError, TemporaryError
from groundswell.local.oci import MANIFEST, OciImage

_TIMEOUT = 60
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How to reach a registry (`host:port`, TLS); `ca` is a PEM file of the authority to trust."""

    registry: str
    user: str
    password: str
    ca: Path


def push(image: OciImage, login: Login, repository: str, tag: str) -> str:
    """Push `image` as `repository:tag` and return its digest.

    Raises PermanentError when the registry refuses, TemporaryError when it does not answer.
    """
    client = Client(login, repository)
    for digest, blob in image.blobs.items():
        if client.call("HEAD", f"blobs/{digest}") is None:
            client.upload(digest, blob)
    client.must("PUT", f"manifests/{tag}", image.manifest, MANIFEST)
    return image.digest


class Client:
    """One repository of one registry; keeps the authorization that the registry asked for."""

    def __init__(self, login: Login, repository: str) -> None:
        self._login = login
        self._repository = repository
        self._base = f"https://{login.registry}/v2/{repository}/"
        self._tls = ssl.create_default_context(cafile=login.ca)
        self._authorization = ""
        self._content = b""

    def read(self, path: str, accept: str) -> bytes | None:
        """The content of the answer, None for 404."""
        return None if self.call("GET", path, None, accept) is None else self._content

    def upload(self, digest: str, blob: bytes) -> None:
        place = self.must("POST", "blobs/uploads/", b"").get("Location", "")
        mark = "&" if "?" in place else "?"
        self.must("PUT", f"{place}{mark}{urlencode({'digest': digest})}", blob)

    def must(self, method: str, path: str, body: bytes, media_type: str = "application/octet-stream") -> Message:
        answer = self.call(method, path, body, media_type)
        if answer is None:
            raise PermanentError(f"{self._login.registry} has no {path.partition('?')[0]} in {self._repository}")
        return answer

    def call(
        self, method: str, path: str, body: bytes | None = None, media_type: str = "application/octet-stream"
    ) -> Message | None:
        """The headers of the answer, None for 404. Logs in when the registry asks for it."""
        for _ in range(2):
            request = Request(urljoin(self._base, path), data=body, method=method)
            request.add_header("Accept" if method == "GET" else "Content-Type", media_type)
            if self._authorization:
                request.add_header("Authorization", self._authorization)
            status, headers, self._content = self._send(request)
            if status != 401:
                break
            self._authorization = self._authorize(headers.get("WWW-Authenticate", ""))
        if status == 404:
            return None
        if status >= 400:
            raise self._refused(f"{method} {path.partition('?')[0]}", status)
        return headers

    def _authorize(self, challenge: str) -> str:
        """The header that answers `challenge`: the password itself, or a token got for it."""
        pair = f"{self._login.user}:{self._login.password}".encode()
        basic = f"Basic {base64.b64encode(pair).decode()}"
        asked = dict(_PARAMETER.findall(challenge))
        if not challenge.lower().startswith("bearer "):
            return basic
        query = {"service": asked.get("service", ""), "scope": f"repository:{self._repository}:pull,push"}
        request = Request(f"{asked.get('realm', '')}?{urlencode(query)}", headers={"Authorization": basic})
        status, _headers, content = self._send(request)
        if status != 200:
            raise self._refused("login", status)
        document = json.loads(content)
        return f"Bearer {document.get('access_token') or document['token']}"

    def _send(self, request: Request) -> tuple[int, Message, bytes]:
        try:
            with urlopen(request, timeout=_TIMEOUT, context=self._tls) as answer:
                return answer.status, answer.headers, answer.read()
        except HTTPError as exc:
            with exc:
                return exc.code, exc.headers, exc.read()
        except OSError as exc:
            raise TemporaryError(f"registry {self._login.registry} does not answer: {exc}") from exc

    def _refused(self, what: str, status: int) -> PermanentError | TemporaryError:
        message = f"registry {self._login.registry} answered {status} to {what} for {self._repository}"
        return TemporaryError(message) if status == 429 or status >= 500 else PermanentError(message)
