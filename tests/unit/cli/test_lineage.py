"""Looking at the lineage, asking before a push, taking images out: as a person meets it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from groundswell import wiring
from groundswell.api.bodies import checked
from groundswell.api.images import resolved, sent_many
from groundswell.cli import common, main
from groundswell.cli.register import document_of
from groundswell.errors import InputError, NotFoundError
from groundswell.lineage.checkout import read
from groundswell.lineage.model import git_workload
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload

FRONTEND = "docker.io/docker/dockerfile:1"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(
        tmp_path,
        registration("top", BASE, owner="platform", labels={"tier": "gold"}),
        registration("app", ref("top"), deployments=[workload("web")], owner="shop", frontend=FRONTEND),
        registration("tool", "docker.io/library/alpine:3", build=[ref("top"), ref("app")], owner="shop"),
    )
    pin = f"{BASE}@{world.registry.tags[BASE]}"
    world.register(registration("pinned", pin))
    monkeypatch.setattr(wiring, "_app", lambda: world.app)
    monkeypatch.setenv("GROUNDSWELL_USER", "ann")
    monkeypatch.setattr(common.console, "width", 200)
    yield world
    world.close()


def run(*args: str) -> Result:
    return CliRunner().invoke(main.app, list(args))


def test_impact_as_its_fixed_shape(world: World) -> None:
    world.app.durations.learn("c", {"top": 10.0, "app": 20.0, "tool": 5.0})
    document = json.loads(run("impact", BASE, "--json").output)
    assert document["base"] == BASE
    assert document["images"][:3] == [
        {
            "image": image,
            "depth": depth,
            "waits_for": waits_for,
            "edge": edge,
            "pinned": False,
            "held_by": None,
            "estimated_seconds": seconds,
        }
        for image, depth, waits_for, edge, seconds in (
            ("top", 1, [], "runtime", 10.0),
            ("app", 2, ["top"], "runtime", 20.0),
            ("tool", 3, ["app", "top"], "build", 5.0),
        )
    ]
    (held,) = document["images"][3:]
    assert (held["image"], held["pinned"], held["held_by"].partition("@")[0]) == ("pinned", True, BASE)
    assert document["critical_path"] == ["top", "app", "tool"]
    assert document["estimated_makespan_seconds"] == 35.0
    assert document["workloads"] == [
        {"image": "app", "cluster": "c", "namespace": "n", "kind": "Deployment", "name": "web", "container": "app"}
    ]
    assert document["frontend_of"] == []


def test_impact_for_people(world: World) -> None:
    shown = run("impact", BASE).output
    assert f"a push of {BASE} rebuilds 3 images in about 180 s and rolls out 1 workloads" in shown
    assert f"held by {BASE}@sha256:" in shown
    assert "longest path: top -> app -> tool" in shown
    assert "c/n/deployment/web[app] runs app" in shown


def test_impact_takes_an_image_by_name_a_short_reference_and_a_digest(world: World) -> None:
    assert json.loads(run("impact", "top", "--json").output)["base"] == ref("top")
    assert json.loads(run("impact", "alpine:3", "--json").output)["base"] == "docker.io/library/alpine:3"
    with_digest = json.loads(run("impact", f"{BASE}@sha256:{'a' * 64}", "--json").output)
    assert with_digest["base"] == BASE


def test_impact_of_what_nobody_stands_on_and_of_a_frontend(world: World) -> None:
    assert "no registered image stands on docker.io/library/nothing:latest" in run("impact", "nothing").output
    assert "reads the Dockerfile of app: nothing of it is in them" in run("impact", FRONTEND).output
    assert json.loads(run("impact", FRONTEND, "--json").output)["frontend_of"] == ["app"]
    assert isinstance(run("impact", "UPPER").exception, InputError)


def test_telling_a_push(world: World) -> None:
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    told = json.loads(run("push", BASE, "--urgent", "--reason", "CVE-1", "--json").output)
    assert (told["urgent"], told["forced"]) == (True, False)
    assert told["push"].startswith("hand-")
    world.drive()
    assert json.loads(run("cascades", world.cascade, "--json").output)["urgent"] is True
    assert "`groundswell pushes` will say" in run("push", BASE, "--reason", "again").output
    assert json.loads(run("push", BASE, "--force", "--reason", "packages", "--json").output)["forced"] is True
    assert run("push", BASE).exit_code == 2  # no reason given


def test_show_in_every_form(world: World) -> None:
    assert run("lineage", "show", "--format", "tree").output.splitlines() == [
        BASE,
        "  top",
        "    app",
        "      tool  (build)",
        "    tool  (build)",
        f"{BASE}@{world.registry.tags[BASE]}",
        "  pinned  (pinned)",
        FRONTEND,
        "  app  (frontend, see above)",
        "docker.io/library/alpine:3",
        "  tool",
    ]
    assert '"top" -> "app"' in run("lineage", "show", "--format", "dot").output
    assert run("lineage", "show", "--format", "mermaid").output.startswith("flowchart LR")
    assert "<graphml" in run("lineage", "show", "--format", "graphml").output
    as_json = run("lineage", "show", "--format", "json").output
    assert as_json == run("lineage", "show", "--json").output
    assert {item["name"] for item in json.loads(as_json)} == {"top", "app", "tool", "pinned"}


def test_show_some(world: World) -> None:
    def names(*args: str) -> list[str]:
        return [item["name"] for item in json.loads(run("lineage", "show", "--json", *args).output)]

    assert names("--owner", "shop") == ["app", "tool"]
    assert names("--label", "tier=gold") == ["top"]
    assert names("--label", "tier=gold", "--owner", "shop") == []
    assert names("tool", "top") == ["tool", "top"]
    assert isinstance(run("lineage", "show", "nope").exception, NotFoundError)
    assert "nothing registered" in run("lineage", "show", "--owner", "nobody").output


def test_unregister_says_who_is_left_standing(world: World) -> None:
    assert run("lineage", "unregister", "top").exit_code == 2  # no reason given
    shown = run("lineage", "unregister", "top", "pinned", "--reason", "retired").output
    assert "note: app, tool still stand on its tags" in shown
    assert "2 unregistered" in shown
    assert json.loads(run("lineage", "unregister", "app", "--reason", "x", "--json").output) == {
        "unregistered": ["app"],
        "left_standing": {"app": ["tool"]},
    }
    assert isinstance(run("lineage", "unregister", "top", "--reason", "x").exception, NotFoundError)
    trail = json.loads(run("audit", "--json").output)
    assert {(entry["action"], entry["why"]) for entry in trail} >= {("unregister", "retired"), ("unregister", "x")}


def test_history(world: World, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\n")
    (tmp_path / "lineage.yaml").write_text(
        f"version: 1\nregistry: {HOST}\nsource: {{git: 'https://g.example.com/x.git'}}\n"
        "images:\n- {name: top, tags: ['1'], owner: web}\n"
    )
    run("lineage", "register", str(tmp_path), "--reason", "new team")
    run("lineage", "unregister", "top", "--reason", "retired")
    shown = run("lineage", "history", "top").output
    assert "unregistered by ann: retired" in shown
    assert "changed by ann: new team" in shown
    assert "owner: platform -> web" in shown
    document = json.loads(run("lineage", "history", "top", "--json", "--limit", "2").output)
    assert [line["action"] for line in document] == ["unregistered", "changed"]
    assert isinstance(run("lineage", "history", "never").exception, NotFoundError)


def test_a_source_at_a_host_that_is_not_listed(world: World, tmp_path: Path) -> None:
    world.app.settings = replace(world.app.settings, source_hosts=("github.com",))
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\n")
    (tmp_path / "lineage.yaml").write_text(
        f"version: 1\nregistry: {HOST}\nsource: {{git: 'https://g.example.com/x.git'}}\n"
        "images:\n- {name: new, tags: ['1']}\n"
    )
    for more in ((), ("--dry-run",)):
        done = run("lineage", "register", str(tmp_path), *more)
        assert isinstance(done.exception, InputError)
        assert str(done.exception).startswith("images/0/source/git: g.example.com is none of the hosts")
    assert "new" not in world.app.catalog.briefs()


def test_what_people_wrote_does_not_act_on_the_terminal(world: World, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\n")
    (tmp_path / "lineage.yaml").write_text(
        f"version: 1\nregistry: {HOST}\nsource: {{git: 'https://git.example.com/x.git'}}\n"
        'images:\n- {name: top, tags: ["1"], owner: "\\e[31mweb"}\n'
    )
    shown = run("lineage", "register", str(tmp_path), "--reason", "new\x1b[2J team\nreally").output
    shown += run("lineage", "history", "top").output + run("lineage", "show").output
    assert "changed by ann: new team really" in shown
    assert "-> web" in shown
    assert "\x1b" not in shown


def test_each_image_that_a_build_needs_has_a_line(world: World) -> None:
    world.register(registration("tools", BASE, build=(ref("top"), ref("app"))))
    shown = [line.split()[-1] for line in run("lineage", "show").output.splitlines()]
    assert {ref("top"), ref("app")} <= set(shown)


def test_register_by_scan(world: World, tmp_path: Path) -> None:
    for path, text in (("web/Dockerfile", f"FROM {BASE}\n"), ("bad/Dockerfile", "FROM\n")):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    words = ["lineage", "register", "--scan", str(tmp_path), "--repository-prefix", "shop/"]
    assert "--scan needs --registry" in str(run(*words).exception)
    refused = run(*words, "--registry", HOST, "--git", "https://ann:s3cret@git.example.com/shop.git").exception
    assert "--git: must be the URL of a git repository" in str(refused)
    assert "s3cret" not in str(refused)
    words += ["--registry", HOST, "--git", "https://git.example.com/shop.git", "--tag", "2", "--owner", "shop"]
    shown = run(*words).output
    assert "+ shop/web" in shown
    assert "left out: " in shown
    web = world.app.catalog.registration("shop/web")
    assert (web.runtime, web.tags, web.owner, web.source.path) == (BASE, ("2",), "shop", "web")
    assert json.loads(run(*words, "--json").output)["changes"] == []
    both = run("lineage", "register", str(tmp_path), "--scan", str(tmp_path))
    assert "one of the two" in str(both.exception)


def test_stale(world: World) -> None:
    assert "0 images and 1 workloads are stale" in run("stale").output
    world.broken.add("top")
    world.push_base()
    world.drive()
    shown = run("stale").output
    assert "failed: cascade" in shown
    assert "0 min" in shown
    assert "4 images and 1 workloads are stale" in shown
    document = json.loads(run("stale", "--json").output)
    assert {item["image"]: item["why"] for item in document["images"]} == {
        "top": "failed",
        "app": "blocked",
        "tool": "blocked",
        "pinned": "pinned",
    }
    assert "1 images and 0 workloads are stale" in run("stale", "--owner", "platform").output


def test_stale_finds_what_nobody_registered(world: World) -> None:
    world.registry.put(f"{HOST}/apps/lost:1", image_of(["sha256:base0", "sha256:lost"]))
    world.push_base()
    world.drive()
    found = json.loads(run("stale", "--registry", HOST, "--json").output)["images"]
    lost = next(item for item in found if item["image"] == f"{HOST}/apps/lost:1")
    assert (lost["base"], lost["why"], lost["current"]) == (BASE, "not registered", world.registry.tags[BASE])
    assert lost["stands_on"] not in (None, lost["current"])
    assert lost["since"] is not None
    assert f"{HOST}/apps/lost:1" not in run("stale").output


@pytest.mark.parametrize("folder", ["company"])
def test_what_is_sent_of_a_lineage_file_is_all_that_it_says(folder: str) -> None:
    root = Path(__file__).parents[3] / "examples" / folder
    for item in read(root):
        text = (root / item.source.path / item.dockerfile).read_text()
        assert resolved(item.name, {**document_of(item), "dockerfile_content": text}, hosts=()) == item


def test_every_field_is_sent() -> None:
    git = {
        "kind": "git",
        "repository": "https://git.example.com/team/x",
        "path": "a/b.yaml",
        "image": f"{HOST}/full",
    }
    item = replace(
        registration("full", BASE, owner="shop", labels={"a": "b"}, gate={"on_new_finding": "rebuild"}),
        tag_patterns=("1.*",),
        target="app",
        build_args={"A": ""},
        platforms=("linux/arm64",),
        agent_pool="big",
        approval="required",
        strategy="rebase",
        deployments=(workload("web"), git_workload(git)),
        rings=({"environment": "prod-*"},),
    )
    sent = checked(
        json.dumps({**document_of(item), "dockerfile_content": f"FROM {BASE} AS app\n"}).encode(),
        sent_many()["items"],
    )
    assert resolved("full", sent, hosts=()) == item
