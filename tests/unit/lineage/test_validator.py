"""How values are held against the format: where the library reads JSON Schema in its own way."""

import time

import pytest

from groundswell.errors import InputError
from groundswell.lineage.document import parse, schema, validator

LINEAGE = """\
version: 1
registry: acr.example.com
source: {git: "https://git.example.com/x.git"}
images: [{name: %s, tags: [%s]}]
"""


@pytest.mark.parametrize(("name", "tag"), [(r'"top\n"', '"1"'), ("top", r'"1\n"')])
def test_a_pattern_ends_at_the_end_of_the_text(name: str, tag: str) -> None:
    with pytest.raises(InputError, match="does not match"):
        parse(LINEAGE % (name, tag))


def test_a_tag_is_named_once() -> None:
    with pytest.raises(InputError, match="non-unique"):
        parse(LINEAGE % ("top", '"1", "1"'))


def test_many_odd_items_are_compared_in_no_time() -> None:
    tags = schema()["$defs"]["image"]["properties"]["tags"]
    start = time.perf_counter()
    assert not validator(tags).is_valid([*([n] for n in range(20_000)), 1])
    assert time.perf_counter() - start < 20  # it was 5 minutes
