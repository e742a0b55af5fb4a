"""What Azure Pipelines and Jenkins have of their own, beyond the contract that every builder keeps."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from groundswell.build import azure_pipelines
from groundswell.build.azure_pipelines import SCOPE, AzurePipelinesBuilder, _run
from groundswell.build.jenkins import JenkinsBuilder, _build
from groundswell.build.port import BuildRequest, Run, RunStatus, Source
from groundswell.build.router import Pipeline
from groundswell.errors import NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.local.tasks.faults import Fault
from groundswell.settings import BuildServer
from tests.support import azure_devops, jenkins
from tests.support.azure_devops import AzureDevOps
from tests.support.jenkins import Jenkins

pytestmark = pytest.mark.stack


@dataclass
class Credential:
    """The app's identity, or one that gives no token."""

    identity: Identity
    asked: list[str] = field(default_factory=list)
    down: bool = False

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        self.asked += scopes
        if self.down:
            raise ClientAuthenticationError("no managed identity endpoint found")
        return AccessToken(self.identity.issue(scopes[0].removesuffix("/.default")), 2_000_000_000)


@dataclass(frozen=True, kw_only=True)
class Stack:
    azure: AzureDevOps
    azure_server: BuildServer
    jenkins: Jenkins
    jenkins_server: BuildServer
    identity: Identity
    closing: ExitStack
    names: Iterator[int] = field(default_factory=lambda: count(1))

    def on_azure(self, credential: Credential | None = None, **changes: object) -> AzurePipelinesBuilder:
        server = replace(self.azure_server, **changes)  # type: ignore[arg-type]  # a test's own mixture of fields
        builder = AzurePipelinesBuilder(server, credential or Credential(self.identity))
        self.closing.callback(builder.close)
        return builder

    def on_jenkins(self, **changes: object) -> JenkinsBuilder:
        server = replace(self.jenkins_server, **changes)  # type: ignore[arg-type]  # a test's own mixture of fields
        builder = JenkinsBuilder(server)
        self.closing.callback(builder.close)
        return builder

    def request(self, **changes: object) -> BuildRequest:
        """One that fails at once, because its source is nowhere."""
        values: dict[str, object] = {
            "name": f"gs-{next(self.names)}",
            "registry": "registry.example.com",
            "repository": "app",
            "tag": "1",
            "source": Source(location="http://127.0.0.1:1/nowhere.git", ref="main"),
            **changes,
        }
        return BuildRequest(**values)  # type: ignore[arg-type]  # a test's own mixture of fields


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    identity = Identity()
    azure = AzureDevOps(tmp_path / "azure", identity, concurrency=1)
    server = Jenkins(tmp_path / "jenkins", concurrency=1)
    with Servers(certificates(tmp_path / "certs")) as servers, ExitStack() as closing:
        yield Stack(
            azure=azure,
            azure_server=BuildServer(
                kind="azure-pipelines",
                url=f"http://127.0.0.1:{servers.serve(azure.app, tls=False)}/contoso",
                slots=1,
                project=azure_devops.PROJECT,
                pipeline=azure_devops.PIPELINE,
                token=azure_devops.TOKEN,
            ),
            jenkins=server,
            jenkins_server=BuildServer(
                kind="jenkins",
                url=f"http://127.0.0.1:{servers.serve(server.app, tls=False)}/jenkins",
                slots=1,
                job=jenkins.JOB,
                user=jenkins.USER,
                token=jenkins.TOKEN,
            ),
            identity=identity,
            closing=closing,
        )


def until(look: Callable[[], Run], wanted: Callable[[Run], bool] = lambda run: run.status.ended) -> Run:
    deadline = time.monotonic() + 60
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)
    return seen


def ended(builder: Pipeline, run: Run) -> Run:
    return until(lambda: builder.observe(run.id))


# Both.


@pytest.fixture(params=["azure", "jenkins"])
def either(stack: Stack, request: pytest.FixtureRequest) -> Pipeline:
    return stack.on_azure() if request.param == "azure" else stack.on_jenkins()


def test_of_two_builds_of_one_name_the_older_counts(stack: Stack, either: Pipeline) -> None:
    """Two workers that both looked before either began: what each finds afterwards decides."""
    blocker = either.start(stack.request())
    request = stack.request()
    rival: list[Run] = []
    real = either._begin  # type: ignore[attr-defined]  # the moment between looking and beginning

    def late(*given: object) -> Run:
        vars(either)["_begin"] = real
        rival.append(either.start(request))
        return real(*given)  # type: ignore[no-any-return]  # of the builder's own

    vars(either)["_begin"] = late
    if isinstance(either, JenkinsBuilder):  # which would queue the very same only once
        ended(either, blocker)
    kept = either.start(request)

    assert (kept.id, kept.resumed) == (rival[0].id, True)
    assert either.start(request).id == kept.id
    ended(either, kept)


def test_a_source_that_is_no_git_repository_is_refused(stack: Stack, either: Pipeline) -> None:
    request = stack.request(source=Source(location="https://example.com/source.tar.gz"))
    with pytest.raises(PermanentError, match="builds from a git repository"):
        either.start(request)


# Azure Pipelines.


def test_the_apps_identity_lets_it_in(stack: Stack) -> None:
    credential = Credential(stack.identity)
    builder = stack.on_azure(credential, token="", url=stack.azure_server.url.replace("http:", "http:"))
    run = builder.start(stack.request())
    assert ended(builder, run).status is RunStatus.FAILED
    assert set(credential.asked) == {SCOPE}


def test_no_token_is_temporary(stack: Stack) -> None:
    credential = Credential(stack.identity, down=True)
    with pytest.raises(TemporaryError, match=r"no token for Azure DevOps .*no managed identity"):
        stack.on_azure(credential, token="").start(stack.request())


def test_the_sign_in_page_is_no_answer(stack: Stack) -> None:
    with pytest.raises(
        PermanentError, match="answered 203; the identity, or the owner of the token, must be a user"
    ):
        stack.on_azure(token="expired").start(stack.request())


def test_a_pipeline_that_names_its_runs_otherwise_is_refused_and_its_run_stopped(stack: Stack) -> None:
    stack.azure.pipeline = stack.azure.pipeline.replace("name: ${{ parameters.GS_NAME }}", "name: nightly")
    builder = stack.on_azure()
    with pytest.raises(PermanentError, match=r"give it `name: \$\{\{ parameters.GS_NAME \}\}`"):
        builder.start(stack.request())
    assert stack.azure.count == 1
    assert builder.going_on() == {}


def test_a_name_that_is_given_a_moment_later_is_good_enough(stack: Stack) -> None:
    stack.azure.late_names = True
    builder = stack.on_azure()
    assert ended(builder, builder.start(stack.request())).status is RunStatus.FAILED


def test_a_parameter_that_the_pipeline_does_not_have_is_named(stack: Stack) -> None:
    stack.azure.pipeline = stack.azure.pipeline.replace("name: GS_TARGET,", "name: TARGET,")
    with pytest.raises(PermanentError, match="400 Unexpected parameter 'GS_TARGET'"):
        stack.on_azure().start(stack.request(target="final"))


@pytest.mark.parametrize("value", ["$(System.AccessToken)", "$[variables.x]", "${{ parameters.GS_TAG }}"])
def test_what_azure_pipelines_would_expand_is_refused(stack: Stack, value: str) -> None:
    with pytest.raises(PermanentError, match="GS_BUILD_ARGS holds"):
        stack.on_azure().start(stack.request(build_args={"TOKEN": value}))
    assert stack.azure.count == 0


def test_the_log_ends_with_the_step_that_failed_and_what_the_service_says(stack: Stack) -> None:
    builder = stack.on_azure()
    run = ended(builder, builder.start(stack.request()))
    assert run.error == "the run ended as failed"
    log = builder.log(run.id).splitlines()
    assert [line for line in log if line.startswith("==")] == [
        "== Initialize job ==",
        "== Finalize Job ==",
        "== Build and push ==",
    ]
    assert log[-1].startswith("error: Bash exited with code '")


def test_of_many_long_logs_the_last_are_read(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = stack.on_azure()
    run = ended(builder, builder.start(stack.request()))
    whole = builder.log(run.id)
    monkeypatch.setattr(azure_pipelines, "MAX_LOG", 60)
    stack.azure.faults.add(Fault(where="GET .*/logs/4$", status=500))  # which is not asked for
    assert builder.log(run.id) == whole[-60:]


def test_cancelling_what_has_ended_is_nothing_and_another_refusal_is_told(stack: Stack) -> None:
    builder = stack.on_azure()
    run = ended(builder, builder.start(stack.request()))
    builder.cancel(run.id)
    stack.azure.hold = True
    going_on = builder.start(stack.request())
    stack.azure.faults.add(Fault(where="PATCH ", status=400))
    with pytest.raises(PermanentError, match=r"cancelling run .* 400"):
        builder.cancel(going_on.id)


def test_a_run_that_was_refused_as_it_stood_says_why() -> None:
    build = {"id": 7, "status": "completed", "result": "failed", "validationResults": [{"message": "no such pool"}]}
    assert _run(build) == Run(id="7", status=RunStatus.FAILED, error="the run ended as failed; no such pool")


@pytest.mark.parametrize(
    ("status", "result", "means"),
    [
        ("notStarted", None, RunStatus.QUEUED),
        ("postponed", None, RunStatus.QUEUED),
        ("inProgress", None, RunStatus.RUNNING),
        ("cancelling", None, RunStatus.RUNNING),
        ("completed", "succeeded", RunStatus.SUCCEEDED),
        ("completed", "partiallySucceeded", RunStatus.FAILED),
        ("completed", "failed", RunStatus.FAILED),
        ("completed", "canceled", RunStatus.CANCELED),
        ("completed", "none", RunStatus.FAILED),
    ],
)
def test_what_azure_devops_calls_it(status: str, result: str | None, means: RunStatus) -> None:
    assert _run({"id": 7, "status": status, "result": result}).status is means


def test_a_status_that_is_not_known_may_be_another_later() -> None:
    with pytest.raises(TemporaryError, match="run 7 has a status that is not known: dreaming"):
        _run({"id": 7, "status": "dreaming"})


@pytest.mark.parametrize(
    ("building", "result", "means"),
    [
        (True, None, RunStatus.RUNNING),
        (True, "FAILURE", RunStatus.RUNNING),  # a step failed; what comes after it still runs
        (False, None, RunStatus.RUNNING),
        (False, "SUCCESS", RunStatus.SUCCEEDED),
        (False, "UNSTABLE", RunStatus.FAILED),
        (False, "FAILURE", RunStatus.FAILED),
        (False, "NOT_BUILT", RunStatus.FAILED),
        (False, "ABORTED", RunStatus.CANCELED),
    ],
)
def test_what_jenkins_calls_it(*, building: bool, result: str | None, means: RunStatus) -> None:
    assert _build({"number": 1, "queueId": 7, "building": building, "result": result}).run.status is means


def test_a_project_that_is_not_there(stack: Stack) -> None:
    with pytest.raises(NotFoundError, match="TF200016"):
        stack.on_azure(project="other").start(stack.request())


# Jenkins.


def test_a_password_needs_a_crumb_with_its_session(stack: Stack) -> None:
    builder = stack.on_jenkins(token=jenkins.PASSWORD)
    run = builder.start(stack.request())
    assert ended(builder, run).status is RunStatus.FAILED
    assert ended(builder, builder.start(stack.request())).status is RunStatus.FAILED
    assert stack.jenkins.count == 2


def test_a_user_who_may_not_build_is_told(stack: Stack) -> None:
    stack.jenkins.faults.add(Fault(where="buildWithParameters", status=403))
    with pytest.raises(PermanentError, match=r"403; check user, token and url .* needs Job/Read, Job/Build"):
        stack.on_jenkins().start(stack.request())
    with pytest.raises(PermanentError, match="401; check user, token"):
        stack.on_jenkins(token="revoked").start(stack.request())


def test_a_job_without_the_parameter_is_refused_and_its_build_stopped(stack: Stack) -> None:
    stack.jenkins.jenkinsfile = stack.jenkins.jenkinsfile.replace("GS_NAME", "NAME")
    builder = stack.on_jenkins()
    with pytest.raises(PermanentError, match="does not have the parameter GS_NAME"):
        builder.start(stack.request())
    assert stack.jenkins.count == 1


def test_a_job_that_queues_nothing(stack: Stack) -> None:
    stack.jenkins.queues = False
    with pytest.raises(PermanentError, match="302; check user, token and url"):
        stack.on_jenkins().start(stack.request())


def test_an_answer_that_names_no_queue_item(stack: Stack) -> None:
    stack.jenkins.faults.add(Fault(where="buildWithParameters", status=201))
    with pytest.raises(PermanentError, match="Jenkins queued nothing"):
        stack.on_jenkins().start(stack.request())


def test_build_numbers_are_remembered_up_to_a_limit(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("groundswell.build.jenkins._MAX_KEPT", 1)
    builder = stack.on_jenkins()
    runs = [ended(builder, builder.start(stack.request())) for _ in range(2)]
    assert [builder.observe(run.id).id for run in runs] == [run.id for run in runs]


def test_the_same_that_stands_in_the_queue_already_is_that_one(stack: Stack) -> None:
    stack.jenkins.hold = True
    builder = stack.on_jenkins()
    builder.start(stack.request())
    request = stack.request()
    waiting = builder.start(request)
    vars(builder)["_find"] = lambda _: []  # as if it were not seen
    assert builder.start(request).id == waiting.id
    assert stack.jenkins.count == 2


def test_a_run_is_found_after_its_queue_item_was_forgotten(stack: Stack) -> None:
    run = stack.on_jenkins().start(stack.request())
    ended(stack.on_jenkins(), run)
    stack.jenkins.forgets_items = True
    fresh = stack.on_jenkins()
    seen = fresh.observe(run.id)
    assert (seen.id, seen.status) == (run.id, RunStatus.FAILED)
    assert (
        seen.error
        == "the build ended as FAILURE: https://jenkins.contoso.example/jenkins/job/platform/job/build/1/"
    )
    fresh.cancel(run.id)  # nothing happens when it has ended
    assert "Finished: FAILURE" in fresh.log(run.id)


def test_a_build_that_leaves_the_queue_while_it_is_cancelled_is_stopped(stack: Stack) -> None:
    stack.jenkins.hold = True
    builder = stack.on_jenkins()
    run = builder.start(stack.request())
    until(lambda: builder.observe(run.id), lambda seen: seen.status is RunStatus.RUNNING)
    real, looks = builder._look, iter([True])

    def look(run_id: str, subject: str) -> object:
        seen = real(run_id, subject)
        if next(looks, False):
            return replace(seen, number=0, run=replace(seen.run, status=RunStatus.QUEUED))
        return seen

    vars(builder)["_look"] = look
    builder.cancel(run.id)
    assert builder.observe(run.id).status is RunStatus.CANCELED


def test_what_answers_without_json_may_be_jenkins_again_later(stack: Stack) -> None:
    stack.jenkins.page = "<html>Jenkins is getting ready to work</html>"
    with pytest.raises(TemporaryError, match="Jenkins answered with something that is no JSON object"):
        stack.on_jenkins().start(stack.request())
