"""The Builder port, kept by ACR Tasks, Azure Pipelines and Jenkins: each against its look-alike, with real builds.

A test on `world` is for every builder; one on `acr` says what ACR Tasks promises beyond the port.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from groundswell.build import acr_tasks
from groundswell.build.port import MAX_LOG, RunStatus, Source
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.serve import Servers
from groundswell.local.tasks.faults import Fault
from tests.support.builders import KINDS, Builders, Service, builders_world
from tests.support.processes import alive
from tests.support.registry import busybox, digest_of, push_image
from tests.support.tasks import CONCURRENCY, IDS, World, git, head_of, tarball

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def builders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builders]:
    with builders_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(params=KINDS)
def service(builders: Builders, request: pytest.FixtureRequest) -> Service:
    return builders.services[request.param]


@pytest.fixture
def world(service: Service) -> World:
    return service.world


@pytest.fixture
def acr(builders: Builders) -> World:
    return builders.services["acr-tasks"].world


def dependencies(log: str) -> dict[str, dict[str, object]]:
    """The summary at the end of a run's log."""
    text = log.partition("The following dependencies were found:\n")[2].rpartition("Run ID:")[0]
    return yaml.safe_load(text)[0]


def test_a_build_ends_as_an_image_in_the_registry(world: World) -> None:
    request = world.request("FROM {base}\nRUN echo done-by-hand > /x && cat /x\n")

    started = world.builder.start(request)
    ended = world.end(started)

    assert (ended.id, ended.status, ended.error) == (started.id, RunStatus.SUCCEEDED, "")
    assert digest_of(world.registry, request.repository, "1")
    assert "done-by-hand" in world.log(ended)


def test_the_log_ends_with_a_summary(acr: World) -> None:
    request = acr.request("FROM {base}\nRUN echo done-by-hand\n")

    ended = acr.end(acr.builder.start(request))

    assert re.fullmatch(r"c[a-z0-9]{2,}", ended.id)
    digest = digest_of(acr.registry, request.repository, "1")
    log = acr.log(ended)
    assert f"digest: {digest}" in log
    assert log.rstrip().splitlines()[-1].startswith(f"Run ID: {ended.id} was successful after ")
    found = dependencies(log)
    assert found["image"]["digest"] == digest
    assert found["runtime-dependency"]["digest"] == acr.base_digest
    assert found["git"] == {"git-head-revision": head_of(request.source.location)}


def test_a_failing_step_fails_the_run_and_nothing_is_pushed(world: World) -> None:
    request = world.request("FROM {base}\nRUN echo before-the-fall; exit 7\n")
    run = world.end(world.builder.start(request))

    assert run.status is RunStatus.FAILED
    assert world.kind or run.error == "failed to run step ID: build: exit status 7"
    assert run.error
    assert "before-the-fall" in world.log(run)
    assert digest_of(world.registry, request.repository, "1") is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dockerfile": "docker/Missing"}, "Dockerfile 'docker/Missing' is not in the source"),
        ({"path": "no/folder"}, "folder 'no/folder' is not in the source"),
        ({"ref": "no-such-branch"}, "git cannot fetch 'no-such-branch'"),
        ({"location": "file:///nowhere/at/all.git"}, "git cannot fetch 'HEAD' of file:///nowhere/at/all.git"),
        ({"path": "out"}, "folder 'out' leads out of the source"),
    ],
)
def test_what_is_missing_in_the_source_is_named(acr: World, changes: dict[str, str], said: str) -> None:
    location = acr.repository({"Dockerfile": f"FROM {acr.base}\n"}, links={"out": "/etc"})
    source = Source(
        location=changes.get("location", location), ref=changes.get("ref", ""), path=changes.get("path", "")
    )
    request = acr.request(source=source, dockerfile=changes.get("dockerfile", "Dockerfile"))

    run = acr.end(acr.builder.start(request))

    assert run.status is RunStatus.FAILED
    assert said in run.error
    assert said in acr.log(run)


def test_a_missing_base_fails_the_run(world: World) -> None:
    run = world.end(world.builder.start(world.request(f"FROM {world.registry}/no-such-base:9\n")))

    assert run.status is RunStatus.FAILED
    assert "no-such-base:9" in world.log(run)


def test_cancel_stops_the_build_and_everything_it_started(world: World) -> None:
    mark = "sleep 4711.5"
    request = world.request(f"FROM {{base}}\nRUN echo now-asleep; setsid {mark} & {mark}\n")
    run = world.builder.start(request)
    world.until(run, lambda _: alive("4711.5"))

    world.builder.cancel(world.registry, run.id)

    ended = world.end(run)
    assert ended.status is RunStatus.CANCELED
    assert ended.error
    assert not alive("4711.5")
    world.builder.cancel(world.registry, run.id)  # nothing happens when it has ended


def test_a_run_that_takes_too_long_times_out(acr: World) -> None:
    run = acr.end(acr.builder.start(acr.request("FROM {base}\nRUN sleep 300\n", timeout=2)))

    assert run.status is RunStatus.TIMEOUT
    assert run.error == "the run took more than 2 s"


def test_no_more_runs_go_on_at_once_than_allowed_and_a_waiting_one_can_be_cancelled(acr: World) -> None:
    dockerfile = "FROM {base}\nRUN sleep 0.7\n"
    runs = [acr.builder.start(acr.request(dockerfile)) for _ in range(CONCURRENCY + 2)]
    assert acr.builder.observe(acr.registry, runs[-1].id).status is RunStatus.QUEUED
    assert acr.log(runs[-1]) == ""

    acr.builder.cancel(acr.registry, runs[-1].id)

    assert acr.builder.observe(acr.registry, runs[-1].id).status is RunStatus.CANCELED
    spans = []
    for run in runs[:-1]:
        assert acr.end(run).status is RunStatus.SUCCEEDED
        seen = acr.sdk.runs.get(IDS.resource_group, IDS.name, run.id).properties
        spans.append((seen.start_time, seen.finish_time))
    at_once = [sum(start <= moment < finish for start, finish in spans) for moment, _ in spans]
    assert max(at_once) == CONCURRENCY


def test_a_run_that_waits_can_be_cancelled_and_has_no_log(world: World) -> None:
    dockerfile = "FROM {base}\nRUN sleep 300\n"
    runs = [world.builder.start(world.request(dockerfile)) for _ in range(CONCURRENCY + 1)]
    going_on = world.builder.named(world.registry)
    assert {run.id for run in runs} <= {run.id for run in going_on.values()}
    assert world.builder.observe(world.registry, runs[-1].id).status is RunStatus.QUEUED
    assert world.log(runs[-1]) == ""

    for run in reversed(runs):
        world.builder.cancel(world.registry, run.id)

    for run in runs:
        assert world.end(run).status is RunStatus.CANCELED
    assert world.log(runs[-1]).strip() == "" or world.kind is None
    still = [run.id for run in world.builder.named(world.registry).values() if not run.status.ended]
    assert not set(still) & {run.id for run in runs}


def test_the_same_name_builds_once(world: World) -> None:
    request = world.request("FROM {base}\n")
    first = world.builder.start(request)
    again = world.builder.start(request)
    world.end(first)
    later = world.builder.start(request)
    changed = world.builder.start(world.request("FROM {base}\nRUN true\n", name=request.name))

    assert [again.id, later.id, changed.id] == [first.id] * 3
    assert later.status is RunStatus.SUCCEEDED
    assert [run.resumed for run in (first, again, later, changed)] == [False, True, True, True]


def test_a_lost_answer_does_not_build_twice(service: Service) -> None:
    world = service.world
    request = world.request("FROM {base}\n")
    before = service.count()
    service.faults.add(Fault(where=service.begins, status=503, accepted=True))

    with pytest.raises(TemporaryError, match="503"):
        world.builder.start(request)
    run = world.builder.start(request)

    assert run.resumed
    assert world.end(run).status is RunStatus.SUCCEEDED
    assert service.count() == before + 1


def test_throttling_is_temporary_and_keeps_the_delay_asked_for(service: Service) -> None:
    service.faults.add(Fault(where=service.begins, status=429, retry_after=17))
    with pytest.raises(TemporaryError, match="429") as caught:
        service.world.builder.start(service.world.request("FROM {base}\n"))
    assert caught.value.delay == 17


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_fault_of_the_service_is_temporary_and_not_retried_inside(service: Service, status: int) -> None:
    world = service.world
    run = world.end(world.builder.start(world.request("FROM {base}\n")))
    service.faults.add(Fault(where=service.looks, status=status))
    with pytest.raises(TemporaryError, match=f"observing run .*: .* {status}"):
        world.builder.observe(world.registry, run.id)
    assert world.builder.observe(world.registry, run.id) == run


def test_a_service_that_hangs_is_given_up(service: Service) -> None:
    world = service.world
    run = world.end(world.builder.start(world.request("FROM {base}\n")))
    service.faults.add(Fault(where=service.looks, delay=3))
    begun = time.monotonic()
    with pytest.raises(TemporaryError, match="not answer"):
        service.impatient().observe(world.registry, run.id)
    assert time.monotonic() - begun < 2.5


def test_a_run_that_nobody_knows(world: World) -> None:
    mark = f"{world.kind}:" if world.kind else ""
    for number in ("999999", "of-no-kind"):
        run_id = mark + (number if world.kind else f"cf{number}")
        with pytest.raises(NotFoundError):
            world.builder.observe(world.registry, run_id)
        with pytest.raises(NotFoundError):
            world.builder.cancel(world.registry, run_id)
        with pytest.raises(NotFoundError):
            world.builder.log(world.registry, run_id)


def test_what_the_service_refuses_is_permanent_with_its_reason(acr: World) -> None:
    with pytest.raises(PermanentError, match="'timeout' must be from 1 to 28800 seconds"):
        acr.builder.start(acr.request("FROM {base}\n", timeout=99_999))
    with pytest.raises(PermanentError, match="AgentPoolNotFound: agent pool 'big' was not found"):
        acr.builder.start(acr.request("FROM {base}\n", pool="big"))


def test_a_registry_without_settings_is_named(acr: World) -> None:
    with pytest.raises(PermanentError, match=r"other\.azurecr\.io .* GROUNDSWELL_REGISTRIES"):
        acr.builder.observe("other.azurecr.io", "cf1")


def test_the_log_can_be_read_while_it_grows(acr: World) -> None:
    request = acr.request("FROM {base}\nRUN echo first-line && sleep 2\nRUN echo second-line\n")
    run = acr.builder.start(request)
    acr.until(run, lambda seen: "\nfirst-line\n" in acr.log(seen))
    assert "\nsecond-line\n" not in acr.log(run)

    acr.end(run)

    assert "\nsecond-line\n" in acr.log(run)


def test_of_a_long_log_the_end_is_given(world: World) -> None:
    count = MAX_LOG // 50
    script = f"i=0; while [ $i -lt {count} ]; do echo {'x' * 60}$i; i=$((i+1)); done"
    run = world.end(world.builder.start(world.request(f"FROM {{base}}\nRUN {script}\n")))

    log = world.log(run)

    assert len(log) <= MAX_LOG
    assert f"x{count - 2000}\n" in log  # the very last lines buildah loses now and then, on a busy machine
    assert "\n" + 60 * "x" + "0\n" not in log


def test_target_arguments_folder_branch_and_dockerfile(world: World) -> None:
    dockerfile = (
        f"ARG FROM_TAG\nFROM {world.registry}/base:$FROM_TAG AS wanted\nARG COLOUR\n"
        'COPY words /words\nRUN echo "it is $COLOUR, $(cat /words)"\nFROM wanted AS other\nRUN exit 9\n'
    )
    files = {"services/app/docker/Dockerfile.app": dockerfile, "services/app/words": "read from the folder"}
    location = world.repository(files, branch="release/1.0")
    request = world.request(
        source=Source(location=location, ref="release/1.0", path="services/app"),
        dockerfile="docker/Dockerfile.app",
        target="wanted",
        build_args={"FROM_TAG": "1", "COLOUR": "dark green --no-cache"},
    )
    run = world.end(world.builder.start(request))

    assert run.status is RunStatus.SUCCEEDED, world.log(run)
    assert "it is dark green --no-cache, read from the folder" in world.log(run)


def test_a_commit_can_be_the_ref(world: World) -> None:
    location = world.repository({"Dockerfile": f"FROM {world.base}\n"})
    request = world.request(source=Source(location=location, ref=head_of(location)))
    assert world.end(world.builder.start(request)).status is RunStatus.SUCCEEDED


def test_git_over_http(acr: World, tmp_path: Path) -> None:
    location = acr.repository({"Dockerfile": f"FROM {acr.base}\nRUN echo by-http\n"})
    bare = Path(location.removeprefix("file://"))
    git(bare, "update-server-info")

    def app() -> web.Application:
        made = web.Application()
        made.router.add_static("/", bare.parent)
        return made

    with Servers(certificates(tmp_path)) as servers:
        url = f"http://127.0.0.1:{servers.serve(app, tls=False)}/{bare.name}"
        run = acr.end(acr.builder.start(acr.request(source=Source(location=url, ref="main"))))
    assert run.status is RunStatus.SUCCEEDED, acr.log(run)


def test_a_tarball_by_url(acr: World, tmp_path: Path) -> None:
    archive = tarball({"Dockerfile": f"FROM {acr.base}\nRUN echo by-tarball\n"})

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=archive)

    def app() -> web.Application:
        made = web.Application()
        made.router.add_get("/source.tar.gz", answer)
        return made

    with Servers(certificates(tmp_path)) as servers:
        origin = f"http://127.0.0.1:{servers.serve(app, tls=False)}"
        run = acr.end(acr.builder.start(acr.request(source=Source(location=f"{origin}/source.tar.gz"))))
        lost = acr.end(acr.builder.start(acr.request(source=Source(location=f"{origin}/lost.tar.gz"))))
    assert run.status is RunStatus.SUCCEEDED
    assert "by-tarball" in acr.log(run)
    assert lost.status is RunStatus.FAILED
    assert "its server answers 404" in lost.error


def test_a_moved_tag_is_seen_and_the_summary_tells_what_was_pulled(acr: World) -> None:
    push_image(acr.registry, busybox("tool"), "tool", "1")
    old = push_image(acr.registry, busybox("before"), "moving", "1")
    dockerfile = (
        f"FROM {acr.registry}/tool:1 AS tool\nFROM {acr.registry}/moving:1\n"
        "COPY --from=tool /marker /tool\nRUN cat /marker\n"
    )
    first = acr.end(acr.builder.start(acr.request(dockerfile)))
    new = push_image(acr.registry, busybox("after!"), "moving", "1")
    second = acr.end(acr.builder.start(acr.request(dockerfile)))

    seen = [dependencies(acr.log(run)) for run in (first, second)]
    assert [one["runtime-dependency"]["digest"] for one in seen] == [old, new]
    assert [one["repository"] for one in seen[1]["buildtime-dependency"]] == ["tool"]
    assert "after!" in acr.log(second)


def test_nothing_of_a_build_is_left_behind(acr: World) -> None:
    acr.end(acr.builder.start(acr.request("FROM {base}\nRUN true\n")))
    deadline = time.monotonic() + 10
    while list((acr.folder / "tasks" / "work").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_builds_are_listed_by_name_until_they_are_forgotten(acr: World) -> None:
    quick, slow = acr.request("FROM {base}\n"), acr.request("FROM {base}\nRUN sleep 60\n")
    done, going = acr.end(acr.builder.start(quick)), acr.builder.start(slow)

    named = acr.builder.named(acr.registry)
    assert named[quick.name] == done
    assert (named[slow.name].id, named[slow.name].status.ended) == (going.id, False)
    acr.builder.cancel(acr.registry, named[slow.name].id)
    assert acr.builder.named(acr.registry)[slow.name].status is RunStatus.CANCELED
    acr.builder.forget(acr.registry, quick.name)
    assert quick.name not in acr.builder.named(acr.registry)


def test_a_build_that_is_not_understood_hides_no_other(acr: World, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [acr.request("FROM {base}\n") for _ in range(2)]
    runs = [acr.end(acr.builder.start(request)) for request in requests]
    real = acr_tasks._run

    def run(found: object, subject: str) -> object:
        if subject == requests[0].name:
            raise TemporaryError("a status that is not known")
        return real(found, subject)  # type: ignore[arg-type]  # either adapter's subject

    monkeypatch.setattr(acr_tasks, "_run", run)
    named = acr.builder.named(acr.registry)
    assert requests[0].name not in named
    assert named[requests[1].name] == runs[1]


def test_a_forgotten_build_keeps_its_run_and_log(acr: World) -> None:
    request = acr.request("FROM {base}\n")
    run = acr.end(acr.builder.start(request))

    acr.builder.forget(acr.registry, request.name)
    acr.builder.forget(acr.registry, request.name)  # already gone

    assert acr.builder.observe(acr.registry, run.id) == run
    assert "was successful" in acr.log(run)
    assert request.name not in [one.name for one in acr.sdk.task_runs.list(IDS.resource_group, IDS.name)]
