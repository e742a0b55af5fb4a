"""Runs the look-alikes: one event loop in one background thread serves any number of aiohttp applications."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from typing import Self

from aiohttp import web

from groundswell.local.certs import Certificates

type MakeApp = Callable[[], web.Application]


class Servers:
    """Serves applications on loopback until closed. Use as a context manager."""

    def __init__(self, certificates: Certificates) -> None:
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificates.cert, certificates.key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="look-alikes", daemon=True)
        self._runners: list[web.AppRunner] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self, make_app: MakeApp, *, port: int = 0, tls: bool = True) -> int:
        """Serve the application that `make_app` builds (on the loop's thread); returns its port."""
        return asyncio.run_coroutine_threadsafe(self._serve(make_app, port, tls), self._loop).result(30)

    async def _serve(self, make_app: MakeApp, port: int, tls: bool) -> int:
        runner = web.AppRunner(make_app(), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=self._tls if tls else None)
        await site.start()
        self._runners.append(runner)
        bound: int = runner.addresses[0][1]
        return bound

    def close(self) -> None:
        """Stop serving, newest first; applications run their own cleanup."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._cleanup(), self._loop).result(60)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        self._loop.close()

    async def _cleanup(self) -> None:
        while self._runners:
            runner = self._runners.pop()
            connections = runner.server.connections if runner.server else []
            transports = [connection.transport for connection in connections]
            await runner.cleanup()
            for transport in transports:
                if transport is not None:
                    transport.abort()  # TLS would wait half a minute for a client that does not say goodbye
        await asyncio.sleep(0)  # the turn of the loop in which they are gone
