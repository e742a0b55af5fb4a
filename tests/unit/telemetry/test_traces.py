"""From push to rollout is one trace, across queues, instances and crashes."""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from groundswell.cascade.codec import rebuild_to_json
from groundswell.cascade.engine import PUSHES
from groundswell.cascade.model import Kind
from groundswell.cascade.observing import observe_with
from groundswell.cascade.push import Push
from groundswell.errors import TemporaryError
from tests.support.world import BASE, QUEUES, World, image_of, ref, registration, workload
from tests.unit.telemetry.conftest import Watched, watch


def parent(watched: Watched, span: ReadableSpan) -> ReadableSpan | None:
    """The span's parent, which must be there and in the same trace."""
    if span.parent is None:
        return None
    (found,) = {s.context.span_id: s for s in watched.spans() if s.context.span_id == span.parent.span_id}.values()
    assert found.context.trace_id == span.context.trace_id
    return found


def lineage(watched: Watched, span: ReadableSpan) -> list[str]:
    """The names from a span up to the first of its trace."""
    above = parent(watched, span)
    return [span.name, *(lineage(watched, above) if above else [])]


def seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def of_cascade(watched: Watched) -> list[ReadableSpan]:
    trace = watched.one("plan").context.trace_id
    return [span for span in watched.spans() if span.context.trace_id == trace]


def assert_whole(watched: Watched) -> None:
    """One trace, whose every span has its parent in it, and one that has none."""
    assert watched.world.statuses() == {"bottom": "done", "top": "done"}
    spans = of_cascade(watched)
    assert [span.name for span in spans if parent(watched, span) is None] == ["send pushes"]
    assert lineage(watched, watched.one("plan")) == ["plan", "send pushes"]
    for image in ("bottom", "top"):
        rebuild = watched.one("rebuild", image=image)
        assert lineage(watched, rebuild) == ["rebuild", "plan", "send pushes"]
        for stage in ("wait for slot", "build", "verify", "scan", "promote"):
            found = {
                s.context.span_id
                for s in watched.spans(stage)
                if s.attributes and s.attributes["groundswell.image"] == image
            }
            assert len(found) == 1, (image, stage)
        for stage in ("build", "verify", "scan", "promote"):
            assert lineage(watched, watched.one(stage, image=image))[:2] == [stage, "rebuild"]
        assert lineage(watched, watched.one("verdict", image=image))[:3] == ["verdict", "scan", "rebuild"]
    assert lineage(watched, watched.one("rollout", image="top"))[:2] == ["rollout", "rebuild"]
    names = {"send pushes", "process pushes", "plan", "rebuild", "wait for slot", "build", "verify", "scan"}
    assert {span.name for span in spans} == names | {"verdict", "promote", "rollout"}


def test_from_push_to_rollout_is_one_trace(watched: Watched) -> None:
    watched.world.push_base()
    watched.world.drive()
    assert_whole(watched)
    assert len(of_cascade(watched)) == 1 + 2 + 1 + 2 * 7 + 1  # push, its two handlings, plan, two rebuilds, rollout


def test_a_build_is_one_span_however_often_it_is_looked_at(watched: Watched) -> None:
    watched.world.takes = {"bottom": 6}
    watched.world.push_base()
    watched.world.drive()
    history = watched.world.states()["bottom"].history
    built, verified = [m.at for m in history if m.status.value in ("building", "verifying")]
    span = watched.one("build", image="bottom")
    assert seconds(span) == pytest.approx(verified - built)
    assert seconds(span) > 10


def test_messages_doubled_and_in_any_order_leave_one_trace(watched: Watched) -> None:
    watched.world.push_base()
    watched.world.drive(rng=random.Random(3), double=True)
    ids = [span.context.span_id for span in of_cascade(watched)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("service", ["builder", "registry", "scanner"])
def test_a_retry_leaves_one_trace(watched: Watched, service: str) -> None:
    world = watched.world
    world.push_base()
    fake = getattr(world, service)
    calls = {"builder": "start", "registry": "promote", "scanner": "scan"}[service]
    real, failures = getattr(fake, calls), [TemporaryError("busy")] * 3

    def flaky(*args: object, **kwargs: object) -> object:
        if failures:
            raise failures.pop()
        return real(*args, **kwargs)

    setattr(fake, calls, flaky)
    world.drive()
    assert not failures
    assert_whole(watched)


class Crash(BaseException):
    pass


@pytest.mark.parametrize("kind", [Kind.BUILD, Kind.OBSERVE, Kind.SCAN, Kind.PROMOTE, Kind.DEPLOY])
def test_a_crash_and_another_instance_leave_one_trace(watched: Watched, kind: Kind) -> None:
    """The process dies after its work was done, before it was saved; one that remembers nothing goes on."""
    world = watched.world
    world.push_base()
    works = dict(world.app.engine._works)
    crashed = False

    def dies(command: object, state: object) -> object:
        nonlocal crashed
        result = works[kind](command, state)  # type: ignore[arg-type]
        if not crashed:
            crashed = True
            raise Crash
        return result

    world.app.engine._works = {**works, kind: dies}  # type: ignore[dict-item]
    while not crashed:
        moved = False
        for name in QUEUES:
            for message in world.app.store.receive(name, limit=1, lease=5):
                moved = True
                try:
                    world.deliver(name, message.body)
                except Crash:
                    world.app = world.another()
                    break
                world.app.store.delete(name, message)
        world.time += 0 if moved else 1
    world.time += 10
    for _ in range(3):
        world.drive()
        world.time += 61
        world.app.sweep.run()
    world.drive()
    assert_whole(watched)


def test_pushes_that_coalesce_are_linked(tmp_path: Path) -> None:
    other = BASE.replace("debian", "node")
    world = World(tmp_path, registration("app", BASE, build=[other]), settle=30.0)
    world.registry.put(other, image_of(["sha256:node0"]))
    watched = watch(world)
    try:
        world.push_base()
        world.push_base("sha256:node1", reference=other)
        world.drive()
    finally:
        observe_with(None)
        world.close()
    plan = watched.one("plan")
    sent = {span.context.span_id: span for span in watched.spans("send pushes")}
    assert plan.parent is not None
    assert plan.parent.span_id in sent
    (link,) = plan.links
    assert link.context.span_id in sent.keys() - {plan.parent.span_id}
    assert link.context.trace_id != plan.context.trace_id


def test_who_joins_a_cascade_is_linked_to_it(watched: Watched) -> None:
    world = watched.world
    world.takes = {"bottom": 40}
    world.push_base()
    world.drive(until=60)
    world.push_base("sha256:base2")
    world.drive()
    first, second = sorted(watched.spans("plan"), key=lambda span: span.start_time or 0)
    assert len(world.cascades) == 1
    (link,) = second.links
    assert link.context.span_id == first.context.span_id
    assert first.context.trace_id != second.context.trace_id


def test_a_failure_marks_its_span_and_tells_no_log(watched: Watched) -> None:
    world = watched.world
    world.builder.log_text = "password=hunter2\n"
    world.broken.add("bottom")
    world.push_base()
    world.drive()
    build = watched.one("build", image="bottom")
    assert build.status.is_ok is False
    assert build.attributes is not None
    assert build.attributes["cicd.pipeline.task.run.result"] == "failure"
    assert "hunter2" in world.states()["bottom"].reason
    assert not any("hunter2" in span.to_json() for span in watched.spans())
    assert lineage(watched, watched.one("rebuild", image="top"))[1:] == ["plan", "send pushes"]


def test_a_replay_is_another_rebuild_in_the_same_trace(watched: Watched) -> None:
    world = watched.world
    world.broken.add("bottom")
    world.push_base()
    world.drive()
    world.broken.clear()
    world.time += 100
    world.app.operator.replay(world.cascade, "bottom", who="me", why="mended")
    world.drive()
    assert world.statuses() == {"bottom": "done", "top": "done"}
    rebuilds = [
        s for s in watched.spans("rebuild") if s.attributes and s.attributes["groundswell.image"] == "bottom"
    ]
    assert [s.attributes["groundswell.status"] for s in rebuilds if s.attributes] == ["failed", "done"]
    assert len({s.context.span_id for s in rebuilds}) == 2
    assert len({s.context.trace_id for s in rebuilds}) == 1


# Old and new programs.


def test_without_telemetry_messages_and_records_are_as_they_were(tmp_path: Path) -> None:
    world = World(tmp_path, registration("bottom", BASE, deployments=[workload("bottom")]))
    world.push_base()
    (message,) = [m for m in world.app.store.receive(PUSHES) if "mirror/debian" in m.body]
    assert "trace" not in json.loads(message.body)
    world.deliver(PUSHES, message.body)
    assert "trace" not in rebuild_to_json(world.states()["bottom"])
    assert not any("trace" in record.value for record in world.app.store.scan("gathering", "gathering"))
    world.close()


def test_a_message_from_before_there_were_traces_is_understood(watched: Watched) -> None:
    push = Push(id="1", registry="r.example", repository="a", tag="1", digest="", source="webhook", trace="00-x")
    document = {"v": 4, **asdict(push)}
    del document["trace"]
    assert Push.from_text(json.dumps(document)) == replace(push, trace="")
    watched.world.app.intake.handle(json.dumps(document))
    assert watched.one("process pushes").parent is None


def test_a_program_without_telemetry_goes_on_and_keeps_the_trace(watched: Watched) -> None:
    """As after a way back: messages and records hold a trace that nobody looks at."""
    world = watched.world
    world.takes = {"bottom": 20}
    world.push_base()
    before = [message.body for message in world.app.store.receive(PUSHES, lease=1)]
    assert all(json.loads(body)["trace"] for body in before)
    world.drive(until=40)
    observe_with(None)
    world.drive()
    assert world.statuses() == {"bottom": "done", "top": "done"}
    (trace,) = {state.trace for state in world.states().values()}
    assert f"{watched.one('plan').context.trace_id:032x}" in trace
    assert not watched.spans("rebuild")


def test_a_rebuild_of_before_goes_on_without_a_trace(tmp_path: Path) -> None:
    world = World(tmp_path, registration("bottom", BASE), registration("top", ref("bottom")))
    world.takes = {"bottom": 20}
    world.push_base()
    world.drive(until=20)
    watched = watch(world)
    try:
        world.drive()
    finally:
        observe_with(None)
    assert world.statuses() == {"bottom": "done", "top": "done"}
    assert not watched.spans("rebuild")
    assert watched.points("groundswell.stage.duration")
    world.close()


@pytest.mark.parametrize("trace", ["nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "01-" + "a" * 51])
def test_a_context_that_is_none_does_no_harm(watched: Watched, trace: str) -> None:
    world = watched.world
    world.registry.on_push = lambda reference, digest: None
    world.push_base()
    host, _, rest = BASE.partition("/")
    repository, _, tag = rest.partition(":")
    push = Push(id="1", registry=host, repository=repository, tag=tag, digest="", source="x", trace=trace)
    world.app.intake.handle(push.to_text())
    world.drive()
    assert world.statuses() == {"bottom": "done", "top": "done"}


@pytest.fixture(autouse=True)
def silent_after() -> Iterator[None]:
    yield
    observe_with(None)
