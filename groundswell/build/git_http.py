"""Which commit a ref of a git repository points to: asked of its server over git's smart HTTP, as `ls-remote` does.

Version 2 of the protocol is asked for, which tells of the wanted refs only; a server that knows none answers with
all its refs, and is understood too (gitprotocol-http, gitprotocol-v2). The server is not trusted: what it sends is
bounded in size and time, it is followed to no other host, and nothing of its answer is shown. No credentials are
sent, not even those that a .netrc of this machine has for the host. It may be a server of our own network, but not
where a cloud tells machines of themselves.
"""

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from groundswell.build.address import NotThePlatform
from groundswell.build.hosts import check_source
from groundswell.build.ls_refs import COMMIT, names_of, question, told_by_0, told_by_2
from groundswell.build.port import Source
from groundswell.errors import PermanentError, TemporaryError, cause

MAX_BYTES = 8 << 20
"""Of both answers together: some 120,000 refs of a server that tells of all."""
MAX_SECONDS = 15.0
"""For both questions together."""

_CONNECT_SECONDS, _READ_SECONDS = 5.0, 5.0
_MAX_REDIRECTS = 3
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+@-]{0,249}")
_DIGEST = re.compile(r"sha256[:=_/-]?([0-9a-f]{64})(?![0-9a-f])")
_SERVICE = "git-upload-pack"


class GitRevisions:
    """The Revisions of sources in git, at `hosts` when there are any. Safe to share between threads."""

    def __init__(
        self, *, hosts: Collection[str] = (), max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._hosts = hosts
        self._seconds = max_seconds
        self._bytes = max_bytes

    def revision(self, source: Source) -> str:
        if not source.is_git:
            return _digest_in(source.location)
        if COMMIT.fullmatch(source.ref):
            return source.ref
        if source.ref and not _REF.fullmatch(source.ref):
            raise PermanentError(f"{source.ref!r} is not the name of a branch or a tag")
        parts = urlsplit(source.location)
        if parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise PermanentError("only a git repository at an http or https URL without a user can be asked")
        check_source(source, self._hosts)
        # Named by its host and path alone in every message; the rest of a URL may hold what is not to be shown.
        shown = f"{parts.hostname}{parts.path}"
        try:
            found = _within(self._seconds, lambda: self._refs(source, shown))
        except TimeoutError as exc:
            raise TemporaryError(f"{shown} is too slow") from exc
        except (requests.RequestException, urllib3.exceptions.HTTPError) as exc:
            raise TemporaryError(f"{shown} does not answer: {cause(exc)}") from exc
        commit = next((found[name] for name in names_of(source.ref) if name in found), None)
        if commit is None:
            raise PermanentError(f"{shown} has no branch or tag {source.ref or 'HEAD'!r}")
        return commit

    def _refs(self, source: Source, shown: str) -> dict[str, str]:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, NotThePlatform())
            talk = _Talk(session, shown, end=time.monotonic() + self._seconds, left=self._bytes)
            return talk.refs(source.location, names_of(source.ref))


def _within[T](seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns, or raises. TimeoutError after `seconds`: it is then left to itself.

    The time limits of requests are for each piece that comes: they hold neither for the search of a host's address
    nor for headers that come byte by byte.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as exc:  # noqa: BLE001  # raised again where it is waited for
            result.set_exception(exc)

    threading.Thread(target=run, name="git", daemon=True).start()
    return result.result(seconds)


def _digest_in(location: str) -> str:
    """A tarball may change under its URL, unless that names a digest."""
    named = _DIGEST.search(urlsplit(location).path)
    if named is None:
        raise PermanentError("it is a tarball, whose URL names no sha256 digest")
    return f"sha256:{named[1]}"


def _target(url: str, location: str) -> str:
    """Where a redirect leads on the same host, to refs; empty for anywhere else."""
    try:
        target = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(target)
    except ValueError:  # brackets that hold no address
        return ""
    same = (after.scheme, after.netloc) == (before.scheme, before.netloc)
    safer = (before.scheme, after.scheme, after.netloc) == ("http", "https", before.hostname)
    return target if (same or safer) and after.path.endswith("/info/refs") else ""


class _Talk:
    """The questions to one server, within the time and the bytes that are left for them."""

    def __init__(self, session: requests.Session, shown: str, *, end: float, left: int) -> None:
        self._session = session
        self._shown = shown
        self._end = end
        self._left = left

    def refs(self, url: str, names: tuple[str, ...]) -> dict[str, str]:
        """Commits by full name, of `names` at least those that are there."""
        with self._advertised(url) as response:
            self._check(response, f"application/x-{_SERVICE}-advertisement")
            url = response.url.rpartition("/info/refs")[0]
            told = self._lines(response)
            first = next(told, b"")
            if first.startswith(b"# service="):
                first = next(told, b"") or next(told, b"")
            if first.strip() != b"version 2":
                return told_by_0(first, told)
            capabilities = [line.strip().decode("ascii", "replace") for line in told]
        body = question(capabilities, names)
        with self._ask("POST", f"{url}/{_SERVICE}", body) as response:
            self._check(response, f"application/x-{_SERVICE}-result")
            return told_by_2(self._lines(response))

    def _advertised(self, url: str) -> requests.Response:
        """The answer to the first question, where the repository may have moved on its host."""
        url = f"{url.rstrip('/')}/info/refs?service={_SERVICE}"
        for _ in range(_MAX_REDIRECTS):
            response = self._ask("GET", url)
            if not response.is_redirect:
                return response
            with response:
                url = _target(url, response.headers["Location"])
            if not url:
                raise PermanentError(f"{self._shown} redirects to another place, which is not followed")
        raise PermanentError(f"{self._shown} redirects again and again")

    def _ask(self, method: str, url: str, body: bytes | None = None) -> requests.Response:
        headers = {
            "Accept-Encoding": "identity",  # what is counted is what was sent
            "Git-Protocol": "version=2",
            "User-Agent": "git/2 (groundswell)",  # some hosts answer browsers at the same URL
        }
        if body is not None:
            headers["Content-Type"] = f"application/x-{_SERVICE}-request"
            headers["Accept"] = f"application/x-{_SERVICE}-result"
        # By the adapter itself: a session reads all of a redirect, whatever its length, and looks into .netrc.
        around = self._session.merge_environment_settings(url, {}, True, None, None)
        request = requests.Request(method, url, data=body, headers=headers).prepare()
        return self._session.get_adapter(url).send(request, timeout=(_CONNECT_SECONDS, _READ_SECONDS), **around)

    def _check(self, response: requests.Response, kind: str) -> None:
        status = response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TemporaryError(f"{self._shown} answers {status}")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise PermanentError(f"{self._shown} asks for credentials ({status}); none are sent")
        if status != HTTPStatus.OK:
            raise PermanentError(f"{self._shown} answers {status}")
        if response.headers.get("Content-Type", "").partition(";")[0] != kind:
            raise PermanentError(f"{self._shown} does not speak git's smart HTTP")

    def _lines(self, response: requests.Response) -> Iterator[bytes]:
        """The pkt-lines (gitprotocol-common) up to the end of the answer; one that ends a list is empty."""
        unread = b""
        while True:
            while len(unread) < 4:
                if not (more := self._read(response)):
                    if unread:
                        raise self._garbled()
                    return
                unread += more
            try:
                size = int(unread[:4], 16)
            except ValueError as exc:
                raise self._garbled() from exc
            if size < 4:  # 0000, 0001 and 0002 divide
                unread = unread[4:]
                yield b""
                continue
            while len(unread) < size:
                if not (more := self._read(response)):
                    raise self._garbled()
                unread += more
            line, unread = unread[4:size], unread[size:]
            yield line

    def _read(self, response: requests.Response) -> bytes:
        """What has come, as soon as something has."""
        if time.monotonic() > self._end:
            raise TemporaryError(f"{self._shown} is too slow")
        found: bytes = response.raw.read1(1 << 16)
        self._left -= len(found)
        if self._left < 0:
            raise PermanentError(f"{self._shown} has more to tell than is listened to")
        return found

    def _garbled(self) -> PermanentError:
        return PermanentError(f"{self._shown} does not speak git's smart HTTP")
