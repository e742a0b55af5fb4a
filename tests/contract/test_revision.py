"""The Revisions port, kept by GitRevisions against git's own HTTP server, and against servers that mean no good."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from groundswell.build.git_http import GitRevisions
from groundswell.build.port import Source
from groundswell.errors import PermanentError, TemporaryError
from groundswell.local import git as git_server
from groundswell.local.certs import certificates
from groundswell.local.company import Company
from groundswell.local.serve import Servers
from groundswell.local.tasks.model import Limits
from groundswell.local.tasks.sources import fetch

ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
RESULT = "application/x-git-upload-pack-result"
COMMIT = "c" * 40

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True, timeout=30)
    return done.stdout.strip()


def repository(folder: Path, name: str, *options: str) -> Path:
    """A bare repository with a branch, a lightweight and an annotated tag, and a tag named as a branch is."""
    work = folder / f"{name}-work"
    work.mkdir()
    git(work, "init", "--quiet", "--initial-branch=main", *options)
    for number, tag in enumerate(("light", "both", "")):
        git(work, "commit", "--quiet", "--allow-empty", "--message", f"{number}")
        if tag:
            git(work, "tag", tag)
    git(work, "tag", "--annotate", "--message", "x", "v1.0", "HEAD~1")
    git(work, "branch", "feature/x", "HEAD~2")
    git(work, "branch", "both", "HEAD")
    git(work, "branch", "main2", "HEAD~2")
    git(folder, "clone", "--quiet", "--bare", str(work), f"{name}.git")
    return work


@dataclass(frozen=True)
class Host:
    """Loopback servers, and a folder whose repositories are served at `url`."""

    servers: Servers
    folder: Path
    url: str

    def serving(self, handler: Handler) -> str:
        """The address of a server that answers everything with `handler`."""

        def app() -> web.Application:
            made = web.Application()
            made.router.add_route("*", "/{path:.*}", handler)
            return made

        return f"http://127.0.0.1:{self.servers.serve(app, tls=False)}"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("git")
    with Servers(certificates(folder / "certs")) as servers:
        port = servers.serve(lambda: git_server.application(folder), tls=False)
        yield Host(servers, folder, f"http://127.0.0.1:{port}")


@pytest.fixture(scope="module")
def work(host: Host) -> Path:
    return repository(host.folder, "shop")


REFS = {
    "": "HEAD",
    "main": "main",
    "refs/heads/main": "main",
    "heads/main": "main",
    "feature/x": "feature/x",
    "light": "light",
    "v1.0": "v1.0^{commit}",
    "both": "refs/tags/both",  # as git has it: a tag goes before a branch
}


@pytest.mark.parametrize("ref", REFS)
def test_a_ref_is_the_commit_that_git_says(host: Host, work: Path, ref: str) -> None:
    source = Source(location=f"{host.url}/shop.git", ref=ref)
    assert GitRevisions().revision(source) == git(work, "rev-parse", REFS[ref])


@pytest.mark.parametrize("ref", REFS)
def test_so_it_is_where_only_the_old_protocol_is_spoken(host: Host, work: Path, ref: str) -> None:
    async def old(request: web.Request) -> web.StreamResponse:
        plain = request.clone(
            headers={key: value for key, value in request.headers.items() if key != "Git-Protocol"}
        )
        return await git_server._serve(host.folder, plain)

    source = Source(location=f"{host.serving(old)}/shop.git", ref=ref)
    assert GitRevisions().revision(source) == git(work, "rev-parse", REFS[ref])


def test_a_repository_of_sha256_commits(host: Host) -> None:
    work = repository(host.folder, "new", "--object-format=sha256")
    found = GitRevisions().revision(Source(location=f"{host.url}/new.git", ref="v1.0"))
    assert found == git(work, "rev-parse", "v1.0^{commit}")
    assert len(found) == 64


def test_what_is_not_there_is_named(host: Host, work: Path) -> None:
    revisions = GitRevisions()
    with pytest.raises(PermanentError, match=r"127.0.0.1/shop.git has no branch or tag 'mai'"):
        revisions.revision(Source(location=f"{host.url}/shop.git", ref="mai"))
    with pytest.raises(PermanentError, match=r"127.0.0.1/nothing.git answers 404"):
        revisions.revision(Source(location=f"{host.url}/nothing.git", ref="main"))
    git(host.folder, "init", "--quiet", "--bare", "empty.git")
    with pytest.raises(PermanentError, match="has no branch or tag 'HEAD'"):
        revisions.revision(Source(location=f"{host.url}/empty.git"))


@pytest.mark.parametrize("commit", ["a" * 40, "b" * 64])
def test_a_commit_is_itself_and_nobody_is_asked(commit: str) -> None:
    assert GitRevisions().revision(Source(location="http://127.0.0.1:1/x.git", ref=commit)) == commit


@pytest.mark.parametrize(
    ("location", "digest"),
    [
        (f"https://x.example/app-sha256:{'d' * 64}.tar.gz", f"sha256:{'d' * 64}"),
        (f"https://x.example/sha256/{'d' * 64}", f"sha256:{'d' * 64}"),
        ("https://x.example/app.tar.gz", None),
        (f"https://x.example/app.tar.gz?etag=sha256:{'d' * 64}", None),
        (f"https://x.example/sha256:{'d' * 65}", None),
        (f"source/{'d' * 32}.tar.gz", None),
    ],
)
def test_a_tarball_is_known_only_by_a_digest_in_its_url(location: str, digest: str | None) -> None:
    if digest:
        assert GitRevisions().revision(Source(location=location)) == digest
        return
    with pytest.raises(PermanentError, match="tarball, whose URL names no sha256 digest"):
        GitRevisions().revision(Source(location=location))


@pytest.mark.parametrize(
    "location", ["file:///srv/x.git", "ssh://git@x.example/x.git", "https://ann:hunter2@x.example/x.git"]
)
def test_only_http_without_a_user_is_asked(location: str) -> None:
    with pytest.raises(PermanentError, match="http or https URL without a user") as caught:
        GitRevisions().revision(Source(location=location, ref="main"))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("ref", ["-x", "a b", "a\nb", "x" * 300, "é"])
def test_what_no_ref_is_called_is_not_asked_for(ref: str) -> None:
    with pytest.raises(PermanentError, match="is not the name of a branch or a tag"):
        GitRevisions().revision(Source(location="http://127.0.0.1:1/x.git", ref=ref))


def test_nobody_there(host: Host) -> None:
    with pytest.raises(TemporaryError, match=r"127.0.0.1/x.git does not answer: "):
        GitRevisions().revision(Source(location="http://127.0.0.1:1/x.git", ref="main"))


# Servers that mean no good.


def pkt(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def answering(body: bytes, *, status: int = 200, kind: str = ADVERTISEMENT, **headers: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers={"Content-Type": kind, **headers})

    return answer


VERSION_2 = pkt("version 2\n") + pkt("ls-refs\n") + b"0000"


@pytest.mark.parametrize(
    ("handler", "error", "says"),
    [
        (answering(b"<html>", kind="text/html"), PermanentError, "does not speak git"),
        (answering(b"<html>"), PermanentError, "does not speak git"),
        (answering(b"00"), PermanentError, "does not speak git"),
        (answering(b"0040cut"), PermanentError, "does not speak git"),
        (answering(b""), PermanentError, "has no branch or tag"),
        (answering(b"0000" * 9), PermanentError, "has no branch or tag"),
        (answering(VERSION_2), PermanentError, "does not speak git"),  # the second answer is of the wrong kind
        (answering(pkt(f"{COMMIT}\n") + pkt("nonsense refs/heads/main\n")), PermanentError, "has no branch"),
        (answering(b"", status=401), PermanentError, r"asks for credentials \(401\); none are sent"),
        (answering(b"", status=403), PermanentError, "asks for credentials"),
        (answering(b"", status=410), PermanentError, "answers 410"),
        (answering(b"", status=429), TemporaryError, "answers 429"),
        (answering(b"", status=503), TemporaryError, "answers 503"),
        (
            answering(b"", status=302, Location="http://other.example/x.git/info/refs"),
            PermanentError,
            "another place",
        ),
        (answering(b"", status=302, Location="file:///etc/passwd"), PermanentError, "another place"),
        (answering(b"", status=302, Location="/somewhere"), PermanentError, "another place"),
        (answering(b"", status=302, Location="http://[x/info/refs"), PermanentError, "another place"),
        (answering(b"", status=302, Location="/y.git/info/refs"), PermanentError, "again and again"),
    ],
)
def test_a_strange_answer_is_refused(host: Host, handler: Handler, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        GitRevisions().revision(Source(location=f"{host.serving(handler)}/x.git", ref="main"))


def test_a_repository_that_moved_on_its_host_is_followed(host: Host, work: Path) -> None:
    async def moved(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/old.git"):
            raise web.HTTPMovedPermanently(f"/new.git/info/refs?{request.query_string}")
        if request.method == "GET":
            return web.Response(body=VERSION_2, headers={"Content-Type": ADVERTISEMENT})
        assert request.path == "/new.git/git-upload-pack"
        body = pkt(f"{COMMIT} refs/heads/main\n") + b"0000"
        return web.Response(body=body, headers={"Content-Type": RESULT})

    assert GitRevisions().revision(Source(location=f"{host.serving(moved)}/old.git", ref="main")) == COMMIT


def test_the_first_version_of_the_protocol_is_understood(host: Host) -> None:
    body = pkt("# service=git-upload-pack\n") + b"0000" + pkt("version 1\n")
    body += pkt(f"{COMMIT} HEAD\0caps\n") + b"0000"
    assert GitRevisions().revision(Source(location=f"{host.serving(answering(body))}/x.git")) == COMMIT


def test_a_redirect_without_an_end_is_not_read(host: Host) -> None:
    sent: list[int] = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=302, headers={"Location": "https://other.example/x.git/info/refs"})
        await response.prepare(request)
        while sum(sent) < 64 << 20:
            await response.write(b"x" * 65_536)
            sent.append(65_536)
        return response

    with pytest.raises(PermanentError, match="another place"):
        GitRevisions().revision(Source(location=f"{host.serving(endless)}/x.git", ref="main"))
    assert sum(sent) < 32 << 20


def test_what_has_no_end_is_left_early(host: Host) -> None:
    sent: list[int] = []

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": ADVERTISEMENT})
        await response.prepare(request)
        line = pkt(f"{COMMIT} refs/heads/{'x' * 60_000}\n")
        while True:
            await response.write(line)
            sent.append(len(line))

    with pytest.raises(PermanentError, match="more to tell than is listened to"):
        GitRevisions(max_bytes=1 << 20).revision(Source(location=f"{host.serving(endless)}/x.git", ref="main"))
    assert sum(sent) < 32 << 20


@pytest.mark.parametrize("piece", [b"0", b"0000", pkt(f"{COMMIT} x\n")])
def test_what_comes_drop_by_drop_is_left_in_time(host: Host, piece: bytes) -> None:
    async def dripping(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": ADVERTISEMENT})
        await response.prepare(request)
        while True:
            await response.write(piece)
            await asyncio.sleep(0.02)

    began = time.monotonic()
    with pytest.raises(TemporaryError, match="is too slow"):
        GitRevisions(max_seconds=0.3).revision(Source(location=f"{host.serving(dripping)}/x.git", ref="main"))
    assert time.monotonic() - began < 5


def test_who_says_nothing_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        began = time.monotonic()
        with pytest.raises(TemporaryError, match="is too slow"):
            GitRevisions(max_seconds=0.2).revision(Source(location=url, ref="main"))
        assert time.monotonic() - began < 3


def test_no_credentials_of_this_machine_are_sent(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[str | None] = []

    async def looks(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        raise web.HTTPNotFound

    with pytest.raises(PermanentError, match="answers 404"):
        GitRevisions().revision(Source(location=f"{host.serving(looks)}/x.git", ref="main"))
    assert seen == [None]


# The local stack.


def test_the_demos_company_is_asked_and_fetched_at_its_commit(host: Host, tmp_path: Path) -> None:
    """What the build service fetches is the commit that was read, though the branch has moved on since."""
    company = Company(host.folder, host.url)
    company.create(registry="localhost:5000", pin=f"sha256:{'1' * 64}")
    source = Source(location=company.url, ref="main")
    before = GitRevisions().revision(source)
    company.change("lineage.yaml", "localhost:5000", "localhost:5001", message="move on")
    assert GitRevisions().revision(source) != before
    fetched = asyncio.run(fetch(f"{company.url}#{before}", tmp_path / "context", uploads=tmp_path, limits=Limits()))
    assert fetched.commit == before
    assert "localhost:5000" in (fetched.folder / "lineage.yaml").read_text("utf-8")


def test_the_local_git_server_takes_no_pushes(host: Host, work: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        git(work, "push", f"{host.url}/shop.git", "HEAD:refs/heads/evil")
    assert "403" in caught.value.stderr
