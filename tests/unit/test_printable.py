"""What may be shown on a terminal: text, and nothing that acts on it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groundswell.printable import line, lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ünïcode ✓", "plain ünïcode ✓"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196m\x1b[1mbold", "bold"),
        ("\x9b31mred", "red"),
        ("a\x1b[2K\x1b[1Gb", "ab"),
        ("\x1b]0;title\x07ok", "ok"),
        ("\x1b]8;;https://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]52;c;never ended", ""),
        ("\x1bcreset", "reset"),
        ("\x1b(Bset", "set"),
        ("cut \x1b", "cut "),
        ("\x1b[", ""),
        ("bell\x07 null\x00 del\x7f c1\x85", "bell null del c1 "),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("a\nb\r\nc\td", "a b c d"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert line(text) == shown


def test_several_lines() -> None:
    assert lines("\x1b[32mok\x1b[0m\n\tnext\r\n") == "ok\n\tnext\n"


@given(st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\x1b[]\x07\x9b\x9c\r\n;m0"), max_size=60))
@example("\x1b\x1b[31m[31m")
def test_nothing_is_left_that_acts(text: str) -> None:
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line(text))
    assert not any((ord(c) < 32 and c not in "\t\n") or 127 <= ord(c) < 160 for c in lines(text))
