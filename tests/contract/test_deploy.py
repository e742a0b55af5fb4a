"""What every Deployer guarantees, on the look-alike and on real API servers (tests/support/places.py).

The look-alike is reached by a token, and as a cluster in AKS is.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from kubernetes import client

from groundswell.deploy import kubernetes
from groundswell.deploy.following import ENVIRONMENT, FOLLOW
from groundswell.deploy.kubernetes import CHANGE_CAUSE, KubernetesDeployer
from groundswell.deploy.port import Act, Deployer, Health, Kind, Rollout, Workload
from groundswell.errors import ConflictError, NotFoundError, PermanentError, TemporaryError
from groundswell.local.certs import Certificates
from groundswell.settings import Cluster
from tests.support.aks import ID, aks
from tests.support.cluster import (
    BETTER,
    GOOD,
    MISSING,
    READER,
    SIDE,
    certs,
    eventually,
    servers,
    workload,
)
from tests.support.places import NAMES, Place, in_namespace, place, placed

__all__ = ["certs", "servers"]  # fixtures

ROLLED = [Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET]
KINDS = [*ROLLED, Kind.CRON_JOB]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`api` is an administrator's; the deployer has the role that people are told to give it."""

    deployer: Deployer
    place: Place

    @property
    def cluster(self) -> Cluster:
        return self.place.cluster

    @property
    def api(self) -> Any:
        return self.place.admin

    @property
    def namespace(self) -> str:
        return self.place.namespace

    @property
    def patience(self) -> float:
        return self.place.patience

    def create(self, kind: Kind, **options: Any) -> Workload:
        name = f"w-{uuid.uuid4().hex[:8]}"
        body = workload(kind, name, namespace=self.namespace, **options)
        getattr(self.group(kind), f"create_namespaced_{_SNAKE[kind]}")(self.namespace, body)
        return Workload(cluster="c", namespace=self.namespace, kind=kind, name=name, container="web")

    def group(self, kind: Kind) -> Any:
        return client.BatchV1Api(self.api) if kind is Kind.CRON_JOB else client.AppsV1Api(self.api)

    def read(self, of: Workload) -> dict[str, Any]:
        item = getattr(self.group(of.kind), f"read_namespaced_{_SNAKE[of.kind]}")(of.name, of.namespace)
        found: dict[str, Any] = self.api.sanitize_for_serialization(item)
        return found

    def until(self, of: Workload, health: Health) -> Rollout:
        def look() -> Rollout | None:
            seen = self.deployer.observe(of)
            return seen if seen.health is health else None

        found = eventually(look, seconds=self.patience)
        assert found
        return found


_SNAKE = {
    Kind.DEPLOYMENT: "deployment",
    Kind.STATEFUL_SET: "stateful_set",
    Kind.DAEMON_SET: "daemon_set",
    Kind.CRON_JOB: "cron_job",
}


@pytest.fixture(scope="module", params=[*NAMES, "aks", "run-command"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    if request.param in NAMES:
        with place(request.param, request) as found:
            yield from _subject(found, KubernetesDeployer({"c": found.cluster}))
        return
    certs, servers = request.getfixturevalue("certs"), request.getfixturevalue("servers")
    by_command = request.param == "run-command"
    seconds = 1.0 if by_command else 0.05  # a command takes longer than a call
    with aks(servers, certs, ready_seconds=seconds) as azure, in_namespace(azure.running.api) as namespace:
        azure.cluster = Cluster(aks=ID, via="run-command" if by_command else "")
        cluster = azure.running.cluster
        reader = Cluster(server=cluster.server, token=READER, ca_file=cluster.ca_file)
        found = placed(request.param, azure.running.api, namespace, cluster=cluster, reader=reader)
        yield from _subject(found, KubernetesDeployer({"c": azure.cluster}, connect=azure.clusters.connect))


def _subject(found: Place, deployer: KubernetesDeployer) -> Iterator[Subject]:
    yield Subject(deployer=deployer, place=found)
    deployer.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_workload_is_moved_and_becomes_healthy(subject: Subject, kind: Kind) -> None:
    of = subject.create(kind)
    assert subject.until(of, Health.HEALTHY).image == GOOD
    subject.deployer.patch(of, BETTER, cause="cascade 1")
    if kind is not Kind.CRON_JOB:  # it has just been changed: nothing can have been rolled out yet
        assert subject.deployer.observe(of).health is Health.PROGRESSING
    assert subject.until(of, Health.HEALTHY).image == BETTER


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_image_and_the_cause_are_changed(subject: Subject, kind: Kind) -> None:
    of = subject.create(kind)
    before = subject.read(of)
    subject.deployer.patch(of, BETTER, cause="cascade 2")
    after = subject.read(of)
    assert after["metadata"]["annotations"][CHANGE_CAUSE] == "cascade 2"
    pod, former = _pod_spec(kind, after), _pod_spec(kind, before)
    web, proxy = pod.pop("containers")
    former_web, former_proxy = former.pop("containers")
    assert (web.pop("image"), former_web.pop("image")) == (BETTER, GOOD)
    assert (web, proxy, pod) == (former_web, former_proxy, former)
    assert proxy["image"] == SIDE


def _pod_spec(kind: Kind, item: dict[str, Any]) -> dict[str, Any]:
    spec = item["spec"]["jobTemplate"]["spec"] if kind is Kind.CRON_JOB else item["spec"]
    return dict(spec["template"]["spec"])


@pytest.mark.parametrize("kind", KINDS)
def test_repeating_a_patch_changes_nothing(subject: Subject, kind: Kind) -> None:
    of = subject.create(kind)
    subject.deployer.patch(of, BETTER, cause="first")
    subject.deployer.patch(of, BETTER, cause="second")
    metadata = subject.read(of)["metadata"]
    assert metadata["annotations"][CHANGE_CAUSE] == "first"
    if kind is not Kind.CRON_JOB or subject.place.version > (1, 20):  # which did not count its generations
        assert metadata["generation"] == 2


@pytest.mark.parametrize("kind", ROLLED)
def test_an_image_that_cannot_be_pulled_is_the_reason_and_can_be_rolled_back(subject: Subject, kind: Kind) -> None:
    of = subject.create(kind)
    subject.until(of, Health.HEALTHY)
    subject.deployer.patch(of, MISSING, cause="bad")

    def told() -> bool:
        seen = subject.deployer.observe(of)
        return seen.health is Health.PROGRESSING and "ImagePull" in seen.reason and "[web]" not in seen.reason

    eventually(told, seconds=subject.patience)
    subject.deployer.patch(of, GOOD, cause="back")
    assert subject.until(of, Health.HEALTHY).image == GOOD


def test_a_rollout_that_exceeds_its_deadline_has_failed(subject: Subject) -> None:
    of = subject.create(Kind.DEPLOYMENT, progressDeadlineSeconds=1)
    eventually(lambda: subject.deployer.observe(of).health is not Health.PROGRESSING, seconds=subject.patience)
    subject.deployer.patch(of, MISSING, cause="bad")
    assert "ProgressDeadlineExceeded" in subject.until(of, Health.FAILED).reason
    eventually(lambda: "ImagePull" in subject.deployer.observe(of).reason, seconds=subject.patience)
    assert "ProgressDeadlineExceeded" in subject.until(of, Health.FAILED).reason


def test_why_the_server_refuses_pods_is_told(subject: Subject) -> None:
    of = subject.create(Kind.DEPLOYMENT)
    subject.until(of, Health.HEALTHY)
    subject.deployer.patch(of, f" {BETTER}", cause="bad")  # taken in a template, and refused of a pod

    def told() -> bool:
        seen = subject.deployer.observe(of)
        return seen.health is Health.PROGRESSING and "cannot be made: FailedCreate: Pod" in seen.reason

    eventually(told, seconds=subject.patience)
    subject.deployer.patch(of, GOOD, cause="back")
    assert subject.until(of, Health.HEALTHY).reason == ""


def test_a_name_that_is_no_image_has_failed_at_once(subject: Subject) -> None:
    of = subject.create(Kind.DEPLOYMENT)
    subject.deployer.patch(of, "registry.k8s.io/UPPER:1", cause="bad")
    assert "InvalidImageName" in subject.until(of, Health.FAILED).reason


@pytest.mark.parametrize("kind", KINDS)
def test_an_init_container_is_moved_too(subject: Subject, kind: Kind) -> None:
    of = subject.create(kind)
    template = {"template": {"spec": {"initContainers": [{"name": "prepare", "image": GOOD}]}}}
    patch = {"spec": {"jobTemplate": {"spec": template}} if kind is Kind.CRON_JOB else template}
    getattr(subject.group(kind), f"patch_namespaced_{_SNAKE[kind]}")(of.name, of.namespace, patch)
    init = Workload(cluster="c", namespace=of.namespace, kind=of.kind, name=of.name, container="prepare")
    assert subject.deployer.observe(init).image == GOOD
    subject.deployer.patch(init, BETTER, cause="init")
    assert subject.deployer.observe(init).image == BETTER
    assert subject.deployer.observe(of).image == GOOD


def test_paused_and_scaled_to_none(subject: Subject) -> None:
    of = subject.create(Kind.DEPLOYMENT, paused=True)

    def paused() -> bool:
        seen = subject.deployer.observe(of)
        return seen.paused and seen.health is Health.PROGRESSING and "paused" in seen.reason

    assert eventually(paused, seconds=subject.patience)
    assert not subject.deployer.observe(subject.create(Kind.DEPLOYMENT)).paused
    assert subject.until(subject.create(Kind.DEPLOYMENT, replicas=0), Health.HEALTHY).reason == ""


def test_a_partition_keeps_the_former_revision(subject: Subject) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    of = subject.create(Kind.STATEFUL_SET, updateStrategy=strategy)
    subject.until(of, Health.HEALTHY)
    subject.deployer.patch(of, BETTER, cause="partly")
    assert subject.until(of, Health.HEALTHY).reason == "partition 1 keeps 1 on the former revision"


def test_a_suspended_cron_job_is_moved_and_says_so(subject: Subject) -> None:
    of = subject.create(Kind.CRON_JOB, suspend=True)
    subject.deployer.patch(of, BETTER, cause="later")
    seen = subject.deployer.observe(of)
    assert (seen.image, seen.health, seen.reason) == (
        BETTER,
        Health.HEALTHY,
        "suspended: no job runs it until it is resumed",
    )
    assert subject.read(of)["spec"]["suspend"] is True


@pytest.mark.parametrize("kind", [Kind.STATEFUL_SET, Kind.DAEMON_SET])
def test_on_delete_is_healthy_and_says_what_it_waits_for(subject: Subject, kind: Kind) -> None:
    of = subject.create(kind, updateStrategy={"type": "OnDelete"})
    subject.until(of, Health.HEALTHY)
    subject.deployer.patch(of, BETTER, cause="wait")
    eventually(lambda: "OnDelete: 0 of" in subject.deployer.observe(of).reason, seconds=subject.patience)
    assert subject.deployer.observe(of).health is Health.HEALTHY
    core: Any = client.CoreV1Api(subject.api)
    for pod in core.list_namespaced_pod(of.namespace, label_selector=f"app={of.name}").items:
        core.delete_namespaced_pod(pod.metadata.name, of.namespace)

    def updated() -> bool:
        seen = subject.deployer.observe(of)
        return seen.health is Health.HEALTHY and not seen.reason

    assert eventually(updated, seconds=subject.patience)


def test_what_is_not_there(subject: Subject) -> None:
    gone = Workload(cluster="c", namespace=subject.namespace, kind=Kind.DEPLOYMENT, name="gone", container="web")
    for container, name in (("web", "gone"), ("other", subject.create(Kind.DEPLOYMENT).name)):
        of = Workload(cluster="c", namespace=gone.namespace, kind=Kind.DEPLOYMENT, name=name, container=container)
        with pytest.raises(NotFoundError, match=name):
            subject.deployer.observe(of)
        with pytest.raises(NotFoundError, match=name):
            subject.deployer.patch(of, GOOD, cause="x")


def test_what_the_server_finds_invalid(subject: Subject) -> None:
    of = subject.create(Kind.DEPLOYMENT)
    with pytest.raises(PermanentError, match=r"422.*image: Required value"):
        subject.deployer.patch(of, "", cause="x")
    assert subject.deployer.observe(of).image == GOOD


def test_an_unknown_cluster_names_the_setting(subject: Subject) -> None:
    of = Workload(cluster="moon", namespace="n", kind=Kind.DEPLOYMENT, name="w", container="web")
    with pytest.raises(PermanentError, match=r"moon.*GROUNDSWELL_CLUSTERS"):
        subject.deployer.observe(of)


def _gone(subject: Subject, of: Workload) -> bool:
    try:
        subject.deployer.observe(of)
    except NotFoundError:
        return True
    return False


def test_what_asks_for_it_is_found_page_by_page(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes, "_PAGE", 2)
    asking = [subject.create(kind) for kind in (*KINDS, *KINDS)]
    subject.create(Kind.DEPLOYMENT)  # it does not ask
    for of in asking:
        annotated = {"metadata": {"annotations": {FOLLOW: "web", ENVIRONMENT: "test"}}}
        getattr(subject.group(of.kind), f"patch_namespaced_{_SNAKE[of.kind]}")(of.name, of.namespace, annotated)
    now = [1000.0]
    finder = KubernetesDeployer({"c": replace(subject.cluster, discover=True)}, clock=lambda: now[0])
    assert finder.searches
    assert not KubernetesDeployer({"c": subject.cluster}).searches

    def found() -> set[str]:
        return {str(each.workload) for each in finder.following() if each.workload.namespace == subject.namespace}

    assert found() == set(map(str, asking))
    assert {each.workload.place for each in finder.following() if str(each.workload) in found()} == {"test"}
    gone = asking[0]
    getattr(subject.group(gone.kind), f"delete_namespaced_{_SNAKE[gone.kind]}")(gone.name, gone.namespace)
    eventually(lambda: _gone(subject, gone), seconds=subject.patience)
    assert str(gone) in found()  # as it was a minute ago at most
    now[0] += 61
    assert found() == set(map(str, asking[1:]))
    finder.close()


def test_a_wrong_token_names_the_setting_and_is_not_told(subject: Subject) -> None:
    deployer = KubernetesDeployer(
        {"c": Cluster(server=subject.cluster.server, token="wrong-secret", ca_file=subject.cluster.ca_file)}
    )
    of = subject.create(Kind.DEPLOYMENT)
    with pytest.raises(PermanentError, match=r"401.*GROUNDSWELL_CLUSTERS") as caught:
        deployer.observe(of)
    deployer.close()
    assert "wrong-secret" not in str(caught.value)


def test_a_missing_role_is_named(subject: Subject) -> None:
    deployer = KubernetesDeployer({"c": subject.place.reader})
    of = subject.create(Kind.DEPLOYMENT)
    assert deployer.observe(of).image == GOOD
    with pytest.raises(PermanentError, match=rf"403.*must allow: patch deployments in namespace {of.namespace}"):
        deployer.patch(of, BETTER, cause="x")
    deployer.close()


def test_a_change_in_between_is_a_conflict(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    of = subject.create(Kind.CRON_JOB)
    deployer = subject.deployer
    assert isinstance(deployer, KubernetesDeployer)
    read = deployer._read

    def read_and_lose(of: Workload) -> dict[str, Any]:
        item = read(of)
        client.BatchV1Api(subject.api).patch_namespaced_cron_job(of.name, of.namespace, {"spec": {"suspend": True}})
        return item

    monkeypatch.setattr(deployer, "_read", read_and_lose)
    with pytest.raises(ConflictError, match=r"modified"):
        deployer.patch(of, BETTER, cause="x")
    monkeypatch.undo()
    assert deployer.observe(of).image == GOOD


def test_a_cluster_that_does_not_answer_or_is_not_trusted(subject: Subject, certs: Certificates) -> None:
    of = Workload(cluster="c", namespace="n", kind=Kind.DEPLOYMENT, name="w", container="web")
    silent = KubernetesDeployer({"c": Cluster(server="https://localhost:1", token="t", ca_file=str(certs.ca))})
    with pytest.raises(TemporaryError, match=r"does not answer"):
        silent.observe(of)
    silent.close()
    stranger = KubernetesDeployer({"c": Cluster(server=subject.cluster.server, token="t")})
    with pytest.raises(PermanentError, match=r"not trusted.*ca_file"):
        stranger.observe(of)
    stranger.close()
    no_file = KubernetesDeployer({"c": Cluster(server=subject.cluster.server, token="t", ca_file="/no/such/ca")})
    with pytest.raises(PermanentError, match=r"/no/such/ca"):
        no_file.observe(of)


def test_what_may_be_done_is_asked_without_doing_it(subject: Subject) -> None:
    patch = Act(verb="patch", resource="deployments", group="apps", namespace=subject.place.namespace)
    if subject.place.name == "run-command":
        with pytest.raises(PermanentError, match="no call that run-command can make"):
            subject.deployer.may("c", patch)
        return
    reader = KubernetesDeployer({"c": subject.place.reader})
    assert subject.deployer.may("c", patch)
    assert not reader.may("c", patch)
    assert reader.may("c", replace(patch, verb="get"))
    reader.close()
