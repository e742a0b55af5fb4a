"""Registering: what is read from a checkout, what changes, what is refused."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from groundswell.audit import entries
from groundswell.errors import ConflictError, InputError, NotFoundError
from groundswell.lineage.catalog import Brief, Catalog
from groundswell.lineage.checkout import read
from groundswell.lineage.history import Action
from groundswell.store.port import Record, Write
from groundswell.store.sqlite import SqliteStore
from tests.support.world import BASE, HOST, ref, registration, workload

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


def names(catalog: Catalog) -> list[str]:
    with catalog.lineage() as lineage:
        return sorted(item.name for item in lineage)


def test_the_loaded_lineage_follows_another_process(catalog: Catalog, store: SqliteStore) -> None:
    other = Catalog(store, lambda: 2.0)
    catalog.register([registration("top", BASE)], who="ann")
    with catalog.lineage() as lineage:
        loaded = lineage
    other.register([registration("app", ref("top")), registration("leaf", ref("app"))], who="bob")
    assert names(catalog) == ["app", "leaf", "top"]
    other.unregister(["leaf"], who="bob", why="retired")
    other.register([replace(registration("app", BASE), owner="x")], who="bob")
    assert names(catalog) == ["app", "top"]
    with catalog.lineage() as lineage:
        assert lineage is loaded  # followed, not loaded again
        assert [edge.base for edge in lineage.edges("app")] == [BASE]


def test_one_that_is_far_behind_loads_everything(
    catalog: Catalog, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundswell.lineage.catalog._BEHIND", 3)
    other = Catalog(store, lambda: 2.0)
    with catalog.lineage() as lineage:
        loaded = lineage
    for number in range(5):
        other.register([registration(f"i{number}", BASE)], who="bob")
    assert names(catalog) == [f"i{number}" for number in range(5)]
    with catalog.lineage() as lineage:
        assert lineage is not loaded


def test_changes_that_nobody_follows_any_more_are_dropped_and_history_stays(
    catalog: Catalog, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundswell.lineage.catalog._FOLLOWED", 3)
    assert catalog.forget_changes() == 0
    other = Catalog(store, lambda: 1.0)
    with other.lineage() as lineage:
        assert len(lineage) == 0
    for number in range(8):
        catalog.register([registration(f"image{number}", BASE)], who="ann")
    assert (catalog.forget_changes(most=4), catalog.forget_changes(most=4)) == (4, 1)
    assert catalog.forget_changes() == 0
    assert [record.row[-1] for record in store.scan("lineage", "lineage", prefix="change:")] == ["6", "7", "8"]
    with catalog.lineage() as lineage:
        assert len(lineage) == 8
    assert len(list(catalog.history("image0"))) == 1


def test_what_is_written_while_it_loads_is_seen(catalog: Catalog, store: SqliteStore) -> None:
    other = Catalog(store, lambda: 2.0)
    other.register([registration("top", BASE)], who="bob")
    assert names(catalog) == ["top"]
    other.register([registration("a", ref("top"))], who="bob")
    real, late = store.get, iter(["b", "c"])

    def get(table: str, partition: str, row: str) -> Record | None:
        if row.startswith("image:") and (name := next(late, None)):
            other.register([registration(name, ref("top"))], who="bob")
        return real(table, partition, row)

    store.get = get  # type: ignore[method-assign]
    assert names(catalog) == ["a", "b", "c", "top"]


def test_the_first_load_is_one_scan_and_one_of_some_age_asks_nothing(
    catalog: Catalog, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.register([registration(f"i{number}", BASE) for number in range(30)], who="ann")
    now = [100.0]
    other = Catalog(store, lambda: now[0])
    reads: list[str] = []
    get = store.get

    def noted(table: str, partition: str, row: str) -> Record | None:
        reads.append(row)
        return get(table, partition, row)

    monkeypatch.setattr(store, "get", noted)
    with other.lineage() as lineage:
        assert len(lineage) == 30
    assert set(reads) == {"revision"}
    catalog.register([registration("new", BASE)], who="ann")
    reads.clear()
    now[0] += 59.0
    with other.lineage(age=60.0) as lineage:
        assert "new" not in lineage
    assert reads == []
    now[0] += 1.0
    with other.lineage(age=60.0) as lineage:
        assert "new" in lineage
    with other.lineage() as lineage:
        assert len(lineage) == 31


def test_contradictions_are_refused_and_nothing_is_stored(catalog: Catalog) -> None:
    with pytest.raises(InputError, match=r"circle: a -> b -> a|circle: b -> a -> b"):
        catalog.register([registration("a", ref("b")), registration("b", ref("a"))], who="ann")
    twin = replace(registration("twin", BASE), repository="top")
    with pytest.raises(InputError, match="published by both"):
        catalog.register([registration("top", BASE), twin], who="ann")
    assert catalog.registrations() == ()


def meanwhile(store: SqliteStore, act: Callable[[Catalog], object]) -> None:
    """Let `act` happen right before the next commit."""
    real = store.commit

    def commit(table: str, partition: str, writes: Sequence[Write]) -> list[str]:
        store.commit = real  # type: ignore[method-assign]
        act(Catalog(store, lambda: 2.0))
        return real(table, partition, writes)

    store.commit = commit  # type: ignore[method-assign]


def test_somebody_faster_with_the_same_image_is_a_conflict(catalog: Catalog, store: SqliteStore) -> None:
    catalog.register([registration("top", BASE)], who="ann")
    meanwhile(store, lambda other: other.register([replace(registration("top", BASE), owner="bob")], who="bob"))
    with pytest.raises(ConflictError, match="somebody else changed top meanwhile"):
        catalog.register([replace(registration("top", BASE), owner="ann")], who="ann")
    assert catalog.registration("top").owner == "bob"
    meanwhile(store, lambda other: other.unregister(["top"], who="bob", why="gone"))
    with pytest.raises(ConflictError, match="somebody else changed top meanwhile"):
        catalog.unregister(["top"], who="ann", why="gone")


def test_somebody_faster_with_another_image_is_no_conflict(catalog: Catalog, store: SqliteStore) -> None:
    meanwhile(store, lambda other: other.register([registration("other", BASE)], who="bob"))
    catalog.register([registration("top", BASE)], who="ann")
    assert names(catalog) == ["other", "top"]


def test_two_that_together_close_a_circle_are_not_both_taken(catalog: Catalog, store: SqliteStore) -> None:
    meanwhile(store, lambda other: other.register([registration("a", ref("b"))], who="bob"))
    with pytest.raises(InputError, match="in a circle"):
        catalog.register([registration("b", ref("a"))], who="ann")
    assert names(catalog) == names(Catalog(store, lambda: 3.0)) == ["a"]


def test_the_caller_can_say_what_it_saw(catalog: Catalog) -> None:
    top = registration("top", BASE)
    with pytest.raises(ConflictError, match="top is not as you saw it"):
        catalog.register([top], who="ann", etags={"top": "1"})
    catalog.register([top], who="ann", etags={"top": None})
    with pytest.raises(ConflictError, match="top is not as you saw it"):
        catalog.register([replace(top, owner="x")], who="ann", etags={"top": None})
    etag = catalog.stored("top").etag
    catalog.register([replace(top, owner="x")], who="ann", etags={"top": etag})
    with pytest.raises(ConflictError, match="top is not as you saw it"):
        catalog.unregister(["top"], who="ann", why="old", etags={"top": etag})


def test_unregistering_keeps_the_history(catalog: Catalog, store: SqliteStore) -> None:
    catalog.register([registration("top", BASE)], who="ann", why="new")
    catalog.register([replace(registration("top", BASE), owner="platform")], who="bob")
    with pytest.raises(InputError, match="needs a reason"):
        catalog.unregister(["top"], who="cid", why=" ")
    with pytest.raises(NotFoundError, match="no image nope is registered"):
        catalog.unregister(["top", "nope"], who="cid", why="retired")
    (change,) = catalog.unregister(["top"], who="cid", why="retired")
    assert (change.action, change.fields["owner"]) == (Action.UNREGISTERED, ("platform", None))
    with pytest.raises(NotFoundError, match="no image top"):
        catalog.registration("top")
    past = list(catalog.history("top"))
    assert [(line["action"], line["who"], line["why"]) for line in past] == [
        ("unregistered", "cid", "retired"),
        ("changed", "bob", ""),
        ("registered", "ann", "new"),
    ]
    assert past[1]["fields"] == {"owner": ["", "platform"]}
    assert sorted(entry["action"] for entry in entries(store)) == ["register", "register", "unregister"]
    assert list(catalog.history("top", limit=1)) == past[:1]
    assert list(catalog.history("to")) == []


def test_many_images_are_stored_in_parts_that_each_hold_good(catalog: Catalog, store: SqliteStore) -> None:
    many = [registration("i000", BASE), *(registration(f"i{n:03}", ref(f"i{n - 1:03}")) for n in range(1, 250))]
    assert len(catalog.register(many, who="ann")) == 250
    assert len(names(Catalog(store, lambda: 2.0))) == 250
    assert [item.name for item in catalog.registrations(["i001", "i249", "nope"])] == ["i001", "i249"]
    assert len(catalog.registrations(item.name for item in many)) == 250
    # i000 gives its tag to an image that is stored long before or after it: for a moment both would have it.
    between = [replace(item, owner="x") for item in many[1:100]]
    new = replace(registration("new", BASE), repository="i000")
    catalog.register([new, replace(many[0], tags=("2",))], who="ann")
    back = [many[0], *between, replace(new, tags=("9",))]
    with pytest.raises(InputError, match=r"for a moment.*by themselves first"):
        catalog.register(back, who="ann")
    assert catalog.registration("i000").tags == ("2",)


def test_an_unknown_image_is_named(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError, match="no image nope"):
        catalog.registration("nope")


def test_a_registration_of_some_age_is_read_again_only_when_anything_was_registered(store: SqliteStore) -> None:
    time = [100.0]
    mine, other = Catalog(store, lambda: time[0]), Catalog(store, lambda: time[0])
    other.register([registration("app", BASE), registration("tool", BASE)], who="o")
    assert mine.registration("app").owner == ""
    assert mine.registration("app", age=30.0).owner == ""
    reads: list[tuple[str, ...]] = []
    ask = store.get

    def counted(*key: str) -> Record | None:
        reads.append(key)
        return ask(*key)

    store.get = counted  # type: ignore[method-assign]
    assert mine.registration("app", age=30.0).owner == ""
    assert reads == []
    other.register([replace(registration("app", BASE), owner="team")], who="o")
    time[0] += 29.0
    assert mine.registration("app", age=30.0).owner == ""  # old, as the caller allowed
    assert mine.registration("app").owner == "team"
    time[0] += 1.0
    assert mine.registration("app", age=30.0).owner == "team"
    time[0] -= 500.0  # a clock that is put back makes nothing last
    other.register([replace(registration("app", BASE), owner="new")], who="o")
    assert mine.registration("app", age=30.0).owner == "new"
    mine.register([replace(registration("app", BASE), owner="own")], who="m")
    assert mine.registration("app", age=30.0).owner == "own"  # what this process changed, it sees at once
    with pytest.raises(NotFoundError):
        mine.registration("gone", age=30.0)


def test_a_teams_images_are_known_without_reading_the_others(store: SqliteStore) -> None:
    mine, other = Catalog(store, lambda: 1.0), Catalog(store, lambda: 1.0)
    teams = {f"app{number:02}": "shop" if number in (3, 17) else "bank" for number in range(40)}
    other.register([registration(name, BASE, owner=owner) for name, owner in teams.items()], who="o")
    assert [item.name for item in mine.owned("shop")] == ["app03", "app17"]
    reads: list[str] = []
    ask, scan = store.get, store.scan
    store.get = lambda *key: reads.append(key[2]) or ask(*key)  # type: ignore[method-assign,func-returns-value]  # a list says nothing
    store.scan = None  # type: ignore[method-assign,assignment]  # whoever scans fails
    assert [item.name for item in mine.owned("shop", after="app03")] == ["app17"]
    assert reads == ["revision", "image:app17"]
    store.scan = scan  # type: ignore[method-assign]  # as it was
    other.register([registration("app03", BASE, owner="bank"), registration("app05", BASE, owner="shop")], who="o")
    other.unregister(["app17"], who="o", why="old")
    assert [item.name for item in mine.owned("shop")] == ["app05"]
    assert len(list(mine.owned("bank"))) == 38
    assert list(mine.owned("")) == []
    assert mine.owners() == ["bank", "shop"]


def test_briefs_follow_what_is_registered_and_the_revision_tells_that_something_changed(store: SqliteStore) -> None:
    mine, other = Catalog(store, lambda: 1.0), Catalog(store, lambda: 1.0)
    assert (mine.briefs(), mine.revision()) == ({}, 0)
    other.register([registration("app", BASE, owner="shop", deployments=[workload("a"), workload("b")])], who="a")
    assert mine.briefs() == {"app": Brief(owner="shop", workloads=(str(workload("a")), str(workload("b"))))}
    before = mine.revision()
    other.register([registration("app", BASE, owner="bank")], who="a")
    assert mine.briefs() == {"app": Brief(owner="bank", workloads=())}
    assert mine.revision() > before
    other.unregister(["app"], who="a", why="gone")
    assert mine.briefs() == {}


@pytest.mark.parametrize("count", [3, 150])
def test_a_few_briefs_are_as_many(store: SqliteStore, count: int) -> None:
    catalog = Catalog(store, lambda: 1.0)
    names = [f"app{number}" for number in range(count)]
    catalog.register(
        [registration(name, BASE, owner=name, deployments=[workload(name)]) for name in names], who="a"
    )
    wanted = {name: Brief(owner=name, workloads=(str(workload(name)),)) for name in names[1:]}
    assert catalog.brief([*names[1:], "stranger"]) == wanted
