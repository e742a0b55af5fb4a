"""Registrations from a scan: names, what they are built from, and what cannot be registered."""

from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import InputError
from groundswell.lineage.model import Registration
from groundswell.lineage.sources.register import registrations
from tests.unit.lineage.sources.conftest import Files


def registered(root: Path, **options: Any) -> tuple[dict[str, Registration], list[str]]:
    given = {
        "registry": "r.azurecr.io",
        "repository_prefix": "team/",
        "git": "https://git.example.com/x.git",
        "ref": "main",
        "tags": ["1", "latest"],
        "owner": "us",
    }
    found, problems = registrations(root, **given | options)
    return {each.name: each for each in found}, [line.replace(f"{root}/", "") for line in problems]


def test_every_dockerfile_is_an_image(files: Files) -> None:
    files.write("Dockerfile", "FROM r.io/a:1\n")
    files.write("apps/Web App/Dockerfile", "# syntax=r.io/syntax:1\nFROM r.io/a:1\nCOPY --from=r.io/b:1 / /\n")
    files.write("apps/api/Dockerfile.worker", "FROM scratch\n")
    files.write("apps/api/web.Dockerfile", "FROM r.io/c:1\n")
    files.write("node_modules/x/Dockerfile", "FROM no\n")
    found, problems = registered(files.root)
    assert problems == []
    assert list(found) == ["team", "team/apps/api-web", "team/apps/api-worker", "team/apps/web-app"]
    web = found["team/apps/web-app"]
    assert (web.registry, web.repository, web.tags, web.owner) == (
        "r.azurecr.io",
        "team/apps/web-app",
        ("1", "latest"),
        "us",
    )
    assert (web.source.location, web.source.ref, web.source.path, web.dockerfile) == (
        "https://git.example.com/x.git",
        "main",
        "apps/Web App",
        "Dockerfile",
    )
    assert (web.runtime, web.build, web.frontend) == ("r.io/a:1", ("r.io/b:1",), "r.io/syntax:1")
    assert found["team"].source.path == ""
    assert found["team/apps/api-worker"].dockerfile == "Dockerfile.worker"
    assert found["team/apps/api-worker"].runtime is None


def test_what_describes_a_dockerfile_says_how_it_is_built(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V", "of whoever runs it")
    files.write("app/Dockerfile", "ARG V\nFROM r.io/a:$V AS one\nFROM r.io/b:$V\n")
    files.write("multi/Dockerfile", "ARG TARGETARCH\nFROM r.io/m-$TARGETARCH:1 AS x\nFROM r.io/n:1 AS y\n")
    files.write("docker/api.Dockerfile", "FROM r.io/api:1\n")
    files.write("compose.yaml", "services: {app: {build: {context: app, target: one, args: ['V=${V:-2}']}}}")
    files.write(
        "docker-bake.hcl",
        """
        target "same" {
          context = "app"
          target = "one"
          args = { V = "2" }
        }
        target "x" {
          context = "multi"
          target = "x"
          platforms = ["linux/arm64"]
        }
        target "y" { context = "multi" }
        target "api" { dockerfile = "docker/api.Dockerfile" }
        """,
    )
    found, problems = registered(files.root, repository_prefix="")
    assert problems == []
    assert list(found) == ["app", "docker-api", "multi-x", "multi-y"]
    app = found["app"]
    assert (app.target, dict(app.build_args), app.runtime) == ("one", {"V": "2"}, "r.io/a:2")
    assert (found["multi-x"].platforms, found["multi-x"].runtime) == (("linux/arm64",), "r.io/m-arm64:1")
    assert (found["docker-api"].source.path, found["docker-api"].dockerfile) == ("", "docker/api.Dockerfile")


def test_what_cannot_be_registered_is_a_line(files: Files) -> None:
    files.write("good/Dockerfile", "FROM r.io/a:1\n")
    files.write("bad/Dockerfile", "FRM x\n")
    files.write("twin/Dockerfile", "FROM r.io/a:1\n")
    files.write("Twin/Dockerfile", "FROM r.io/a:1\n")
    files.write("ctx/Dockerfile", "FROM base\n")
    files.write("far/Dockerfile", "FROM r.io/a:1\n")
    files.write("ключ/Dockerfile", "FROM r.io/a:1\n")
    files.write("both/Dockerfile", "FROM r.io/a:1\n")
    files.write(
        "docker-bake.json", '{"target": {"b": {"context": "both", "platforms": ["linux/amd64", "linux/arm64"]}}}'
    )
    files.write("x/y", "")
    files.write(
        "compose.yaml",
        """
        services:
          ctx: {build: {context: ctx, additional_contexts: {base: "docker-image://r.io/b:1"}}}
          far: {build: {context: x, dockerfile: ../far/Dockerfile}}
          inline: {build: {dockerfile_inline: "FROM a"}}
          git: {build: "https://github.com/a/b.git"}
        """,
    )
    found, problems = registered(files.root, repository_prefix="")
    assert sorted(found) == ["good", "twin"]
    assert problems == [
        "bad/Dockerfile: line 1: unknown instruction: FRM",
        "compose.yaml: ctx: its named build contexts (base) are not known to a rebuild; name the images in its "
        "Dockerfile",
        "compose.yaml: far: far/Dockerfile lies outside of its build context x; move it inside",
        "compose.yaml: git: https://github.com/a/b.git: the Dockerfile is fetched when it is built; it is "
        "not in this tree",
        "compose.yaml: inline: its Dockerfile is written out in compose.yaml; give it a file",
        "docker-bake.json: b: it is built for linux/amd64 and linux/arm64, and an image has one platform so far; "
        "name one of them",
        "twin/Dockerfile: another Dockerfile has the name twin too; rename a folder",
        "ключ/Dockerfile: '' is no name for a repository; rename the folder",
    ]


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        registered(tmp_path / "none")
