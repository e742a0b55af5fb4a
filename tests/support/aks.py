"""An Azure Resource Manager that knows one AKS cluster, and the cluster behind it, for tests.

Shapes are those of Microsoft's REST reference for AKS ("Managed Clusters - List Cluster User Credentials"), the
kubeconfig is that of a cluster with Entra ID integration. Both services check the identity look-alike's tokens.
"""

import asyncio
import base64
import contextlib
import io
import json
import ssl
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
import yarl
from aiohttp import web
from azure.identity import ManagedIdentityCredential

from groundswell.deploy.aks import SCOPE, AksClusters
from groundswell.local.certs import Certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.settings import Cluster
from tests.support.cluster import Running, running

ID = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg"
    "/providers/Microsoft.ContainerService/managedClusters/prod"
)
AUDIENCE = SCOPE.removesuffix("/.default")


@dataclass(slots=True, kw_only=True)
class AksArm:
    """Answers for the cluster ID. What it says may be changed while it runs."""

    identity: Identity
    server: str
    ca: bytes
    user: dict[str, Any] = field(
        default_factory=lambda: {"exec": {"command": "/bin/false", "args": ["get-token", "--server-id", AUDIENCE]}}
    )
    refusal: tuple[int, dict[str, str], Any] | None = None
    asked: int = 0
    kubeconfigs: list[dict[str, str]] | None = None
    commands: list[str] = field(default_factory=list)
    result: dict[str, Any] | None = None
    """Given for each command instead of its own, once it is set."""
    _running: dict[str, "asyncio.Task[dict[str, Any]]"] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post(f"{ID}/listClusterUserCredential", self._credential)
        app.router.add_post(f"{ID}/runCommand", self._run)
        app.router.add_get(f"{ID}/commandResults/{{id}}", self._result)
        return app

    async def _run(self, request: web.Request) -> web.Response:
        self.asked += 1
        if refused := self._refused(request):
            return refused
        body = await request.json()
        self.commands.append(body["command"])
        name = uuid.uuid4().hex
        self._running[name] = asyncio.create_task(run(body, self.server, self.ca))
        return web.Response(status=202, headers={"Location": self._location(request, name)})

    async def _result(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if refused := self._refused(request):
            return refused
        if not (task := self._running[name]).done():
            return web.Response(status=202, headers={"Location": self._location(request, name)})
        return web.json_response({"id": name, "properties": self.result or task.result()})

    def _location(self, request: web.Request, name: str) -> str:
        return f"https://{request.host}{ID}/commandResults/{name}?api-version={request.query['api-version']}"

    async def _credential(self, request: web.Request) -> web.Response:
        self.asked += 1
        if refused := self._refused(request):
            return refused
        assert request.query["format"] == "exec"
        if self.kubeconfigs is not None:
            return web.json_response({"kubeconfigs": self.kubeconfigs})
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "prod",
            "clusters": [
                {
                    "name": "prod",
                    "cluster": {
                        "server": self.server,
                        "certificate-authority-data": base64.b64encode(self.ca).decode(),
                    },
                }
            ],
            "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "clusterUser_rg_prod"}}],
            "users": [{"name": "clusterUser_rg_prod", "user": self.user}],
        }
        value = base64.b64encode(yaml.safe_dump(document).encode()).decode()
        return web.json_response({"kubeconfigs": [{"name": "clusterUser", "value": value}]})

    def _refused(self, request: web.Request) -> web.Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.identity.verify(token, f"{request.scheme}://{request.host}"):
            return web.json_response({"error": {"code": "AuthenticationFailed", "message": "no"}}, status=401)
        if self.refusal is None:
            return None
        status, headers, body = self.refusal
        return web.json_response(body, status=status, headers=headers)


async def run(body: dict[str, Any], server: str, ca: bytes) -> dict[str, Any]:
    """A command's result: a real shell takes it apart, and what it gives kubectl is asked of the server."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(body["context"]))) as archive:
            archive.extractall(folder)
        script = 'kubectl() { printf "%s\\0" "$@"; }\n' + body["command"]
        shell = await asyncio.create_subprocess_exec(
            "bash", "-c", script, cwd=folder, stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin:/bin"}
        )
        told, _ = await shell.communicate()
        arguments = told.decode().split("\0")[:-1]
        code, logs = await _kubectl(arguments, Path(folder), server, ca, body["clusterToken"])
    return {"provisioningState": "Succeeded", "exitCode": code, "logs": logs}


async def _kubectl(arguments: list[str], folder: Path, server: str, ca: bytes, token: str) -> tuple[int, str]:
    """The three calls of kubectl that are made, and what it prints of an error."""
    match arguments:
        case ["get", "--raw", path]:
            method, body, kind = "GET", None, ""
        case ["delete", "--raw", path, "-f", file]:
            method, body, kind = "DELETE", (folder / file).read_bytes(), "application/json"
        case ["patch", "-f", file, "--type=strategic", "--patch-file=change.json", "-o", "json"]:
            target = json.loads((folder / file).read_bytes())
            metadata = target["metadata"]
            plural = f"{target['kind'].lower()}s"
            path = f"/apis/{target['apiVersion']}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"
            method, kind = "PATCH", "application/strategic-merge-patch+json"
            body = (folder / "change.json").read_bytes()
        case _:
            return 1, f"error: unknown command {arguments}"
    trust = ssl.create_default_context(cadata=ca.decode())
    headers = {"Authorization": f"Bearer {token}", **({"Content-Type": kind} if kind else {})}
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
        session.request(method, yarl.URL(server + path, encoded=True), data=body, headers=headers) as answer,
    ):
        text = await answer.text()
        if answer.status < 300:
            return 0, f"Warning: something old is used\n{text}"
    status = json.loads(text)
    if status["reason"] == "Invalid":
        name, _, rest = status["message"].partition(" is invalid: ")
        return 1, f"The {name} is invalid: {rest}\n"
    if status["reason"] == "Unauthorized":
        return 1, "error: You must be logged in to the server (Unauthorized)\n"
    return 1, f"Error from server ({status['reason']}): {status['message']}\n"


@dataclass(slots=True, kw_only=True)
class Aks:
    """The product's way to the cluster (`clusters`, `cluster`), and the way round it (`running`)."""

    running: Running
    arm: AksArm
    clusters: AksClusters
    cluster: Cluster
    time: float = 0.0


@contextlib.contextmanager
def aks(servers: Servers, certs: Certificates, **options: Any) -> Iterator[Aks]:
    """A cluster that takes tokens of the identity; the environment says what it says in Azure Functions."""
    identity = Identity()
    with (
        running(servers, certs, trusts=lambda token: identity.verify(token, AUDIENCE), **options) as found,
        pytest.MonkeyPatch.context() as patch,
    ):
        arm = AksArm(identity=identity, server=found.cluster.server, ca=certs.ca.read_bytes())
        patch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{servers.serve(identity.app, tls=False)}/msi/token")
        patch.setenv("IDENTITY_HEADER", identity.header)
        patch.setenv("REQUESTS_CA_BUNDLE", str(certs.ca))
        with ManagedIdentityCredential() as credential:
            made = Aks(
                running=found,
                arm=arm,
                clusters=AksClusters(
                    credential=credential,
                    arm_endpoint=f"https://localhost:{servers.serve(arm.app)}",
                    clock=lambda: made.time,
                    poll_seconds=0.01,
                ),
                cluster=Cluster(aks=ID),
            )
            yield made
