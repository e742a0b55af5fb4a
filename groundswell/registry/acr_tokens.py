"""Keeps ACR's access tokens, which azure-containerregistry 1.2.0 does not.

Without this every call is four requests: refused, exchange, token, and the call itself. The policy sends the token
that last worked for the same repository and kind of access; when the registry refuses it (expired, revoked), the
SDK's own policy behind it answers the challenge, and the new token is kept instead.
"""

import re
import threading
from urllib.parse import unquote, urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse

type _Key = tuple[str, str]

_ROUTE = re.compile(r"/v2/(?P<repository>.+)/(?:manifests/[^/]+|referrers/[^/]+|blobs/uploads/[^/]*|blobs/[^/]+)")
_LISTS = re.compile(r"/acr/v1/(?:_catalog|.+/_tags|.+/_manifests)")
_KEPT = "groundswell_token_key"
_MAX_KEPT = 1000


class TokenCache(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """A per-call policy for one ContainerRegistryClient. Safe to share between threads."""

    def __init__(self) -> None:
        self._tokens: dict[_Key, str] = {}
        self._lock = threading.Lock()

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        key = _key(request.http_request)
        request.context[_KEPT] = key
        with self._lock:
            token = self._tokens.get(key) if key else None
        if token:
            request.http_request.headers["Authorization"] = token

    def on_response(
        self, request: PipelineRequest[HttpRequest], response: PipelineResponse[HttpRequest, HttpResponse]
    ) -> None:
        key: _Key | None = request.context.get(_KEPT)
        # Gone after a redirect to blob storage, where the token must not go.
        token = request.http_request.headers.get("Authorization")
        if key is None or token is None:
            return
        with self._lock:
            if response.http_response.status_code in (401, 403):
                self._tokens.pop(key, None)
            else:
                if len(self._tokens) >= _MAX_KEPT:
                    self._tokens.clear()
                self._tokens[key] = token


def _key(request: HttpRequest) -> _Key | None:
    """What a token is good for: a repository, and reading, deleting or writing; or a list, for its next pages.

    None for what is not kept.
    """
    path = urlsplit(request.url).path
    if _LISTS.fullmatch(path):  # the SDK quotes the slashes in a name, the registry's links do not
        return unquote(path), request.method
    found = _ROUTE.fullmatch(path)
    return (found["repository"], request.method) if found else None
