"""Secrets are planted wherever one can be; then much is done that works and much that fails, and all that comes
out is searched for them: logs (of every library, from DEBUG up), errors with their tracebacks, answers, the audit
trail, and every byte of the store.

The servers are as bad as can be: they answer with what they were sent, the Authorization header included.
"""

import json
import logging
import os
from collections.abc import Callable
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from functions import webhooks
from graph.reference import Reference
from groundswell import audit, settings, wiring
from groundswell.access.principal import Role
from groundswell.build.acr_tasks import AcrTasksBuilder
from groundswell.build.azure_pipelines import AzurePipelinesBuilder
from groundswell.build.jenkins import JenkinsBuilder
from groundswell.build.port import BuildRequest, Source
from groundswell.cli import main as cli
from groundswell.deploy.git.hosts import Hosts
from groundswell.deploy.kubernetes import KubernetesDeployer
from groundswell.errors import GroundswellError
from groundswell.registry.acr import AcrRegistry
from groundswell.registry.external import ExternalRegistry
from groundswell.settings import AcrRegistry as Acr
from groundswell.settings import BuildServer, Cluster, GitHost, Settings
from groundswell.settings import ExternalRegistry as Login
from groundswell.sign.connect import open_signer
from groundswell.sign.key_vault import KeyVaultSigner
from groundswell.store.azure import AzureStore
from groundswell.store.connect import open_store
from tests.support import leaks
from tests.support.leaks import SECRETS, STATUSES, Credential, Echo, Output, forms
from tests.support.world import HOST, World, registration, workload
from tests.unit.api.conftest import Api, sent
from tests.unit.api.conftest import token as api_token
from tests.unit.webhooks.test_event_grid import GRID

output, server = leaks.output, leaks.server


def parsed(**values: str) -> Settings:
    return settings.parse({"GROUNDSWELL_STORE": "sqlite:///x", **values})


def test_settings_say_no_secret(output: Output) -> None:
    """Neither whole, nor when they are wrong."""
    entry = {
        "GROUNDSWELL_EXTERNAL_REGISTRIES": {"r.example": {"username": "ann", "password": SECRETS["registry"]}},
        "GROUNDSWELL_GIT": {"github.com": {"token": SECRETS["git"]}},
        "GROUNDSWELL_CLUSTERS": {"a": {"server": "https://c", "token": SECRETS["cluster"]}},
        "GROUNDSWELL_BUILDERS": {
            "j": {
                "kind": "jenkins",
                "url": "https://j.example",
                "slots": 1,
                "job": "a",
                "user": "ann",
                "token": SECRETS["jenkins"],
            }
        },
    }
    texts = {name: json.dumps(value) for name, value in entry.items()}
    output.add(parsed(GROUNDSWELL_WEBHOOK_SECRET=SECRETS["webhook"], **texts))
    for name, text in texts.items():
        for wrong in (text[:-1], text.replace('": "', '": {"x": "', 1) + "}", text.replace("token", "tokken")):
            for value in (wrong, json.dumps([json.loads(text)]), text.replace('"planted', '1, "planted')):
                try:
                    output.add(parsed(**{name: value}))
                except GroundswellError as exc:
                    output.failed(exc)
    for store in (f"DefaultEndpointsProtocol=https;AccountKey={SECRETS['storage']}", f"x={SECRETS['storage']}"):
        try:
            open_store(parsed(GROUNDSWELL_STORE=store))
        except GroundswellError as exc:
            output.failed(exc)
    output.clean()


def requests_of(echo: Echo, host: str) -> list[tuple[str, Callable[[], object]]]:
    """One call of every adapter that holds a secret, by the secret it holds."""
    url = f"https://{host}"
    reference = Reference.parse(f"{host}/shop/web:1")
    jenkins = JenkinsBuilder(
        BuildServer(kind="jenkins", url=url, slots=1, job="a/b", user="ann", token=SECRETS["jenkins"])
    )
    pipelines = AzurePipelinesBuilder(
        BuildServer(
            kind="azure-pipelines", url=url, slots=1, project="p", pipeline=1, token=SECRETS["azure-pipelines"]
        ),
        Credential(),
    )
    acr_settings = {host: Acr(subscription="00000000-0000-0000-0000-000000000001", resource_group="rg", name="acr")}
    tasks = AcrTasksBuilder(Credential(), url, acr_settings)
    acr = AcrRegistry(Credential(), lambda _: None)
    external = ExternalRegistry({host: Login(username="ann", password=SECRETS["registry"], private=True)})
    hosts = Hosts(
        {
            host: GitHost(kind="github", token=SECRETS["git"], api=url),
            f"{host}/devops": GitHost(kind="azure-devops", token=SECRETS["git"], api=url),
        },
        Credential,
    )
    cluster = KubernetesDeployer(
        {"c": Cluster(server=url, token=SECRETS["cluster"], ca_file=os.environ["REQUESTS_CA_BUNDLE"])}
    )
    vault = KeyVaultSigner(f"{url}/keys/a/1", Credential(), same_domain=False)
    store = AzureStore.from_connection_string(
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRETS['storage']};"
        f"QueueEndpoint={url}/a;TableEndpoint={url}/a;"
    )
    build = BuildRequest(
        name="gs-abcde",
        registry=host,
        repository="shop/web",
        tag="1",
        source=Source(location="https://git.example/x.git", ref="main"),
    )
    forge, devops = hosts.forge(f"https://{host}/a/b"), hosts.forge(f"https://{host}/devops/p/_git/b")
    target = workload("web")
    return [
        ("jenkins", lambda: jenkins.start(build)),
        ("jenkins", lambda: jenkins.log("1")),
        ("azure-pipelines", lambda: pipelines.start(build)),
        ("azure-pipelines", lambda: pipelines.observe("1")),
        ("entra", lambda: tasks.start(build)),
        ("entra", lambda: tasks.log(host, "r1")),
        ("entra", lambda: acr.digest(reference)),
        ("registry", lambda: external.digest(reference)),
        ("git", lambda: forge.read("main", "a.yaml")),
        ("git", lambda: forge.propose("a", "main", "t", "b")),
        ("git", lambda: devops.read("main", "a.yaml")),
        ("cluster", lambda: cluster.observe(target)),
        ("entra", vault.public_key),
        ("storage", lambda: store.get("health", "p", "r")),
    ]


def test_no_adapter_tells_its_secret_whatever_its_server_answers(
    output: Output, server: tuple[Echo, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundswell.store.azure._RETRIES", 0)
    echo, host = server
    for _, call in requests_of(echo, host):
        for status in STATUSES:
            echo.statuses = cycle([status])
            try:
                call()  # what it returns is the server's own word
            except GroundswellError as exc:
                output.failed(exc)
            except (AttributeError, LookupError, TypeError, ValueError) as exc:
                assert status == 200, (
                    "a refusal is understood"
                )  # an SDK that is given something else than its object
                output.failed(exc)
    sent_to_it = "\n".join(echo.asked)
    for name in ("jenkins", "azure-pipelines", "entra", "registry", "git", "cluster"):
        assert any(form in sent_to_it for form in forms(SECRETS[name])), (
            f"nothing was sent with the secret {name!r}"
        )
    output.clean()


def world_with_secrets(tmp_path: Path) -> World:
    from dataclasses import replace

    images = (registration("base", "docker.io/library/debian:12"), registration("web", f"{HOST}/base:1"))
    world = World(tmp_path, *images)
    world.app.settings = replace(
        world.app.settings,
        webhook_secret=SECRETS["webhook"],
        external={"r.example": Login(username="ann", password=SECRETS["registry"])},
        git={"github.com": GitHost(kind="github", token=SECRETS["git"])},
        clusters={"c": Cluster(server="https://c.example", token=SECRETS["cluster"])},
    )
    return world


def test_the_webhooks_the_api_and_the_engine_keep_secrets_to_themselves(
    output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_with_secrets(tmp_path)
    monkeypatch.setattr(webhooks, "app", lambda: world.app)
    api = Api(world)
    viewer = api_token(world, Role.READER, name="viewer")
    expired = world.app.tokens.create("old", roles=[Role.READER], teams=(), seconds=1.0, who="t", why="t")[1]
    world.time += 5.0

    def hook(name: str, body: bytes, headers: dict[str, str], **params: str) -> None:
        url = f"https://x/{name}"
        request = func.HttpRequest(method="POST", url=url, headers=headers, params=params, body=body)
        function: Any = getattr(webhooks, name)
        answer: func.HttpResponse = function._function.get_user_function()(request)
        output.add(f"{answer.status_code} {dict(answer.headers)} {answer.get_body().decode()}")

    for name in ("acr_webhook", "event_grid_webhook", "distribution_webhook"):
        for body in (json.dumps(GRID["data"]).encode(), json.dumps(GRID).encode(), b"{", b"[]", b" " * 5_000_000):
            hook(name, body, {"Authorization": SECRETS["webhook"]})
            hook(name, body, {"Authorization": SECRETS["webhook"] + "x"})
            hook(name, body, {}, secret=SECRETS["webhook"])

    read: set[int] = set()
    for path in (
        "me",
        "lineage/images",
        "lineage/images/web",
        "lineage/images/none",
        "audit",
        "cascades",
        "pushes",
    ):
        for given in (api.token, viewer, expired, api.token[:-1], "x", None):
            answer = api.get(f"/{path}", token=given)
            read.add(answer.status_code)
            output.add(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
    secret_url = f"https://ann:{SECRETS['git']}@git.example.com/x.git"
    for body in (
        sent(),
        sent(source={"git": secret_url}),
        sent(registry=f"https://ann:{SECRETS['registry']}@r.example"),
        {"x": f"//ann:{SECRETS['git']}@x/"},
    ):
        for given in (api.token, viewer):
            answer = api.put("/lineage/images/secretive", json=body, token=given)
            read.add(answer.status_code)
            output.add(f"{answer.status_code} {dict(answer.headers)} {answer.text}")

    assert {200, 201, 401, 403, 404, 422} <= read

    world.push_base()
    world.broken.add("web")
    world.drive()
    for reason in (RuntimeError(f"Authorization: Bearer {SECRETS['entra']}"), OSError("x")):
        with monkeypatch.context() as patch:

            def fails(*_: object, reason: Exception = reason, **__: object) -> None:
                raise reason

            patch.setattr(world.registry, "image", fails)
            world.push_base("sha256:again")
            for message in world.app.store.receive("pushes", limit=32, lease=1):
                try:
                    world.deliver("pushes", message.body)
                except Exception:  # as the host would log it
                    logging.getLogger("groundswell.tests").exception("a worker failed")
    for entry in audit.entries(world.app.store, limit=1000):
        output.add(entry)
    tokens = (api.token, viewer, expired)
    world.close()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            output.add(file.read_bytes().decode("latin-1"))
    output.clean(*(text.split("_", 2)[2] for text in tokens))


def test_the_command_keeps_them_too(
    output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "planted-signing-key.pem"
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(SECRETS["scanner"].encode()),
    )
    key.write_bytes(private)
    key.chmod(0o600)
    try:
        open_signer(str(key), Credential)
    except GroundswellError as exc:
        output.failed(exc)
    values = {
        "GROUNDSWELL_STORE": f"sqlite:///{tmp_path}/store.db",
        "GROUNDSWELL_WEBHOOK_SECRET": SECRETS["webhook"],
        "GROUNDSWELL_GIT": json.dumps({"github.com": {"token": SECRETS["git"]}}),
        "GROUNDSWELL_EXTERNAL_REGISTRIES": json.dumps(
            {"r.example": {"username": "ann", "password": SECRETS["registry"]}}
        ),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    commands = (
        "cascades",
        "lineage show",
        "why none",
        "push r.example/a:1 --why x",
        "token list",
        "verify r.example/a:1",
        "audit",
        "--verbose cascades",
    )
    broken = {
        "GROUNDSWELL_GIT": values["GROUNDSWELL_GIT"][:-1],
        "GROUNDSWELL_STORE": f"AccountKey={SECRETS['storage']}",
    }
    for changes in ({}, *({name: value} for name, value in broken.items())):
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        for command in commands:
            monkeypatch.setattr("sys.argv", ["groundswell", *command.split()])
            monkeypatch.setattr(wiring, "_app", cache(wiring._app.__wrapped__))
            with pytest.raises(SystemExit) as ended:
                cli.main()
            said = capsys.readouterr()
            if wiring._app.cache_info().currsize and (store := vars(wiring._app()).get("store")):
                store.close()
            output.add(f"{command}: {ended.value.code}\n{said.out}\n{said.err}")
        for name in changes:
            monkeypatch.setenv(name, values[name])
    output.clean(private.decode().splitlines()[1])
