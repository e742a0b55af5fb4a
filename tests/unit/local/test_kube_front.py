"""The front of the real API server: what it renames, and that everything else passes as it is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from aiohttp import web

from groundswell.local.certs import Certificates
from groundswell.local.kube.front import Front
from groundswell.local.serve import Servers
from tests.support.cluster import certs, servers

__all__ = ["certs", "servers"]  # fixtures

type Heard = list[tuple[str, str, dict[str, str], bytes]]


@pytest.fixture(scope="module")
def heard() -> Heard:
    return []


@pytest.fixture(scope="module")
def session(servers: Servers, certs: Certificates, heard: Heard) -> Iterator[tuple[requests.Session, str]]:
    """A client of the front, behind which a server writes down what it hears and answers with two lines."""

    async def answer(request: web.Request) -> web.StreamResponse:
        heard.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        response = web.StreamResponse(status=409, headers={"Retry-After": "7", "X-Own": "no"})
        response.content_type = "application/json"
        await response.prepare(request)
        for part in (
            b'{"apiVersion":"batch/',
            b'v1beta1","group":"batch/v1beta1x"}\n',
            b'{"apiVersion":"batch/v1beta1"}\n',
        ):
            await response.write(part)
        return response

    def upstream() -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        return app

    server = f"https://localhost:{servers.serve(upstream)}"
    front = f"https://localhost:{servers.serve(Front(server, certs.ca).app)}"
    with requests.Session() as session:
        session.trust_env, session.verify = False, str(certs.ca)
        yield session, front


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/batch/v1/cronjobs?limit=2", "/apis/batch/v1beta1/cronjobs?limit=2"),
        ("/apis/batch/v1/namespaces/n/cronjobs", "/apis/batch/v1beta1/namespaces/n/cronjobs"),
        ("/apis/batch/v1/namespaces/n/cronjobs/a/status", "/apis/batch/v1beta1/namespaces/n/cronjobs/a/status"),
        ("/apis/batch/v1/namespaces/cronjobs/jobs", "/apis/batch/v1/namespaces/cronjobs/jobs"),
        (
            "/apis/batch/v1/jobs?labelSelector=a%20in%20(cronjobs)",
            "/apis/batch/v1/jobs?labelSelector=a%20in%20(cronjobs)",
        ),
        ("/apis/batch/v1", "/apis/batch/v1"),
        ("/apis/apps/v1/deployments", "/apis/apps/v1/deployments"),
    ],
)
def test_only_cron_jobs_have_another_path(
    session: tuple[requests.Session, str], heard: Heard, path: str, expected: str
) -> None:
    client, front = session
    answer = client.get(front + path)
    assert heard[-1][:2] == ("GET", expected)
    renamed = path != expected
    first, second = (json.loads(line)["apiVersion"] for line in answer.text.splitlines())
    assert (first, second) == (("batch/v1", "batch/v1") if renamed else ("batch/v1beta1", "batch/v1beta1"))
    assert "batch/v1beta1x" in answer.text  # which only begins like it


def test_a_body_is_renamed_with_its_path(session: tuple[requests.Session, str], heard: Heard) -> None:
    client, front = session
    body: dict[str, Any] = {"apiVersion": "batch/v1", "kind": "CronJob"}
    client.post(f"{front}/apis/batch/v1/namespaces/n/cronjobs", json=body)
    assert json.loads(heard[-1][3])["apiVersion"] == "batch/v1beta1"
    client.post(f"{front}/apis/batch/v1/namespaces/n/jobs", json=body)
    assert json.loads(heard[-1][3])["apiVersion"] == "batch/v1"


def test_what_a_client_says_and_is_told_passes(session: tuple[requests.Session, str], heard: Heard) -> None:
    client, front = session
    said = {"Authorization": "Bearer t", "Content-Type": "application/merge-patch+json", "X-Other": "1"}
    answer = client.patch(f"{front}/api/v1/pods", data=b"{}", headers=said)
    method, _, headers, body = heard[-1]
    assert (method, body, headers["Authorization"], headers["Content-Type"]) == (
        "PATCH",
        b"{}",
        *list(said.values())[:2],
    )
    assert "X-Other" not in headers
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "7")
    assert "X-Own" not in answer.headers
