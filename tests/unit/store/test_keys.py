"""The key encoding keeps order and prefixes, and makes only what Azure Tables takes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.store import keys

texts = st.text(max_size=8) | st.text(
    st.sampled_from("a0/\\#?%. ~!>[\x00\x7f\x80é\ud7ff\ue000\uffff\U0001f600\U0010ffff")
)


@given(texts, texts)
def test_order_is_kept(a: str, b: str) -> None:
    assert (keys.encode(a) < keys.encode(b)) == (a < b)


@given(texts)
def test_nothing_is_lost(key: str) -> None:
    assert keys.decode(keys.encode(key)) == key


@given(texts)
def test_only_plain_characters_remain(key: str) -> None:
    assert re.fullmatch(r"[!-~]*", keys.encode(key))
    assert not set(keys.encode(key)) & set("/\\#?%'\"& ")


def test_every_character_azure_refuses_or_trips_over_has_a_piece_of_its_own() -> None:
    characters = [chr(point) for point in range(0x100)]
    assert [keys.encode(character) for character in characters] == sorted(map(keys.encode, characters))
    assert len(set(map(keys.encode, characters))) == len(characters)


@given(texts, texts)
def test_prefixes_are_kept(prefix: str, key: str) -> None:
    for candidate in (key, prefix + key):
        begins = candidate.startswith(prefix)
        assert keys.encode(candidate).startswith(keys.encode(prefix)) == begins
        assert (keys.encode(prefix) <= keys.encode(candidate) < keys.encoded_end(prefix)) == begins
        end = keys.end(prefix)
        assert (prefix <= candidate and (end is None or candidate < end)) == begins


def test_a_reference_stays_readable() -> None:
    assert keys.encode("team/app:1.0@sha256") == "team._app:1..0@sha256"


@pytest.mark.parametrize("foreign", ["a b", "!zz", ".", ".x", "~c3", "~~", "é", "!"])
def test_a_foreign_key_is_named(foreign: str) -> None:
    with pytest.raises(ValueError, match="not a key that Groundswell wrote"):
        keys.decode(foreign)
