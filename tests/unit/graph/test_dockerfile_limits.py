"""A megabyte of anything is resolved or refused in a couple of seconds, by DockerfileError and nothing else."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.dockerfile import DockerfileError, resolve
from graph.dockerfile.idle import IDLE
from graph.dockerfile.instructions import Stage, parse_trigger
from graph.dockerfile.lexer import lex, read_idle
from graph.dockerfile.look import Look

SIZE = 2**20
SECONDS = 20.0
"""What a loaded machine may take that measures coverage; each takes less than two where nothing else runs."""


def many(piece: str, size: int = SIZE) -> str:
    return piece * (size // len(piece))


def numbered(piece: Callable[[int], str], count: int) -> str:
    return "".join(map(piece, range(count)))


SHAPES = {
    "stages": many("FROM a\n"),
    "commands": "FROM a\n" + many("RUN x\n"),
    "comments": many("# c\n"),
    "directives": many("# escape=`\n"),
    "one continuation": "FROM a\nRUN " + many("x \\\n"),
    "empty continuations": "FROM a\nRUN x " + many("\\\n"),
    "blank continuations": "FROM a\nRUN x \\\n" + many("\n"),
    "one row": "FROM a\nRUN " + "x" * SIZE,
    "blanks": " " * SIZE,
    "NULs": "\0" * SIZE,
    "all bytes": many(bytes(range(256)).decode("latin-1")),
    "substitutions in each other": "FROM a\nENV a=" + many("${a:-\\\n"),
    "substitutions in names": "FROM " + many("${\\\n"),
    "dollars": "FROM " + many("$\\\n"),
    "single quotes": "FROM a\nENV a=" + many("'\\\n"),
    "double quotes": "FROM a\nRUN <<" + many('"" \\\n'),
    "escapes": "FROM a\nENV a=" + many("\\\\x\\\n"),
    "heredocs": "FROM a\n" + many("RUN <<E\nE\n"),
    "a heredoc": "FROM a\nRUN <<E\n" + many("x y z\n") + "E\n",
    "an open heredoc": "FROM a\nRUN <<E\n" + many("x y z\n"),
    "heredocs of one instruction": "FROM a\nCOPY " + many("<<E \\\n", SIZE // 2) + " /x\n" + many("E\n", SIZE // 2),
    "heredocs with variables": "FROM a\n" + many("COPY <<E /x\n$a ${b}\nE\n"),
    "angle brackets": "FROM a\nRUN " + many("<< \\\n"),
    "arguments": many("ARG a=$a\n") + "FROM a\n",
    "arguments that double": "ARG a=aaaaaaaa\n" + many("ARG a=$a$a\n") + "FROM a\n",
    "arguments that are large": "ARG b=" + "x\\\n" * 200_000 + "\n" + many("ARG a=$b\n", SIZE // 2) + "FROM a\n",
    "arguments that are large and go": "ARG b=" + "x" * 60_000 + "\n" + many("ARG a=${z+$b}\n") + "FROM a\n",
    "a large pattern": "ARG b=" + "a\\\n" * 150_000 + "\nARG c=${b//a*b/x}\nFROM a\n",
    "patterns": "ARG b=" + "a" * 3000 + "\n" + many("ARG c=${b//a*b/x}\n") + "FROM a\n",
    "patterns with many stars": "ARG b=" + "a" * 30_000 + "\n" + many("ARG c=${b%%*a*a*a*b}\n") + "FROM a\n",
    "a chain of stages": numbered(lambda n: f"FROM {f's{n - 1}' if n else 'a'} AS s{n}\n", 45_000),
    "a chain with variables": "FROM a AS s0\n"
    + numbered(lambda n: f"FROM s{n} AS s{n + 1}\nENV v{n}=${{x:-1}}\n", 22_000),
    "a chain of copies": "FROM a AS s0\n"
    + numbered(lambda n: f"FROM a AS s{n + 1}\nCOPY --from=s{n} / /\n", 25_000),
    "a circle of copies": numbered(lambda n: f"FROM a AS s{n}\nCOPY --from=s{(n + 1) % 25_000} / /\n", 25_000),
    "copies from all": numbered(lambda n: "FROM a\n" + numbered(lambda m: f"COPY --from={m} / /\n", n), 300),
    "images": "FROM a\n" + numbered(lambda n: f"COPY --from=i{n} a b\n", 45_000),
    "stages on one with variables": "FROM a AS x\n"
    + numbered(lambda n: f"ENV a{n}=${{x-1}}\n", 25_000)
    + numbered(lambda n: f"FROM x AS y{n}\n", 12_000)
    + "FROM b\n"
    + numbered(lambda n: f"COPY --from=y{n} a b\n", 12_000),
    "triggers": "FROM a AS x\n"
    + many("ONBUILD RUN x\n", SIZE // 3)
    + numbered(lambda n: f"FROM x AS y{n}\n", 10_000)
    + "FROM b\n"
    + numbered(lambda n: f"COPY --from=y{n} a b\n", 10_000),
    "mounts": "FROM a\nRUN " + many("--mount=from=b,target=/x \\\n"),
    "sizes of mounts": "FROM a\nRUN " + many("--mount=type=tmpfs,target=/x,size=" + "0" * 60_000 + "x \\\n") + " x",
    "a mount with quotes": "FROM a\nRUN --mount='\"" + '""' * 30_000 + "' x",
    "flags": "FROM a\nCOPY " + many("--exclude=x \\\n") + " a b",
    "JSON": "FROM a\nRUN [" + many('"a",\\\n') + '"b"]',
    "JSON in JSON": "FROM a\nRUN " + many("[\\\n"),
    "words": "FROM a\nENV " + many("a='b' \\\n"),
    "ports": "FROM a\n" + many("EXPOSE 1-65535\n"),
    "a reference": "FROM " + many("a-\\\n"),
    "a number": "FROM a\nCOPY --from=" + "1" * 60_000 + " a b",
    "a mode": "FROM a\nCOPY --chmod=" + "7" * 60_000 + " a b",
    "a duration": "FROM a\nHEALTHCHECK --interval=" + "1s" * 30_000 + " CMD x",
    "retries": "FROM a\nHEALTHCHECK --retries=" + "1" * 60_000 + " CMD x",
    "directories": "FROM scratch\n" + many("WORKDIR a\n") + "RUN --mount=target= x\n",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_megabyte_of_anything_ends_soon(shape: str) -> None:
    began = time.process_time()
    try:
        assert resolve(SHAPES[shape]).unresolved == ()
    except DockerfileError as exc:
        assert exc.line >= 1
        assert "\n" not in str(exc)
        assert len(str(exc)) < 2100
    assert time.process_time() - began < SECONDS


@settings(deadline=None)
@given(
    st.binary(max_size=4000), st.sampled_from([b"", b"FROM a\n", b"FROM a\nRUN ", b"# escape=`\nFROM ", b"ARG x="])
)
def test_any_bytes_are_resolved_or_refused(data: bytes, head: bytes) -> None:
    for text in ((head + data).decode(errors="surrogateescape"), (head + data).decode("latin-1")):
        try:
            found = resolve(text)
        except DockerfileError as exc:
            assert exc.reason
            continue
        assert set(found.build).isdisjoint(found.unneeded)


@settings(deadline=None, max_examples=12)
@given(
    st.binary(min_size=1, max_size=12),
    st.sampled_from([b"", b"FROM a\n", b"FROM a\nENV a=", b"FROM a\nCOPY <<E /x\n"]),
)
def test_any_bytes_over_and_over_end_soon(piece: bytes, head: bytes) -> None:
    text = (head + piece * (SIZE // len(piece))).decode(errors="surrogateescape")
    began = time.process_time()
    try:
        assert resolve(text).frontend is None
    except DockerfileError as exc:
        assert exc.reason
    assert time.process_time() - began < SECONDS


_PIECES = [
    *(
        "RUN ",
        "run x",
        "CMD ",
        "COPY ",
        "ADD ",
        "ENV ",
        "ARG ",
        "LABEL ",
        "WORKDIR ",
        "EXPOSE ",
        "USER ",
        "A=b",
        "=",
    ),
    *(
        "--link",
        "--chown=a:b",
        "--from=b",
        "--mount=from=b",
        "a",
        "$V",
        "${V}",
        "${V:-w}",
        "'",
        '"',
        '"x y"',
        '["a"]',
    ),
    *("/a", "//a", "80", "80/tcp", ":", ".", "-", "--", "\u00a0", " ", " ", "  ", "\t"),
    *("\n", "\n", "\r\n", "\\\n", "\\", "`", "# c\n", "<", "<<E"),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=14).map("".join), st.sampled_from(["", "# escape=`\n"]))
def test_what_is_passed_over_at_a_glance_is_sound_and_names_nothing(text: str, head: str) -> None:
    try:
        found, escape = lex(f"{head}FROM a\n{text}")
    except DockerfileError:
        return
    for line in found:
        for passed in read_idle(line, escape) if line.kind == IDLE else ():
            stage: Stage = parse_trigger(f"{head}{passed.original}", line=1, column=1)
            assert all(not (command.copies or command.mounts) for command in stage.commands)
            assert all(command.look is Look.NOT for command in stage.commands)
