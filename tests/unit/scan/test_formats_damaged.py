"""Reports with anything in the place of anything: read, or refused with a word; never a stack trace."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.errors import GroundswellError
from groundswell.scan.formats import read
from groundswell.scan.gate import judge
from groundswell.scan.policy import Policy
from groundswell.scan.report import parse
from groundswell.scan.verdict import Verdict
from tests.unit.scan.test_formats import AT, DIGEST, SAMPLES, SOURCE, load
from tests.unit.scan.test_report import BUCKETS
from tests.unit.scan.test_report import document as trivys

SUBJECT = Reference(registry="r.example.com", repository="app", tag=None, digest=DIGEST)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("sha256:x"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "name", "text"]), inner),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


def damaged(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(document) if isinstance(document, dict) else list(document)
    copy[path[0]] = damaged(document[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("sample", SAMPLES)
@given(data=st.data(), value=JSON)
def test_another_scanner_s(sample: str, data: st.DataObject, value: Any) -> None:
    document = load(sample)
    content = json.dumps(damaged(document, data.draw(st.sampled_from(places(document))), value)).encode()
    try:
        report = read(SAMPLES[sample], content, SOURCE)
    except GroundswellError as refusal:
        assert str(refusal)
    else:
        assert report.digest == DIGEST
        verdict = judge([report], Policy(max_database_age=1.0), subject=SUBJECT, now=AT, current=[report])
        assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
        assert all(each.id and each.package for each in report.findings)


@given(data=st.data(), value=JSON)
def test_trivy_s(data: st.DataObject, value: Any) -> None:
    document = trivys()
    content = json.dumps(damaged(document, data.draw(st.sampled_from(places(document))), value)).encode()
    try:
        assert parse(content, digest=DIGEST, buckets=BUCKETS).digest == DIGEST
    except GroundswellError as refusal:
        assert str(refusal)
