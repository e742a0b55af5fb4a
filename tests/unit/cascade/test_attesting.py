"""What is attached to a candidate and signed before a stable tag moves to it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graph.reference import Reference
from groundswell.attest import dsse, notation
from groundswell.attest.attachments import Attachments
from groundswell.attest.check import look, sound
from groundswell.attest.statements import CYCLONEDX, PROVENANCE, VERDICT
from groundswell.cascade.attesting import BUILD_TYPE, REBASE_TYPE, Attest, proof, verdict
from groundswell.cascade.model import Moment, Rebuild
from groundswell.cascade.push import Push, of_an_image
from groundswell.cascade.status import Stage, Status
from groundswell.errors import PermanentError, TemporaryError
from groundswell.lineage.model import Registration
from groundswell.scan.port import Package, Report
from tests.support import notation as spec
from tests.support.signing import FakeSigner
from tests.support.world import BASE, HOST, World, digest_of, ref, registration, workload

type MakeWorld = Callable[..., World]
KEY = FakeSigner().public_key()


def signing(make_world: MakeWorld, *images: Registration, **rest: Any) -> World:
    world = make_world(*images, **rest)
    vars(world.app).update(signer=FakeSigner())
    return world


def rebuilt(world: World) -> None:
    world.push_base()
    world.drive()


def promoted(world: World, name: str) -> Reference:
    return Reference.parse(f"{HOST}/{name}@{world.registry.tags[ref(name)]}")


def said(world: World, name: str) -> dict[str, Any]:
    """The predicates of the signed statements about what an image's stable tag points to, by type."""
    tag = str(promoted(world, name).digest).replace(":", "-")
    digest = world.artifacts.tags[f"{HOST}/{name}:{tag}.att"]
    layers = json.loads(world.artifacts.manifests[digest].content)["layers"]
    found = [json.loads(dsse.payload(world.artifacts.blobs[layer["digest"]])) for layer in layers]
    return {each["predicateType"]: each["predicate"] for each in found}


def listing(world: World) -> None:
    """Let the scanner list packages."""
    scan = world.scanner.scan

    def with_packages(reference: Reference) -> Report:
        return replace(scan(reference), packages=(Package(name="zlib1g", version="1"),))

    world.scanner.scan = with_packages  # type: ignore[method-assign]


def test_it_is_signed_before_any_stable_tag_moves(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE), registration("app", ref("top")))
    moved: list[tuple[str, bool]] = []
    announce = world.registry.on_push

    def looked(reference: Reference, digest: str) -> None:
        if str(reference) != BASE and not (reference.tag or "").startswith("gs-"):
            moved.append((str(reference), sound(look(world.artifacts, reference.with_digest(digest), KEY))))
        announce(reference, digest)

    world.registry.on_push = looked
    rebuilt(world)
    assert world.statuses() == {"top": "done", "app": "done"}
    assert moved == [(ref("top"), True), (ref("app"), True)]


def test_the_proof_of_a_rebase_names_what_it_was_made_of(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE, strategy="rebase"))
    rebuilt(world)
    assert said(world, "top")[PROVENANCE]["buildDefinition"]["buildType"] == BUILD_TYPE
    before = str(promoted(world, "top").digest)
    world.push_base("sha256:base2")
    world.drive()
    found = said(world, "top")[PROVENANCE]
    assert found["buildDefinition"]["buildType"] == REBASE_TYPE
    _, runtime, rebased = found["buildDefinition"]["resolvedDependencies"]
    assert runtime["digest"] == {"sha256": world.registry.tags[BASE].removeprefix("sha256:")}
    assert rebased["uri"] == f"docker://{ref('top')}"
    assert rebased["digest"] == {"sha256": before.removeprefix("sha256:")}
    details = found["runDetails"]["metadata"]
    assert details["invocationId"] == ""
    assert details["startedOn"] == details["finishedOn"] > "2027"


def test_what_the_verdict_and_the_proof_say(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE), registration("app", ref("top"), build=[BASE]))
    rebuilt(world)
    state, found = world.states()["app"], said(world, "app")
    assert set(found) == {VERDICT, PROVENANCE}
    assert found[VERDICT]["verdict"]["passed"] is True
    assert found[VERDICT]["verdict"]["digest"] == state.promoted
    assert (found[VERDICT]["image"], found[VERDICT]["cascade"]) == ("app", world.cascade)
    definition, details = found[PROVENANCE]["buildDefinition"], found[PROVENANCE]["runDetails"]
    source, runtime, build = definition["resolvedDependencies"]
    assert source["uri"] == "git+https://git.example.com/company.git@main"
    assert source["digest"] == {"gitCommit": state.inputs["revision"]}
    assert runtime["uri"] == f"docker://{ref('top')}"
    assert runtime["digest"] == {"sha256": world.registry.tags[ref("top")].removeprefix("sha256:")}
    assert build["uri"] == f"docker://{BASE}"
    assert build["annotations"]["edge"] == "build"
    assert definition["internalParameters"]["inputs"] == state.inputs["key"]
    assert details["metadata"]["invocationId"] == state.run
    (chain,) = details["byproducts"]
    assert chain["annotations"]["platforms"] == [{"platform": "linux/amd64", "proven": True, "layers": 2}]


def test_the_bill_of_materials_is_attached_by_the_scan_and_signed_with_the_rest(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE))
    listing(world)
    rebuilt(world)
    digest = world.states()["top"].verdict["sbom"]
    assert digest in world.artifacts.manifests
    found = said(world, "top")
    assert set(found) == {VERDICT, PROVENANCE, CYCLONEDX}
    assert [each["name"] for each in found[CYCLONEDX]["components"]] == ["debian", "zlib1g"]
    kinds = [each.kind for each in look(world.artifacts, promoted(world, "top"), KEY) if each.form == "artifact"]
    assert sorted(kinds) == sorted(["application/vnd.cyclonedx+json", VERDICT, PROVENANCE])


def test_a_rejected_image_gets_nothing(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE))
    listing(world)
    world.vulnerable.add("top")
    rebuilt(world)
    assert world.statuses() == {"top": "rejected"}
    assert world.artifacts.puts == []
    assert world.states()["top"].verdict["sbom"] == ""


def test_without_a_key_it_is_attached_and_not_signed(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE))
    rebuilt(world)
    assert world.statuses() == {"top": "done"}
    assert [each.form for each in look(world.artifacts, promoted(world, "top"), None)] == ["artifact", "artifact"]


def test_a_registry_that_is_away_keeps_the_tag_where_it_is(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE))
    former = world.registry.tags[ref("top")]
    world.artifacts.down = TemporaryError("the registry is away")
    world.push_base()
    world.drive(until=60.0)
    assert world.statuses() == {"top": "promoting"}
    assert world.registry.tags[ref("top")] == former
    world.artifacts.down = None
    world.drive()
    assert world.statuses() == {"top": "done"}
    assert sound(look(world.artifacts, promoted(world, "top"), KEY))


@pytest.mark.parametrize("lists", [True, False])
def test_a_key_that_cannot_be_used_fails_the_promotion_which_may_be_replayed(
    make_world: MakeWorld, lists: bool
) -> None:
    world = signing(make_world, registration("top", BASE, deployments=[workload("web")]))
    world.artifacts.lists = lists
    former = world.registry.tags[ref("top")]
    signer = world.app.signer
    assert signer is not None
    real = signer.sign

    def refuse(message: bytes) -> bytes:
        raise PermanentError("the vault answered 403")

    signer.sign = refuse  # type: ignore[method-assign]
    rebuilt(world)
    state = world.states()["top"]
    assert (state.status, state.failed_stage, state.reason) == ("failed", Stage.PROMOTE, "the vault answered 403")
    assert world.registry.tags[ref("top")] == former
    assert world.deployer.patches == []
    signer.sign = real  # type: ignore[method-assign]
    replay(world, Stage.PROMOTE)
    assert world.statuses() == {"top": "done"}
    assert sound(look(world.artifacts, promoted(world, "top"), KEY))


def replay(world: World, stage: Stage) -> None:
    world.app.operator.replay(world.cascade, "top", stage=stage, who="ann", why="mended")
    world.drive()


def test_a_bill_of_materials_that_is_gone_fails_the_promotion(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE))
    listing(world)
    put = world.artifacts.put

    def forgetful(reference: Reference, content: bytes, media_type: str) -> bool:
        answer = put(reference, content, media_type)
        if b"cyclonedx" in content:
            world.artifacts.manifests.clear()
        return answer

    world.artifacts.put = forgetful  # type: ignore[method-assign]
    rebuilt(world)
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == ("failed", Stage.PROMOTE)
    assert "is not there" in state.reason
    world.artifacts.put = put  # type: ignore[method-assign]
    replay(world, Stage.SCAN)
    assert world.statuses() == {"top": "done"}


def test_with_a_chain_it_is_signed_as_notation_does_too(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE), registration("app", ref("top")))
    chain = spec.chain(KEY)
    vars(world.app).update(attest=Attest(Attachments(world.artifacts), FakeSigner(), lambda: chain))
    world.push_base()
    world.drive(double=True)
    assert world.statuses() == {"top": "done", "app": "done"}
    found = look(world.artifacts, promoted(world, "app"), KEY)
    assert [each.holds for each in found if each.kind == notation.SIGNATURE] == [True]


def test_a_chain_that_no_verifier_takes_keeps_the_tag_where_it_is(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE))
    former = world.registry.tags[ref("top")]
    vars(world.app).update(attest=Attest(Attachments(world.artifacts), FakeSigner(), spec.root))
    rebuilt(world)
    state = world.states()["top"]
    assert (state.status, state.failed_stage) == ("failed", Stage.PROMOTE)
    assert "which is not for the key that signs" in state.reason
    assert world.registry.tags[ref("top")] == former


def test_done_twice_it_is_said_once(make_world: MakeWorld) -> None:
    world = signing(make_world, registration("top", BASE))
    listing(world)
    world.push_base()
    world.drive(double=True)
    assert world.statuses() == {"top": "done"}
    assert len(look(world.artifacts, promoted(world, "top"), KEY)) == 1 + 3 + 3


# The statements by themselves.

SPEC = registration("app", None)
HISTORY = tuple(
    Moment(status=status, at=1_800_000_000.0 + at)
    for at, status in enumerate((Status.BUILDING, Status.VERIFYING, Status.SCANNING, Status.HELD, Status.PROMOTING))
)


def state_of(**changes: Any) -> Rebuild:
    state = Rebuild(
        cascade="c",
        image="app",
        status=Status.PROMOTING,
        waits={},
        candidate=digest_of("candidate"),
        verdict={"passed": True},
        history=HISTORY,
    )
    return replace(state, **changes)


def predicate(content: bytes) -> Any:
    return json.loads(content)["predicate"]


SUBJECT = Reference.parse(f"{HOST}/app@{digest_of('candidate')}")


def test_times_are_those_of_the_history() -> None:
    metadata = predicate(proof(SUBJECT, SPEC, state_of()).content)["runDetails"]["metadata"]
    assert metadata["startedOn"] == "2027-01-15T08:00:00Z"
    assert metadata["finishedOn"] == "2027-01-15T08:00:01Z"
    assert predicate(verdict(SUBJECT, state_of()).content)["decidedOn"] == "2027-01-15T08:00:03Z"
    assert predicate(verdict(SUBJECT, state_of(history=())).content)["decidedOn"] == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("builder", "named"), [(None, f"urn:groundswell:builder:{HOST}"), ("azure", "urn:groundswell:pipeline:azure")]
)
def test_who_built_it_is_named(builder: str | None, named: str) -> None:
    found = predicate(proof(SUBJECT, replace(SPEC, builder=builder), state_of()).content)
    assert found["runDetails"]["builder"] == {"id": named}


def test_an_image_without_a_base_and_with_unknown_inputs() -> None:
    tarball = replace(SPEC, source=replace(SPEC.source, location="https://files.example.com/a.tgz", ref=""))
    found = predicate(proof(SUBJECT, tarball, state_of(inputs={"unknown": "why"})).content)
    assert found["buildDefinition"]["resolvedDependencies"] == [
        {"uri": "https://files.example.com/a.tgz", "annotations": {"edge": "source"}}
    ]
    assert found["runDetails"]["byproducts"] == []


# Its announcements.


@pytest.mark.parametrize(
    ("tag", "whether"),
    [
        ("1.4", True),
        ("sha256-short", True),
        ("", False),
        (f"sha256-{'a' * 64}", False),
        (f"sha256-{'a' * 64}.sig", False),
        (f"sha256-{'a' * 64}.att", False),
    ],
)
def test_pushes_of_what_hangs_on_images_are_not_even_queued(make_world: MakeWorld, tag: str, whether: bool) -> None:
    push = Push(id="e", registry=HOST, repository="top", tag=tag, digest="", source="webhook")
    assert of_an_image(push) is whether
    world = make_world(registration("top", BASE))
    before = world.app.store.depth("pushes")
    world.app.receive(push)
    assert world.app.store.depth("pushes") - before == int(whether)
