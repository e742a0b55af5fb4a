"""Clients of AKS clusters that the settings know by their ids in Azure: no kubeconfig is kept anywhere.

Azure Resource Manager says where a cluster's API server is and by which CA it is known; the token for it is the
identity's own, from Microsoft Entra ID, and is renewed by azure-identity before it expires. A kubeconfig of format
`exec` is asked for, because it holds no credential; the command it names is never run. Address and CA are asked for
again, once, when the server refuses the token, cannot be reached or shows another certificate: a cluster that was
made anew, or whose certificates were rotated, has others.
"""

import binascii
import contextlib
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.client.rest import RESTClientObject, RESTResponse
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from groundswell.deploy.arm import Place, place, translated
from groundswell.deploy.run_command import RunCommandClient
from groundswell.errors import PermanentError, TemporaryError, cause
from groundswell.settings import Cluster

SCOPE = "6dae42f8-4368-4678-94ff-3960e28e3630/.default"
"""The API servers of all AKS clusters are one application in Entra ID ("Azure Kubernetes Service AAD Server")."""
ROLE = "Azure Kubernetes Service Cluster User Role"

_FRESH = 60.0
"""Seconds for which what Azure said of a cluster is not asked for again, whatever fails."""
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an API server is, and the certificates (PEM) that it is known by."""

    server: str
    ca: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AksClusters:
    """Makes clients, each with a connection of its own to Azure Resource Manager at `arm_endpoint`."""

    credential: TokenCredential
    arm_endpoint: str
    clock: Callable[[], float] = time.monotonic
    poll_seconds: float = 2.0
    """Between two looks at a command that is run in a private cluster."""

    def connect(self, name: str, cluster: Cluster) -> ApiClient:
        """The client of the cluster `name`. Raises as `translated`; PermanentError without Entra ID integration."""
        where = place(cluster.aks, self.credential, self.arm_endpoint)

        def token() -> str:
            """azure-identity keeps it until shortly before its end."""
            try:
                return self.credential.get_token(SCOPE).token
            except (AzureError, OSError) as exc:
                raise TemporaryError(f"cluster {name}: no token from Entra ID ({cause(exc)})") from exc

        if cluster.via == "run-command":
            return RunCommandClient(name, where, token, poll_seconds=self.poll_seconds)
        return _Client(name, where, token, self.clock)


class _Client(ApiClient):
    """Safe to share between threads, as its base is."""

    def __init__(self, name: str, where: Place, token: Callable[[], str], clock: Callable[[], float]) -> None:
        self._name = name
        self._place = where
        self._token = token
        self._clock = clock
        self._renewing = threading.Lock()
        with contextlib.ExitStack() as failing:
            failing.callback(where.client.close)
            self._endpoint = self._look()
            failing.pop_all()
        configuration = Configuration(host=self._endpoint.server, ca_cert_data=self._endpoint.ca)
        configuration.api_key = {"authorization": ""}
        configuration.refresh_api_key_hook = self._authorise  # type: ignore[assignment]  # annotated as None
        configuration.retries = False
        super().__init__(configuration)

    def close(self) -> None:
        """Close the connections."""
        super().close()  # type: ignore[no-untyped-call]  # the only call of the client without annotations
        self._place.client.close()

    def call_api(self, method: Any, url: Any, *args: Any, **options: Any) -> RESTResponse:
        """One call; a second one where the first shows that the server is not, or no longer, where it was."""
        before = self._endpoint
        try:
            answer = super().call_api(method, url, *args, **options)
        except (ApiException, ConnectTimeoutError, NewConnectionError) as exc:
            if self._renewed(before):
                return super().call_api(method, self._moved(url, before), *args, **options)
            if isinstance(exc, ApiException):  # TLS: there is no answer yet that could be refused otherwise
                raise PermanentError(
                    f"cluster {self._name}: {urlsplit(before.server).hostname} shows a certificate that is not of "
                    "the CA that Azure names for it"
                ) from exc
            raise
        if answer.status != 401:
            return answer
        answer.read()  # type: ignore[no-untyped-call]  # so that the connection is given back
        if not self._renewed(before):
            raise PermanentError(
                f"cluster {self._name}: the API server answered 401 to the identity's token; "
                "see whether its Entra ID tenant is the identity's, and aks in GROUNDSWELL_CLUSTERS"
            )
        return super().call_api(method, self._moved(url, before), *args, **options)

    def _authorise(self, configuration: Configuration) -> None:
        """Called before each request."""
        configuration.api_key = {"authorization": f"Bearer {self._token()}"}

    def _moved(self, url: str, before: Endpoint) -> str:
        return self._endpoint.server + url.removeprefix(before.server)

    def _renewed(self, before: Endpoint) -> bool:
        """Whether the server is to be reached otherwise than by `before`."""
        with self._renewing:
            if self._endpoint != before:  # by another thread
                return True
            if self._clock() - self._looked < _FRESH or (found := self._look()) == before:
                return False
            self._endpoint = found
            self.configuration.host, self.configuration.ca_cert_data = found.server, found.ca
            former, self.rest_client = self.rest_client, RESTClientObject(self.configuration)
            former.close()
            return True

    def _look(self) -> Endpoint:
        subject = f"cluster {self._name}: asking for the address of {self._place.name}"
        self._looked = self._clock()
        with translated(subject, ROLE):
            found = self._place.client.managed_clusters.list_cluster_user_credentials(
                self._place.group, self._place.name, format="exec"
            )
        configs = [one.value for one in found.kubeconfigs or () if one.value]
        if not configs:
            raise PermanentError(f"{subject}: Azure gave no kubeconfig")
        return endpoint(configs[0], subject)


def endpoint(kubeconfig: bytes, subject: str) -> Endpoint:
    """What a kubeconfig says of its one cluster. PermanentError where it is none, or its user has no `exec`.

    A cluster without Entra ID integration has a client certificate there instead: a credential that never ends.
    """
    try:
        document = yaml.safe_load(kubeconfig[:_LARGEST])
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        server = str(cluster["server"]).rstrip("/")
        ca = b64decode(cluster["certificate-authority-data"], validate=True).decode("ascii")
        by_entra = "exec" in user
    except (yaml.YAMLError, LookupError, TypeError, ValueError, binascii.Error) as exc:
        raise PermanentError(f"{subject}: what Azure gave is no kubeconfig with a server and a CA") from exc
    if urlsplit(server).scheme != "https":
        raise PermanentError(f"{subject}: the server is not at an https address")
    if not by_entra:
        raise PermanentError(
            f"{subject}: the cluster does not take tokens of Microsoft Entra ID; "
            "turn that on (`az aks update --enable-aad`), or give server and token in GROUNDSWELL_CLUSTERS"
        )
    return Endpoint(server=server, ca=ca)
