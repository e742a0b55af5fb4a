"""YAML from strangers: typed as Go types it, and never larger than it looks."""

import contextlib

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import InputError
from groundswell.lineage.sources.yamls import MAX_VALUES, load, load_all, scalar_text


def bomb() -> str:
    """A billion laughs: ten levels of ten."""
    levels = [
        f"{letter}: &{letter} [{', '.join(['*' + before] * 10)}]"
        for before, letter in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(levels)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("22:22", "22:22"),
        ("2020-01-01", "2020-01-01"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("012", 10),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1.10", 1.1),
        ("1.2.3", "1.2.3"),
        ("'1.10'", "1.10"),
        ("!override [a]", ["a"]),
        ("!reset {a: 1}", None),
        ("{a: &x {b: 1}, c: {<<: *x, d: 2}}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
    ],
)
def test_scalars_and_tags_are_those_of_yaml_v3(text: str, value: object) -> None:
    assert load(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (1.1, "1.1"), (1000.0, "1000"), (3, "3"), (None, ""), ("a", "a"), (1e25, "1e+25")],
)
def test_scalars_are_printed_as_go_prints_them(value: object, text: str) -> None:
    assert scalar_text(value) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bomb(), f"line 6: more than {MAX_VALUES:,} values once its aliases are written out"),
        ("[" * 300_000, "line 1: nested more than 100 deep"),
        ("{a: " * 150 + "1" + "}" * 150, "nested more than 100 deep"),
        ("a: &a [*a]", "line 1: an alias stands inside what it stands for"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' is given twice"),
        ("a: [", "line 2: not valid YAML"),
        ("a: *b", "undefined alias"),
        ("a: !!python/object:os.system x", "not valid YAML"),
        ("{[a]: b}", "unhashable"),
        ("a: \x01", "not valid YAML"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        load(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_documents_come_one_after_another() -> None:
    assert list(load_all("a: 1\n---\nb: 2\n---\n")) == [{"a": 1}, {"b": 2}, None]


@given(st.text(max_size=200))
def test_any_text_is_loaded_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        list(load_all(text))


@given(
    st.recursive(st.text(max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner))
)
def test_what_is_dumped_comes_back(value: object) -> None:
    with contextlib.suppress(InputError):  # deeper than the limit
        assert load(yaml.safe_dump(value, default_style='"')) == value
