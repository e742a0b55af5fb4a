"""Dockerfiles beyond BuildKit's own verdicts in `cases/`: refusals by line, contexts, triggers, base variables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.dockerfile import DockerfileError, resolve
from graph.dockerfile.platform import PlatformError, parse

A, B = "docker.io/library/a:latest", "docker.io/library/b:latest"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "cannot be empty"),
        ("\n\n# c\n", 3, "no instructions"),
        ("FROM a\nFOO x\n", 2, "unknown instruction: FOO"),
        ("FROM\n", 1, "either one or three"),
        ("FROM a as\n", 1, "either one or three"),
        ("FROM a is b\n", 1, "either one or three"),
        ("FROM --bad=1 a\n", 1, "unknown flag: --bad"),
        ("FROM --platform a\n", 1, "missing a value on flag: --platform"),
        ("FROM --platform=a --platform=b a\n", 1, "duplicate flag specified: --platform"),
        ("FROM a\nCOPY x\n", 2, "at least two arguments"),
        ("FROM a\nCOPY\n", 2, "at least two arguments"),
        ("FROM a\nADD --from=b x y\n", 2, "unknown flag: --from"),
        ("FROM a\nCOPY --link=x a b\n", 2, "expecting boolean value"),
        ("FROM a\nCOPY --from=1 x y\n", 2, "invalid stage index 1"),
        ("FROM a\nCOPY --from=99999999999 x y\n", 2, "invalid stage index"),
        ("FROM a\nCOPY --from=$x a b\n", 2, "variable expansion is not supported for --from"),
        ("FROM a\nCOPY --from=+-1 a b\n", 2, "failed to parse stage name"),
        ("FROM a\nCOPY --from=-1 a b\n", 2, "invalid stage index -1"),
        ("FROM a\nCOPY a <<E\nE\n", 2, "cannot accept a heredoc as a destination"),
        ("FROM a\nENV a=b c\n", 2, 'can\'t find = in "c"'),
        ("FROM a\nENV a=b =c\n", 2, "names can not be blank"),
        ("# escape=`\nFROM a\nENV \\\n", 3, "ENV must have two arguments"),
        ('FROM a\nRUN ["a", 1]\n', 2, "comprised of strings only"),
        ('FROM a\nCOPY ["a", null]\n', 2, "comprised of strings only"),
        ("FROM a\nSHELL []\n", 2, "SHELL requires at least one argument"),
        ("FROM a\nHEALTHCHECK\n", 2, "at least one argument"),
        ("FROM a\nHEALTHCHECK NONE x\n", 2, "takes no arguments"),
        ("FROM a\nHEALTHCHECK CMD\n", 2, "Missing command"),
        ("FROM a\nHEALTHCHECK TCP x\n", 2, 'Unknown type "TCP"'),
        ("FROM a\n\\\n", 2, "unknown instruction"),
        ("# check=error=x\nFROM a\n", 1, "failed to parse check options"),
        ("# syntax=x\n# check=skip\nFROM a\n", 2, 'invalid check option "skip"'),
        ("# check=odd=1\nFROM a\n", 1, 'invalid check option "odd"'),
        ("FROM a\nONBUILD RUN [1]\n", 2, "comprised of strings only"),
        ("FROM a\nONBUILD ENV x\n", 2, "ENV must have two arguments"),
        ("FROM a\nONBUILD --x RUN y\n", 2, "unknown flag: --x"),
        ('FROM a\nVOLUME [" "]\n', 2, "VOLUME specified can not be an empty string"),
        ("FROM a\nRUN --network=x y\n", 2, 'invalid network mode "x"'),
        ("FROM a\nRUN --security=x y\n", 2, 'security "x" is not valid'),
        ("FROM a\nRUN []\n", 2, "arguments are required"),
        ("FROM a\nCOPY --link= a b\n", 2, "missing a value on flag: --link"),
        ("FROM a AS x.\n", 1, "invalid context name x."),
        ("FROM a\nCOPY --from='\"a\"' b c\n", 2, "variable expansion is not supported for --from"),
        ("FROM a\nCOPY --from=${ b c\n", 2, "missing '}'"),
        ("FROM --platform=${ a\n", 1, "failed to process arguments for platform"),
        ("FROM ${\n", 1, "missing '}'"),
        ("FROM a\nENV A='x\n", 2, "single-quote"),
        ("FROM a\nLABEL A=${x=}\n", 2, "unsupported modifier"),
        ("FROM a\nUSER ${\n", 2, "missing '}'"),
        ('FROM a\nARG A="x\n', 2, "double-quote"),
        ('FROM a\nCOPY "a b" c\n', 2, "double-quote"),
        ("FROM a\nCOPY <<E /x\n${a=b}\nE\n", 2, "unsupported modifier"),
        ("FROM a\nEXPOSE 80/x\n", 2, "invalid proto: x"),
        ("FROM a\nEXPOSE $\n", 2, "invalid containerPort: $"),
        ("FROM a\nENV P=x\nEXPOSE $P\n", 3, "invalid containerPort: x"),
        ("FROM a\nEXPOSE /tcp\n", 2, "no port specified"),
        ("FROM a\nEXPOSE 9-8\n", 2, "invalid containerPort: 9-8"),
        ("FROM a\nEXPOSE x:80\n", 2, "invalid hostPort: x"),
        ("FROM a\nEXPOSE q:1:80\n", 2, "invalid IP address: q"),
        ("FROM a\nEXPOSE 1-2:80-85\n", 2, "invalid ranges specified"),
        ("FROM a\nSTOPSIGNAL FOO\n", 2, "invalid signal: FOO"),
        ("FROM a\nSTOPSIGNAL 0\n", 2, "invalid signal: 0"),
        ("FROM scratch\nVOLUME $V\n", 2, "VOLUME specified can not be an empty string"),
        ("FROM scratch\nENV A=${B?no}\n", 2, "B: no"),
        ("FROM a\nCOPY --chmod=99 a b\n", 2, "invalid chmod parameter: '99'"),
        ("FROM a\nCOPY https://x/y b\n", 2, "source can't be a URL for COPY"),
        ("FROM a\nCOPY git@x.y:z b\n", 2, "source can't be a git ref for COPY"),
        ("FROM a\nADD --checksum=sha256:x a b c\n", 2, "checksum can't be specified for multiple sources"),
        ("FROM a\nADD --checksum=sha256:x a b\n", 2, "checksum requires HTTP(S) or Git sources"),
        ("FROM a\nADD --checksum=x https://a/b c\n", 2, "invalid checksum digest format"),
        ("FROM a\nRUN --mount= x\n", 2, "failed to parse csv mounts: EOF"),
        ("FROM a\nRUN --mount=target=/ x\n", 2, 'invalid mount target "/"'),
        ("FROM scratch\nRUN --mount=from=a x\n", 2, 'invalid mount target "/"'),
        ("FROM a\nRUN --mount=size=1,target=/x y\n", 2, "unexpected key 'size' for mount type 'bind'"),
        ("FROM a\nRUN --mount=type=tmpfs,size=1q,target=/x y\n", 2, "invalid value for size: 1q"),
        ("FROM a\nRUN --mount=required,target=/x y\n", 2, "unexpected key 'required'"),
        ("FROM a\nRUN --mount=ro=maybe,target=/x y\n", 2, "invalid value for ro: maybe"),
        ("FROM a\nRUN --mount=type=cache,target=/x,mode=9 y\n", 2, "invalid value 9 for mode"),
        ("FROM a\nRUN --mount=target=/x,uid=1 y\n", 2, 'uid not allowed for "bind" type mounts'),
        ("FROM a\nRUN --mount=type=cache,target=/x,sharing=odd y\n", 2, 'unsupported sharing value "odd"'),
        ("FROM a\nRUN --mount=target=/x,sharing=shared y\n", 2, "invalid cache sharing set for bind mount"),
        ("FROM a\nRUN --mount=type=secret y\n", 2, "one of source, target required"),
        ("FROM a\nRUN --mount=type=secret,id=a,from=b y\n", 2, "secret mount should not have a from"),
        ("FROM a\nRUN --mount=type=secret,id=a,sharing=shared y\n", 2, "should not define sharing"),
        ("FROM a\nRUN --mount=type=secret,id=a,source=b y\n", 2, "both source and id can't be set"),
        ("FROM a\nRUN --mount=type=ssh,source=a y\n", 2, "ssh does not support source"),
        ("FROM a\nHEALTHCHECK --interval=1 CMD x\n", 2, "missing unit in duration"),
        ("FROM a\nHEALTHCHECK --interval=1y CMD x\n", 2, 'unknown unit "y" in duration'),
        ("FROM a\nHEALTHCHECK --interval=x CMD x\n", 2, 'time: invalid duration "x"'),
        ("FROM a\nHEALTHCHECK --interval=+ CMD x\n", 2, 'time: invalid duration "+"'),
        ("FROM a\nHEALTHCHECK --interval=9999999h CMD x\n", 2, "invalid duration"),
        ("FROM a\nHEALTHCHECK --interval=1us CMD x\n", 2, "cannot be less than 1ms"),
        ("FROM a\nHEALTHCHECK --timeout=-1s CMD x\n", 2, 'Interval "timeout" cannot be less than 1ms'),
        ("FROM a\nHEALTHCHECK --retries=x CMD x\n", 2, 'parsing "x": invalid syntax'),
        ("FROM a\nHEALTHCHECK --retries=9999999999 CMD x\n", 2, "value out of range"),
        ("FROM a\nHEALTHCHECK --retries=-1 CMD x\n", 2, "--retries cannot be negative (-1)"),
        ("\n" * 3 + "RUN " + "x" * 65536, 3, "no instructions"),
        ("FROM a\nRUN " + "x" * 65535 + "\n", 2, "greater than max allowed size"),
        ("ARG a\n", 1, "no stages to build"),
        ("FROM a\nWORKDIR\n", 2, "exactly one argument"),
        ("FROM a\nEXPOSE\n", 2, "at least one argument"),
        ("FROM a\nENV\n", 2, "at least one argument"),
        ("FROM a\nENV x\n", 2, "must have two arguments"),
        ("FROM a\nLABEL =x\n", 2, "names can not be blank"),
        ("FROM a\nARG\n", 2, "ARG requires at least one argument"),
        ("FROM a\nARG =x\n", 2, "ARG names can not be blank"),
        ("FROM a\nSHELL sh\n", 2, "JSON form"),
        ("FROM a\nONBUILD\n", 2, "at least one argument"),
        ("FROM a\nONBUILD ONBUILD RUN x\n", 2, "Chaining ONBUILD"),
        ("FROM a\nONBUILD FROM b\n", 2, "isn't allowed as an ONBUILD trigger"),
        ("FROM a\nRUN --mount=type=odd x\n", 2, "unsupported mount type"),
        ("FROM a\nRUN --mount=odd=1 x\n", 2, "unexpected key 'odd'"),
        ("FROM a\nRUN --mount=odd x\n", 2, "must be a key=value pair"),
        ("FROM a\nRUN --mount='a\"b' x\n", 2, 'bare "'),
        ("FROM a\nRUN --mount='\"a\"b' x\n", 2, 'missing "'),
        ("ARG V=${\nFROM a\n", 1, "missing '}'"),
        ("FROM a\nFROM --platform=$X b\n", 2, "empty platform value"),
        ("# escape=x\nFROM a\n", 1, "invalid escape token"),
        ("# syntax=A B\nFROM a\n", 1, "syntax image"),
        ("FROM a AS s\n\n\nFROM b\nRUN <<X\nhi\n", 5, "unterminated heredoc"),
        ("RUN x\n", 1, "no build stage"),
        ("COPY x\n", 1, "at least two"),
    ],
)
def test_refusals_name_their_line(text: str, line: int, says: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        resolve(text)
    assert says in caught.value.reason
    assert caught.value.line == line
    assert str(caught.value) == f"line {line}: {caught.value.reason}"


def test_mounts_may_be_quoted_as_csv() -> None:
    assert resolve('FROM a\nRUN --mount=\'"from=b","target=/x,""""y"\' z\n').build == (B,)


def test_a_mount_that_is_not_needed_is_not_looked_at() -> None:
    assert resolve("FROM a AS x\nRUN --mount=type=odd y\nFROM b\n").runtime == B


def test_columns_are_those_of_the_instruction() -> None:
    with pytest.raises(DockerfileError) as caught:
        resolve("FROM a\n   FOO x\n")
    assert caught.value.column == 4


def test_the_frontend_is_told_apart() -> None:
    found = resolve("# syntax=docker/dockerfile:1\nFROM a\n")
    assert (found.frontend, found.runtime, found.build) == ("docker.io/docker/dockerfile:1", A, ())
    assert (
        resolve("#!/usr/bin/env x\n#Syntax = my/frontend  --opt\nFROM a\n").frontend
        == "docker.io/my/frontend:latest"
    )
    assert resolve("# comment\n# syntax=x\nFROM a\n").frontend is None


def test_contexts_replace_stages_and_images_by_familiar_name() -> None:
    text = "FROM a:1 AS base\nRUN --mount=from=nope x\nFROM base\nCOPY --from=docker.io/library/b / /\n"
    found = resolve(text, contexts={"base": "docker-image://c:2", "b:latest": "./local"})
    assert (found.runtime, found.build) == ("docker.io/library/c:2", ())
    # What the stage would have stood on is named nowhere else.
    assert found.unneeded == ()
    assert resolve("FROM a", contexts={"A!": "x", "a": "./dir"}).runtime is None


def test_a_context_that_names_no_image_is_unresolved() -> None:
    (unresolved,) = resolve("FROM a", contexts={"a": "target:other"}).unresolved
    assert unresolved.raw == "target:other"
    with pytest.raises(DockerfileError, match="failed to parse stage name"):
        resolve("FROM a", contexts={"a": "docker-image://B"})


def test_triggers_run_once_in_the_stage_below() -> None:
    text = "FROM a AS x\nONBUILD COPY --from=b / /\nFROM x AS y\nFROM y\n"
    assert resolve(text).build == (B,)
    assert resolve(text, target="x").build == ()
    base = {A: ["RUN --mount=type=bind,from=b,target=/x true", "ONBUILD COPY --from=c / /"]}
    assert resolve("FROM a AS s\nFROM s\n", onbuild=base).build == (B, "docker.io/library/c:latest")
    with pytest.raises(DockerfileError, match="unknown instruction"):
        resolve("FROM a", onbuild={A: ["NOPE x"]})
    with pytest.raises(DockerfileError, match="single expression"):
        resolve("FROM a", onbuild={A: ["RUN a\nRUN b"]})
    with pytest.raises(DockerfileError, match="not a command type"):
        resolve("FROM a", onbuild={A: ["FROM b"]})
    with pytest.raises(DockerfileError, match="either one or three") as caught:
        resolve("\n\nFROM a", onbuild={A: ["RUN x", "FROM"]})
    assert caught.value.line == 3


def test_triggers_keep_their_heredocs() -> None:
    text = "FROM a AS x\nONBUILD COPY <<E /y\nFROM evil\nE\nFROM x\n"
    assert resolve(text).runtime == A
    assert resolve("FROM a\n", onbuild={A: ["RUN <<E\nFROM evil\nE"]}).runtime == A
    with pytest.raises(DockerfileError, match="unterminated heredoc"):
        resolve("FROM a\n", onbuild={A: ["RUN <<E"]})


def test_triggers_run_neither_for_a_copy_nor_for_a_replaced_stage() -> None:
    onbuild = {B: ["COPY --from=evil / /"]}
    assert resolve("FROM a\nCOPY --from=b / /\n", onbuild=onbuild).build == (B,)
    found = resolve("FROM x AS s\nFROM s\n", contexts={"s": "docker-image://b"}, onbuild=onbuild)
    assert (found.runtime, found.build) == (B, ())


def test_a_replaced_stage_needs_nothing_of_what_it_says() -> None:
    text = "FROM a AS s\nCOPY --from=b / /\nFROM s\n"
    found = resolve(text, contexts={"s": "docker-image://c"})
    assert (found.runtime, found.build, found.unneeded) == ("docker.io/library/c:latest", (), ())


def test_what_a_base_image_may_set_is_not_refused() -> None:
    text = (
        "FROM a\nENV P=${JAVA_HOME:?no}/bin\nEXPOSE $PORT\nVOLUME $DATA\nSTOPSIGNAL $SIGNAL\n"
        "COPY --chmod=$MODE $SRC /x\nWORKDIR $HOME\nRUN --mount=from=b,target=$T x\nRUN --mount=from=b x\n"
        "ADD --checksum=$SUM https://a/b c\nARG Q=$HOME\nEXPOSE $Q\nENV Z=\nARG Z=$HOME\nEXPOSE $Z\n"
    )
    assert resolve(text).build == (B,)
    with pytest.raises(DockerfileError, match="JAVA_HOME: no"):
        resolve(text.replace("FROM a", "FROM scratch"))


def test_variables_come_from_instructions_arguments_and_the_build() -> None:
    text = (
        "ARG G=80\nFROM scratch AS x\nARG G\nARG H=81\nENV I=82/tcp\nWORKDIR y\n"
        "FROM x\nEXPOSE $G $H ${I} ${J:-83}\nRUN --mount=from=b,target=. z\n"
    )
    assert resolve(text).build == (B,)
    with pytest.raises(DockerfileError, match="invalid containerPort: x"):
        resolve(text, build_args={"H": "x"})
    with pytest.raises(DockerfileError, match="PATH: unset"):
        resolve("FROM scratch\nLABEL a=${PATH:+x}${PATH?unset}\n", platform="windows/amd64")
    assert resolve("FROM scratch\nLABEL a=${PATH?unset}\n").runtime is None


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("COPY a D:\\x", "not on the system drive"),
        ("COPY D:\\x a", "not on the system drive"),
        ("COPY a C:", 'No relative path specified in "C:"'),
        ("COPY a //x/y", "UNC paths"),
        ("WORKDIR D:/x", "normalizing workdir"),
        ("COPY a C:/x", ""),
        ("ADD https://x:1/y a", ""),
    ],
)
def test_paths_on_windows_name_the_system_drive(line: str, says: str) -> None:
    for text in (f"# escape=`\nFROM a\n{line}\n", f"# escape=`\nFROM --platform=windows a\n{line}\n"):
        platform = "linux/amd64" if "--platform" in text else "windows/amd64"
        try:
            assert resolve(text, platform=platform).runtime == A
            assert not says
        except DockerfileError as exc:
            assert says
            assert says in exc.reason
    assert resolve(f"# escape=`\nFROM a\n{line}\n").runtime == A


@pytest.mark.parametrize("take", ["COPY --from=y / /", "RUN --mount=from=y,target=/z true"])
def test_what_is_needed_must_not_take_from_a_later_stage(take: str) -> None:
    with pytest.raises(DockerfileError, match="needs to be defined before current") as caught:
        resolve(f"FROM a AS x\n{take}\nFROM b AS y\nFROM x\n")
    assert caught.value.line == 2
    assert resolve(f"FROM a AS x\n{take}\nFROM b AS y\nFROM c\n").build == ()
    assert resolve(f"FROM b AS y\nFROM a AS x\n{take}\n").build == (B,)


def test_numbers_count_the_images_of_earlier_instructions_too() -> None:
    assert resolve("FROM a\nCOPY --from=b / /\nCOPY --from=1 /x /y\n").build == (B,)
    assert resolve("FROM a\nRUN --mount=type=cache,target=/z t\nCOPY --from=1 /x /y\n").build == ()
    with pytest.raises(DockerfileError, match='cannot mount from stage "scratch" to "/z"'):
        resolve("FROM a AS t\nRUN --mount=type=cache,target=/z t\nFROM b AS scratch\nFROM t\n")
    number = "9" * 20
    assert resolve(f"FROM a\nCOPY --from={number} / /\n").build == (f"docker.io/library/{number}:latest",)


def test_scratch_and_context_are_no_names_of_contexts() -> None:
    assert resolve("FROM b AS scratch\n", contexts={"scratch": "docker-image://c"}).runtime == B
    assert resolve("FROM a\n", contexts={"a": "docker-image://scratch"}).runtime is None


def test_any_white_space_may_come_before_a_comment() -> None:
    assert resolve("FROM a\n\u00a0# c\nRUN x \\\n\u2003# c\n y\n").runtime == A


def test_a_stage_may_not_take_in_a_circle() -> None:
    with pytest.raises(DockerfileError, match="circular dependency"):
        resolve("FROM a AS x\nCOPY --from=y / /\nFROM b AS y\nCOPY --from=x / /\n")


def test_heredocs_of_every_form_are_passed_over() -> None:
    text = (
        "FROM a\nRUN 3<<-EOF cat\n\tFROM evil\n\tEOF\nRUN <<'A B' <<\"C\"\nFROM evil\nA B\nFROM evil\nC\n"
        'RUN ["x", "<<EOF"]\nRUN echo "<<EOF\nRUN <<\\EOF\nFROM evil\nEOF\nONBUILD RUN <<EOF\nFROM evil\nEOF\n'
        "RUN echo << EOF\nFROM evil\nEOF\nCOPY --from=b / /\n"
    )
    found = resolve(text)
    assert (found.runtime, found.build, found.unneeded) == (A, (B,), ())


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm", "linux/arm"),
        ("armhf", "linux/arm"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("windows", "windows/amd64"),
        ("macos/arm64", "darwin/arm64"),
        ("windows(10.0.17763)/amd64", "windows/amd64"),
        ("i386", "linux/386"),
        ("linux/arm64/v9.0", "linux/arm64/v9"),
        ("linux/riscv64", "linux/riscv64"),
    ],
)
def test_platforms(text: str, platform: str) -> None:
    assert str(parse(text)) == platform


@pytest.mark.parametrize(
    ("platform", "variable", "value"),
    [
        ("linux/arm", "TARGETPLATFORM", "linux/arm/v7"),
        ("linux/arm64/v8", "TARGETPLATFORM", "linux/arm64"),
        ("linux/arm/v6", "TARGETVARIANT", "v6"),
        ("windows(10.0.1+b+a)/amd64", "TARGETPLATFORM", "windows(10.0.1+a+b)/amd64"),
        ("windows(10.0%2B1)/amd64", "TARGETOSVERSION", "10.0+1"),
        ("linux/amd64", "BUILDPLATFORM", "linux/arm/v7"),
    ],
)
def test_platforms_as_arguments(platform: str, variable: str, value: str) -> None:
    with pytest.raises(DockerfileError, match="failed to parse stage name") as caught:
        resolve(f"FROM A:${variable}\n", platform=platform, build_platform="linux/arm")
    assert f'"A:{value}"' in caught.value.reason


@pytest.mark.parametrize("text", ["", "weird", "a/b/c/d", "linux/!", "li nux", "*", "linux(%zz)", "linux(+%z)"])
def test_no_platforms(text: str) -> None:
    with pytest.raises(PlatformError):
        parse(text)
    with pytest.raises(DockerfileError, match="failed to parse platform"):
        resolve("FROM a", platform=text)


_PIECES = st.sampled_from(
    "FROM |from a| AS x|\n|\r\n|COPY --from=|x|0| / /|RUN <<EOF|EOF|\t|--mount=from=b |ARG |V=|${V:-a}|$V|\\\n|"
    "# c\n|# escape=`\n|`|'|\"|ONBUILD |\ufeff|[|]".split("|")
)


@given(st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=200))
def test_any_text_is_resolved_or_refused(text: str) -> None:
    try:
        found = resolve(text)
    except DockerfileError as exc:
        assert exc.line >= 1
        return
    assert set(found.build).isdisjoint(found.unneeded)
