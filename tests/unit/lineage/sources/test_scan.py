"""The pipeline: every kind of file in one tree, one row each, and what is wrong with one leaves the others."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.lineage.sources.build import Options
from groundswell.lineage.sources.scan import builds, find, graph_of, to_json, workloads
from tests.unit.lineage.sources.conftest import Files


def of(name: str) -> str:
    return f"docker.io/library/{name}"


def test_rows_are_in_order_and_shaped_as_fixed(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(
        "b/Dockerfile", "# syntax=docker/dockerfile:1\nFROM x AS t\nFROM y AS u\nFROM scratch\nCOPY --from=t / /\n"
    )
    files.write("a.Dockerfile", "FROM z\nCOPY --from=y / /\nCOPY --from=x / /\n")
    files.write("compose.yaml", "services: {s: {build: {context: b, platforms: [linux/arm64, linux/amd64]}}}")
    monkeypatch.chdir(files.root)
    rows = [to_json(row) for row in builds(find([Path()]), Options())]
    assert [(row["path"], row["target"], row["platform"]) for row in rows] == [
        ("a.Dockerfile", None, "linux/amd64"),
        ("b/Dockerfile", None, "linux/amd64"),
        ("compose.yaml", "s", "linux/amd64"),
        ("compose.yaml", "s", "linux/arm64"),
    ]
    assert rows[0] == {
        "path": "a.Dockerfile",
        "target": None,
        "platform": "linux/amd64",
        "runtime": of("z:latest"),
        "build": [of("x:latest"), of("y:latest")],
        "unneeded": [],
        "unresolved": [],
        "error": None,
        "frontend": None,
        "kind": "dockerfile",
        "dockerfile": "a.Dockerfile",
    }
    assert rows[1]["runtime"] is None
    assert rows[1]["unneeded"] == [of("y:latest")]
    assert rows[1]["frontend"] == "docker.io/docker/dockerfile:1"
    assert rows[2]["dockerfile"] == "b/Dockerfile"


def test_options_reach_the_dockerfiles(files: Files) -> None:
    files.write("Dockerfile", "ARG V\nFROM ctx AS one\nFROM b-$TARGETARCH-$BUILDARCH:$V\n")
    found = files.all(build_args={"V": "7"}, platform="linux/arm64", build_platform="linux/s390x")
    assert found == {"Dockerfile@linux/arm64": (of("b-arm64-s390x:7"), ())}
    contexts = {"ctx": "docker-image://r.io/c:1"}
    assert files.all(target="one", build_args={"V": "7"}, contexts=contexts) == {"Dockerfile#one": ("r.io/c:1", ())}


def test_bad_files_are_a_row_each_and_the_rest_is_scanned(
    files: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "Dockerfile").write_text("FROM secret\n")
    files.write("good/Dockerfile", "FROM good\n")
    files.write("binary/Dockerfile", b"FROM \0")
    files.write("latin/Dockerfile", "FROM é".encode("latin-1"))
    files.write("refused/Dockerfile", "FRM x\n")
    files.write("empty/Dockerfile", "")
    with files.write("huge/Dockerfile", "").open("r+b") as stream:
        stream.truncate(50 * 1024 * 1024)
    os.mkfifo(files.write("pipe/x", "").parent / "Dockerfile")
    (files.root / "folder" / "Dockerfile").mkdir(parents=True)
    (files.root / "Dockerfile.out").symlink_to(outside / "Dockerfile")
    (files.root / "Dockerfile.in").symlink_to("good/Dockerfile")
    (files.root / "loop").symlink_to(".")
    (files.root / "good" / "Dockerfile.loop").symlink_to("Dockerfile.loop")
    found = files.all()
    assert found.pop("Dockerfile.out").endswith(f"leads out of {files.root}; scan the folder above it")
    assert found == {
        "good/Dockerfile": (of("good:latest"), ()),
        "Dockerfile.in": (of("good:latest"), ()),
        "binary/Dockerfile": "a binary file, not text (byte 5 is zero)",
        "latin/Dockerfile": "not UTF-8 text (byte 5)",
        "refused/Dockerfile": "line 1: unknown instruction: FRM",
        "empty/Dockerfile": "line 1: the Dockerfile cannot be empty",
        "pipe/Dockerfile": "cannot be read: not a file",
        "huge/Dockerfile": "larger than 1024 KiB, which is the limit",
        "loop": "a symbolic link to a folder above it: a loop, not followed",
        "good/Dockerfile.loop": "a symbolic link that leads nowhere: Too many levels of symbolic links",
    }


def test_files_given_by_name_and_paths_given_twice(files: Files) -> None:
    files.write("x.df", "FROM a\n")
    files.write("sub/Dockerfile", "FROM b\n")
    files.write("sub/ignored/Dockerfile", "FROM c\n")
    files.write("sub/.gitignore", "ignored/\n")
    assert files.short(files.scan("x.df", "sub", "sub/Dockerfile", "", "sub/ignored/Dockerfile")) == {
        "x.df": (of("a:latest"), ()),
        "sub/Dockerfile": (of("b:latest"), ()),
        "sub/ignored/Dockerfile": (of("c:latest"), ()),
    }


def test_a_yaml_given_by_name_is_a_compose_file_when_it_has_services(files: Files) -> None:
    files.write("stack.yml", "services: {s: {build: {dockerfile_inline: FROM a}}}")
    files.write("other.yml", "a: [")
    assert files.all() == {}
    assert files.short(files.scan("stack.yml", "other.yml")) == {"stack.yml#s": (of("a:latest"), ())}


_TEXT = st.sampled_from(["a", ".", "..", "", "${X}", "service:s", "target:t", "\0", "\ud800", "x" * 5000, "s", "t"])
_KEYS = st.sampled_from(
    "services build context dockerfile args additional_contexts extends file service image platforms steps cmd id "
    "target inherits contexts matrix name variable default function params result group targets include path "
    "dockerfile_inline dockerfile-inline s t platform".split()
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | _TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(document=_JSON, name=st.sampled_from(["compose.yaml", "docker-bake.json", "acr-task.yaml"]))
def test_any_document_is_rows(files: Files, document: Any, name: str) -> None:
    top = {"compose.yaml": "services", "docker-bake.json": "target", "acr-task.yaml": "steps"}[name]
    for whole in (
        document,
        {top: document},
        {top: {"s": document}},
        {top: [document]},
        {top: {"s": {"build": document}}},
    ):
        path = files.write(name, json.dumps(whole))
        for row in files.scan(name):
            assert (row.resolution is None) != (row.error is None)
            json.dumps(to_json(row))
        path.unlink()


def test_names_that_no_file_can_have_are_refused(files: Files) -> None:
    zero, surrogate, long = "\0", "\ud800", "x" * 5000
    services = {
        "extends": {"extends": {"file": zero, "service": "x"}},
        "context": {"build": zero},
        "dockerfile": {"build": {"dockerfile": long}},
    }
    files.write("compose.yaml", json.dumps({"services": services, "include": [zero, long]}))
    targets = {"zero": {"context": zero}, "surrogate": {"dockerfile": surrogate}, "long": {"context": long}}
    files.write("docker-bake.json", json.dumps({"target": targets}))
    rows = files.scan()
    assert len(rows) == 8
    assert all(row.error for row in rows)


def test_a_path_that_is_not_there_is_told_and_the_others_are_scanned(files: Files) -> None:
    files.write("Dockerfile", "FROM a\n")
    assert files.short(files.scan("none", "Dockerfile")) == {
        "none": "cannot be read: No such file or directory",
        "Dockerfile": (of("a:latest"), ()),
    }


def test_names_that_are_no_utf8_are_shown_all_the_same(files: Files) -> None:
    folder = os.fsencode(files.root) + b"/\xff"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/Dockerfile")).write_text("FROM a\n")
    assert files.all() == {"\ufffd/Dockerfile": (of("a:latest"), ())}


def test_the_graph_of_a_scan(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "sha256:" + "a" * 64
    files.write("Dockerfile", f"# syntax=docker/dockerfile:1\nFROM r.io/a:1@{digest}\nCOPY --from=r.io/b:1 / /\n")
    files.write("bad.Dockerfile", "x\n")
    monkeypatch.chdir(files.root)
    graph = graph_of(builds(find([Path()]), Options()))
    edges: dict[Any, Any] = {
        edge[0]: (edge[1], edge[2]["kind"], edge[2]["pinned"]) for edge in graph.edges(data=True)
    }
    assert edges == {
        f"r.io/a:1@{digest}": ("Dockerfile", "runtime", True),
        "r.io/b:1": ("Dockerfile", "build", False),
        "docker.io/docker/dockerfile:1": ("Dockerfile", "frontend", False),
    }


def test_workloads_beside_the_builds(files: Files) -> None:
    pod = "kind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: a}]}\n"
    files.write("b/pod.yaml", pod)
    files.write("a/pod.yml", pod)
    files.write("bad.yaml", "image: [")
    files.write("other.yaml", "nothing: [")
    files.write("compose.yaml", "services: {a: {image: b}}")
    files.write("Dockerfile", "FROM a\n")
    images, problems = workloads(find([files.root]))
    assert [(path.removeprefix(f"{files.root}/"), image.name) for path, image in images] == [
        ("a/pod.yml", "p"),
        ("b/pod.yaml", "p"),
    ]
    assert [path.removeprefix(f"{files.root}/") for path, _ in problems] == ["bad.yaml"]
