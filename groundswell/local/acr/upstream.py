"""Hands `/v2/*` on to docker-registry and back, streaming both ways: layers are never held in memory."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import quote

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from groundswell.local.acr.answers import decoded_path, refused
from groundswell.local.acr.layout import Layout
from groundswell.local.acr.locks import MANIFEST, REFUSAL, Locks, manifest_request
from groundswell.local.acr.referrers import subject_in

_UPLOADED = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/[^/]+")
_CHUNK = 1 << 16
_BETWEEN_HOPS = frozenset(
    {"connection", "expect", "keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"}
)
_OWN = frozenset({"authorization"})  # the front's business; docker-registry has no users
_CLIENT_DEFAULTS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Upstream:
    """docker-registry at `address()`, as the applications see it. Attach `run` to theirs."""

    def __init__(self, address: Callable[[], str], *, layout: Layout, locks: Locks, lists_referrers: bool) -> None:
        self._address = address
        self._lists_referrers = lists_referrers
        self._layout = layout
        self._locks = locks
        self._session: aiohttp.ClientSession | None = None
        self._turns: dict[str, asyncio.Lock] = {}

    async def run(self, _: web.Application) -> AsyncIterator[None]:
        """A cleanup context."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=300)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
            self._session = session
            yield
            self._session = None

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        path = decoded_path(request)
        if self._locked(request.method, path):
            return refused(405, "UNSUPPORTED", REFUSAL)
        headers, query = _passed(request.headers, _BETWEEN_HOPS | _OWN), request.rel_url.raw_query_string
        subject = ""
        try:
            if found := MANIFEST.fullmatch(path):
                document = await request.read()
                if request.method == "PUT" and self._lists_referrers:
                    subject = subject_in(request.content_type, document)
                async with self._turn(found["name"]):
                    answer = await self._open(request.method, path, query, headers, document or None)
            else:
                body = request.content if request.body_exists else None
                done = _UPLOADED.fullmatch(path) if request.method == "PUT" else None
                async with self._turn(done["name"]) if done else contextlib.nullcontext():
                    answer = await self._open(request.method, path, query, headers, body)
        except (aiohttp.ClientConnectionError, TimeoutError):
            answer_down = refused(503, "UNAVAILABLE", "the registry does not answer")
            answer_down.headers["Retry-After"] = "2"
            return answer_down
        async with answer:
            response = web.StreamResponse(status=answer.status, headers=_passed(answer.headers, _BETWEEN_HOPS))
            if subject and answer.status == 201:
                response.headers["OCI-Subject"] = subject
            await response.prepare(request)
            async for chunk in answer.content.iter_chunked(_CHUNK):
                await response.write(chunk)
            await response.write_eof()
            return response

    async def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest, on behalf of the metadata API; it being gone already is as good."""
        path = f"/v2/{repository}/manifests/{digest}"
        async with self._turn(repository), await self._open("DELETE", path, "", CIMultiDict(), None) as answer:
            if answer.status not in (202, 404):
                answer.raise_for_status()

    async def _open(
        self,
        method: str,
        path: str,
        query: str,
        headers: CIMultiDict[str],
        body: aiohttp.StreamReader | bytes | None,
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("requests are passed on while the registry runs")
        # The query goes on as it is: an upload's state in it is signed.
        url = URL(f"{self._address()}{quote(path, safe='/:@')}{'?' if query else ''}{query}", encoded=True)
        return await self._session.request(
            method, url, headers=headers, data=body, allow_redirects=False, skip_auto_headers=_CLIENT_DEFAULTS
        )

    def _turn(self, repository: str) -> asyncio.Lock:
        """One request at a time for a repository's manifests, and for what ends the upload of a blob.

        docker-registry 2.8 truncates a link before it writes it again; who reads it in between is answered 500, and
        a manifest that names the blob of such a link 400.
        """
        return self._turns.setdefault(repository, asyncio.Lock())

    def _locked(self, method: str, path: str) -> bool:
        asked = manifest_request(method, path)
        if asked is None:
            return False
        attribute, repository, reference = asked
        references = [reference]
        if attribute == "deleteEnabled":  # takes its tags along
            references += [tag.name for tag in self._layout.tags(repository) if tag.digest == reference]
        return self._locks.forbid(attribute, repository, references)


def _passed(headers: Mapping[str, str], left_out: frozenset[str]) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in left_out)
