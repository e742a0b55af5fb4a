"""As much of a client of the Kubernetes API as its own node and the stack need, over HTTP and JSON."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from groundswell.local.cluster.errors import ApiError
from groundswell.local.cluster.kinds import Kind
from groundswell.local.cluster.objects import Json
from groundswell.local.cluster.writes import STRATEGIC_PATCH

_SECONDS = (5.0, 30.0)  # to connect, to read
_CHUNK = 1 << 20  # at most; what has come is handed on


class KubeClient:
    """For one thread. Raises ApiError when the server refuses, OSError when it does not answer."""

    def __init__(self, server: str, token: str, ca: Path) -> None:
        self._server = server
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, and no other authority, for a server of our own
        self._session.verify = str(ca)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._session.close()

    def get(self, path: str) -> Json:
        return self._call("GET", path)

    def create(self, path: str, body: Json) -> Json:
        return self._call("POST", path, body)

    def patch(self, path: str, body: Json) -> Json:
        """A strategic merge patch."""
        return self._call("PATCH", path, body, media_type=STRATEGIC_PATCH)

    def delete(self, path: str, options: Json) -> None:
        self._call("DELETE", path, options)

    def watch(self, path: str, version: str, seconds: int) -> Iterator[tuple[str, Json]]:
        """(type, object) of each change after `version`, for so many seconds."""
        query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(seconds)}
        quiet = (_SECONDS[0], seconds + _SECONDS[1])  # nothing may happen until the watch's own end
        with self._request("GET", path, params=query, stream=True, timeout=quiet) as response:
            for line in response.iter_lines(chunk_size=_CHUNK):
                event = json.loads(line)
                yield event["type"], event["object"]

    def _call(self, method: str, path: str, body: Json | None = None, *, media_type: str = "") -> Json:
        headers = {"Content-Type": media_type or "application/json"}
        with self._request(method, path, json=body, headers=headers) as response:
            found: Json = response.json()
            return found

    @contextlib.contextmanager
    def _request(
        self, method: str, path: str, *, timeout: tuple[float, float] = _SECONDS, **options: Any
    ) -> Iterator[requests.Response]:
        with self._session.request(method, self._server + path, timeout=timeout, **options) as response:
            if not response.ok:
                raise ApiError(response.status_code, _message(response))
            yield response


def path_of(kind: Kind, namespace: str, name: str = "", subresource: str = "") -> str:
    """Where the server keeps an object, or (without a name) all of the kind in the namespace, or everywhere."""
    parts = [
        "apis" if kind.group else "api",
        *filter(None, (kind.group, kind.version)),
        *(("namespaces", namespace) if namespace and kind.namespaced else ()),
        kind.plural,
        *filter(None, (name, subresource)),
    ]
    return "/" + "/".join(parts)


def _message(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.reason
