"""BuildKit's shell lexer: every form, every refusal, and its laws."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.dockerfile.expansion import MAX_LENGTH, ExpansionError, Shell, heredoc_words, shell_words


def expand(word: str, values: dict[str, str], *, escape: str = "\\") -> str:
    return Shell(escape).expand(word, values)


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
        ("${P:#*/}", r"unsupported modifier \(:#\)"),
        ("${P:%%/*}", r"unsupported modifier \(:%\)"),
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
    with pytest.raises(ExpansionError, match="variables are put in for more than"):
        expand("${B//a*b/x}", {"B": "a" * 100_000})
    # What is put in and then goes counts too, and over all words.
    shell, large = Shell(), {"B": "x" * MAX_LENGTH}
    for _ in range(32):
        assert shell.expand("${A+$B}", large) == ""
        assert shell.expand("$B", large) == large["B"]
    with pytest.raises(ExpansionError, match="variables are put in for more than"):
        shell.expand("$B", large)
    # Stars that Python's regular expressions would try in every way.
    assert expand("${B#" + "*a" * 500 + "b}", {"B": "a" * 2000}) == "a" * 2000


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


def test_names_that_may_have_a_value_are_told() -> None:
    unknown: set[str] = set()
    assert Shell().expand("$A${B:?no}${C:-x}${E:+y}", VALUES, unknown) == "alphax"
    assert unknown == {"B", "C"}


def test_quotes_can_be_left_alone() -> None:
    assert Shell(quotes=False).expand('it\'s "$A" \\$A', VALUES) == 'it\'s "alpha" $A'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("$S 'x y'$A", ["one", "two", "x yalpha"]),
        ('  "" a\\ b ', ["a b"]),
        ("<$A", ["<alpha"]),
    ],
)
def test_words_are_split_after_variables_are_put_in(text: str, words: list[str]) -> None:
    assert shell_words(text, VALUES, "\\", None) == words
    with pytest.raises(ExpansionError, match=r"failed to process \"'\""):
        shell_words("'", VALUES, "\\", None)


def test_words_of_heredocs_keep_their_variables() -> None:
    assert heredoc_words("$A ${B} ${C:-'x'}d ${D/a/b} ${E#x}", raw_quotes=False) == [
        "$A",
        "${B}",
        "${C:-x}d",
        "${D/a/b}",
        "${E#x}",
    ]
    # BuildKit has one buffer for all levels: what it read of a word is lost where a part in `${}` begins.
    assert heredoc_words("ab${C:-x}", raw_quotes=False) == ["${C:-x}"]
    assert heredoc_words("'a b' \\'c", raw_quotes=True, raw_escapes=True) == ["'a b'", "\\'c"]


_PLAIN = st.text("abc/._-1", max_size=12)


@given(_PLAIN, st.none() | _PLAIN)
def test_the_laws_of_defaults(word: str, value: str | None) -> None:
    values = {} if value is None else {"X": value}
    assert expand(f"${{X-{word}}}", values) == (word if value is None else value)
    assert expand(f"${{X:-{word}}}", values) == (value or word)
    assert expand(f"${{X+{word}}}", values) == ("" if value is None else word)
    assert expand(f"${{X:+{word}}}", values) == (word if value else "")
    assert expand("$X", values) == expand("${X}", values) == expand('"$X"', values) == (value or "")


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=8))
def test_trimming_is_what_every_cut_says(pattern: str, value: str) -> None:
    compiled = re.compile(pattern.replace("*", ".*").replace("?", "."))
    heads = [n for n in range(len(value) + 1) if compiled.fullmatch(value[:n])]
    tails = [n for n in range(len(value) + 1) if compiled.fullmatch(value[n:])]
    values = {"X": value}
    assert expand(f"${{X#{pattern}}}", values) == (value[heads[0] :] if heads else value)
    tail = expand(f"${{X##{pattern}}}", values)
    assert tail == (value[heads[-1] :] if heads else value) or pattern.startswith("#")
    assert expand(f"${{X%{pattern}}}", values) == (value[: tails[-1]] if tails else value)
    assert expand(f"${{X%%{pattern}}}", values) == (value[: tails[0]] if tails else value)


@given(st.text("ab*?", min_size=1, max_size=5), st.text("ab", max_size=8), st.text("xy", max_size=3))
def test_substitution_is_that_of_regular_expressions(pattern: str, value: str, new: str) -> None:
    compiled = re.compile(pattern.replace("*", ".*").replace("?", "."))
    assert expand(f"${{X/{pattern}/{new}}}", {"X": value}) == compiled.sub(new, value, count=1)
    if "*" not in pattern:
        assert expand(f"${{X//{pattern}/{new}}}", {"X": value}) == compiled.sub(new, value)


@given(st.text("ab", max_size=8))
def test_every_match_can_be_put_into_its_replacement(value: str) -> None:
    assert expand("${X//a/'<$0>'}", {"X": value}) == value.replace("a", "<a>")
    assert expand("${X//a/'$$${1}$x${0}'}", {"X": value}) == value.replace("a", "$a")


@given(st.text("ab $'\"\\", max_size=12))
def test_what_is_expanded_holds_no_variables_to_expand(word: str) -> None:
    try:
        once = expand(word, {})
    except ExpansionError:
        return
    quoted = "'" + once.replace("'", "'\"'\"'") + "'"
    assert expand(quoted, {}) == once
