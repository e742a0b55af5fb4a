"""The ACR Tasks look-alike as its SDK sees it: the request types, runs, tasks, task runs, links and refusals."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.core.rest import HttpRequest
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
from azure.mgmt.containerregistrytasks import models as arm

from groundswell.build.port import Run, RunStatus, Source
from groundswell.local.certs import certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.local.tasks.model import Limits, RegistryAccess
from groundswell.local.tasks.service import AcrTasks
from tests.support.registry import digest_of
from tests.support.tasks import IDS, World, tarball, tasks_world

pytestmark = pytest.mark.stack

PLACE = (IDS.resource_group, IDS.name)
LINUX = arm.PlatformProperties(os="Linux", architecture="amd64")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with tasks_world(tmp_path_factory.mktemp("world")) as made:
        yield made


def encoded(text: str, **more: Any) -> arm.EncodedTaskRunRequest:
    content = base64.b64encode(text.encode()).decode()
    return arm.EncodedTaskRunRequest(encoded_task_content=content, platform=LINUX, timeout=60, **more)


def docker(world: World, text: str, name: str, **more: Any) -> arm.DockerBuildRequest:
    source = world.repository({"Dockerfile": text.replace("{base}", world.base)})
    return arm.DockerBuildRequest(
        image_names=[name], docker_file_path="Dockerfile", platform=LINUX, source_location=source, **more
    )


def schedule(world: World, request: arm.RunRequest) -> tuple[arm.RunProperties, str]:
    """The run once it has ended, and its log."""
    properties = world.sdk.registries.schedule_run(*PLACE, request).properties
    assert properties
    assert properties.run_id
    run = world.end(Run(id=properties.run_id, status=RunStatus.QUEUED))
    ended = world.sdk.runs.get(*PLACE, run.id).properties
    assert ended
    return ended, world.log(run)


def fetch(
    world: World, url: str, *, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes]:
    """A plain request without a token, over the stack's TLS."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=names)
    context = ssl.create_default_context(cafile=world.folder / "certs" / "ca.crt")
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()


def test_docker_build_request(world: World) -> None:
    secret = arm.Argument(name="TOKEN", value="s3cr3t-value", is_secret=True)
    request = docker(
        world,
        "FROM {base}\nARG TOKEN\nRUN echo token=$TOKEN\n",
        "quick:{{.Run.ID}}",
        arguments=[secret],
        no_cache=True,
        timeout=60,
    )
    run, log = schedule(world, request)

    assert (run.status, run.run_type) == ("Succeeded", "QuickBuild")
    assert run.create_time <= run.start_time <= run.finish_time
    [image] = run.output_images
    assert (image.registry, image.repository, image.tag) == (world.registry, "quick", run.run_id)
    assert image.digest == digest_of(world.registry, "quick", run.run_id)
    assert "token=***" in log
    assert "s3cr3t-value" not in log


def test_a_build_without_push_leaves_the_registry_alone(world: World) -> None:
    run, _ = schedule(world, docker(world, "FROM {base}\n", "unpushed:1", is_push_enabled=False))
    assert run.status == "Succeeded"
    assert not run.output_images
    assert digest_of(world.registry, "unpushed", "1") is None


TASK = """
version: v1.1.0
env: [GREETING=good morning]
steps:
  - id: make
    build: -t $Registry/steps:{{.Run.ID}} --build-arg WHO={{.Values.who}} -f app/Dockerfile app
  - id: use
    cmd: $Registry/steps:{{.Run.ID}} sh -c 'echo "$GREETING from {{.Run.ID}}" && cat /who && ls'
    when: [make]
  - id: shaky
    cmd: $Registry/steps:{{.Run.ID}} false
    retries: 1
    ignoreErrors: true
  - id: send
    push: ["$Registry/steps:{{.Run.ID}}"]
    when: [use]
"""


def test_encoded_task_run_request(world: World) -> None:
    files = {"app/Dockerfile": f"FROM {world.base}\nARG WHO\nRUN echo $WHO > /who\n", "app/file-in-work": ""}
    values = [arm.SetValue(name="who", value="the whole team", is_secret=False)]
    task = TASK.replace("{{.Values.who}}", "'{{.Values.who}}'")
    run, log = schedule(world, encoded(task, source_location=world.repository(files), values_property=values))

    assert run.status == "Succeeded", log
    assert run.run_type == "QuickRun"
    assert f"good morning from {run.run_id}\n" in log
    assert "\nthe whole team\n" in log
    assert "\napp\n" in log  # the source is the working folder
    assert "Step ID: shaky failed and its errors are ignored" in log
    assert [image.repository for image in run.output_images] == ["steps"]


@pytest.mark.parametrize(
    ("task", "status", "said"),
    [
        ("steps:\n  - cmd: {base} true\n    privileged: true\n", "Error", "not supported: privileged"),
        ("steps:\n  - cmd: {base} {{.Values.missing}}\n", "Error", "{{.Values.missing}}, which has no value"),
        ("steps:\n  - cmd: {base} sh -c 'exit 3'\n", "Failed", "failed to run step ID: acb_step_0: exit status 3"),
        ("steps:\n  - cmd: {base} sleep 60\n    timeout: 1\n", "Failed", "it took more than 1 s"),
        ("steps:\n  - build: -t $Registry/x:1 ../..\n", "Failed", "'../..' leads out of the source"),
    ],
)
def test_a_task_that_cannot_be_done_says_why(world: World, task: str, status: str, said: str) -> None:
    run, log = schedule(world, encoded(task.replace("{base}", world.base)))
    assert run.status == status
    assert said in run.run_error_message
    assert said in log


def test_a_registered_task_is_run_with_overrides(world: World) -> None:
    source = world.repository({"Dockerfile": f"FROM {world.base}\nARG A\nARG B\nRUN echo $A and $B\n"})
    step = arm.DockerBuildStep(
        docker_file_path="Dockerfile",
        context_path=source,
        image_names=["registered:1"],
        arguments=[
            arm.Argument(name="A", value="hidden-word", is_secret=True),
            arm.Argument(name="B", value="old", is_secret=False),
        ],
    )
    properties = arm.TaskProperties(platform=LINUX, step=step, timeout=60)
    created = world.sdk.tasks.create(*PLACE, "my-task", arm.Task(location="local", properties=properties))
    assert "hidden-word" not in json.dumps(created.as_dict())
    over = arm.OverrideTaskStepProperties(
        arguments=[arm.Argument(name="B", value="new", is_secret=False)], update_trigger_token="dG9rZW4="
    )

    run, log = schedule(world, arm.TaskRunRequest(task_id=created.id, override_task_step_properties=over))

    assert (run.status, run.run_type, run.task) == ("Succeeded", "AutoBuild", "my-task")
    assert run.update_trigger_token == "dG9rZW4="
    assert "*** and new" in log
    listed = list(world.sdk.runs.list(*PLACE, filter="TaskName eq 'my-task'"))
    assert [one.name for one in listed] == [run.run_id]

    changes = arm.TaskPropertiesUpdateParameters(status="Disabled")
    world.sdk.tasks.update(*PLACE, "my-task", arm.TaskUpdateParameters(properties=changes))
    with pytest.raises(HttpResponseError, match="TaskDisabled"):
        world.sdk.registries.schedule_run(*PLACE, arm.TaskRunRequest(task_id=created.id))
    assert [task.name for task in world.sdk.tasks.list(*PLACE)] == ["my-task"]
    world.sdk.tasks.delete(*PLACE, "my-task")
    with pytest.raises(ResourceNotFoundError):
        world.sdk.tasks.get(*PLACE, "my-task")


def test_a_task_run_runs_again_only_when_asked_otherwise(world: World) -> None:
    request = encoded(f"steps:\n  - cmd: {world.base} true\n")

    def put(**more: Any) -> arm.TaskRun:
        body = arm.TaskRun(properties=arm.TaskRunProperties(run_request=request, **more))
        made: arm.TaskRun = world.sdk.task_runs.begin_create(*PLACE, "task-run-1", body, polling=False).result()
        return made

    def run_id(made: arm.TaskRun) -> str:
        return str(made.properties.run_result.properties.run_id)

    first, again = put(), put()
    assert run_id(first) == run_id(again)
    with pytest.raises(ResourceExistsError, match="TaskRunInProgress"):
        put(force_update_tag="2")
    world.end(Run(id=run_id(first), status=RunStatus.QUEUED))

    assert world.sdk.task_runs.get(*PLACE, "task-run-1").properties.provisioning_state == "Succeeded"
    forced = put(force_update_tag="2")
    assert run_id(forced) != run_id(first)
    assert run_id(put(force_update_tag="2")) == run_id(forced)


def test_runs_are_listed_by_pages_newest_first_and_filtered(world: World) -> None:
    for _ in range(5):
        schedule(world, encoded("steps:\n  - nonsense: 1\n"))

    pages = list(world.sdk.runs.list(*PLACE, top=2).by_page())
    names = [[run.name for run in page] for page in pages]

    assert [len(page) for page in names[:-1]] == [2] * (len(names) - 1)
    together = [name for page in names for name in page]
    assert len(together) == len(set(together)) >= 5
    times = [run.properties.create_time for run in world.sdk.runs.list(*PLACE)]
    assert times == sorted(times, reverse=True)
    errors = list(world.sdk.runs.list(*PLACE, filter="Status eq 'Error' and RunType eq 'QuickRun'", top=3))
    assert len(errors) >= 5
    assert {run.properties.status for run in errors} == {"Error"}
    with pytest.raises(HttpResponseError, match="InvalidFilter"):
        list(world.sdk.runs.list(*PLACE, filter="length(Status) eq 3"))


def test_a_run_can_be_archived(world: World) -> None:
    run, _ = schedule(world, encoded("steps:\n  - nonsense: 1\n"))
    world.sdk.runs.update(*PLACE, run.run_id, arm.RunUpdateParameters(is_archive_enabled=True))
    assert world.sdk.runs.get(*PLACE, run.run_id).properties.is_archive_enabled


def test_an_uploaded_tarball_is_built(world: World) -> None:
    given = world.sdk.registries.get_build_source_upload_url(*PLACE)
    archive = tarball({"Dockerfile": f"FROM {world.base}\nRUN echo uploaded\n"})
    assert fetch(world, given.upload_url, method="PUT", body=archive)[0] == 400
    assert fetch(world, given.upload_url, method="PUT", body=archive, x_ms_blob_type="BlockBlob")[0] == 201

    request = world.request(source=Source(location=given.relative_path))
    run = world.end(world.builder.start(request))

    assert run.status is RunStatus.SUCCEEDED
    assert "uploaded" in world.log(run)
    never = world.sdk.registries.get_build_source_upload_url(*PLACE).relative_path
    missing = world.end(world.builder.start(world.request(source=Source(location=never))))
    assert missing.error == f"the source {never} was not uploaded"


def test_a_log_link_needs_its_signature_and_gives_ranges(world: World) -> None:
    run, log = schedule(world, encoded("steps:\n  - nonsense: 1\n"))
    link = world.sdk.runs.get_log_sas_url(*PLACE, run.run_id).log_link

    assert fetch(world, link) == (200, log.encode())
    assert fetch(world, link, Range="bytes=5-9") == (206, log.encode()[5:10])
    assert fetch(world, link.replace(f"/{run.run_id}/", "/cf1/"))[0] == (200 if run.run_id == "cf1" else 403)
    assert fetch(world, link[:-1] + ("0" if link[-1] != "0" else "1"))[0] == 403
    assert fetch(world, link.partition("?")[0])[0] == 403


def test_a_log_link_ends(tmp_path: Path) -> None:
    with tasks_world(tmp_path, limits=Limits(link_seconds=0)) as world:
        request = arm.EncodedTaskRunRequest(encoded_task_content="e30=", platform=LINUX)
        run = world.sdk.registries.schedule_run(*PLACE, request)
        link = world.sdk.runs.get_log_sas_url(*PLACE, run.name).log_link
        status, body = fetch(world, link)
    assert status == 403
    assert b"<Code>AuthenticationFailed</Code>" in body


def test_a_call_needs_a_token_for_this_audience(world: World) -> None:
    url = f"{world.endpoint}/subscriptions/{IDS.subscription}/resourceGroups/rg/providers"
    url += "/Microsoft.ContainerRegistry/registries/acr/runs?api-version=2025-03-01-preview"

    def status(token: str) -> int:
        return fetch(world, url, Authorization=f"Bearer {token}")[0]

    assert status(world.identity.issue("https://management.azure.com")) == 200
    assert status(world.identity.issue("https://containerregistry.azure.net")) == 401
    assert status(world.identity.issue("https://management.azure.com", lifetime=-5)) == 401
    assert status(Identity().issue("https://management.azure.com")) == 401
    assert json.loads(fetch(world, url)[1])["error"]["code"] == "AuthenticationFailed"
    good = f"Bearer {world.identity.issue('https://management.azure.com')}"
    assert fetch(world, url.partition("?")[0], Authorization=good)[0] == 400


def test_refusals_have_the_form_of_arm(world: World) -> None:
    with pytest.raises(ResourceNotFoundError, match="registries/other' was not found"):
        world.sdk.runs.get(IDS.resource_group, "other", "cf1")
    for request, said in (
        (arm.FileTaskRunRequest(task_file_path="x", platform=LINUX), "FileTaskRunRequest"),
        (docker(world, "", "a:1", timeout=0), "'timeout' must be from 1"),
        (arm.EncodedTaskRunRequest(encoded_task_content="%%", platform=LINUX), "not base64"),
        (arm.DockerBuildRequest(docker_file_path="D", platform=arm.PlatformProperties(os="Windows")), "Windows"),
        (arm.TaskRunRequest(task_id="/nowhere/tasks/gone"), "TaskNotFound"),
    ):
        with pytest.raises(HttpResponseError, match=said) as caught:
            world.sdk.registries.schedule_run(*PLACE, request)
        assert caught.value.status_code == 400
    with pytest.raises(HttpResponseError, match="5 to 50"):
        world.sdk.task_runs.begin_create(*PLACE, "abc", arm.TaskRun(), polling=False)
    with pytest.raises(HttpResponseError, match="not JSON"):
        world.sdk.registries.schedule_run(*PLACE, b"{")


def test_runs_survive_a_restart_and_unfinished_ones_end(world: World, tmp_path: Path) -> None:
    registries = {IDS: RegistryAccess(login_server=world.registry, plain_http=True)}
    identity = Identity()
    token = {"Authorization": f"Bearer {identity.issue('https://management.azure.com')}"}
    content = base64.b64encode(f"steps:\n  - cmd: {world.base} sleep 60\n".encode()).decode()
    body = arm.EncodedTaskRunRequest(encoded_task_content=content, platform=LINUX).as_dict()
    root = (
        f"/subscriptions/{IDS.subscription}/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/acr"
    )

    def call(port: int, method: str, path: str) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        url = f"https://localhost:{port}{root}{path}?api-version=1"
        return json.loads(fetch(world, url, method=method, body=data, **token)[1])

    def service() -> AcrTasks:
        return AcrTasks(folder=tmp_path / "tasks", identity=identity, registries=registries)

    certs = certificates(world.folder / "certs")
    with Servers(certs) as servers:
        first = call(servers.serve(service().app), "POST", "/scheduleRun")["name"]
    with Servers(certs) as servers:
        port = servers.serve(service().app)
        found = call(port, "GET", f"/runs/{first}")["properties"]
        second = call(port, "POST", "/scheduleRun")["name"]

    assert found["status"] == "Error"
    assert "while the run went on" in found["runErrorMessage"]
    assert second != first


def test_the_token_is_not_sent_to_the_log_storage(world: World) -> None:
    request = HttpRequest("GET", f"{world.endpoint}/logs/cf1/rawtext.log")
    response = world.builder._blobs.send_request(request)
    assert "Authorization" not in response.request.headers
    assert response.status_code == 403


def test_a_token_that_the_service_does_not_take(world: World) -> None:
    class Wrong:
        def get_token(self, *_: str, **__: Any) -> Any:
            return AccessToken("nonsense", 4_000_000_000)

    with (
        ContainerRegistryTasksMgmtClient(Wrong(), IDS.subscription, base_url=world.endpoint) as client,
        pytest.raises(ClientAuthenticationError),
    ):
        client.runs.get(*PLACE, "cf1")
