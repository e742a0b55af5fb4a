"""Compose files: what each service builds, as docker compose reads them."""

import json
from typing import Any

import pytest

from tests.unit.lineage.sources.conftest import Files

ALPINE = ("docker.io/library/alpine:latest", ())


def of(name: str) -> str:
    return f"docker.io/library/{name}"


def compose(files: Files, text: str, **options: Any) -> dict[str, Any]:
    """The services of `compose.yaml`, by name."""
    files.write("compose.yaml", text)
    return {
        name.removeprefix("compose.yaml").removeprefix("#"): outcome
        for name, outcome in files.short(files.scan("compose.yaml", **options)).items()
    }


def test_forms_of_build(files: Files) -> None:
    files.write("web/Dockerfile", "FROM a\nFROM b AS t\nFROM c\n")
    files.write("web/other", "ARG V\nFROM x:$V\n")
    files.write("low/dockerfile", "FROM low\n")
    found = compose(
        files,
        """
        services:
          text: {build: web}
          slash: {build: ./web/}
          stage: {build: {context: web, target: t}}
          other: {build: {context: web, dockerfile: other, args: {V: 1.10}}}
          list: {build: {context: web, dockerfile: other, args: [V=2, IGNORED]}}
          above: {build: {context: low, dockerfile: ../web/Dockerfile}}
          inline: {build: {dockerfile_inline: "FROM i\\nRUN echo $$HOME"}}
          lower: {build: low, profiles: [never]}
          none: {image: nginx}
          empty:
        """,
    )
    assert found == {
        "text": (of("c:latest"), ()),
        "slash": (of("c:latest"), ()),
        "stage": (of("b:latest"), ()),
        "other": (of("x:1.1"), ()),
        "list": (of("x:2"), ()),
        "above": (of("c:latest"), ()),
        "inline": (of("i:latest"), ()),
        "lower": (of("low:latest"), ()),
    }


def test_variables_come_from_the_environment_and_the_env_file(files: Files) -> None:
    files.write("Dockerfile", "ARG A=own\nARG B=own\nARG C=own\nFROM a:$A-$B-$C\n")
    files.write(".env", "A=file\nB=file\n")
    text = """
        services:
          s: {build: {context: "${DIR:-.}", args: {A: , B: "$B", C: "${C:-none}"}}}
        """
    assert compose(files, text) == {"s": (of("a:file-file-none"), ())}
    assert compose(files, text, environment={"B": "env", "C": "c"}) == {"s": (of("a:file-env-c"), ())}
    assert compose(files, text, build_args={"A": "cli"}) == {"s": (of("a:cli-file-none"), ())}


def test_an_argument_that_nobody_sets_leaves_the_default(files: Files) -> None:
    files.write("Dockerfile", "ARG A=own\nFROM a:$A\n")
    assert compose(files, "services: {s: {build: {context: ., args: [A]}}}") == {"s": (of("a:own"), ())}


def test_extends_in_the_file_and_in_another(files: Files) -> None:
    files.write("app/Dockerfile", "ARG V=0\nARG W=0\nFROM a:$V-$W AS one\nFROM b:$V-$W\n")
    files.write(
        "app/common.yml",
        "services: {base: {build: {context: ., args: {V: 1, W: 1}}}, mid: {extends: base, build: {args: [W=2]}}}",
    )
    found = compose(
        files,
        """
        services:
          far: {extends: {file: app/common.yml, service: mid}}
          over: {extends: {service: far}, build: {target: one, args: {V: 9}}}
          image: {extends: far, image: name}
        """,
    )
    assert found == {
        "far": (of("b:1-2"), ()),
        "over": (of("a:9-2"), ()),
        "image": (of("b:1-2"), ()),
    }


def test_what_cannot_be_extended_costs_that_service_only(files: Files) -> None:
    files.write("Dockerfile", "FROM alpine\n")
    files.write("bad.yml", "services: [")
    found = compose(
        files,
        """
        services:
          a: {extends: b, build: .}
          b: {extends: c}
          c: {extends: a}
          self: {extends: self, build: .}
          gone: {extends: nobody}
          file: {extends: {file: no.yml, service: x}}
          broken: {extends: {file: bad.yml, service: x}}
          out: {extends: {file: ../no.yml, service: x}}
          odd: {extends: [x]}
          good: {build: .}
        """,
    )
    assert found.pop("good") == ALPINE
    root = files.root
    assert found == {
        "a": "builds stand on each other in a circle: compose.yaml: a -> compose.yaml: b -> compose.yaml: c -> "
        "compose.yaml: a",
        "b": "builds stand on each other in a circle: compose.yaml: b -> compose.yaml: c -> compose.yaml: a -> "
        "compose.yaml: b",
        "c": "builds stand on each other in a circle: compose.yaml: c -> compose.yaml: a -> compose.yaml: b -> "
        "compose.yaml: c",
        "self": "builds stand on each other in a circle: compose.yaml: self -> compose.yaml: self",
        "gone": "extends: there is no service 'nobody' in compose.yaml",
        "file": "no.yml: cannot be read: No such file or directory",
        "broken": "bad.yml: line 2: not valid YAML: did not find expected node content",
        "out": f"{root.parent}/no.yml: {root.parent}/no.yml leads out of {root}; scan the folder above it",
        "odd": "extends: names no service",
    }


def test_contexts_of_other_services_and_images(files: Files) -> None:
    files.write("Dockerfile", "FROM base\nCOPY --from=tools /x /x\n")
    files.write("base/Dockerfile", "FROM debian:12\nCOPY --from=busybox /bin/sh /sh\n")
    found = compose(
        files,
        """
        services:
          app:
            build:
              context: .
              additional_contexts: {base: "service:base", tools: "docker-image://alpine:3.20"}
          lists: {build: {context: ., additional_contexts: [base=service:db, tools=./base]}}
          base: {build: base}
          db: {image: "postgres:${V:-16}"}
          bad: {build: {context: ., additional_contexts: {base: "service:nobody"}}}
          nothing: {build: {context: ., additional_contexts: {base: "service:empty"}}}
          empty: {}
          circle: {build: {context: ., additional_contexts: {base: "service:circle2"}}}
          circle2: {build: {context: ., additional_contexts: {base: "service:circle"}}}
        """,
    )
    assert found == {
        "app": (of("debian:12"), (of("alpine:3.20"), of("busybox:latest"))),
        "lists": (of("postgres:16"), ()),
        "base": (of("debian:12"), (of("busybox:latest"),)),
        "bad": "there is no service 'nobody' in compose.yaml",
        "nothing": "the service 'empty' of a build context has neither build nor image",
        "circle": "builds stand on each other in a circle: circle -> circle2 -> circle",
        "circle2": "builds stand on each other in a circle: circle2 -> circle -> circle2",
    }


def test_many_services_on_one_another_are_each_read_once(files: Files) -> None:
    """Two contexts each, forty deep: read again and again it would never end."""
    services = ["s0: {build: {dockerfile_inline: 'FROM a'}}"]
    for number in range(1, 40):
        below = f"service:s{number - 1}"
        build = {"dockerfile_inline": "FROM x\nCOPY --from=y / /", "additional_contexts": {"x": below, "y": below}}
        services.append(f"s{number}: {json.dumps({'build': build})}")
    found = compose(files, "services:\n" + "".join(f"  {line}\n" for line in services))
    assert found["s39"] == (of("a:latest"), (of("a:latest"),))


def test_platforms_are_rows(files: Files) -> None:
    files.write("Dockerfile", "ARG TARGETARCH\nFROM a-$TARGETARCH\n")
    found = compose(
        files,
        """
        services:
          both: {build: {context: ., platforms: [linux/amd64, linux/arm64]}}
          one: {build: ., platform: linux/arm64}
          plain: {build: .}
        """,
        platform="linux/s390x",
    )
    assert found == {
        "both": (of("a-amd64:latest"), ()),
        "both@linux/arm64": (of("a-arm64:latest"), ()),
        "one@linux/arm64": (of("a-arm64:latest"), ()),
        "plain@linux/s390x": (of("a-s390x:latest"), ()),
    }


def test_what_is_fetched_is_not_known_here(files: Files) -> None:
    found = compose(
        files,
        """
        services:
          git: {build: "https://github.com/a/b.git#main:dir"}
          ssh: {build: {context: "git@github.com:a/b.git"}}
          file: {build: {context: ., dockerfile: "https://x/Dockerfile"}}
          inline: {build: {context: "https://github.com/a/b.git", dockerfile_inline: "FROM a"}}
        """,
    )
    why = "the Dockerfile is fetched when it is built; it is not in this tree"
    assert found == {
        "git": [("https://github.com/a/b.git#main:dir", why)],
        "ssh": [("git@github.com:a/b.git", why)],
        "file": [("https://x/Dockerfile", why)],
        "inline": (of("a:latest"), ()),
    }


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("{build: missing}", "there is no folder missing, which is its build context"),
        ("{build: {dockerfile: no}}", "there is no file no, which is its Dockerfile"),
        ("{build: ../x}", "leads out of"),
        ("{build: /etc}", "leads out of"),
        ("{build: {dockerfile: ../../x}}", "leads out of"),
        ("{build: '${X:?set X}'}", "build: the variable X is required and not set: set X"),
        ("{build: {args: {A: [1]}}}", "build.args.A: must be text"),
        ("{build: {args: 3}}", "build.args: must be a mapping or a list"),
        ("{build: [a]}", "build: must be text"),
        ("{build: {platforms: linux/amd64}}", "build.platforms: must be a list"),
        ("{build: {dockerfile: a, dockerfile_inline: b}}", "has both dockerfile and dockerfile_inline"),
        ("{build: {dockerfile_inline: 'FRM x'}}", "its inline Dockerfile: line 1:"),
        ("{build: {target: x, context: ok}}", 'ok/Dockerfile: line 1: target stage "x" could not be found'),
        ("{build: link}", "leads out of"),
        ("[a]", "a service must be a mapping"),
    ],
)
def test_what_is_wrong_with_a_service_is_its_row(files: Files, service: str, says: str) -> None:
    files.write("ok/Dockerfile", "FROM alpine\n")
    (files.root / "link").symlink_to("/etc")
    found = compose(files, f"services:\n  bad: {service}\n  good: {{build: ok}}\n")
    assert found.pop("good") == ALPINE
    assert says in found.pop("bad")
    assert not found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: 3", "compose.yaml: not a compose file: `services` must be a mapping"),
        ("- a", "not a compose file"),
        ("services: {a: [}", "line 1: not valid YAML"),
        (b"services: \xff", "not UTF-8 text (byte 10)"),
        ("#" * (4 * 1024 * 1024 + 1), "larger than 4096 KiB"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_row(files: Files, text: str | bytes, says: str) -> None:
    files.write("compose.yaml", text)
    found = files.all()
    assert list(found) == ["compose.yaml"]
    assert says in found["compose.yaml"]


def test_extensions_anchors_and_merge_keys(files: Files) -> None:
    files.write("Dockerfile", "ARG A\nARG B=0\nFROM a:$A-$B\n")
    found = compose(
        files,
        """
        x-build: &build {context: ., args: &args {A: 1}}
        services:
          plain: {build: *build}
          merged: {build: {<<: *build, args: {<<: *args, B: 2}}}
        """,
    )
    assert found == {"plain": (of("a:1-0"), ()), "merged": (of("a:1-2"), ())}


def test_an_override_is_laid_over_the_file_beside_it(files: Files) -> None:
    files.write("Dockerfile", "ARG V=0\nFROM a:$V AS one\nFROM b:$V\n")
    files.write("compose.yaml", "services: {s: {build: {context: ., args: [V=1]}}}")
    files.write("compose.override.yml", "services: {s: {build: {target: one}}, new: {build: .}}")
    files.write("compose.prod.yml", "services: {s: {build: {context: ., args: [V=prod]}}}")
    found = files.all()
    assert found == {
        "Dockerfile": (of("b:0"), ()),
        "compose.yaml#s": (of("a:1"), ()),
        "compose.yaml#new": (of("b:0"), ()),
        "compose.prod.yml#s": (of("b:prod"), ()),
    }


def test_includes_are_known_and_reported_once(files: Files) -> None:
    files.write("db/compose.yaml", "services: {db: {build: .}}")
    files.write("db/Dockerfile", "FROM postgres:16\n")
    files.write("more/parts.yml", "services: {part: {build: ../db}}\ninclude: [../compose.yaml, gone.yml]")
    files.write(
        "compose.yaml",
        """
        include: [db/compose.yaml, {path: [more/parts.yml]}, "https://x/y.yml"]
        services:
          app:
            build: {dockerfile_inline: "FROM base", additional_contexts: {base: "service:db"}}
        """,
    )
    found = files.scan("compose.yaml", "db")
    names = [(row.path.removeprefix(f"{files.root}/"), row.target) for row in found]
    assert names == [
        ("compose.yaml", None),
        ("compose.yaml", None),
        ("compose.yaml", "app"),
        ("compose.yaml", "part"),
        ("db/Dockerfile", None),
        ("db/compose.yaml", "db"),
    ]
    problems = sorted(str(files.outcome(row)) for row in found if row.error)
    assert problems == [
        "include: 'https://x/y.yml' is not a file of this tree",
        "include: more/gone.yml: cannot be read: No such file or directory",
    ]
    assert files.outcome(found[2]) == (of("postgres:16"), ())
