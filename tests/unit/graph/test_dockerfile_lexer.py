"""Our lexer beside BuildKit's own, the PyPI package `dockerfile`, on every Dockerfile in tests and examples."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.dockerfile import DockerfileError
from graph.dockerfile.arguments import quoted_words
from graph.dockerfile.heredoc import heredocs
from graph.dockerfile.idle import IDLE
from graph.dockerfile.lexer import Line, lex, read_idle

ROOT = Path(__file__).parents[3]
# What the package cannot tell: text behind a NUL (its strings are C's), ONBUILD of ONBUILD (it goes one level
# down), an instruction without a name, and heredocs with a blank before the name, which are younger than it.
BEYOND = re.compile(r"(?im)\0|onbuild\s+onbuild|^\s*[\\`]|<<-?[ \t]")
LOOKS_LIKE_ONE = re.compile(r"(?im)^\s*from\s+\S")


def in_cases() -> Iterator[str]:
    for path in (Path(__file__).parent / "cases").glob("dockerfile_*.json"):
        yield from (case["dockerfile"] for case in json.loads(path.read_text())["cases"])


def in_files() -> Iterator[str]:
    for folder in ("examples", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if "dockerfile" in path.name.lower() and path.suffix not in (".py", ".pyc", ".json") and path.is_file():
                yield path.read_text()


def in_tests() -> Iterator[str]:
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and LOOKS_LIKE_ONE.search(node.value):
                yield node.value


def lines(text: str) -> list[Line]:
    """All of them, those passed over at a glance too."""
    found, escape = lex(text)
    return [one for line in found for one in (read_idle(line, escape) if line.kind == IDLE else [line])]


def ours(text: str) -> list[tuple[Any, ...]]:
    return [
        (
            line.kind,
            line.args[0].lower() if line.kind == "onbuild" and line.args else None,
            line.is_json,
            line.flags,
            line.args[1:] if line.kind == "onbuild" else line.args,
            line.line,
            # The package does not tell those of the instruction behind an ONBUILD.
            [(heredoc.name, heredoc.content) for heredoc in line.heredocs if line.kind != "onbuild"],
        )
        for line in lines(text)
    ]


def theirs(dockerfile: Any, text: str) -> list[tuple[Any, ...]]:
    return [
        (
            command.cmd.lower(),
            command.sub_cmd.lower() if command.sub_cmd else None,
            command.json,
            command.flags,
            command.value,
            command.start_line,
            [(heredoc.name, heredoc.content) for heredoc in command.heredocs],
        )
        for command in dockerfile.parse_string(text)
    ]


@pytest.mark.parametrize(("source", "least"), [(in_cases, 900), (in_files, 10), (in_tests, 100)])
def test_every_dockerfile_is_read_as_buildkits_parser_reads_it(source: Any, least: int) -> None:
    dockerfile = pytest.importorskip("dockerfile", reason="BuildKit's parser bindings exist for x86-64 only")
    compared = 0
    for text in source():
        if BEYOND.search(text):
            continue
        try:
            expected = theirs(dockerfile, text)
        except dockerfile.GoParseError:
            with pytest.raises(DockerfileError):
                lines(text)
            continue
        assert ours(text) == expected, text
        compared += 1
    assert compared >= least


_PIECES = [
    *(
        "FROM a\n",
        "FROM ",
        "ARG ",
        "RUN ",
        "COPY ",
        "ENV ",
        "LABEL ",
        "ONBUILD ",
        "HEALTHCHECK ",
        "CMD ",
        "a b",
        "x=y",
    ),
    *("--from=x ", "--mount=from=b ", "=", "'", '"', '["a"]', "[", "]", ",", "-", "x", "$V", "${V:-x}", " ", "\t"),
    *("\n", "\n", "\r\n", "\\\n", "`\n", "# c\n", "# escape=`\n", "<<E", "<<-E", "E\n", "\tE\n", "<"),
    *("\u00a0", "\u00e9", "\ufeff"),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=16).map("".join))
def test_any_text_is_read_as_buildkits_parser_reads_it(text: str) -> None:
    dockerfile = pytest.importorskip("dockerfile", reason="BuildKit's parser bindings exist for x86-64 only")
    text = "FROM a\n" + text
    if BEYOND.search(text):
        return
    try:
        expected = theirs(dockerfile, text)
    except dockerfile.GoParseError:
        with pytest.raises(DockerfileError):
            lines(text)
        return
    assert ours(text) == expected


def test_what_is_passed_over_at_a_glance_is_read_when_asked_for() -> None:
    text = (
        "# escape=`\nFROM a\nRUN x `\n  # c\n\n  y\nenv A=b C=$D\n\nUSER me\nCOPY --link a b `\n  c\n"
        "RUN <<E\nE\nARG x\n"
    )
    found, escape = lex(text)
    assert [(line.kind, line.line) for line in found] == [("from", 2), (IDLE, 3), ("run", 12), (IDLE, 14)]
    assert [(line.kind, line.args, line.line) for line in read_idle(found[1], escape)] == [
        ("run", ("x   y",), 3),
        ("env", ("A", "b", "C", "$D"), 7),
        ("user", ("me",), 9),
        ("copy", ("a", "b", "c"), 10),
    ]


def test_quoted_words() -> None:
    assert quoted_words("a=\"b c\" d='e f' g\\ h ''", "\\") == ['a="b c"', "d='e f'", "g\\ h", "''"]
    assert quoted_words('a "b\\"c" x\\', "\\") == ["a", '"b\\"c"', "x"]
    assert quoted_words('"open\\', "\\") == ['"open']
    assert quoted_words("'open\\", "\\") == ["'open\\"]
    assert quoted_words("a \\", "\\") == ["a"]
    assert quoted_words("a\\ b `c", "`") == ["a\\", "b", "`c"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("RUN <<EOF", ["EOF"]),
        ("RUN <<-EOF 3<<'A B' <<\"C\"", ["EOF", "A B", "C"]),
        ("RUN cat << EOF", ["EOF"]),
        ("RUN cat <<- EOF", []),
        ("RUN cat <<\tEOF<<X", []),
        ("RUN cat <<<EOF", []),
        ("RUN cat x<<EOF", []),
        ("RUN echo '<<EOF'", []),
        ('RUN echo "<<EOF', []),
        ("RUN <<\\EOF <<E\\ F", ["EOF", "E F"]),
        ("RUN <<$E <<${F} <<${G:-h}", ["$E", "${F}"]),
        ("RUN <<E'O'F", ["EOF"]),
    ],
)
def test_heredocs(line: str, names: list[str]) -> None:
    assert [heredoc.name for heredoc in heredocs(line)] == names


@pytest.mark.parametrize(
    ("text", "array"),
    [
        ('["a", "b"]', ("a", "b")),
        ("[]", ()),
        ('["a"] x', None),
        ('["a"', None),
        ("[NaN]", None),
        ("[1e999]", None),
        ("[" * 20_000, None),
    ],
)
def test_json_forms(text: str, array: tuple[str, ...] | None) -> None:
    (line,) = lines(f"RUN {text}")
    assert (line.is_json, line.args) == (array is not None, (text,) if array is None else array)


def test_flags_are_read_byte_by_byte() -> None:
    (line,) = lines("# escape=`\nRUN --a='b c' --d=`e --\u00e0 -- --f g\n")
    # The second byte of the letter is a space of its own to BuildKit.
    assert line.flags == ("--a=b c", "--d=e", "--\u00c3")
    assert lines("COPY --a\\ b c d")[0].flags == ("--a b",)
    assert lines("COPY -- --a b")[0].args == ("--a", "b")


@pytest.mark.parametrize(
    ("text", "escape", "says"),
    [
        ("# escape=`\nFROM a", "`", ""),
        ("#Escape = `\nFROM a", "`", ""),
        ("  # escape=`\nFROM a", "`", ""),
        ("# syntax=x\n# check=skip=all\n# escape=`\nFROM a", "`", ""),
        ("# other=x\n# escape=`\nFROM a", "\\", ""),
        ("\n# escape=`\nFROM a", "\\", ""),
        ("#!shebang\n# escape=`\nFROM a", "\\", ""),
        ("# escape=`\n# escape=`\nFROM a", "", "only one escape parser directive"),
        ("# escape=x\nFROM a", "", "invalid escape token 'x'"),
    ],
)
def test_directives(text: str, escape: str, says: str) -> None:
    try:
        assert lex(text).escape == escape
    except DockerfileError as exc:
        assert says
        assert says in exc.reason
