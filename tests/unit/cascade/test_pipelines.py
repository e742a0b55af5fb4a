"""Images that a pipeline builds: their own slots, the same proof, and nothing of what was pushed elsewhere."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from graph.reference import Reference
from groundswell.build.port import Run
from groundswell.cascade.schedule import DEFAULT
from groundswell.cascade.status import Stage, Status
from groundswell.errors import InputError
from groundswell.lineage.document import parse
from groundswell.lineage.model import from_json, to_json
from groundswell.settings import BuildServer
from tests.support.world import BASE, HOST, World, image_of, ref, registration

type MakeWorld = Callable[..., World]


def test_its_slots_are_a_pool_of_their_own_and_its_layers_are_proven_as_ever(make_world: MakeWorld) -> None:
    images = [replace(registration(name, BASE), builder="azure") for name in ("a", "b", "c")]
    world = make_world(*images, registration("d", BASE), registration("e", BASE), slots=1)
    server = BuildServer(
        kind="azure-pipelines", url="https://dev.azure.com/contoso", project="p", pipeline=1, slots=2
    )
    vars(world.app)["settings"] = replace(world.app.settings, builders={"azure": server})
    world.takes = dict.fromkeys("abcde", 10)
    world.on_old_base.add("b")
    world.push_base()
    world.drive(until=30)
    running = world.app.engine.pool().running.values()
    assert sorted(each.pool for each in running) == ["builder:azure", "builder:azure", DEFAULT]
    world.drive()
    assert set(world.statuses().values()) == {"done"}
    builders = {request.repository: request.builder for request in world.builder.requests}
    assert builders == {"a": "azure", "b": "azure", "c": "azure", "d": None, "e": None}
    assert [request.no_cache for request in world.builder.requests if request.repository == "b"] == [False, True]
    forgotten = {
        request.repository for request in world.builder.requests if request.name in world.builder.forgotten
    }
    assert forgotten == {"d", "e"}  # a pipeline keeps no names


def test_what_a_pipeline_pushed_elsewhere_is_never_promoted(make_world: MakeWorld) -> None:
    world = make_world(replace(registration("a", BASE), builder="azure"))
    before = world.registry.tags[ref("a")]
    world.registry.on_push = lambda reference, digest: None
    elsewhere = image_of(["sha256:base1", "sha256:somewhere-else"])
    observe = world.builder.observe

    def pushes_elsewhere(registry: str, run_id: str) -> Run:
        run = observe(registry, run_id)
        world.registry.tags.pop(f"{HOST}/a:{world.builder.requests[0].tag}", None)
        world.registry.put(f"{HOST}/a:latest", elsewhere)
        return run

    vars(world.builder)["observe"] = pushes_elsewhere
    world.push_base()
    world.webhook(Reference.parse(BASE), world.registry.tags[BASE])
    world.drive()
    (state,) = world.states().values()
    assert (state.status, state.failed_stage) == (Status.FAILED, Stage.BUILD)
    assert "is not in the registry yet" in state.reason
    assert world.registry.tags[ref("a")] == before


def test_a_lineage_file_names_the_builder() -> None:
    text = """
version: 1
registry: contoso.azurecr.io
source: {git: "https://github.com/contoso/shop.git"}
images:
  - {name: web, tags: ["1"], builder: azure}
  - {name: api, tags: ["1"]}
"""
    web, api = (item.registration for item in parse(text))
    assert (web.builder, web.pool, api.builder, api.pool) == ("azure", "builder:azure", None, None)
    before = to_json(web)
    del before["builder"]  # as it was stored before there were any
    assert from_json(before) == replace(web, builder=None)
    with pytest.raises(InputError, match=r"lineage.yaml:6: images\[0\].agent_pool: only ACR Tasks has agent pools"):
        parse(text.replace("azure}", "azure, agent_pool: large}"))
    assert parse(text.replace("azure}", "null, agent_pool: large}"))[0].registration.pool == "large"
    with pytest.raises(InputError, match="builder"):
        parse(text.replace("azure}", "'no such: name'}"))
