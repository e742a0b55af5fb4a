"""The local stack: every service the product talks to, imitated on loopback, and the product in a Functions host.

The product gets its addresses and credentials from the settings file that is written here, and from nowhere else.
"""

import contextlib
import datetime as dt
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from graph.reference import Reference
from groundswell import clock, printable, settings
from groundswell.access.principal import Role
from groundswell.access.tokens import TokenBook
from groundswell.errors import PermanentError, TemporaryError
from groundswell.local import clusters, git, scanning, trivy
from groundswell.local.acr.layout import Layout
from groundswell.local.acr.service import AcrLookalike
from groundswell.local.advisories import read_advisories, write_database
from groundswell.local.azurite import Azurite
from groundswell.local.certs import certificates
from groundswell.local.children import with_us
from groundswell.local.entry import Entries
from groundswell.local.identity import Identity
from groundswell.local.paths import ROOT
from groundswell.local.push import Login
from groundswell.local.serve import Servers
from groundswell.local.tasks.model import Limits, RegistryAccess
from groundswell.local.tasks.service import AcrTasks
from groundswell.settings import AcrRegistry
from groundswell.sign import key_file
from groundswell.store.connect import open_store
from groundswell.wiring import App

CLUSTER = "local"
SLOTS = 2
_TASKS = AcrRegistry(
    subscription="00000000-0000-0000-0000-000000000001",
    resource_group="local",
    name="localhost",
    webhook="groundswell",
)
_TOKEN = "local stack"
_TOKEN_SECONDS = 90 * 86_400.0
_READY_SECONDS = 60.0
_STOP_SECONDS = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where things listen on 127.0.0.1; 0 takes any free port."""

    functions: int = 0
    registry: int = 0
    arm: int = 0
    cluster: int = 0
    identity: int = 0
    git: int = 0


class Stack:
    """Everything, with its state in `folder`, until closed. Use as a context manager.

    `store` is "sqlite" or "azurite", `cluster` one of clusters.NAMES. Raises PermanentError when a part is missing
    or does not start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        store: str = "sqlite",
        cluster: str = clusters.LOOK_ALIKE,
        ports: Ports | None = None,
    ) -> None:
        self.folder = folder
        self._store = store
        self._cluster = cluster
        self._ports = ports or Ports()
        self._closing = contextlib.ExitStack()
        self._host: subprocess.Popen[str] | None = None
        self.certificates = certificates(folder.parent / "certs")
        self.identity = Identity()
        self.webhook_secret = secrets.token_urlsafe(24)
        self.admin_password = secrets.token_urlsafe(24)
        self.api_token = ""
        self.cluster_token = secrets.token_urlsafe(24)
        self.repositories = folder / "git"  # bare ones, served by their names
        self.settings_file = folder / "local.settings.json"
        self._database = folder / "trivy"
        self.addresses: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as closing:
            self._start(closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything, the product first: it drains what it has in hand."""
        self.stop_host()
        self._closing.close()

    def _start(self, closing: contextlib.ExitStack) -> None:
        self.repositories.mkdir(parents=True, exist_ok=True)
        servers = closing.enter_context(Servers(self.certificates))
        identity_port = servers.serve(self.identity.app, port=self._ports.identity, tls=False)
        self.registry = AcrLookalike(
            identity=self.identity,
            storage=self.folder / "registry",
            certificates=self.certificates,
            user="admin",
            password=self.admin_password,
            webhook_header="Authorization",
            webhook_secret=self.webhook_secret,
        )
        closing.callback(self.registry.close)
        self._entries = Entries(Layout(self.registry.storage))
        self.registry.start(servers, port=self._ports.registry)
        access = RegistryAccess(
            login_server=self.registry.login_server,
            user="admin",
            password=self.admin_password,
            ca=self.certificates.ca,
        )
        oras, stand_in = scanning.attacher(self.registry.login_server)
        tasks = AcrTasks(
            folder=self.folder / "tasks",
            identity=self.identity,
            registries={_TASKS: access},
            limits=Limits(concurrency=2 * SLOTS),  # scans are runs too, and have no slots
            tools={oras: stand_in},
            webhooks={_TASKS.webhook: lambda: self.registry.deliveries},
        )
        arm_port = servers.serve(tasks.app, port=self._ports.arm)
        git_port = servers.serve(lambda: git.application(self.repositories), port=self._ports.git, tls=False)
        self.cluster, cluster_port = clusters.start(
            self._cluster,
            self.folder / "cluster",
            servers,
            self.certificates,
            closing,
            token=self.cluster_token,
            exists=self._exists,
            crash=self._crashes,
            port=self._ports.cluster,
        )
        connection = f"sqlite:///{self.folder / 'store.db'}"
        if self._store == "azurite":
            connection = closing.enter_context(Azurite()).connection_string
        signing_key = self.folder / "signing.pem"
        key_file.create(signing_key)
        write_database(self._database, read_advisories(), dt.datetime.now(dt.UTC))
        self.addresses = {
            "registry": f"https://{self.registry.login_server}",
            "azure resource manager": f"https://localhost:{arm_port}",
            "cluster": f"https://localhost:{cluster_port}",
            "identity": f"http://127.0.0.1:{identity_port}",
            "git": f"http://127.0.0.1:{git_port}",
        }
        self._write_settings(
            GROUNDSWELL_STORE=connection,
            GROUNDSWELL_WEBHOOK_HEADER="Authorization",
            GROUNDSWELL_WEBHOOK_SECRET=self.webhook_secret,
            GROUNDSWELL_ARM_ENDPOINT=f"https://localhost:{arm_port}",
            GROUNDSWELL_REGISTRIES=json.dumps({self.registry.login_server: _plain(_TASKS)}),
            GROUNDSWELL_CLUSTERS=json.dumps(
                {
                    CLUSTER: {
                        "server": f"https://localhost:{cluster_port}",
                        "token": self.cluster_token,
                        "ca_file": str(self.certificates.ca),
                    }
                }
            ),
            GROUNDSWELL_TRIVY=str(trivy.binary()),
            GROUNDSWELL_SIGNING_KEY=str(signing_key),
            GROUNDSWELL_TRIVY_CACHE=str(self._database),
            GROUNDSWELL_SCANNERS=json.dumps({"trivy": scanning.setting(self.registry.login_server)}),
            GROUNDSWELL_ORAS_IMAGE=oras,
            GROUNDSWELL_SLOTS=str(SLOTS),
            GROUNDSWELL_POLL_SECONDS="0.25",
            GROUNDSWELL_SETTLE_SECONDS="1",
            IDENTITY_ENDPOINT=f"http://127.0.0.1:{identity_port}/msi/token",
            IDENTITY_HEADER=self.identity.header,
            REQUESTS_CA_BUNDLE=str(self.certificates.ca),
            PYTHON_THREADPOOL_THREAD_COUNT="32",
        )
        self.api_token = self._new_token()

    def _new_token(self) -> str:
        """An admin's API token, in place of the one of the last time."""
        store = open_store(settings.parse(self._values))
        try:
            tokens = TokenBook(store, clock.now)
            for old in list(tokens.each()):
                if old.name == _TOKEN and old.revoked_at is None:
                    tokens.revoke(old.id, who=_TOKEN, why="the stack was started again")
            return tokens.create(
                _TOKEN, roles=[Role.ADMIN], seconds=_TOKEN_SECONDS, who=_TOKEN, why="the stack was started"
            )[1]
        finally:
            store.close()

    def _write_settings(self, **values: str) -> None:
        self._values = {"FUNCTIONS_WORKER_RUNTIME": "python", **values}
        document = {"IsEncrypted": False, "Values": self._values}
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text(json.dumps(document, indent=2) + "\n", "utf-8")

    def _exists(self, image: str) -> bool:
        """Whether the registry has what a pod would pull; other registries are not ours to ask."""
        reference = Reference.parse(image)
        return reference.registry != self.registry.login_server or self.registry.has(reference)

    def _crashes(self, image: str) -> bool:
        """Whether a container of an image of ours would fall over at once: its program is not in it."""
        reference = Reference.parse(image)
        return reference.registry == self.registry.login_server and not self._entries.starts(reference)

    @property
    def login(self) -> Login:
        """The registry's admin login, for pushing bases."""
        return Login(
            registry=self.registry.login_server,
            user="admin",
            password=self.admin_password,
            ca=self.certificates.ca,
        )

    # The product.

    def environment(self) -> dict[str, str]:
        """The environment in which the product's commands find this stack, whatever else is set in ours."""
        return {**os.environ, **self._values, "GROUNDSWELL_SETTINGS": str(self.settings_file)}

    def hidden_by(self, environment: Mapping[str, str]) -> list[str]:
        """The settings of this stack that commands in `environment` would not see: it has other values for them."""
        return sorted(name for name, value in self._values.items() if environment.get(name, value) != value)

    def app(self) -> App:
        """The product wired to this stack, in this process."""
        os.environ.update(self.environment())
        return App(settings.load())

    def start_host(self) -> str:
        """Start the Functions host with the product, point the registry's webhook at it; returns its address.

        What scans need is put into the registry before: not earlier, lest a kept seed bring an old database along.
        """
        scanning.push_tools(self.login, self._database)
        command = with_us(sys.executable, "-m", "groundswell.local.host", str(ROOT))
        command += ["--port", str(self._ports.functions)]
        log = self._closing.enter_context((self.folder / "host.log").open("w", encoding="utf-8"))
        self._host = subprocess.Popen(
            [*command, "--settings", str(self.settings_file)],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        address = self._await_ready(self._host)
        self.addresses["functions"] = address
        self.registry.webhook_url = f"{address}/webhooks/acr"
        return address

    def _await_ready(self, host: subprocess.Popen[str]) -> str:
        timer = threading.Timer(_READY_SECONDS, host.kill)
        timer.start()
        try:
            for line in host.stdout or ():
                if line.startswith("listening "):
                    return line.removeprefix("listening ").strip()
        finally:
            timer.cancel()
        log = self.folder / "host.log"
        said = log.read_text("utf-8", errors="replace").splitlines() or ["it said nothing"]
        raise PermanentError(f"the Functions host did not start: {printable.line(said[-1])} (all of it: {log})")

    def stop_host(self) -> int | None:
        """Drain and stop the Functions host; returns its exit status (None when it was not running)."""
        if self._host is None:
            return None
        host, self._host = self._host, None
        host.send_signal(signal.SIGTERM)
        try:
            status = host.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            host.kill()
            status = host.wait()
        if host.stdout:
            host.stdout.close()
        return status


def wait_until[T](what: str, look: Callable[[], T | None], *, seconds: float, pause: float = 0.1) -> T:
    """What `look()` returns once it is true. Raises TemporaryError after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(pause)
    raise TemporaryError(f"{what}: not within {seconds:.0f} s")


def _plain(registry: AcrRegistry) -> dict[str, str]:
    return {
        "subscription": registry.subscription,
        "resource_group": registry.resource_group,
        "name": registry.name,
        "webhook": registry.webhook,
    }
