"""Registering: what is read from a checkout, what changes, what is refused."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from groundswell.audit import entries
from groundswell.errors import ConflictError, InputError, NotFoundError
from groundswell.lineage.catalog import Catalog
from groundswell.lineage.checkout import read
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, HOST, ref, registration

LINEAGE = """\
version: 1
registry: acr.example.com
source: {git: "https://git.example.com/x.git"}
images:
  - {name: top, tags: ["1"], path: top}
  - {name: app, tags: ["1"], path: app, build_args: {V: "1"}}
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "s.db")
    yield store
    store.close()


@pytest.fixture
def catalog(store: SqliteStore) -> Catalog:
    return Catalog(store, lambda: 1.0)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    for name, text in (
        ("top/Dockerfile", f"FROM {BASE}\n"),
        ("app/Dockerfile", f"ARG V=0\nFROM alpine AS tools\nFROM {HOST}/top:$V\nCOPY --from=tools /a /b\n"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "lineage.yaml").write_text(LINEAGE)
    return folder


def test_a_folder_is_read_with_its_dockerfiles(checkout: Path) -> None:
    top, app = read(checkout)
    assert (top.runtime, top.build) == (BASE, ())
    assert (app.runtime, app.build) == (ref("top"), ("docker.io/library/alpine:latest",))
    assert read(checkout / "lineage.yaml") == (top, app)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "lineage.yaml").unlink(), "no lineage.yaml in this folder"),
        (lambda f: (f / "app/Dockerfile").unlink(), "lineage.yaml:6: app: there is no file app/Dockerfile"),
        (lambda f: (f / "app/Dockerfile").write_text("FROM\n"), "lineage.yaml:6: app: app/Dockerfile:1:"),
        (lambda f: (f / "app/Dockerfile").write_bytes(b"FROM \xff"), "not UTF-8"),
        (lambda f: (f / "app/Dockerfile").write_bytes(b"#" * 2_000_000), "larger than"),
        (
            lambda f: (f / "lineage.yaml").write_text(LINEAGE.replace("path: app", "path: ../../etc")),
            "does not match|leads out",
        ),
        (
            lambda f: (f / "lineage.yaml").write_text(LINEAGE.replace("path: app", "path: app/../../other")),
            "leads out of the folder",
        ),
    ],
)
def test_a_bad_checkout_is_refused_by_file_and_line(
    checkout: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(checkout)
    with pytest.raises(InputError, match=says):
        read(checkout)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "nope.yaml")


def test_registering_is_idempotent_and_audited(catalog: Catalog, store: SqliteStore) -> None:
    images = [registration("top", BASE), registration("app", ref("top"))]
    assert [change.new for change in catalog.changes(images)] == [True, True]
    assert len(catalog.register(images, who="ann")) == 2
    assert catalog.register(images, who="ann") == ()
    assert catalog.changes(images) == ()
    changed = replace(images[0], owner="platform")
    (change,) = catalog.changes([changed])
    assert change.fields == {"owner": ("", "platform")}
    assert not change.new
    catalog.register([changed], who="bob")
    assert catalog.registration("top") == changed
    assert catalog.registrations() == (images[1], changed)
    assert {entry["who"] for entry in entries(store)} == {"ann", "bob"}


def test_the_loaded_lineage_follows_another_process(catalog: Catalog, store: SqliteStore) -> None:
    catalog.register([registration("top", BASE)], who="ann")
    loaded = catalog.lineage()
    assert catalog.lineage() is loaded
    Catalog(store, lambda: 2.0).register([registration("app", ref("top"))], who="bob")
    assert "app" in catalog.lineage()
    assert len(catalog.lineage()) == 2


def test_contradictions_are_refused_and_nothing_is_stored(catalog: Catalog) -> None:
    with pytest.raises(InputError, match=r"circle: a -> b -> a|circle: b -> a -> b"):
        catalog.register([registration("a", ref("b")), registration("b", ref("a"))], who="ann")
    twin = replace(registration("twin", BASE), repository="top")
    with pytest.raises(InputError, match="published by both"):
        catalog.register([registration("top", BASE), twin], who="ann")
    assert catalog.registrations() == ()


def test_somebody_faster_is_a_conflict(catalog: Catalog, store: SqliteStore) -> None:
    catalog.register([registration("top", BASE)], who="ann")
    real = catalog._compare

    def slow(wanted):  # type: ignore[no-untyped-def]
        found = real(wanted)
        Catalog(store, lambda: 2.0).register([replace(registration("top", BASE), owner="bob")], who="bob")
        return found

    catalog._compare = slow  # type: ignore[method-assign]
    with pytest.raises(ConflictError, match="run it again"):
        catalog.register([replace(registration("top", BASE), owner="ann")], who="ann")


def test_an_unknown_image_is_named(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="no image nope"):
        catalog.registration("nope")
