"""BuildKit's shell lexer: every form, every refusal, and its laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.dockerfile.expansion import MAX_LENGTH, ExpansionError, expand

VALUES = {"A": "alpha", "E": "", "P": "a/b/c", "V": "3.20.1", "S": "one two", "a_1": "x"}


@pytest.mark.parametrize(
    ("word", "result"),
    [
        ("plain", "plain"),
        ("$A", "alpha"),
        ("${A}", "alpha"),
        ("x$A-y", "xalpha-y"),
        ("$a_1", "x"),
        ("$", "$"),
        ("a$", "a$"),
        ("$.", "$."),
        ("$1x", "x"),
        ("$10x", "x"),
        ("$@", ""),
        ("$missing", ""),
        ("${missing}", ""),
        ("\\$A", "$A"),
        ("\\\\", "\\"),
        ("a\\", "a"),
        ("'$A'", "$A"),
        ('"$A"', "alpha"),
        ('"${A}b"', "alphab"),
        ('"\\$A"', "$A"),
        ('"\\""', '"'),
        ('"a\\b"', "a\\b"),
        ('"it\'s"', "it's"),
        ("${A:-d}", "alpha"),
        ("${E:-d}", "d"),
        ("${E-d}", ""),
        ("${U-d}", "d"),
        ("${U:-d}", "d"),
        ("${U:-$A}", "alpha"),
        ("${U:-${E:-${A}}}", "alpha"),
        ("${U:-a\\}b}", "a}b"),
        ("${A:+d}", "d"),
        ("${E:+d}", ""),
        ("${E+d}", "d"),
        ("${U+d}", ""),
        ("${A:?no}", "alpha"),
        ("${E?no}", ""),
        ("${P#*/}", "b/c"),
        ("${P:#*/}", "b/c"),
        ("${P:%%/*}", "a"),
        ("${P##*/}", "c"),
        ("${P%/*}", "a/b"),
        ("${P%%/*}", "a"),
        ("${P#x}", "a/b/c"),
        ("${P#?/}", "b/c"),
        ("${V%.?}", "3.20"),
        ("${V%%.*}", "3"),
        ("${A#\\*}", "alpha"),
        ("${P/b/x}", "a/x/c"),
        ("${P/\\//-}", "a-b/c"),
        ("${P//\\//-}", "a-b-c"),
        ("${P//?/x}", "xxxxx"),
        ("${P/z/x}", "a/b/c"),
        ("${A//a/}", "lph"),
        ("${A/*/x}", "x"),
        ("${E/x/y}", ""),
        ("${U/x/y}", ""),
        ("${U%x}", ""),
    ],
)
def test_forms(word: str, result: str) -> None:
    assert expand(word, VALUES) == result


def test_another_escape_character() -> None:
    assert expand("`$A\\", VALUES, escape="`") == "$A\\"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("${", "missing '}'"),
        ("${A", "unsupported modifier"),
        ("${}", "bad substitution"),
        ("${{A}}", "bad substitution"),
        ("${:A}", "bad substitution"),
        ("${A=x}", r"unsupported modifier \(=\)"),
        ("${A:=x}", r"unsupported modifier \(:=\)"),
        ("${A:-x", "missing '}'"),
        ("${A/x", "missing '/' in"),
        ("${A/x/y", "missing '}'"),
        ("'open", "single-quote"),
        ('"open', "double-quote"),
        ("${U?}", "U: is not allowed to be unset"),
        ("${U?why}", "U: why"),
        ("${E:?}", "E: is not allowed to be empty"),
        ("${E:?why}", "E: why"),
        ("${A#\\x}", "invalid escape"),
        ("${U:-" * 100 + "}" * 100, "nested too deeply"),
        ("${U:-'x}", "missing '}'"),
    ],
)
def test_refusals(word: str, says: str) -> None:
    with pytest.raises(ExpansionError, match=says):
        expand(word, VALUES)


def test_what_would_not_end_is_refused() -> None:
    with pytest.raises(ExpansionError, match="longer than"):
        expand("$B" * 4, {"B": "x" * (MAX_LENGTH // 2)})
    with pytest.raises(ExpansionError, match="too large"):
        expand("${B#" + "*a" * 5000 + "}", {"B": "a" * 100_000})
    with pytest.raises(ExpansionError, match="too large"):
        expand("${B//a?/x}", {"B": "a" * 100_000})


@given(st.text(st.characters(exclude_characters="$'\"\\")))
def test_text_without_magic_is_itself(text: str) -> None:
    assert expand(text, VALUES) == text


@given(st.text(st.characters(exclude_characters="'")), st.text(st.characters(exclude_characters="\\\"$'")))
def test_quotes_protect(single: str, double: str) -> None:
    assert expand(f"'{single}'", VALUES) == single
    assert expand(f'"{double}"', VALUES) == double


@given(st.text(max_size=60), st.text("abc*?", max_size=8))
def test_trimming_takes_a_part_off_and_more_when_greedy(value: str, pattern: str) -> None:
    values = {"X": value}
    for one, two, kept in (("#", "##", value.endswith), ("%", "%%", value.startswith)):
        short, long = (expand(f"${{X{operator}{pattern}}}", values) for operator in (one, two))
        assert kept(short)
        assert kept(long)
        assert len(long) <= len(short)


@given(st.text("$${}:-+?#%/\\'\"aAEPV*` \n", max_size=40))
def test_any_word_is_expanded_or_refused(word: str) -> None:
    try:
        expand(word, VALUES)
    except ExpansionError as exc:
        assert str(exc)
