"""Attacks that no other test has for its subject: bombs in answers, replays, and what the code itself may not do.

docs/security.md lists the others, each with its test.
"""

import ast
import gzip
import json
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from graph.reference import Reference
from groundswell.access.signing_keys import fetcher
from groundswell.build.jenkins import JenkinsBuilder
from groundswell.build.port import BuildRequest, Source
from groundswell.deploy.git.hosts import Hosts
from groundswell.errors import GroundswellError, InputError, PermanentError
from groundswell.lineage import document
from groundswell.lineage.sources import yamls
from groundswell.local.certs import certificates
from groundswell.local.serve import Servers
from groundswell.registry.external import ExternalRegistry
from groundswell.settings import BuildServer, GitHost
from groundswell.settings import ExternalRegistry as Login
from groundswell.wiring import App
from tests.support.world import BASE, HOST, World, registration
from tests.unit.api.conftest import Api, sent

ROOT = Path(__file__).resolve().parents[2]

# Bombs.

BOMB = gzip.compress(bytes(1 << 20), 9) * 1024
"""A gibibyte of zeros in about a MiB: gzip takes members one after another."""


@pytest.fixture
def bomber(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    async def handle(request: web.Request) -> web.Response:
        headers = {"Content-Encoding": "gzip", "Docker-Content-Digest": "sha256:" + "a" * 64}
        return web.Response(body=BOMB, content_type="application/json", headers=headers)

    def app() -> web.Application:
        made = web.Application()
        made.router.add_route("*", "/{rest:.*}", handle)
        return made

    with Servers(certificates(tmp_path / "certs")) as servers:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certs" / "ca.crt"))
        yield f"localhost:{servers.serve(app)}"


def _pipeline(host: str) -> object:
    server = BuildServer(kind="jenkins", url=f"https://{host}", slots=1, job="a", user="ann", token="t")
    return JenkinsBuilder(server).observe("1")


def _forge(host: str) -> object:
    hosts = Hosts({host: GitHost(kind="github", token="t", api=f"https://{host}")}, pytest.fail)
    return hosts.forge(f"https://{host}/a/b").read("main", "a.yaml")


def _registry(host: str) -> object:
    return ExternalRegistry({host: Login(private=True)}).image(Reference.parse(f"{host}/a:1"))


def _keys(host: str) -> object:
    return fetcher(f"https://{host}/keys")()


@pytest.mark.parametrize("ask", [_pipeline, _forge, _registry, _keys])
def test_an_answer_that_unpacks_to_a_gibibyte_is_given_up(bomber: str, ask: Callable[[str], object]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(GroundswellError):
        ask(bomber)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024 < 200


# Files of others.

TAGS = ["!!python/object/apply:os.system [id]", "!!python/name:os.system", "!!python/object/new:os.system [id]"]


@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_of_yaml_makes_anything_but_data(tag: str) -> None:
    with pytest.raises(InputError):
        document.parse(f"version: 1\nimages: {tag}\n")
    try:
        found = yamls.load(f"services: {tag}\n")
    except InputError:
        return
    assert isinstance(found["services"], str | list | type(None))


# Sources at hosts that nobody listed.


def _listed(world: World) -> None:
    world.app.settings = replace(world.app.settings, source_hosts=("git.example.com",))


EVIL = {"git": "https://evil.example/shop.git"}


def test_a_source_at_a_host_that_is_not_listed_is_not_registered(tmp_path: Path) -> None:
    """By nobody, in no way; the complaint is at the field."""
    world = World(tmp_path)
    _listed(world)
    api = Api(world)
    many = [{"name": "shop/ok", **sent()}, {"name": "shop/evil", **sent(source=EVIL)}]
    for answer, pointer in (
        (api.put("/lineage/images/shop/evil", json=sent(source=EVIL)), "#/source/git"),
        (api.put("/lineage/images/shop/evil?dry_run=true", json=sent(source=EVIL)), "#/source/git"),
        (api.post("/lineage/register", json={"images": many}), "#/images/1/source/git"),
        (api.post("/lineage/register", json={"images": many, "dry_run": True}), "#/images/1/source/git"),
    ):
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert error["detail"].startswith(
            "evil.example is none of the hosts in the setting GROUNDSWELL_SOURCE_HOSTS"
        )
    assert not world.app.catalog.briefs()
    assert api.put("/lineage/images/shop/ok", json=sent()).status_code == 201
    world.close()


def test_a_source_whose_host_was_taken_off_the_list_is_neither_asked_nor_built(tmp_path: Path) -> None:
    """The product's own parts, as the settings wire them: before a byte is sent to anybody."""
    world = World(tmp_path)
    _listed(world)
    product = App(world.app.settings)
    source = Source(location=EVIL["git"], ref="main")
    request = BuildRequest(name="gs-abcde", registry=HOST, repository="shop/evil", tag="1", source=source)
    for ask in (lambda: product.revisions.revision(source), lambda: product.builder.start(request)):
        with pytest.raises(PermanentError, match=r"^evil\.example is none of the hosts"):
            ask()
    world.close()


# Replays.


def test_a_webhook_that_is_sent_again_and_again_starts_one_cascade(tmp_path: Path) -> None:
    world = World(tmp_path, registration("app", BASE))
    digest = world.push_base()
    for _ in range(5):
        world.webhook(Reference.parse(BASE), digest)
    world.drive()
    for _ in range(5):
        world.webhook(Reference.parse(BASE), digest)
    world.drive()
    assert len(world.cascades) == 1
    world.close()


def test_a_webhook_that_names_a_digest_of_its_own_is_not_believed(tmp_path: Path) -> None:
    """Forged by who has the secret: the registry says what is there, and it is what it was."""
    world = World(tmp_path, registration("app", BASE))
    digest = world.push_base()
    world.drive()
    before = world.cascades
    world.webhook(Reference.parse(BASE), "sha256:" + "e" * 64)
    world.drive()
    assert world.cascades == before
    assert world.registry.digest(Reference.parse(BASE)) == digest
    world.close()


# The API says JSON, and nothing that a browser would run.


def test_markup_is_refused_as_a_name_and_is_data_elsewhere(tmp_path: Path) -> None:
    world = World(tmp_path)
    api = Api(world)
    evil = "<script>alert(1)</script>"
    for changes in ({"registry": evil}, {"repository": evil}, {"tags": [evil]}, {"dockerfile": evil}):
        assert api.put("/lineage/images/shop/evil", json=sent(**changes)).status_code == 422
    answer = api.put(
        "/lineage/images/shop/evil", json=sent(owner="shop", labels={"note": evil}, build_args={"A": evil})
    )
    assert answer.status_code in (201, 422)
    for path in (
        "/lineage/images",
        "/lineage/images/shop/evil",
        "/lineage",
        "/audit",
        f"/lineage/images/{evil}",
        f"/cascades/{evil}",
    ):
        answer = api.get(path)
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert answer.headers["x-content-type-options"] == "nosniff"
    world.close()


# What the code may not do, whoever writes it.

SOURCES = [
    path
    for folder in ("graph", "groundswell", "functions")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "local" not in path.relative_to(ROOT).parts
]
UNPACKS = {
    "groundswell/cascade/backup.py": "an admin's own backup, line by line, each with a limit",
    "groundswell/store/codec.py": "the store's own records, with a limit",
    "groundswell/store/azure_tables.py": "the store's own records",
    "groundswell/deploy/run_command.py": "packs files for AKS, and unpacks none",
}
BANNED = {"pickle", "marshal", "shelve", "dill", "tarfile", "xml", "telnetlib", "ftplib"}
PACKERS = {"zipfile", "gzip", "zlib", "bz2", "lzma"}


def _imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unpacks_runs_a_shell_or_makes_objects_of_other_peoples_bytes(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    imported = _imports(tree)
    assert not imported & BANNED
    assert not imported & PACKERS or str(path.relative_to(ROOT)) in UNPACKS
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        assert name not in ("eval", "exec", "os.system", "os.popen", "yaml.unsafe_load", "yaml.full_load")
        if name == "yaml.load":
            assert any(keyword.arg == "Loader" for keyword in node.keywords) or len(node.args) > 1
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        for switch, bad in (("shell", True), ("verify", False), ("check_hostname", False)):
            value = given.get(switch)
            assert not (isinstance(value, ast.Constant) and value.value is bad), (
                f"{switch}={bad} in line {node.lineno}"
            )


# docs/security.md.

DOCUMENT = (ROOT / "docs" / "security.md").read_text("utf-8")


def _named() -> list[str]:
    import re

    return re.findall(r"`((?:tests|fuzz)/[\w/.-]+\.py(?:::\w+)?)`", DOCUMENT)


def test_every_threat_names_a_test() -> None:
    rows = [
        line for line in DOCUMENT.splitlines() if line.startswith("| ") and not line.startswith(("| threat", "|-"))
    ]
    assert len(rows) > 60
    for row in rows:
        assert row.rstrip().endswith("|")
        assert "`tests/" in row, f"no test holds: {row}"


@pytest.mark.parametrize("named", sorted(set(_named())))
def test_a_test_that_is_named_is_there(named: str) -> None:
    path, _, name = named.partition("::")
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert any(each.startswith("test_") for each in tests)
    assert not name or name in tests


def test_a_setting_that_is_json_is_no_bomb() -> None:
    with pytest.raises(InputError):
        document.parse(json.dumps({"version": 1, "images": [{"name": "a" * 5_000_000}]}))
