"""Who stands on whom: what layers prove, what they leave open, and what they contradict."""

import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.chains import EMPTY_LAYERS, ChainIndex, chain, shared
from graph.differences import Differences, Unregistered, compare
from graph.discover import Discovery
from graph.findings import Basis, Claim, Finding, Known, Layers, Place, Sureness
from graph.lineage import EdgeKind, Lineage, Node
from graph.reference import Reference

HOST = "acr.example.com"
AMD, ARM = "linux/amd64", "linux/arm64"
PROVEN, PARTIAL, CLAIMED, DISPROVED = Sureness.PROVEN, Sureness.PARTIAL, Sureness.CLAIMED, Sureness.DISPROVED


def digest(name: str) -> str:
    return "sha256:" + name.encode().hex().rjust(64, "0")


def layers(text: str, platform: str = AMD, *, history: str = "", part: str = "") -> Layers:
    """A letter is a layer, or a line of the history."""
    manifest = part or f"{platform} {text} {history}"
    return Layers(platform=platform, digest=digest(manifest[-32:]), chain=tuple(text), history=tuple(history))


def image(
    name: str,
    *platforms: Layers | str,
    claims: Sequence[Claim] = (),
    created: float | None = None,
    tags: Sequence[str] | None = None,
) -> Known:
    """`name` is `repository:tag`; for an image that its tag has left, say `tags=()`."""
    reference = Reference.parse(f"{HOST}/{name}")
    return Known(
        digest=digest(name[-32:] if tags is None else f"old {name}"[-32:]),
        name=reference.name,
        references=(str(reference),) if tags is None else tuple(tags),
        platforms=tuple(layers(each, part=name) if isinstance(each, str) else each for each in platforms),
        claims=tuple(claims),
        created=created,
    )


def annotated(base: str, basis: Basis = Basis.ANNOTATION) -> Claim:
    return Claim(base=str(Reference.parse(base.replace("~", f"{HOST}/"))), basis=basis)


def find(subject: Known, *others: Known) -> tuple[Finding, ...]:
    return Discovery(HOST, [*others, subject]).find(subject)


def edges(found: Sequence[Finding]) -> list[tuple[str, Sureness]]:
    return [(each.base.removeprefix(f"{HOST}/"), each.sureness) for each in found]


# By layers.


def test_the_longest_chain_that_is_wholly_contained_is_the_base() -> None:
    base, mid, other = image("base:1", "ab"), image("mid:1", "abc"), image("other:1", "abx")
    (found,) = find(image("app:1", "abcd"), base, mid, other)
    assert edges([found]) == [("mid:1", PROVEN)]
    assert (found.basis, found.place, found.kind) == (Basis.LAYERS, Place.HERE, EdgeKind.RUNTIME)
    assert (found.base_digest, found.current_digest, found.stale) == (mid.digest, mid.digest, False)


def test_a_shared_first_layer_is_no_proof() -> None:
    assert find(image("app:1", "axy"), image("other:1", "ab")) == ()


def test_nobody_stands_on_scratch() -> None:
    nothing = image("scratch:1", "")
    assert find(image("app:1", "a"), nothing) == ()
    assert find(nothing, image("app:1", "a")) == ()


def test_layers_without_content_do_not_count() -> None:
    (empty, _) = sorted(EMPTY_LAYERS)
    assert chain(["a", empty, "b", empty]) == ("a", "b")
    assert chain([empty]) == ()


def test_tags_of_one_digest_are_one_image() -> None:
    base = image("base:1", "a")
    app = image("app:1", "ab", tags=(f"{HOST}/app:1", f"{HOST}/app:stable"))
    discovery = Discovery(HOST, [base, app])
    assert discovery.published(f"{HOST}/app:stable") == discovery.published(f"{HOST}/app:1") == app
    assert [each.reference for each in discovery.images] == [f"{HOST}/app:1", f"{HOST}/base:1"]
    assert edges(discovery.find(app)) == [("base:1", PROVEN)]


def test_an_image_does_not_stand_on_the_index_it_is_part_of() -> None:
    part = layers("ab", AMD, part="shared")
    index = image("app:1", part, layers("ab", ARM, part="arm"))
    alone = image("app:1-amd64", part)
    assert find(alone, index) == find(index, alone) == ()
    child = find(image("child:1", "abc"), index, alone)
    assert edges(child) == [("app:1", PROVEN)]
    assert "app:1-amd64" in child[0].why


# By platform.


def test_each_platform_has_to_agree() -> None:
    base = image("base:1", layers("a", AMD), layers("x", ARM))
    assert edges(find(image("app:1", layers("ab", AMD), layers("xy", ARM)), base)) == [("base:1", PROVEN)]
    (partial,) = find(image("app:1", layers("ab", AMD), layers("qy", ARM)), base)
    assert (partial.sureness, partial.platforms) == (PARTIAL, (AMD,))
    assert "differ for linux/arm64" in partial.why


def test_a_base_without_the_platform_is_partly_proven() -> None:
    (partial,) = find(image("app:1", layers("ab", AMD), layers("xy", ARM)), image("base:1", layers("a", AMD)))
    assert (partial.sureness, partial.platforms) == (PARTIAL, (AMD,))
    assert "the base has none for linux/arm64" in partial.why


def test_platforms_may_stand_on_different_bases() -> None:
    found = find(
        image("app:1", layers("ab", AMD), layers("xy", ARM)),
        image("amd:1", layers("a", AMD)),
        image("arm:1", layers("x", ARM)),
    )
    assert edges(found) == [("amd:1", PARTIAL), ("arm:1", PARTIAL)]


def test_windows_has_several_images_for_one_platform() -> None:
    windows = "windows/amd64"
    base = image("base:1", layers("a", windows), layers("b", windows))
    assert edges(find(image("app:1", layers("ax", windows), layers("bx", windows)), base)) == [("base:1", PROVEN)]
    assert find(image("app:1", layers("ax", windows), layers("cx", windows)), base)[0].platforms == ()


# Where layers are the same.


def test_history_tells_who_came_first() -> None:
    base = image("base:1", layers("a", history="1"))
    env = image("env:1", layers("a", history="12"))
    more = image("more:1", layers("a", history="123"))
    sibling = image("sibling:1", layers("a", history="14"))
    known = (base, env, more, sibling)
    (found,) = find(more, *known)
    assert edges([found]) == [("env:1", PROVEN)]
    assert "its history goes on from there" in found.why
    assert edges(find(env, *known)) == [("base:1", PROVEN)]
    assert edges(find(sibling, *known)) == [("base:1", PROVEN)]
    assert find(base, *known) == ()


def test_history_tells_which_of_several_is_the_base() -> None:
    known = (image("base:1", layers("a", history="1")), image("env:1", layers("a", history="12")))
    assert edges(find(image("app:1", layers("ab", history="13")), *known)) == [("base:1", PROVEN)]
    assert edges(find(image("app:1", layers("ab", history="123")), *known)) == [("env:1", PROVEN)]


def test_a_claim_tells_who_came_first_where_history_does_not() -> None:
    base = image("base:1", layers("a", history="1"))
    rebuilt = image("rebuilt:1", layers("a", history="9"), claims=[annotated("~base:1")])
    (found,) = find(rebuilt, base)
    assert (found.sureness, found.basis) == (PROVEN, Basis.ANNOTATION)
    assert find(base, rebuilt) == ()


def test_the_clock_is_the_last_resort() -> None:
    old = image("a:1", layers("ab", history="1", part="one"), created=1.0)
    new = image("b:1", layers("ab", history="1", part="two"), created=2.0)
    (found,) = find(new, old)
    assert edges([found]) == [("a:1", CLAIMED)]
    assert "only the time of creation" in found.why
    assert find(old, new) == ()
    base = image("base:1", "a")
    assert edges(find(new, old, base)) == [("base:1", PROVEN)]
    unknown = image("b:1", layers("ab", history="1", part="two"))
    assert find(unknown, old) == ()
    sibling = image("a:2", layers("ab", history="1", part="two"), created=2.0)
    assert find(sibling, old) == ()  # two versions of one image


# Claims.


@pytest.mark.parametrize("basis", [Basis.ANNOTATION, Basis.LABEL, Basis.PROVENANCE])
def test_a_claim_that_the_layers_prove_goes_before_the_nearest(basis: Basis) -> None:
    base, cached = image("base:1", "a"), image("cached:1", "ab")
    (found,) = find(image("app:1", "abc", claims=[annotated("~base:1", basis)]), base, cached)
    assert edges([found]) == [("base:1", PROVEN)]
    assert found.basis is basis


def test_a_label_of_the_base_is_not_the_image_s_own() -> None:
    label = annotated("~base:1", Basis.LABEL)
    mid = image("mid:1", "ab", claims=[label])
    assert edges(find(image("app:1", "abc", claims=[label]), image("base:1", "a"), mid)) == [("mid:1", PROVEN)]
    abroad = annotated("debian:12", Basis.LABEL)
    mid = image("mid:1", "ab", claims=[abroad])
    assert edges(find(image("app:1", "abc", claims=[abroad]), mid)) == [("mid:1", PROVEN)]


def test_a_claim_that_the_layers_contradict() -> None:
    base = image("base:1", "abcd")
    (found,) = find(image("app:1", "abx", claims=[annotated("~base:1")]), base)
    assert edges([found]) == [("base:1", DISPROVED)]
    assert "2 of 4 are there" in found.why
    assert not found.stale


def test_a_claim_beside_what_the_layers_prove() -> None:
    found = find(image("app:1", "xyz", claims=[annotated("~base:1")]), image("base:1", "ab"), image("real:1", "x"))
    assert edges(found) == [("real:1", PROVEN), ("base:1", DISPROVED)]


def test_a_squashed_image_can_hide_its_base() -> None:
    (found,) = find(image("app:1", "x", claims=[annotated("~base:1")]), image("base:1", "ab"))
    assert edges([found]) == [("base:1", CLAIMED)]


def test_a_base_without_layers_leaves_the_claim_open() -> None:
    (found,) = find(image("app:1", "xy", claims=[annotated("~empty:1")]), image("empty:1", ""))
    assert edges([found]) == [("empty:1", CLAIMED)]
    assert "no layers for linux/amd64" in found.why


@pytest.mark.parametrize(
    ("base", "place", "why"),
    [
        ("debian:12", Place.ELSEWHERE, "its registry was not read"),
        ("~gone:1", Place.ABSENT, "the registry does not have it"),
    ],
)
def test_a_base_that_was_not_read(base: str, place: Place, why: str) -> None:
    (found,) = find(image("app:1", "ab", claims=[annotated(base)]))
    assert (found.sureness, found.place) == (CLAIMED, place)
    assert why in found.why


def test_an_image_that_names_itself() -> None:
    (found,) = find(image("app:1", "ab", claims=[annotated("~app:1")]))
    assert (found.sureness, "this very image" in found.why) == (CLAIMED, True)


def test_a_copy_of_a_foreign_base_is_found_by_its_digest() -> None:
    mirror = image("mirror/debian:12", "a")
    (found,) = find(image("app:1", "ab", claims=[annotated(f"debian:12@{mirror.digest}")]), mirror)
    assert (found.base, found.sureness, found.place) == ("docker.io/library/debian:12", PROVEN, Place.HERE)


def test_a_pinned_claim_is_told_by_the_tag_of_what_it_means() -> None:
    base = image("base:1", "a")
    (found,) = find(image("app:1", "ab", claims=[annotated(f"~base@{base.digest}")]), base)
    assert edges([found]) == [("base:1", PROVEN)]
    assert found.base_digest == found.current_digest == base.digest


# Bases that have moved.


def test_the_old_base_is_known_by_its_digest() -> None:
    now, old = image("base:1", "xb"), image("base:1", "ab", tags=())
    (found,) = find(image("app:1", "abc", claims=[annotated(f"~base:1@{old.digest}")]), now, old)
    assert edges([found]) == [("base:1", PROVEN)]
    assert (found.base_digest, found.current_digest, found.stale) == (old.digest, now.digest, True)


def test_the_old_base_is_known_by_its_layers_where_the_claim_has_no_digest() -> None:
    now, old = image("base:1", "xb"), image("base:1", "ab", tags=())
    (found,) = find(image("app:1", "abc", claims=[annotated("~base:1", Basis.LABEL)]), now, old)
    assert (found.base_digest, found.stale) == (old.digest, True)


def test_the_old_base_is_gone() -> None:
    gone = digest("gone")
    (found,) = find(image("app:1", "abc", claims=[annotated(f"~base:1@{gone}")]), image("base:1", "xb"))
    assert edges([found]) == [("base:1", CLAIMED)]
    assert (found.base_digest, found.stale) == (gone, True)


def test_a_rebuilt_base_with_the_same_layers_proves_as_well() -> None:
    (found,) = find(image("app:1", "abc", claims=[annotated(f"~base:1@{digest('gone')}")]), image("base:1", "ab"))
    assert (found.sureness, found.stale) == (PROVEN, False)
    assert "is not in the registry" in found.why


def test_what_an_image_was_before_is_not_its_base() -> None:
    before, base = image("app:1", "ab", tags=()), image("base:1", "a")
    assert edges(find(image("app:1", "abc"), before, base)) == [("base:1", PROVEN)]


def test_an_old_base_that_nothing_names_is_told_by_digest() -> None:
    old = image("base:1", "ab", tags=())
    (found,) = find(image("app:1", "abc"), old, image("base:1", "xb"))
    assert found.base == f"{HOST}/base@{old.digest}"
    assert found.current_digest is None
    assert "no tag points at it any more" in found.why


# Provenance.


def materials(*names: str) -> list[Claim]:
    return [annotated(name, Basis.PROVENANCE) for name in names]


def test_of_the_images_a_build_used_the_highest_is_the_runtime_base() -> None:
    base, mid = image("base:1", "a"), image("mid:1", "ab")
    subject = image("app:1", "abc", claims=materials("golang:1", "~base:1", "~mid:1"))
    found = find(subject, base, mid)
    assert [(each.base.removeprefix(f"{HOST}/"), each.kind) for each in found] == [
        ("mid:1", EdgeKind.RUNTIME),
        ("docker.io/library/golang:1", EdgeKind.BUILD),
        ("base:1", EdgeKind.BUILD),
    ]
    assert [each.sureness for each in found] == [PROVEN, CLAIMED, CLAIMED]


def test_provenance_of_unread_images() -> None:
    (alone,) = find(image("app:1", "ab", claims=materials("debian:12")))
    assert (alone.kind, alone.sureness) == (EdgeKind.RUNTIME, CLAIMED)
    both = find(image("app:1", "ab", claims=materials("debian:12", "golang:1")))
    assert {each.kind for each in both} == {EdgeKind.BUILD}
    assert all("one of these may be its runtime base" in each.why for each in both)


def test_an_annotation_and_the_provenance_name_the_same_base() -> None:
    claims = [annotated("debian:12"), *materials("debian:12", "golang:1")]
    found = find(image("app:1", "ab", claims=claims))
    assert [(each.kind, each.basis) for each in found] == [
        (EdgeKind.RUNTIME, Basis.ANNOTATION),
        (EdgeKind.BUILD, Basis.PROVENANCE),
    ]


def test_a_single_material_that_is_no_runtime_base() -> None:
    (found,) = find(image("app:1", "xy", claims=materials("~tool:1")), image("tool:1", "ab"))
    assert (found.kind, found.sureness) == (EdgeKind.BUILD, CLAIMED)


def test_a_build_base_keeps_the_digest_that_was_used() -> None:
    tool = image("tool:1", "zz")
    claims = materials("~base:1", f"~tool:1@{digest('used')}")
    _, found = find(image("app:1", "ab", claims=claims), image("base:1", "a"), tool)
    assert (found.base_digest, found.current_digest, found.stale) == (digest("used"), tool.digest, True)


# Against what is registered.


def node(name: str, runtime: str | None, *build: str) -> Node:
    def full(text: str) -> str:
        return str(Reference.parse(text.replace("~", f"{HOST}/")))

    return Node(
        name=name,
        publishes=(f"{HOST}/{name}:1",),
        runtime=full(runtime) if runtime else None,
        build=tuple(full(base) for base in build),
    )


def differences(images: Sequence[Known], *nodes: Node) -> Differences:
    discovery = Discovery(HOST, images)
    found = {each.reference: discovery.find(each) for each in discovery.images}
    return compare(discovery, found, Lineage(nodes), within=lambda reference: reference.registry == HOST)


def test_registered_edges() -> None:
    old = image("base:1", "q", tags=())
    images = [
        image("base:1", "a"),
        image("good:1", "ab"),
        image("wrong:1", "ac"),
        image("other:1", "xyz"),
        image("late:1", "qr"),
        image("pin:1", "qs"),
        image("flat:1", "m"),
        image("none:1", "ad"),
        old,
    ]
    result = differences(
        images,
        node("good", "~base:1"),
        node("wrong", "~other:1"),
        node("late", "~base:1"),
        node("pin", f"~base:1@{old.digest}"),
        node("flat", "~base:1"),
        node("none", None),
        node("base", "debian:12"),
        node("other", "~deleted:1"),
        node("ghost", "~base:1"),
    )
    assert {each.image: (each.sureness, each.stale, each.place) for each in result.registered} == {
        "good": (PROVEN, False, Place.HERE),
        "wrong": (DISPROVED, False, Place.HERE),
        "late": (PROVEN, True, Place.HERE),
        "pin": (PROVEN, True, Place.HERE),
        "flat": (CLAIMED, False, Place.HERE),
        "none": (DISPROVED, False, Place.HERE),
        "base": (CLAIMED, False, Place.ELSEWHERE),
        "other": (CLAIMED, False, Place.ABSENT),
    }
    assert result.missing == ("ghost",)
    wrong = next(each for each in result.registered if each.image == "wrong")
    assert wrong.why.endswith(f"they begin with those of {HOST}/base:1")


def test_a_pin_to_a_digest_that_is_gone_is_not_proven_by_what_the_tag_points_at_now() -> None:
    pinned = node("app", f"~base:1@{digest('gone')}")
    (found,) = differences([image("base:1", "a"), image("app:1", "ab")], pinned).registered
    assert (found.sureness, found.place) == (CLAIMED, Place.ABSENT)


def test_registered_build_edges() -> None:
    images = [
        image("base:1", "a"),
        image("tool:1", "t"),
        image("said:1", "ab", claims=materials("~base:1", f"~tool:1@{digest('old')}")),
        image("silent:1", "ac"),
        image("other:1", "ad", claims=materials("~base:1", "golang:1")),
    ]
    nodes = [node(name, "~base:1", "~tool:1") for name in ("said", "silent", "other")]
    found = {each.image: each for each in differences(images, *nodes).registered if each.kind is EdgeKind.BUILD}
    assert {name: each.why for name, each in found.items()} == {
        "said": "its provenance names it too",
        "silent": "layers do not show what a build copies from",
        "other": "its provenance does not name it",
    }
    assert [found[name].stale for name in ("said", "silent", "other")] == [True, False, False]
    assert {each.sureness for each in found.values()} == {CLAIMED}


def test_unregistered_images() -> None:
    images = [
        image("base:1", "a"),
        image("app:1", "ab"),
        image("app:2", "ac"),
        image("below:1", "acd"),
        image("island:1", "x"),
        image("islander:1", "xy"),
        image("abroad:1", "z", claims=[annotated("debian:12")]),
    ]
    result = differences(images, node("app", "~base:1"), node("mirror", "debian:12"))

    def entry(name: str, base: str, *, reaches: bool = True, sibling: str | None = None) -> Unregistered:
        full = str(Reference.parse(base.replace("~", f"{HOST}/")))
        return Unregistered(image=f"{HOST}/{name}", bases=(full,), reaches=reaches, sibling=sibling)

    assert list(result.unregistered) == [
        entry("abroad:1", "debian:12"),
        entry("app:2", "~base:1", sibling="app"),
        entry("below:1", "~app:2"),
        entry("islander:1", "~island:1", reaches=False),
    ]
    assert result.missing == ("mirror",)


def test_other_registries_are_left_alone() -> None:
    elsewhere = Node(name="far", publishes=("other.example.com/far:1",), runtime=f"{HOST}/base:1")
    result = differences([image("base:1", "a")], elsewhere)
    assert (result.registered, result.missing) == ((), ())


# Laws.


@st.composite
def forests(draw: st.DrawFn) -> list[tuple[int | None, int, bool]]:
    """For each image its base (an earlier one, or none), how many layers it adds, and whether it adds history."""
    size = draw(st.integers(1, 25))
    forest: list[tuple[int | None, int, bool]] = []
    for number in range(size):
        base = draw(st.one_of(st.none(), st.integers(0, number - 1))) if number else None
        forest.append((base, draw(st.integers(0 if base is not None else 1, 3)), draw(st.booleans())))
    return forest


def grow(forest: Sequence[tuple[int | None, int, bool]]) -> list[Known]:
    grown: list[Known] = []
    for number, (base, added, _) in enumerate(forest):
        below = grown[base].platforms[0] if base is not None else Layers(platform=AMD, digest="", chain=())
        own = tuple(f"{number}.{step}" for step in range(added))
        grown.append(
            Known(
                digest=digest(f"image {number}"),
                name=f"{HOST}/image{number}",
                references=(f"{HOST}/image{number}:1",),
                platforms=(
                    Layers(
                        platform=AMD,
                        digest=digest(f"manifest {number}"),
                        chain=below.chain + own,
                        history=(*below.history, f"step {number}"),
                    ),
                ),
            )
        )
    return grown


@given(forest=forests(), rng=st.randoms(use_true_random=False))
def test_every_base_is_found_again_in_whatever_order_images_are_read(
    forest: list[tuple[int | None, int, bool]], rng: random.Random
) -> None:
    images = grow(forest)
    shuffled = list(images)
    rng.shuffle(shuffled)
    discovery = Discovery(HOST, shuffled)
    for number, (base, _, _) in enumerate(forest):
        expected = [] if base is None else [(f"image{base}:1", PROVEN)]
        assert edges(discovery.find(images[number])) == expected


CHAINS = st.lists(st.text("ab", max_size=5), min_size=1, max_size=12)


@given(chains=CHAINS, claims=st.lists(st.integers(0, 11), max_size=3))
def test_what_is_called_proven_is_proven(chains: list[str], claims: list[int]) -> None:
    """With any layers, histories that tell nothing, and any claims."""
    said = [annotated(f"~image{number}:1") for number in claims]
    images = [image(f"image{number}:1", text, claims=said) for number, text in enumerate(chains)]
    discovery = Discovery(HOST, images)
    for each in images:
        for finding in discovery.find(each):
            base = discovery.published(finding.base)
            begins = (
                base is not None
                and bool(base.platforms[0].chain)
                and (each.platforms[0].chain[: len(base.platforms[0].chain)] == base.platforms[0].chain)
            )
            assert base is not each or finding.sureness is not PROVEN
            assert (finding.sureness is PROVEN) <= begins
            assert (finding.sureness is DISPROVED) <= (not begins)


@given(chains=CHAINS, asked=st.text("ab", max_size=6))
def test_the_index_finds_every_chain_that_one_begins_with(chains: list[str], asked: str) -> None:
    index: ChainIndex[str] = ChainIndex()
    for text in filter(None, chains):
        index.at(AMD, tuple(text), lambda text=text: text)
    expected = sorted({text for text in chains if text and asked.startswith(text)}, key=len, reverse=True)
    assert list(index.beneath(AMD, tuple(asked))) == [(len(text), text) for text in expected]
    assert list(index.beneath(ARM, tuple(asked))) == []


def test_shared() -> None:
    assert [shared("abc", "abd"), shared("", "a"), shared("ab", "ab")] == [2, 0, 2]


def test_thousands_of_images_with_the_same_layers() -> None:
    """The worst case for ties: a search among them all for each would take minutes."""
    base = image("base:1", layers("a", history="1"))
    images = [image(f"env{number}:1", layers("a", history="1" + chr(1000 + number))) for number in range(5000)]
    began = time.process_time()
    discovery = Discovery(HOST, [base, *images])
    assert {edges(discovery.find(each))[0] for each in images} == {("base:1", PROVEN)}
    assert time.process_time() - began < 20
