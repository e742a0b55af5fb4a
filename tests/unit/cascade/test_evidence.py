"""What is told of one rebuild, and that nothing is called proven that is not."""

from collections.abc import Callable
from dataclasses import replace

from groundswell.cascade.evidence import PINNED, SEEN, UNKNOWN, build_bases, outcome, to_json
from groundswell.cascade.model import Moment, Outcome, Rebuild, Wait
from groundswell.cascade.status import Stage, Status
from tests.support.world import BASE, HOST, World, image_of, ref, registration, workload

type MakeWorld = Callable[..., World]

TOOLS = f"{HOST}/mirror/tools:1"


def test_all_four_proofs_are_kept_and_told(make_world: MakeWorld) -> None:
    """Base digest, chain, run and scan."""
    world = make_world(registration("top", BASE, deployments=[workload("web")]))
    before = world.registry.tags[ref("top")]
    pushed = world.push_base()
    world.drive()
    told = to_json(world.states()["top"], now=world.time)
    promoted = world.registry.tags[ref("top")]
    assert (told["status"], told["stage"], told["attempt"]) == ("done", None, 1)
    assert told["built_on"] == {BASE: pushed}
    assert told["proof"] == {
        "run": told["run"],
        "digest": promoted,
        "runtime": {
            "base": BASE,
            "digest": pushed,
            "proven": True,
            "platforms": [{"platform": "linux/amd64", "proven": True, "layers": 1, "reason": ""}],
            "reasons": [],
        },
        "build": [],
    }
    assert told["run"] in world.builder.runs
    assert (told["scan"]["digest"], told["scan"]["scanner"], told["scan"]["passed"]) == (promoted, "fake", True)
    assert (told["previous"], told["promoted"]) == (before, promoted)
    assert told["candidate"] == {"digest": promoted, "tag": world.states()["top"].candidate_tag}
    (rollout,) = told["rollouts"]
    assert rollout.pop("at") <= world.time
    assert rollout == {
        "workload": str(workload("web")),
        "former": f"{HOST}/old@sha256:old",
        "image": f"{HOST}/top@{promoted}",
        "ring": "",
        "state": "healthy",
        "why": "",
    }
    assert told["rings"] == [
        {
            "ring": "",
            "state": "done",
            "environments": ["c"],
            "workloads": [str(workload("web"))],
            "bake_seconds": 0.0,
            "approval": False,
        }
    ]
    assert [move["status"] for move in told["moves"]][-2:] == ["deploying", "done"]
    assert told["seconds"] is not None


def test_one_that_has_not_begun_claims_nothing(make_world: MakeWorld) -> None:
    world = make_world(registration("top", BASE), registration("app", ref("top")))
    world.broken.add("top")
    world.push_base()
    world.drive()
    app, top = world.states()["app"], world.states()["top"]
    told = to_json(app, now=world.time)
    assert [told[part] for part in ("proof", "scan", "candidate", "seconds")] == [None, None, None, None]
    assert outcome(app) == f"app is blocked in cascade {world.cascade}, attempt 0: blocked by top"
    assert outcome(top).startswith(f"top is failed at build in cascade {world.cascade}, attempt 1: run r0 ended")
    assert outcome(replace(app, reason="")).endswith("attempt 0")


def test_a_proof_without_a_runtime_base_says_so(make_world: MakeWorld) -> None:
    world = make_world(registration("app", None, build=[BASE]))
    world.push_base()
    world.sources["app"] = "2"
    world.drive()
    proof = to_json(world.states()["app"], now=world.time)["proof"]
    assert proof["runtime"] is None
    assert [edge["base"] for edge in proof["build"]] == [BASE]


def test_a_build_base_is_told_by_what_its_tag_was_and_never_as_proven(make_world: MakeWorld) -> None:
    pin = f"{HOST}/mirror/pinned:1@sha256:{'a' * 64}"
    world = make_world(
        registration("tools", BASE),
        registration("app", BASE, build=[ref("tools"), TOOLS, pin]),
    )
    world.push_base()
    world.drive()
    build = to_json(world.states()["app"], now=world.time)["proof"]["build"]
    assert build == [
        {"base": ref("tools"), "digest": world.registry.tags[ref("tools")], "basis": SEEN},
        {"base": TOOLS, "digest": "", "basis": UNKNOWN},
        {"base": pin.partition("@")[0], "digest": "sha256:" + "a" * 64, "basis": PINNED},
    ]


def test_a_pushed_build_base_is_told_by_its_reference(make_world: MakeWorld) -> None:
    world = make_world(registration("app", BASE, build=[TOOLS]))
    world.registry.on_push = lambda reference, digest: None
    world.registry.put(TOOLS, image_of(["sha256:tools0"]))
    world.app.bases.note(TOOLS, digest=world.registry.tags[TOOLS])
    world.registry.on_push = world.webhook
    world.sources["app"] = "2"
    pushed = world.push_base("sha256:tools1", TOOLS)
    world.drive()
    proof = to_json(world.states()["app"], now=world.time)["proof"]
    assert proof["build"] == [{"base": TOOLS, "digest": pushed, "basis": SEEN}]
    assert proof["runtime"]["base"] == BASE  # read by its tag: it did not move


def test_a_build_base_that_came_out_unchanged_has_its_digest_still() -> None:
    app = registration("app", None, build=[ref("tools")])
    state = Rebuild(
        cascade="c",
        image="app",
        status=Status.VERIFYING,
        waits={"tools": Wait(outcome=Outcome.UNCHANGED, digest="sha256:same", turn=1)},
        built_on={"tools": ""},
    )
    (edge,) = build_bases(app, state, {ref("tools"): "tools"}.get)
    assert (edge["digest"], edge["basis"]) == ("sha256:same", SEEN)


def test_a_record_of_an_older_program_is_told_as_far_as_it_goes() -> None:
    state = Rebuild(
        cascade="c",
        image="app",
        status=Status.FAILED,
        failed_stage=Stage.SCAN,
        waits={},
        proof={"run": "r0", "digest": "sha256:new"},
        history=(Moment(status=Status.FAILED, at=1.0),),
    )
    assert to_json(state, now=2.0)["proof"] == {"run": "r0", "digest": "sha256:new", "runtime": None, "build": []}
