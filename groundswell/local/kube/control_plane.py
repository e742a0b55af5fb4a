"""The processes of a control plane: etcd, kube-apiserver, kube-controller-manager, all ending with ours.

etcd listens on Unix sockets in a folder that only its owner may enter; the API server on a free port of loopback,
with TLS, tokens and RBAC; the controller manager on nothing. As with the look-alike, nothing of it is kept.
"""

import contextlib
import csv
import io
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from groundswell import printable
from groundswell.errors import PermanentError
from groundswell.local.certs import Certificates
from groundswell.local.children import with_us
from groundswell.local.cluster.errors import ApiError
from groundswell.local.kube.binaries import Binaries
from groundswell.local.kube.client import KubeClient

MASTERS = "system:masters"
"""The group that may do everything."""

_CONTROLLERS = "cronjob,daemonset,deployment,garbagecollector,job,namespace,replicaset,statefulset"
_READY_SECONDS = 120.0
_PAUSE = 0.1
_ETCD, _PEER = "unix://localhost:1", "unix://localhost:2"  # files of that name in its folder


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    name: str
    token: str
    group: str = ""


class ControlPlane:
    """A control plane with its state in `folder`, which is made anew. `server` is its address once it has started.

    `admin` must be of the group MASTERS: the controllers act in his name.
    """

    def __init__(self, folder: Path, programs: Binaries, certificates: Certificates) -> None:
        self._folder = folder
        self._programs = programs
        self._certificates = certificates
        self._closing = contextlib.ExitStack()
        self.server = ""

    def start(self, admin: User, *others: User) -> None:
        """Start it all and wait until it serves. Raises PermanentError with what it said when it does not."""
        try:
            self._start(admin, others)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the processes, newest first."""
        self._closing.close()

    def _start(self, admin: User, others: tuple[User, ...]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, mode=0o700)
        tokens = self._write("tokens.csv", _tokens((admin, *others)))
        key = self._write("service-accounts.key", _private_key())
        # Held, not listened on, until it is over: nobody else is given the port meanwhile.
        held = self._closing.enter_context(socket.socket())
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        self._run(
            self._programs.etcd,
            {
                "data-dir": "etcd",
                "listen-client-urls": _ETCD,
                "advertise-client-urls": _ETCD,
                "listen-peer-urls": _PEER,
                "initial-advertise-peer-urls": _PEER,
                "initial-cluster": f"default={_PEER}",
                "logger": "zap",
                "log-outputs": "stderr",
                "log-level": "warn",
            },
        )
        apiserver = self._run(
            self._programs.apiserver,
            {
                "etcd-servers": _ETCD,
                "bind-address": "127.0.0.1",
                "advertise-address": "127.0.0.1",
                "secure-port": str(port),
                "permit-port-sharing": "true",
                "insecure-port": "0",
                "tls-cert-file": str(self._certificates.cert),
                "tls-private-key-file": str(self._certificates.key),
                "cert-dir": "certs",
                "token-auth-file": str(tokens),
                "anonymous-auth": "false",
                "authorization-mode": "RBAC",
                "service-account-issuer": "https://localhost",
                "service-account-signing-key-file": str(key),
                "service-account-key-file": str(key),
                "service-cluster-ip-range": "10.0.0.0/24",
                "endpoint-reconciler-type": "none",
                # No account's token to mount, for nothing runs; and no taint on a node that nobody else watches.
                "disable-admission-plugins": "ServiceAccount,TaintNodesByCondition",
            },
        )
        self.server = f"https://localhost:{port}"
        self._await_ready(apiserver, admin)
        self._run(
            self._programs.controller_manager,
            {
                "kubeconfig": str(self._write("kubeconfig", self._kubeconfig(admin))),
                "controllers": _CONTROLLERS,
                "leader-elect": "false",
                "port": "0",
                "secure-port": "0",
                "cert-dir": "certs",
            },
        )

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        return path

    def _kubeconfig(self, user: User) -> str:
        cluster = {"server": self.server, "certificate-authority": str(self._certificates.ca)}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "local", "cluster": cluster}],
                "users": [{"name": user.name, "user": {"token": user.token}}],
                "contexts": [{"name": "local", "context": {"cluster": "local", "user": user.name}}],
                "current-context": "local",
            }
        )

    def _run(self, program: Path, options: Mapping[str, str]) -> subprocess.Popen[bytes]:
        command = with_us(str(program), *(f"--{name}={value}" for name, value in options.items()))
        with self._log(program.name).open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the stack, which ends the cluster after what uses it
            )
        self._closing.callback(_kill, process)
        return process

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def _await_ready(self, apiserver: subprocess.Popen[bytes], admin: User) -> None:
        client = KubeClient(self.server, admin.token, self._certificates.ca)
        end = time.monotonic() + _READY_SECONDS
        with contextlib.closing(client):
            while not _serves(client):
                if apiserver.poll() is not None or time.monotonic() > end:
                    raise self._failure()
                time.sleep(_PAUSE)

    def _failure(self) -> PermanentError:
        log = self._log(self._programs.apiserver.name)
        said = log.read_text("utf-8", errors="replace").split("\n")
        words = [line for line in said if line.strip() and not line.startswith(("I", "W", " ", "\t"))]
        told = printable.line(words[-1]) if words else "it said nothing"
        return PermanentError(f"the API server did not start: {told} (all of it: {log.parent}/*.log)")


def _serves(client: KubeClient) -> bool:
    """Whether all that it does at its start is done, and the first namespace is there."""
    try:
        client.get("/api/v1/namespaces/default")
        client.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin")
    except (ApiError, OSError):
        return False
    return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Asked to end, the API server would wait a minute for the last watch; and there is nothing to be saved."""
    process.kill()
    process.wait()


def _tokens(users: tuple[User, ...]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([user.token, user.name, user.name, user.group] for user in users)
    return text.getvalue()


def _private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
