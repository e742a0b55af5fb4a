"""An Azure Resource Manager that knows one AKS cluster, and the cluster behind it, for tests.

Shapes are those of Microsoft's REST reference for AKS ("Managed Clusters - List Cluster User Credentials"), the
kubeconfig is that of a cluster with Entra ID integration. Both services check the identity look-alike's tokens.
"""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
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

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post(f"{ID}/listClusterUserCredential", self._credential)
        return app

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
                ),
                cluster=Cluster(aks=ID),
            )
            yield made
