"""The ACR look-alike for tests, and a credential that its identity vouches for."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from azure.core.credentials import AccessToken

from graph.reference import Reference
from groundswell.local.acr import AcrLookalike
from groundswell.local.certs import Certificates, certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from tests.support.oci import Client


def everybody(host: str) -> None:
    """The trust of tests that are not about it."""


USER, PASSWORD = "admin", "open sesame: please"
SECRET_HEADER, SECRET = "X-Groundswell-Secret", "webhook secret"


class Credential:
    """A TokenCredential as azure-identity's are. Without an identity its tokens are nobody's."""

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        audience = scopes[0].removesuffix("/.default")
        token = self._identity.issue(audience) if self._identity else "not.a.token"
        return AccessToken(token, int(time.time()) + 3600)


@dataclass(frozen=True, kw_only=True)
class Acr:
    """A running look-alike with what a test needs to talk to it."""

    registry: AcrLookalike
    servers: Servers
    certificates: Certificates
    identity: Identity
    client: Client

    def lists_referrers(self) -> bool:
        """Whether it keeps a list of referrers."""
        digest = f"sha256:{'0' * 64}"
        return self.client.call("GET", f"/v2/any/referrers/{digest}").status_code == 200

    def reference(self, name: str) -> Reference:
        return Reference.parse(f"{self.registry.login_server}/{name}")


@contextlib.contextmanager
def running(folder: Path, *, lists_referrers: bool = True) -> Iterator[Acr]:
    files, identity = certificates(folder / "certs"), Identity()
    registry = AcrLookalike(
        identity=identity,
        storage=folder / "registry",
        certificates=files,
        user=USER,
        password=PASSWORD,
        webhook_header=SECRET_HEADER,
        webhook_secret=SECRET,
        lists_referrers=lists_referrers,
    )
    with Servers(files) as servers, contextlib.closing(registry):
        registry.start(servers)
        client = Client(f"https://{registry.login_server}", USER, PASSWORD, str(files.ca))
        with contextlib.closing(client):
            yield Acr(registry=registry, servers=servers, certificates=files, identity=identity, client=client)
