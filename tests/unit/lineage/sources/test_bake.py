"""Bake files: what each target builds, as buildx reads them."""

import json
from typing import Any

import pytest

from tests.unit.lineage.sources.conftest import Files

WHY = "the Dockerfile is fetched when it is built; it is not in this tree"


def of(name: str) -> str:
    return f"docker.io/library/{name}"


def bake(files: Files, text: str, **options: Any) -> dict[str, Any]:
    """The targets of `docker-bake.hcl`, by name."""
    files.write("docker-bake.hcl", text)
    return {
        name.removeprefix("docker-bake.hcl").removeprefix("#"): outcome
        for name, outcome in files.short(files.scan("docker-bake.hcl", **options)).items()
    }


def test_targets_variables_and_functions(files: Files) -> None:
    files.write("app/Dockerfile", "ARG V=own\nARG W=own\nFROM app:$V-$W AS first\nFROM last:$V-$W\n")
    files.write("app/Other", "FROM other\n")
    text = """
    variable "TAG" { default = "1.0" }
    variable "MAJOR" { default = split(".", TAG)[0] }
    variable "DEBUG" { default = false }
    variable "COUNT" { default = 2 }
    variable "LIST" { default = ["a", "b"] }
    variable "UNSET" {}
    prefix = "v${MAJOR}"
    function "tag" {
      params = [name]
      variadic_params = rest
      result = "${name}${join("", rest)}-${TAG}"
    }
    group "default" { targets = ["app", "first"] }
    target "app" { context = "app", args = { V = tag("x", "y", "z"), W = null } }
    target "first" {
      context = "./app"
      target  = DEBUG ? "first" : null
      args    = { V = "${prefix}${UNSET}", W = COUNT + 1 }
    }
    target "other" {
      context    = "app"
      dockerfile = "Other"
    }
    target "loop" { dockerfile-inline = "FROM loop:${join("", [for x in LIST : upper(x)])}" }
    target "ref" {
      context = target.app.context
      args    = { V = target.first.args.V }
    }
    """.replace('"app", args', '"app"\n args')
    assert bake(files, text) == {
        "app": (of("last:xyz-1.0-own"), ()),
        "first": (of("last:v1-3"), ()),
        "other": (of("other:latest"), ()),
        "loop": (of("loop:AB"), ()),
        "ref": (of("last:v1-own"), ()),
    }
    environment = {"TAG": "2.5", "DEBUG": "true", "COUNT": "7", "UNSET": "u", "LIST": "c,d", "prefix": "no"}
    assert bake(files, text, environment=environment) == {
        "app": (of("last:xyz-2.5-own"), ()),
        "first": (of("app:v2u-8"), ()),
        "other": (of("other:latest"), ()),
        "loop": (of("loop:CD"), ()),
        "ref": (of("last:v2u-own"), ()),
    }


def test_inheritance_later_over_earlier_and_own_over_all(files: Files) -> None:
    files.write("Dockerfile", "ARG A=0\nARG B=0\nARG C=0\nFROM x:$A-$B-$C\n")
    found = bake(
        files,
        """
        target "one" { args = { A = "1", B = "1", C = "1" } }
        target "two" {
          inherits = ["one"]
          args = { B = "2", C = null }
        }
        target "three" { args = { C = "3" } }
        target "all" {
          inherits = ["two", "three"]
          args = { A = "own" }
        }
        target "reversed" { inherits = ["three", "two"] }
        target "circle" { inherits = ["circle"] }
        group "g" { targets = ["two"] }
        """,
    )
    assert found == {
        "all": (of("x:own-2-3"), ()),
        "two": (of("x:1-2-1"), ()),
        "reversed": (of("x:1-2-1"), ()),
        "circle": (of("x:0-0-0"), ()),
    }


def test_what_others_inherit_from_is_a_build_when_it_says_so(files: Files) -> None:
    files.write("app/Dockerfile", "FROM app\n")
    found = bake(
        files,
        """
        target "docker-metadata-action" {}
        target "_common" { platforms = ["linux/arm64"] }
        target "no-such-file" {
          inherits = ["_common"]
          dockerfile = "app/Dockerfile.none"
        }
        target "real" {
          context = "app"
        }
        target "child" {
          inherits = ["real", "_common", "docker-metadata-action", "no-such-file"]
          dockerfile = "Dockerfile"
        }
        """,
    )
    assert found == {"real": (of("app:latest"), ()), "child@linux/arm64": (of("app:latest"), ())}


def test_a_matrix_makes_targets(files: Files) -> None:
    found = bake(
        files,
        """
        variable "VERSIONS" { default = ["3.19", "3.20"] }
        target "img" {
          name = "img-${replace(version, ".", "-")}-${os.name}"
          matrix = {
            version = VERSIONS
            os = [{ name = "alpine", base = "alpine" }, { name = "deb", base = "debian" }]
          }
          contexts = { base = "docker-image://${os.base}:${version}" }
          dockerfile-inline = "FROM base"
        }
        target "user" {
          contexts = { base = "target:img-3-20-deb" }
          dockerfile-inline = "FROM base"
        }
        """,
    )
    assert found == {
        "img-3-19-alpine": (of("alpine:3.19"), ()),
        "img-3-19-deb": (of("debian:3.19"), ()),
        "img-3-20-alpine": (of("alpine:3.20"), ()),
        "img-3-20-deb": (of("debian:3.20"), ()),
        "user": (of("debian:3.20"), ()),
    }


def test_contexts_platforms_and_heredocs(files: Files) -> None:
    files.write("Dockerfile", "ARG TARGETARCH\nFROM base AS b\nFROM scratch\nCOPY --from=b / /\n")
    found = bake(
        files,
        """
        target "base" {
          dockerfile-inline = <<-EOT
            ARG TARGETARCH
            FROM debian:$TARGETARCH
            RUN --mount=from=${"tool"} echo $${HOME}
          EOT
        }
        target "app" {
          contexts = { base = "target:base", gone = null, empty = "" }
          platforms = ["linux/amd64", "linux/arm64"]
        }
        target "path" { contexts = { base = "./somewhere" } }
        """,
    )
    assert found == {
        "base": (of("debian:amd64"), (of("tool:latest"),)),
        "app": (None, (of("debian:amd64"), of("tool:latest"))),
        "app@linux/arm64": (None, (of("debian:arm64"), of("tool:latest"))),
        "path": (None, ()),
    }


def test_what_is_null_or_empty_says_nothing(files: Files) -> None:
    files.write("Dockerfile", "ARG A=own\nFROM a:$A AS one\nFROM b:$A\n")
    found = bake(
        files,
        """
        variable "NOTHING" { default = null }
        variable "MANY" { default = null }
        target "a" {
          target = NOTHING
          args = { A = NOTHING }
          contexts = NOTHING == null ? null : { b = "target:c" }
          platforms = MANY != null ? ["linux/arm64"] : []
        }
        target "b" {
          target = NOTHING != null && NOTHING != "" ? "two" : "one"
          platforms = ["local", "local"]
        }
        """,
        build_platform="linux/s390x",
    )
    assert found == {"a": (of("b:own"), ()), "b@linux/s390x": (of("a:own"), ())}


def test_what_is_wrong_with_a_target_is_its_row(files: Files) -> None:
    files.write("Dockerfile", "FROM alpine\n")
    found = bake(
        files,
        """
        variable "LOOP" { default = LOOP2 }
        variable "LOOP2" { default = LOOP }
        function "f" {
          params = [a]
          result = f(a)
        }
        target "good" { tags = ["x:${timestamp()}"] }
        target "unknown" { context = nope("x") }
        target "unknown-elsewhere" { tags = [nope2("x")] }
        target "impure" { context = timestamp() }
        target "variable" { args = { A = MISSING } }
        target "loop" { args = { A = LOOP } }
        target "recursive" { args = { A = f(1) } }
        target "arguments" { args = { A = f() } }
        target "parent" { inherits = ["nobody"] }
        target "context" { contexts = { a = "target:nobody" } }
        target "circle" { contexts = { a = "target:circle2" } }
        target "circle2" { contexts = { a = "target:circle" } }
        target "broken-parent" { inherits = ["unknown"] }
        target "file" { dockerfile = "none" }
        target "folder" { context = "none" }
        target "out" { context = "../.." }
        target "type" { platforms = "linux/amd64" }
        target "matrix" { matrix = { a = ["1"] } }
        target "big" {
          name = "big-${a}-${b}"
          matrix = {
            a = range(1000)
            b = range(1000)
          }
        }
        target "refused" { dockerfile-inline = "FRM x" }
        """,
    )
    root = files.root
    assert found.pop("good") == (of("alpine:latest"), ())
    assert found == {
        "unknown": "line 9: there is no function nope()",
        "unknown-elsewhere": "line 10: there is no function nope2()",
        "impure": "line 11: the function timestamp() is not offered here",
        "variable": "line 12: there is no variable MISSING",
        "loop": "line 3: the variable LOOP stands on itself",
        "recursive": "line 6: functions call each other too deeply",
        "arguments": "line 15: f() takes 1 arguments",
        "parent": "there is no target 'nobody'",
        "context": "target nobody: there is no target 'nobody'",
        "circle": "target circle2: builds stand on each other in a circle: circle -> circle2 -> circle",
        "circle2": "target circle: builds stand on each other in a circle: circle2 -> circle -> circle2",
        "broken-parent": "line 9: there is no function nope()",
        "file": "there is no file none, which is its Dockerfile",
        "folder": "there is no folder none, which is its build context",
        "out": f"{root.parent.parent}/Dockerfile leads out of {root}; scan the folder above it",
        "type": "text is not a list",
        "matrix": "a matrix needs a `name` that tells its targets apart",
        "big": "the matrix has more than 1,000 combinations",
        "refused": "its inline Dockerfile: line 1: unknown instruction: FRM",
    }


def test_paths_are_tried_from_the_file_and_from_the_root(files: Files) -> None:
    files.write(".git/HEAD", "")
    files.write("ci/docker-bake.hcl", 'target "a" { context = "app" }\ntarget "b" { context = "own" }')
    files.write("app/Dockerfile", "FROM app\n")
    files.write("ci/own/Dockerfile", "FROM own\n")
    rows = files.scan("ci/docker-bake.hcl")
    assert files.short(rows) == {
        "ci/docker-bake.hcl#a": (of("app:latest"), ()),
        "ci/docker-bake.hcl#b": (of("own:latest"), ()),
    }


def test_what_is_fetched_is_not_known_here(files: Files) -> None:
    found = bake(
        files,
        """
        target "git" { context = "https://github.com/a/b.git" }
        target "file" { dockerfile = "https://x/Dockerfile" }
        target "here" {
          context = BAKE_CMD_CONTEXT
          dockerfile-inline = "FROM a"
        }
        """,
    )
    assert found == {
        "git": [("https://github.com/a/b.git", WHY)],
        "file": [("https://x/Dockerfile", WHY)],
        "here": (of("a:latest"), ()),
    }


def test_json_and_overrides_are_one_definition(files: Files) -> None:
    files.write("Dockerfile", "ARG A=0\nARG B=0\nFROM x:$A-$B\n")
    document = {
        "variable": {"V": {"default": "json"}},
        "function": {"twice": {"params": ["a"], "result": "${a}${a}"}},
        "group": {"default": {"targets": ["app"]}},
        "target": {"app": {"args": {"A": "${V}-${twice(1)}", "B": None}}, "bad": {"args": {"A": "${nope()}"}}},
    }
    files.write("docker-bake.json", json.dumps(document))
    files.write("docker-bake.hcl", 'target "app" { args = { B = "hcl" } }')
    files.write("docker-bake.override.hcl", 'variable "V" { default = "over" }')
    files.write("docker-bake.ci.hcl", 'target "ci" { args = { A = "ci" } }')
    found = files.all()
    assert found == {
        "Dockerfile": (of("x:0-0"), ()),
        "docker-bake.json#app": (of("x:over-11-hcl"), ()),
        "docker-bake.json#bad": "line 1: there is no function nope()",
        "docker-bake.ci.hcl#ci": (of("x:ci-0"), ()),
    }


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("docker-bake.hcl", 'target "a" {\n  context = \n}', "line 2: not valid HCL"),
        ("docker-bake.hcl", "target {}", "a block `target` must have one name"),
        ("docker-bake.hcl", b"\xff", "not UTF-8 text (byte 0)"),
        ("docker-bake.hcl", b"a\0", "a binary file, not text (byte 1 is zero)"),
        ("docker-bake.hcl", "#" * (512 * 1024 + 1), "larger than 512 KiB, which is the limit"),
        ("docker-bake.json", "{", "not valid JSON: Expecting property name enclosed in double quotes"),
        ("docker-bake.json", "[]", "not a bake file: it must be an object"),
        ("docker-bake.json", '{"target": 1}', "`target` must be an object"),
        ("docker-bake.json", '{"target": {"a": 1}}', "target 'a' must be an object"),
        ("docker-bake.json", "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_row(files: Files, name: str, text: str | bytes, says: str) -> None:
    files.write(name, text)
    files.write("Dockerfile", "FROM alpine\n")
    found = files.all()
    assert found.pop("Dockerfile") == (of("alpine:latest"), ())
    assert list(found) == [name]
    assert says in found[name]


def test_an_override_that_cannot_be_read_is_named(files: Files) -> None:
    files.write("docker-bake.hcl", 'target "a" {}')
    files.write("docker-bake.override.hcl", "{")
    found = files.all()
    assert found == {"docker-bake.hcl": "docker-bake.override.hcl: line 1: not valid HCL"}
