"""The look-alike as a whole: it starts and ends docker-registry, and makes the front's two applications."""

import asyncio
import secrets
from pathlib import Path

from aiohttp import web

from graph.reference import Reference
from groundswell.local.acr import notifications
from groundswell.local.acr.auth import Auth
from groundswell.local.acr.distribution import Distribution
from groundswell.local.acr.journal import Journal
from groundswell.local.acr.layout import MAX_DOCUMENT, Layout
from groundswell.local.acr.locks import Locks
from groundswell.local.acr.metadata import Metadata
from groundswell.local.acr.notifications import Notifications
from groundswell.local.acr.referrers import Referrers
from groundswell.local.acr.upstream import Upstream
from groundswell.local.acr.webhooks import TIMEOUT, Delivery, Target, Webhooks
from groundswell.local.certs import Certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers


class AcrLookalike:
    """One registry. It keeps its content in the folder `storage`; `user` and `password` are its admin user's.

    `lists_referrers` is False for one as ACR's that are encrypted with a customer-managed key.
    `webhook_url` may be set and changed while it runs: without it no webhook is sent.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        storage: Path,
        certificates: Certificates,
        user: str,
        password: str,
        webhook_header: str = "Authorization",
        webhook_secret: str = "",
        webhook_scope: str = "",
        lists_referrers: bool = True,
    ) -> None:
        self.login_server = ""
        self.journal = Journal()
        self._header, self._secret, self._scope = webhook_header, webhook_secret, webhook_scope
        self._distribution = Distribution(storage)
        self._layout = Layout(self._distribution.storage)
        self._webhooks = Webhooks(certificates.ca)
        self._token = f"Bearer {secrets.token_urlsafe(24)}"
        self._loop: asyncio.AbstractEventLoop | None = None
        self._auth = Auth(identity, user=user, password=password, login_server=self._name)
        locks = Locks()
        self._referrers = Referrers(self._layout) if lists_referrers else None
        self._upstream = Upstream(self._address, layout=self._layout, locks=locks, lists_referrers=lists_referrers)
        self._metadata = Metadata(
            layout=self._layout, locks=locks, upstream=self._upstream, login_server=self._name
        )
        self._notifications = Notifications(
            token=self._token, layout=self._layout, journal=self.journal, webhooks=self._webhooks
        )

    def _name(self) -> str:
        return self.login_server

    def _address(self) -> str:
        return self._distribution.address

    def start(self, servers: Servers, *, port: int = 0) -> None:
        """Start docker-registry and serve the front on `port`; `login_server` is known then."""
        listener = servers.serve(self._notifications.app, tls=False)
        notify = f"http://127.0.0.1:{listener}{notifications.PATH}"
        self._distribution.start(notify=notify, token=self._token)
        try:
            self.login_server = f"localhost:{servers.serve(self.app, port=port)}"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End docker-registry; the front answers 503 until its servers are closed."""
        self._distribution.close()

    def app(self) -> web.Application:
        """The front's application."""
        app = web.Application(middlewares=[self._auth.middleware], client_max_size=MAX_DOCUMENT)
        app.cleanup_ctx.append(self._upstream.run)
        app.on_startup.append(self._started)
        self._auth.add_routes(app.router)
        app.router.add_route("*", "/acr/v1/{rest:.*}", self._metadata.handle)
        if self._referrers:
            app.router.add_route("*", "/v2/{name:.+}/referrers/{digest}", self._referrers.handle)
        app.router.add_route("*", "/v2/{rest:.*}", self._upstream.pass_on)
        return app

    async def _started(self, _: web.Application) -> None:
        self._loop = asyncio.get_running_loop()

    @property
    def storage(self) -> Path:
        """The folder in which docker-registry keeps its content."""
        return self._distribution.storage

    def has(self, reference: Reference) -> bool:
        """Whether a pull of `reference` would find something; asking leaves no trace in the journal."""
        return self.digest(reference) is not None

    def digest(self, reference: Reference) -> str | None:
        """What the registry has under `reference`, read from its storage: no trace in the journal either."""
        if reference.digest:
            manifest = self._layout.manifest(reference.repository, reference.digest)
            return manifest.digest if manifest else None
        tag = self._layout.tag(reference.repository, reference.tag or "latest")
        return tag.digest if tag else None

    # Webhooks.

    @property
    def webhook_url(self) -> str:
        return self._webhooks.target.url if self._webhooks.target else ""

    @webhook_url.setter
    def webhook_url(self, url: str) -> None:
        target = Target(url=url, header=self._header, secret=self._secret, scope=self._scope)
        self._webhooks.target = target if url else None

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The webhooks that were sent, oldest first, with what came of each."""
        return tuple(self._webhooks.deliveries)

    def ping(self) -> Delivery:
        """Send a ping to the webhook, and wait for what comes of it. Not for the thread of the servers."""
        if self._loop is None:
            raise RuntimeError("the registry was not started")
        return asyncio.run_coroutine_threadsafe(self._webhooks.ping(), self._loop).result(TIMEOUT + 1)
