"""Planted secrets, all that comes out, and a server that hands back whatever it was sent: for the tests of leaks.

`output = leaks.output` and `server = leaks.server` in a module make the fixtures known there.
"""

import base64
import io
import json
import logging
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken

from groundswell import logs
from groundswell.local.certs import certificates
from groundswell.local.serve import Servers

SECRETS = {
    "webhook": "planted-webhook-5f1c",
    "storage": base64.b64encode(b"planted-storage-key-9d2e").decode(),
    "registry": "planted-registry-77aa",
    "git": "planted-git-token-0b1d",
    "cluster": "planted-cluster-token-4e4e",
    "jenkins": "planted-jenkins-token-c3c3",
    "azure-pipelines": "planted-pat-81f0",
    "entra": "planted-entra-token-6a6a",
    "scanner": "planted-scanner-secret-2b2b",
}
STATUSES = (200, 400, 401, 403, 404, 409, 429, 500)


def forms(secret: str) -> set[str]:
    """As it is, and as a login or a file may hold it."""
    raw = secret.encode()
    coded = [base64.b64encode(prefix + raw) for prefix in (b"", b":", b"ann:", b"x:", b"xx:")]
    return {secret, *(each.decode().rstrip("=")[4:-2] for each in coded)}


class Output:
    """All that came out."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.texts: list[str] = []

    def add(self, what: object) -> None:
        self.texts.append(what if isinstance(what, str) else repr(what))

    def failed(self, error: BaseException) -> None:
        """What people are shown of it, and what the log has of it and of all that it came from."""
        self.add(repr(error))
        logging.getLogger("groundswell.tests").error("failed", exc_info=error)

    def whole(self) -> str:
        return self.stream.getvalue() + "\n".join(self.texts)

    def holds(self, secret: str) -> list[str]:
        """The lines that hold it."""
        return [line[:400] for line in self.whole().splitlines() if any(form in line for form in forms(secret))]

    def clean(self, *more: str) -> None:
        assert self.whole().strip()
        for name, secret in (*SECRETS.items(), *enumerate(more)):
            assert self.holds(secret) == [], f"the secret {name!r} came out"


class _Everything(logging.Formatter):
    """The product's own format, and all that a record holds beside it: what other handlers may export."""

    def format(self, record: logging.LogRecord) -> str:
        own = logs.Fields().format(record)
        shown = {key: value for key, value in vars(record).items() if key not in ("exc_info", "exc_text")}
        return f"{own}\n{shown!r}"


@pytest.fixture
def output() -> Iterator[Output]:
    found = Output()
    handler = logging.StreamHandler(found.stream)
    handler.setFormatter(_Everything())
    root = logging.getLogger()
    loggers = [
        root,
        *(logging.getLogger(name) for name in ("azure", "urllib3", "msal", "kubernetes", "groundswell")),
    ]
    before = [(logger, logger.level) for logger in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield found
    root.removeHandler(handler)
    for logger, level in before:
        logger.setLevel(level)


class Credential:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(SECRETS["entra"], 4_000_000_000)


class Echo:
    """Answers every request with another status, and with what it was sent."""

    def __init__(self) -> None:
        self.statuses = cycle(STATUSES)
        self.asked: list[str] = []
        self.paths: list[str] = []
        self.bodies: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        told = " ".join(f"{name}: {value}" for name, value in request.headers.items())
        body = (await request.read()).decode(errors="replace")
        self.asked.append(told)
        self.paths.append(request.path_qs)
        self.bodies.append(body)
        words = f"{request.method} {request.path_qs} {told} {body}"
        answer = {"message": words, "error": {"code": words, "message": words}, "errors": [{"message": words}]}
        headers = {
            "WWW-Authenticate": f'Bearer realm="https://{request.host}/token",service="{request.host}",scope="a"',
            "X-Error": words.replace("\n", " ")[:2000],
            "X-Jenkins": words.replace("\n", " ")[:2000],
        }
        status = next(self.statuses)
        return web.Response(
            status=status, text=json.dumps(answer), content_type="application/json", headers=headers
        )


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Echo, str]]:
    echo = Echo()

    def app() -> web.Application:
        made = web.Application()
        made.router.add_route("*", "/{rest:.*}", echo.handle)
        return made

    with Servers(certificates(tmp_path / "certs")) as servers:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certs" / "ca.crt"))
        yield echo, f"localhost:{servers.serve(app)}"
