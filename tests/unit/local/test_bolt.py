"""The bbolt writer, read back by the product's own reader (tests/contract/test_scan.py has real Trivy read it)."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from groundswell.local import bolt
from groundswell.scan.bolt import BoltError, Bucket, Database

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
VALUES = st.binary(max_size=300) | st.integers(0, 12_000).map(lambda size: b"x" * size)
TREES = st.dictionaries(
    KEYS, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=6), max_leaves=20), max_size=40
)


def read(bucket: Bucket) -> bolt.Tree:
    nested = {key.decode(): read(inner) for key, inner in bucket.buckets()}
    return nested | {key.decode(): value for key, value in bucket.values()}


def keys_in_order(bucket: Bucket) -> None:
    for found in (list(bucket.values()), list(bucket.buckets())):
        names = [key for key, _ in found]
        assert names == sorted(names)
    for _, inner in bucket.buckets():
        keys_in_order(inner)


@given(tree=TREES)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(tmp_path: Path, tree: bolt.Tree) -> None:
    path = tmp_path / "test.db"
    bolt.write(path, tree)
    with Database(path) as database:
        assert read(database.root) == tree
        keys_in_order(database.root)


@pytest.mark.parametrize("count", [0, 1, 2, 100, 5_000, 30_000])
def test_trees_of_every_height(tmp_path: Path, count: int) -> None:
    tree = {f"package-{number:06}": {"CVE": b"%d" % number} if number % 2 else b"" for number in range(count)}
    shuffled = list(tree.items())
    random.Random(7).shuffle(shuffled)
    bolt.write(tmp_path / "test.db", {"debian 12": dict(shuffled)})
    with Database(tmp_path / "test.db") as database:
        assert read(database.root) == {"debian 12": tree}


@pytest.mark.parametrize("key", ["", "k" * 32_769])
def test_keys_that_bbolt_refuses(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="bolt keys"):
        bolt.write(tmp_path / "test.db", {key: b""})
    assert not (tmp_path / "test.db").exists()


def test_replaced_in_one_step_while_somebody_reads(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    bolt.write(path, {"a": b"old"})
    with Database(path) as database:
        bolt.write(path, {"a": b"new"})
        assert read(database.root) == {"a": b"old"}
    with Database(path) as database:
        assert read(database.root) == {"a": b"new"}
    assert [file.name for file in tmp_path.iterdir()] == ["test.db"]


def test_the_other_meta_page_counts_when_one_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    bolt.write(path, {"a": b"1"})
    content = bytearray(path.read_bytes())
    for torn in (0, 4096):
        damaged = content.copy()
        damaged[torn + 40] ^= 0xFF
        path.write_bytes(damaged)
        with Database(path) as database:
            assert read(database.root) == {"a": b"1"}


def test_pages_in_a_loop_are_found_out(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    bolt.write(path, {f"{number:05}": b"x" * 100 for number in range(500)})
    content = bytearray(path.read_bytes())
    root = int.from_bytes(content[16 + 16 : 16 + 24], "little")
    child = root * 4096 + 16 + 8
    content[child : child + 8] = root.to_bytes(8, "little")
    path.write_bytes(content)
    with Database(path) as database, pytest.raises(BoltError, match="loop"):
        list(database.root.values())
