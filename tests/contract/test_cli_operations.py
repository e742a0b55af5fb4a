"""Every operation of the API has a command, or docs/cli.md says why not; and that command is what asks for it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groundswell.access.buckets import Buckets
from groundswell.access.principal import Role
from groundswell.api.app import create
from groundswell.cli import chosen, main
from tests.support.served import served
from tests.support.world import BASE, World, ref, registration

_REASON = ("--reason", "r")
_WINDOW = ("--zone", "UTC", "--from", "2027-01-01T08:00", "--until", "2027-01-02T08:00")
WORDS = {
    "show_login": ("login", "--by", "device"),
    "show_me": ("login",),
    "show_doctor": ("doctor",),
    "list_images": ("lineage", "show"),
    "show_image": ("lineage", "show", "top"),
    "show_history": ("lineage", "history", "top"),
    "register_images": ("lineage", "register", "FOLDER", "--dry-run"),
    "unregister_images": ("lineage", "unregister", "nope", *_REASON),
    "show_graph": ("lineage", "show", "--format", "tree"),
    "show_impact": ("impact", BASE),
    "show_stale": ("stale",),
    "discover": ("lineage", "discover", "acr.example.com"),
    "list_pushes": ("pushes",),
    "report_push": ("push", "UPPER", *_REASON),
    "list_cascades": ("cascades",),
    "show_cascade": ("cascades", "CASCADE"),
    "list_rebuilds": ("cascades", "CASCADE"),
    "show_rebuild": ("cascades", "CASCADE", "top"),
    "show_log": ("runs", "logs", "CASCADE", "top"),
    "show_run_log": ("runs", "logs", "r0"),
    "explain_image": ("why", "top"),
    "explain_rebuild": ("why", "top", "CASCADE"),
    "compare_rebuild": ("compare", "CASCADE", "top"),
    "list_failures": ("failures",),
    "show_statistics": ("statistics",),
    "list_alerts": ("alerts",),
    "rebuild": ("rebuild", "nope", *_REASON),
    "list_drift": ("drift", "list"),
    "release_workload": ("drift", "release", "nope", *_REASON),
    "verify": ("verify", ref("top")),
    "show_key": ("key",),
    "replay": ("replay", "CASCADE", "nope", "--from", "build", *_REASON),
    "cancel": ("cancel", "CASCADE", "nope", *_REASON),
    "hold": ("hold", "CASCADE", "nope", *_REASON),
    "release": ("release", "CASCADE", "nope", *_REASON),
    "approve": ("approve", "CASCADE", "nope", *_REASON),
    "list_freezes": ("freeze", "list"),
    "put_freeze": ("freeze", "add", "f", *_WINDOW, *_REASON),
    "delete_freeze": ("freeze", "remove", "nope", *_REASON),
    "show_policy": ("policy", "show"),
    "show_policy_of_image": ("policy", "show", "--image", "top"),
    "put_policy": ("policy", "set", "FOLDER/policy.yaml", *_REASON),
    "list_audit": ("audit",),
    "list_tokens": ("token", "list"),
    "create_token": ("token", "create", "ci", "--role", "registrar", *_REASON),
    "revoke_token": ("token", "revoke", "000000000000", *_REASON),
    "list_notices": ("notices", "list"),
    "resend_notice": ("notices", "resend", f"n{0:025}", "chat", *_REASON),
    "test_channel": ("notices", "test", "chat", *_REASON),
}
"""By operation, what asks for it; that the answer may be a refusal does not matter here."""


class Recorder:
    """The API, and the operations that were asked of it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        self.asked.append(scope["route"].name if "route" in scope else scope["path"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world"), registration("top", BASE))
    vars(world.app)["buckets"] = Buckets(rate=1e6, burst=1e6)
    world.push_base()
    world.drive()
    yield world
    world.close()


@pytest.fixture(scope="module")
def recorder(world: World) -> Recorder:
    return Recorder(create(world.app))


@pytest.fixture(scope="module")
def url(recorder: Recorder) -> Iterator[str]:
    with served(recorder) as address:
        yield address


def table() -> dict[str, str]:
    """By operation, what docs/cli.md says of it."""
    text = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    part = text.partition("## Which command does what of the API")[2]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE))


def test_the_table_has_every_operation(recorder: Recorder) -> None:
    document = recorder.app.openapi()
    known = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert table().keys() == known
    without = {operation for operation, told in table().items() if told.startswith("none: ")}
    assert known - without == WORDS.keys()


@pytest.mark.parametrize("operation", WORDS)
def test_its_command_asks_for_it(
    operation: str, world: World, recorder: Recorder, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("CONTEXT", "URL", "CA", "STORE"):
        monkeypatch.delenv(f"GROUNDSWELL_{name}", raising=False)
    token = world.app.tokens.create("t", roles=[Role.ADMIN], seconds=86_400.0, who="test", why="test")[1]
    monkeypatch.setenv("GROUNDSWELL_TOKEN", token)
    chosen.ask_for("")
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\n")
    (tmp_path / "lineage.yaml").write_text(
        "version: 1\nregistry: acr.example.com\nsource: {git: 'https://git.example.com/x.git'}\n"
        "images: [{name: top, tags: ['1']}]\n"
    )
    (tmp_path / "policy.yaml").write_text("version: 1\n")
    invoke = CliRunner().invoke
    assert invoke(main.app, ["context", "add", "here", "--url", url]).exit_code == 0
    places = {"CASCADE": world.cascade, "FOLDER": str(tmp_path), "FOLDER/policy.yaml": f"{tmp_path}/policy.yaml"}
    recorder.asked.clear()
    done = invoke(main.app, [places.get(word, word) for word in WORDS[operation]], input=f"{token}\n")
    assert operation in recorder.asked, (done.output, done.exception)
    told = table()[operation].strip("`").split()
    literal = [word for word in told if not word.isupper()]
    assert [word for word in WORDS[operation] if word in literal] == literal
    assert tuple(literal[:1]) == WORDS[operation][:1]
