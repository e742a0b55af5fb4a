"""Variables of compose files, form by form, and `.env` files."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import InputError
from groundswell.lineage.sources.interpolation import interpolate, parse_env

VALUES = {"V": "v", "E": "", "_x1": "u"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$V", "v"),
        ("${V}", "v"),
        ("a${V}b$_x1.c", "avbu.c"),
        ("$V-1", "v-1"),
        ("${U}", ""),
        ("$$V $${V}", "$V ${V}"),
        ("${V:-d}${E:-d}${U:-d}", "vdd"),
        ("${V-d}${E-d}${U-d}", "vd"),
        ("${V:+d}|${E:+d}|${U:+d}", "d||"),
        ("${V+d}|${E+d}|${U+d}", "d|d|"),
        ("${V:?no}${V?no}${E?no}", "vv"),
        ("${U:-${W:-${V}x}}y", "vxy"),
        ("${U:-}", ""),
        ("${U:-a:-b}", "a:-b"),
        ("${U:-{a}}", "{a}"),
        ("${U-http://x/?a=b}", "http://x/?a=b"),
        ("${U:-$$}", "$"),
    ],
)
def test_forms(text: str, value: str) -> None:
    assert interpolate(text, VALUES) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${U:?give U}", "the variable U is required and not set: give U"),
        ("${E:?}", "the variable E is required and not set"),
        ("${U?${V} it}", "not set: v it"),
        ("${", "no closing brace"),
        ("${V", "no closing brace"),
        ("${}", "names no variable"),
        ("${1}", "names no variable"),
        ("${V!x}", "no form of a variable"),
        ("${V:x}", "no form of a variable"),
        ("a $ b", "write $$ for a dollar sign"),
        ("$", "write $$ for a dollar sign"),
        ("${U:-" * 30 + "}" * 30, "nested more than 20 deep"),
    ],
)
def test_what_compose_refuses(text: str, says: str) -> None:
    with pytest.raises(InputError, match=r".+") as caught:
        interpolate(text, VALUES)
    assert says in str(caught.value)


def test_what_grows_too_long_is_refused() -> None:
    with pytest.raises(InputError, match="longer than 1024 KiB"):
        interpolate("$X" * 2000, {"X": "x" * 1000})


@given(st.text())
def test_a_text_whose_dollars_are_doubled_is_itself(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), VALUES) == text


@given(st.text(alphabet="$V{}:-?+ a", max_size=40))
def test_any_text_is_replaced_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        interpolate(text, VALUES)


def test_env_files() -> None:
    text = """\
# a comment
A=1
export B = two words  # a comment
C='$A "x"'
D="line\\nnext ${A:-none} \\"q\\""
E: yaml
F=
G
H="several
lines"
I=${A}${C}
A=2
J=a#b
K=$notset$
SET=here
"""
    values = parse_env(text, {"SET": "outside", "G": "g"})
    assert values == {
        "A": "2",
        "B": "two words",
        "C": '$A "x"',
        "D": 'line\nnext 1 "q"',
        "E": "yaml",
        "F": "",
        "G": "g",
        "H": "several\nlines",
        "I": '1$A "x"',
        "J": "a#b",
        "K": "$notset$",
        "SET": "outside",
    }


@pytest.mark.parametrize(("text", "says"), [("A=1\n\n=x", "line 3"), ('A=1\nB="x\ny', "line 2: a quoted value")])
def test_env_files_that_cannot_be_read_name_the_line(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_env(text, {})


@given(st.text(max_size=100))
def test_any_env_file_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_env(text, {})
