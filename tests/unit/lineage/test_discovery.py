"""Reading a registry for the discovery: what is asked, what is retried, and what may fail."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from graph.findings import Basis, Sureness
from graph.lineage import Lineage, Node
from graph.reference import Reference
from groundswell.errors import GroundswellError, InputError, NotFoundError, PermanentError, TemporaryError
from groundswell.lineage.claims import known
from groundswell.lineage.discovery import Report, discover
from groundswell.registry.port import Image, NotAnImageError, PlatformImage, Tag
from tests.support.world import HOST, FakeRegistry, digest_of

PROVEN, CLAIMED, DISPROVED = Sureness.PROVEN, Sureness.CLAIMED, Sureness.DISPROVED


class Scripted(FakeRegistry):
    """Counts what is asked, and fails where it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.fails: dict[str, Callable[[], GroundswellError | None]] = {}

    def image(self, reference: Reference) -> Image | None:
        self.asked[str(reference)] += 1
        for text, error in self.fails.items():
            if text in (reference.repository, str(reference)) and (failure := error()):
                raise failure
        return super().image(reference)

    def push(self, name: str, *layers: str, **config: Any) -> str:
        return self.put(f"{HOST}/{name}", make(*layers, **config))


def make(
    *layers: str,
    annotations: dict[str, str] | None = None,
    attestations: tuple[str, ...] = (),
    platform: str = "linux/amd64",
    **config: Any,
) -> Image:
    digest = digest_of(*layers, repr(annotations), repr(attestations), repr(sorted(config.items())))
    part = PlatformImage(
        platform=platform, digest=digest, diff_ids=layers, config=config, annotations=annotations or {}
    )
    return Image(
        digest=digest,
        media_type="application/vnd.oci.image.manifest.v1+json",
        platforms=(part,),
        attestations=attestations,
    )


@pytest.fixture
def registry() -> Scripted:
    return Scripted()


def node(name: str, runtime: str) -> Node:
    return Node(name=name, publishes=(f"{HOST}/{name}:1",), runtime=f"{HOST}/{runtime}")


def edges(report: Report) -> dict[str, list[tuple[str, Sureness]]]:
    return {
        image.removeprefix(f"{HOST}/"): [(each.base.removeprefix(f"{HOST}/"), each.sureness) for each in found]
        for image, found in report.found.items()
    }


def no_sleep(_seconds: float) -> None:
    """Retries come at once."""


def test_an_image_is_read_once_by_its_digest(registry: Scripted) -> None:
    registry.push("base:1", "a")
    for name in ("base:1.0", "copy/base:1"):
        registry.push(name, "a")
    registry.push("app:1", "a", "b")
    report = discover(registry, HOST, Lineage())
    assert edges(report) == {"app:1": [("base:1", PROVEN)], "base:1": []}
    assert set(registry.asked.values()) == {1}
    assert len(registry.asked) == 2
    assert report.images[1].references == (f"{HOST}/base:1", f"{HOST}/base:1.0", f"{HOST}/copy/base:1")
    assert (report.counts.repositories, report.counts.tags, report.counts.images) == (3, 4, 2)


def test_candidates_and_artifacts_are_counted_and_passed_over(registry: Scripted) -> None:
    registry.push("app:1", "a")
    registry.push("app:gs-0abc-1", "a", "b")
    registry.push(f"app:sha256-{'a' * 64}.sig", "s")
    registry.push("chart:1", "c")
    registry.fails["chart"] = lambda: NotAnImageError("chart")
    empty = Image(digest=digest_of("index"), media_type="application/vnd.oci.image.index.v1+json", platforms=())
    registry.put(f"{HOST}/referrers:1", empty)
    report = discover(registry, HOST, Lineage())
    assert list(report.found) == [f"{HOST}/app:1"]
    assert (report.counts.candidates, report.counts.artifacts) == (1, 3)
    assert report.unreadable == ()


def test_what_cannot_be_read_is_told_and_the_rest_goes_on(registry: Scripted) -> None:
    for name in ("bad:1", "base:1", "app:1"):
        registry.push(name, "a", *name.partition(":")[0].removeprefix("base"))
    registry.fails["bad"] = lambda: PermanentError("it is damaged")
    report = discover(registry, HOST, Lineage([node("bad", "base:1"), node("lost", "base:1")]))
    assert edges(report) == {"app:1": [("base:1", PROVEN)], "base:1": []}
    assert [(each.subject, str(each.error)) for each in report.unreadable] == [(f"{HOST}/bad:1", "it is damaged")]
    assert report.differences.missing == ("lost",)


def test_what_is_deleted_meanwhile(registry: Scripted) -> None:
    registry.push("base:1", "a")
    gone = registry.push("app:1", "a", "b")
    del registry.images[gone]
    report = discover(registry, HOST, Lineage())
    assert list(report.found) == [f"{HOST}/base:1"]
    assert "deleted meanwhile" in str(report.unreadable[0].error)


def test_what_may_pass_is_tried_again_after_the_delay_that_was_asked_for(registry: Scripted) -> None:
    registry.push("base:1", "a")
    left, waits = [7.0, 1000.0], list[float]()
    registry.fails["base"] = lambda: TemporaryError("busy", delay=left.pop(0)) if left else None
    report = discover(registry, HOST, Lineage(), sleep=waits.append)
    assert report.unreadable == ()
    assert waits == [7.0, 60.0]


def test_what_does_not_pass_is_unreadable(registry: Scripted) -> None:
    registry.push("base:1", "a")
    digest = registry.push("app:1", "a", "b")
    registry.fails["app"] = lambda: TemporaryError("busy")
    report = discover(registry, HOST, Lineage(), sleep=no_sleep)
    assert [str(each.error) for each in report.unreadable] == ["busy"]
    assert registry.asked[f"{HOST}/app@{digest}"] == 4


def test_a_registry_that_goes_away_ends_it(registry: Scripted) -> None:
    """It does not try every one of thousands of images four times over."""
    for number in range(200):
        registry.push(f"app:{number:03}", str(number))
    left = [None] * 10
    registry.fails["app"] = lambda: left.pop() if left else TemporaryError("away")
    with pytest.raises(TemporaryError, match="away"):
        discover(registry, HOST, Lineage(), sleep=no_sleep)
    assert len(registry.asked) < 100


@pytest.mark.parametrize("error", [TemporaryError("away"), PermanentError("refused")])
def test_a_registry_of_which_nothing_can_be_read(registry: Scripted, error: GroundswellError) -> None:
    registry.push("app:1", "a")
    registry.fails["app"] = lambda: error
    with pytest.raises(type(error), match=str(error)):
        discover(registry, HOST, Lineage(), sleep=no_sleep)
    registry.down = error
    with pytest.raises(type(error), match=str(error)):
        discover(registry, HOST, Lineage(), sleep=no_sleep)


def test_an_empty_registry(registry: Scripted) -> None:
    report = discover(registry, HOST, Lineage([node("ghost", "base:1")]))
    assert (report.found, report.differences.missing) == ({}, ("ghost",))


@pytest.mark.parametrize(
    "host", ["", "debian", "https://x.azurecr.io", "x.azurecr.io/", "x.azurecr.io/team", "a b.c"]
)
def test_what_is_no_login_server(registry: Scripted, host: str) -> None:
    with pytest.raises(InputError, match="is no registry"):
        discover(registry, host, Lineage())


def test_only_some_repositories(registry: Scripted) -> None:
    registry.push("base:1", "a")
    registry.push("team/app:1", "a", "b", annotations={"org.opencontainers.image.base.name": f"{HOST}/base:1"})
    registry.push("other/app:1", "a", "c")
    lineage = Lineage([node("other/app", "base:1"), node("team/lost", "base:1")])
    report = discover(registry, HOST, lineage, repositories=["team/*", "x"])
    assert edges(report) == {"team/app:1": [("base:1", PROVEN)]}
    assert report.differences.registered == ()
    assert report.differences.missing == ("team/lost",)
    with pytest.raises(NotFoundError, match="no repository that matches x, y"):
        discover(registry, HOST, Lineage(), repositories=["x", "y"])


def test_only_the_newest_tags_and_those_that_are_registered(registry: Scripted) -> None:
    for tag in ("1", "2", "3", "gs-a-1", "4", "5"):
        registry.push(f"app:{tag}", tag)
    report = discover(registry, HOST, Lineage([node("app", "base:1")]), newest=3)
    assert sorted(report.found) == [f"{HOST}/app:{tag}" for tag in "1345"]
    assert report.counts.tags == 6


def test_a_base_beyond_the_newest_tags_is_read_for_the_image_that_names_it(registry: Scripted) -> None:
    registry.push("base:1", "a")
    registry.push("base:2", "b")
    registry.push("app:1", "a", "x", annotations={"org.opencontainers.image.base.name": f"{HOST}/base:1"})
    report = discover(registry, HOST, Lineage(), newest=1)
    assert edges(report) == {"app:1": [("base:1", PROVEN)], "base:2": []}


def test_what_a_base_was_before_is_looked_for(registry: Scripted) -> None:
    """An image without annotations, registered, and not rebuilt since its base moved: stale, and not disproved."""
    old = registry.push("base:1", "a", "b")
    registry.push("app:1", "a", "b", "c", "d")
    registry.push("wrong:1", "x", "y")
    new = registry.push("base:1", "a", "n")
    report = discover(registry, HOST, Lineage([node("app", "base:1"), node("wrong", "base:1")]))
    verdicts = {each.image: each for each in report.differences.registered}
    app = verdicts["app"]
    assert (app.sureness, app.base_digest, app.current_digest, app.stale) == (PROVEN, old, new, True)
    assert verdicts["wrong"].sureness is DISPROVED
    assert edges(report)["app:1"] == [(f"base@{old}", PROVEN)]
    assert f"{HOST}/base@{old}" not in report.found  # it is a base, and nobody's image now


def test_nothing_old_is_read_without_need(registry: Scripted) -> None:
    old = registry.push("base:1", "a")
    registry.push("base:1", "b")
    registry.push("app:1", "b", "c")
    discover(registry, HOST, Lineage([node("app", "base:1")]))
    assert registry.asked[f"{HOST}/base@{old}"] == 0


def test_a_base_is_read_by_the_digest_that_is_named(registry: Scripted) -> None:
    old = registry.push("base:1", "a", "b")
    registry.push("base:1", "x")
    name = "org.opencontainers.image.base"
    registry.push("app:1", "a", "b", "c", annotations={f"{name}.name": f"{HOST}/base:1", f"{name}.digest": old})
    (found,) = discover(registry, HOST, Lineage()).found[f"{HOST}/app:1"]
    assert (found.base, found.base_digest, found.stale) == (f"{HOST}/base:1", old, True)


def test_provenance_that_cannot_be_read_leaves_the_image(registry: Scripted) -> None:
    registry.push("base:1", "a")
    registry.push("app:1", "a", "b", attestations=("sha256:" + "7" * 64,))
    report = discover(registry, HOST, Lineage())
    assert edges(report)["app:1"] == [("base:1", PROVEN)]
    assert [each.subject for each in report.unreadable] == [f"{HOST}/app:1, its provenance"]


def test_provenance(registry: Scripted) -> None:
    attestation = "sha256:" + "7" * 64
    base = registry.push("base:1", "a").removeprefix("sha256:")
    material = {"uri": f"pkg:docker/{HOST}/base@1", "digest": {"sha256": base}}
    registry.statements[attestation] = ({"predicate": {"materials": [material]}},)
    registry.push("app:1", "a", "b", attestations=(attestation,))
    (found,) = discover(registry, HOST, Lineage()).found[f"{HOST}/app:1"]
    assert (found.basis, found.sureness) == (Basis.PROVENANCE, PROVEN)


def test_a_repository_whose_tags_cannot_be_listed(registry: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    registry.push("app:1", "a")
    registry.push("shut:1", "b")
    listed = registry.tagged

    def tagged(host: str, repository: str) -> tuple[Tag, ...]:
        if repository == "shut":
            raise PermanentError("refused")
        return listed(host, repository)

    monkeypatch.setattr(registry, "tagged", tagged)
    report = discover(registry, HOST, Lineage([node("shut", "base:1")]))
    assert list(report.found) == [f"{HOST}/app:1"]
    assert [each.subject for each in report.unreadable] == [f"{HOST}/shut"]
    assert report.differences.missing == ()


def test_progress(registry: Scripted) -> None:
    registry.push("a:1", "a")
    registry.push("b:1", "b")
    seen: list[tuple[str, int, int]] = []
    discover(registry, HOST, Lineage(), progress=lambda *step: seen.append(step))
    assert seen == [("repositories", 1, 2), ("repositories", 2, 2), ("images", 1, 2), ("images", 2, 2)]


# What an image says of its base.

NAME, DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
HEX = "sha256:" + "5" * 64


@pytest.mark.parametrize(
    ("values", "base"),
    [
        ({NAME: "debian"}, "docker.io/library/debian:latest"),
        ({NAME: "debian:12", DIGEST: HEX}, f"docker.io/library/debian:12@{HEX}"),
        ({NAME: "debian:12", DIGEST: ""}, "docker.io/library/debian:12"),
        ({NAME: "debian:12", DIGEST: "nonsense"}, "docker.io/library/debian:12"),
        ({NAME: f"debian@{HEX}", DIGEST: HEX}, f"docker.io/library/debian@{HEX}"),
        ({NAME: "", DIGEST: ""}, None),  # as buildah writes it for scratch
        ({NAME: "not a reference"}, None),
        ({DIGEST: HEX}, None),
        ({}, None),
    ],
)
def test_annotations_and_labels(values: dict[str, str], base: str | None) -> None:
    said = known(make("a", annotations=values), name="r/x", references=()).claims
    assert [(each.base, each.basis) for each in said] == ([(base, Basis.ANNOTATION)] if base else [])
    said = known(make("a", config={"Labels": values}), name="r/x", references=()).claims
    assert [(each.base, each.basis) for each in said] == ([(base, Basis.LABEL)] if base else [])


@pytest.mark.parametrize(
    "config", [{}, {"config": None}, {"config": {"Labels": None}}, {"history": None}, {"history": [1]}]
)
def test_configs_with_nothing_in_them(config: dict[str, Any]) -> None:
    image = known(make("a", **config), name="r/x", references=())
    assert (image.claims, image.platforms[0].history) == ((), ())


def test_history() -> None:
    history = [{"created_by": "one"}, {"created_by": "two", "empty_layer": True}, {"comment": "three"}]
    image = known(make("a", history=history), name="r/x", references=())
    assert image.platforms[0].history == ("one", "two", "")


@pytest.mark.parametrize(
    ("created", "seconds"),
    [
        ("2026-01-01T00:00:00Z", 1767225600.0),
        ("2026-01-01T01:00:00.123456789+01:00", 1767225600.123456),
        ("1980-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("2026-01-01T00:00:00", None),
        ("yesterday", None),
        (7, None),
    ],
)
def test_the_time_of_creation(created: object, seconds: float | None) -> None:
    assert known(make("a", created=created), name="r/x", references=()).created == seconds
