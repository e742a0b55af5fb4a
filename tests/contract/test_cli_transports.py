"""A command prints the same, and ends the same, whether it asks a service or opens the store itself."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from groundswell.cli import chosen, common, main
from tests.support.served import served
from tests.support.world import BASE, HOST, World, ref, registration, workload

GIT = "https://git.example.com/shop.git"
FROZEN = ("--zone", "UTC", "--days", "mon-fri", "--from", "18:00", "--until", "06:00", "--reason", "r")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A cascade with images that are done, failed, blocked and held; nothing that is asked of it changes it."""
    world = World(
        tmp_path_factory.mktemp("world"),
        registration("top", BASE, owner="platform", labels={"tier": "gold"}),
        registration("app", ref("top"), deployments=[workload("web")], approval="required", owner="shop"),
        registration("bad", ref("top")),
        registration("late", ref("bad")),
    )
    vars(world.app)["buckets"] = Buckets(rate=1e6, burst=1e6)
    world.broken.add("bad")
    world.push_base()
    world.drive()
    yield world
    world.close()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    with served(create(world.app)) as address:
        yield address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a lineage file and two Dockerfiles."""
    root = tmp_path_factory.mktemp("checkout")
    for name, base in (("web", ref("top")), ("top", BASE)):
        (root / name).mkdir()
        (root / name / "Dockerfile").write_text(f"ARG BASE={base}\nFROM $BASE\n")
    (root / "lineage.yaml").write_text(
        f"version: 1\nregistry: {HOST}\nsource: {{git: '{GIT}'}}\nimages:\n"
        "- {name: new/web, path: web, tags: ['1', '2'], owner: shop}\n"
        "- {name: top, path: top, tags: ['1'], build_args: {A: b}}\n"
    )
    return root


@pytest.fixture(autouse=True)
def alone(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setattr(common.console, "width", 200)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("CONTEXT", "URL", "CA", "TOKEN", "STORE"):
        monkeypatch.delenv(f"GROUNDSWELL_{name}", raising=False)
    chosen.ask_for("")


def run(words: tuple[str, ...]) -> tuple[int, str]:
    result: Result = CliRunner().invoke(main.app, list(words))
    error = result.exception
    if error is None or isinstance(error, SystemExit):
        return result.exit_code, result.output
    assert isinstance(error, main.GroundswellError), repr(error)
    return main.exit_code(error), str(error)


def told(text: str) -> str:
    """Without the seconds that pass while one is asked after the other, and numbers of requests."""
    return re.sub(r"urn:uuid:[0-9a-f-]+|hand-[0-9a-f]+|-?\d+\.\d+", "*", text)


READING = [
    ("cascades",),
    ("cascades", "--json"),
    ("cascades", "--archived"),
    ("cascades", "CASCADE", "--json"),
    ("cascades", "CASCADE", "--output", "name"),
    ("cascades", "CASCADE", "app"),
    ("cascades", "CASCADE", "bad", "--json"),
    ("cascades", "nope"),
    ("cascades", "CASCADE", "nope"),
    ("why", "late"),
    ("why", "late", "CASCADE", "--json"),
    ("why", "nope"),
    ("wait", "CASCADE", "--image", "bad"),
    ("wait", "CASCADE", "--image", "top", "--json"),
    ("wait", "nope"),
    ("impact", BASE),
    ("impact", BASE, "--json"),
    ("impact", "UPPER"),
    ("stale", "--output", "yaml"),
    ("pushes",),
    ("pushes", "--json"),
    ("lineage", "show"),
    ("lineage", "show", "--json", "--owner", "shop"),
    ("lineage", "show", "--format", "tree"),
    ("lineage", "show", "nope"),
    ("lineage", "history", "top"),
    ("lineage", "history", "nope"),
    ("lineage", "unregister", "nope", "--reason", "r"),
    ("policy", "show"),
    ("policy", "show", "--image", "top", "--json"),
    ("policy", "show", "--image", "nope"),
    ("freeze", "list", "--environment", "c"),
    ("freeze", "remove", "nope", "--reason", "r"),
    ("audit", "--json", "--limit", "3"),
    ("runs", "logs", "CASCADE", "bad"),
    ("runs", "logs", "CASCADE", "late"),
    ("replay", "CASCADE", "top", "--from", "scan", "--force", "--reason", "r"),
    ("cancel", "CASCADE", "top", "--reason", "r"),
    ("cancel", "CASCADE", "top", "--reason", " "),
    ("release", "CASCADE", "app", "--reason", "r"),
    ("approve", "CASCADE", "top", "--reason", "r"),
    ("push", "UPPER", "--reason", "r"),
    ("stale", "--registry", "acr.example.com", "--json"),
    ("stale", "--registry", "no host"),
    ("lineage", "show", "top", "--json"),
    ("lineage", "show", "--format", "dot", "--label", "tier=gold"),
    ("lineage", "discover", "acr.example.com"),
    ("lineage", "discover", "acr.example.com", "--json"),
    ("lineage", "discover", "nowhere"),
    ("lineage", "register", "FOLDER", "--dry-run"),
    ("lineage", "register", "FOLDER", "--dry-run", "--json"),
    ("lineage", "register", "--scan", "FOLDER", "--registry", "acr.example.com", "--git", GIT, "--dry-run"),
    ("failures",),
    ("failures", "--json", "--limit", "1"),
    ("failures", "--owner", "nobody"),
    ("failures", "--base", "UPPER"),
    ("compare", "CASCADE", "bad"),
    ("compare", "CASCADE", "top", "--json"),
    ("compare", "CASCADE", "nope"),
    ("statistics",),
    ("statistics", "--json", "--months", "2", "--owner", "shop"),
    ("alerts",),
    ("alerts", "--all", "--json"),
    ("rebuild", "nope", "--reason", "r"),
    ("rebuild", "top", "--reason", " "),
    ("drift", "list"),
    ("drift", "list", "--look", "--json"),
    ("drift", "release", "nope", "--reason", "r"),
    ("runs", "logs", "r0"),
    ("runs", "logs", "no:1"),
    ("verify", ref("top")),
    ("verify", ref("top"), "--json"),
    ("verify", "acr.example.com/nothing:1"),
    ("key",),
    ("token", "list"),
    ("token", "list", "--json"),
    ("token", "create", "ci", "--role", "registrar", "--reason", "r"),
    ("token", "revoke", "nope", "--reason", "r"),
    ("token", "revoke", "000000000000", "--reason", "r"),
    ("notices", "list"),
    ("notices", "list", "--state", "lost"),
    ("notices", "resend", f"n{0:025}", "chat", "--reason", "r"),
    ("notices", "test", "chat", "--reason", "r"),
]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_both_ways_are_told_the_same(
    world: World, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    places = {"CASCADE": world.cascade, "FOLDER": str(folder)}
    asked = tuple(places.get(word, word) for word in words)
    token = new_token(world, Role.ADMIN)  # before the first look: the trail and the tokens have it both times
    here = run(asked)
    monkeypatch.setenv("GROUNDSWELL_URL", url)
    monkeypatch.setenv("GROUNDSWELL_TOKEN", token)
    there = run(asked)
    assert (there[0], told(there[1])) == (here[0], told(here[1]))
    assert here[1].strip()


def new_token(world: World, *roles: Role) -> str:
    return world.app.tokens.create("tests", roles=roles, seconds=86_400.0, who="test", why="test")[1]


def test_changes_over_http_are_the_callers_own(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_URL", url)
    monkeypatch.setenv("GROUNDSWELL_TOKEN", new_token(world, Role.OPERATOR))
    assert run(("freeze", "add", "nights", *FROZEN))[0] == 0
    assert "there is a freeze nights already" in run(("freeze", "add", "nights", *FROZEN))[1]
    assert run(("freeze", "remove", "nights", "--reason", "over")) == (0, "nights: removed\n")
    assert "tests (token:" in run(("audit", "--limit", "500"))[1]


def test_files_are_registered_with_a_service_as_with_the_store(
    world: World, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command reads them: the service never sees the folder."""
    monkeypatch.setenv("GROUNDSWELL_URL", url)
    monkeypatch.setenv("GROUNDSWELL_TOKEN", new_token(world, Role.ADMIN))
    scan = ("--scan", str(folder), "--repository-prefix", "scanned", "--registry", HOST, "--git", GIT)
    code, said = run(("lineage", "register", *scan, "--reason", "new"))
    assert (code, "2 registered, 0 unchanged" in said) == (0, True), said
    web = world.app.catalog.registration("scanned/web")
    assert (web.runtime, web.source.path, web.build_args) == (ref("top"), "web", {})
    assert run(("lineage", "register", *scan))[1].endswith("0 registered, 2 unchanged\n")
    code, said = run(("lineage", "unregister", "scanned/web", "scanned/top", "--reason", "over"))
    assert (code, said.splitlines()[-1]) == (0, "2 unregistered")


def test_a_token_is_made_and_revoked_over_http(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_URL", url)
    monkeypatch.setenv("GROUNDSWELL_TOKEN", new_token(world, Role.ADMIN))
    code, said = run(("token", "create", "ci", "--role", "reader", "--reason", "r"))
    text = said.splitlines()[0]
    made = world.app.tokens.principal(text)
    assert (code, made.name) == (0, "ci")
    assert run(("token", "revoke", made.id.removeprefix("token:"), "--reason", "over"))[0] == 0
    monkeypatch.setenv("GROUNDSWELL_TOKEN", text)
    assert run(("cascades",))[0] == 8


def test_who_may_not_is_told_so(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_URL", url)
    code, said = run(("cascades",))
    assert (code, "groundswell login" in said) == (8, True)
    text = new_token(world, Role.READER)
    monkeypatch.setenv("GROUNDSWELL_TOKEN", text)
    code, said = run(("hold", world.cascade, "--reason", "r"))
    assert (code, "needs the role operator" in said, text in said) == (8, True, False)


def test_logging_in_tries_the_token_and_keeps_it(world: World, url: str) -> None:
    invoke = CliRunner().invoke
    run(("context", "add", "here", "--url", url))
    refused = invoke(main.app, ["login"], input="gs_wrong\n")
    assert main.exit_code(refused.exception) == 8  # type: ignore[arg-type]  # an error of ours, or this fails
    text = new_token(world, Role.READER)
    done = invoke(main.app, ["login"], input=f"{text}\n")
    assert done.output == "here: you are tests (reader)\n"
    assert world.cascade in run(("cascades",))[1]
    assert run(("logout",)) == (0, "here: the token is forgotten\n")
    assert run(("cascades",))[0] == 8


def test_a_service_that_is_not_there_is_told_without_a_stack_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    from groundswell.cli.client import time

    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setenv("GROUNDSWELL_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("GROUNDSWELL_TOKEN", "secret")
    code, said = run(("cascades",))
    assert code == 5
    assert said == "http://127.0.0.1:9 cannot be reached: Connection refused"
