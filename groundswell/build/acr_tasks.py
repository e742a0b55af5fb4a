"""Builds as runs of ACR Tasks, through Azure Resource Manager.

`scheduleRun` has no idempotency key, so a lost answer would mean a second build. A `taskRuns` resource has a name:
whoever asks again for the same name finds the run that the first request began. Retries are the caller's: one
layer, with the delay that the service asked for.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.containerregistrytasks import ContainerRegistryTasksMgmtClient
from azure.mgmt.containerregistrytasks import models as arm

from groundswell.build.acr_errors import translated
from groundswell.build.acr_request import docker_build, encoded_task, task_run_name
from groundswell.build.port import MAX_LOG, BuildRequest, Run, RunStatus
from groundswell.errors import PermanentError, TemporaryError
from groundswell.settings import AcrRegistry

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_EMPTY_BLOB = 416  # a range of nothing
_NO_BLOB = 404  # a run that waits has no log yet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One registry in ARM, with a client for its subscription."""

    client: ContainerRegistryTasksMgmtClient
    group: str
    name: str


class AcrTasksBuilder:
    """The Builder for registries of Azure. Safe to share between threads."""

    def __init__(
        self,
        credential: TokenCredential,
        arm_endpoint: str,
        registries: Mapping[str, AcrRegistry],
        *,
        read_seconds: float = _READ_SECONDS,
    ) -> None:
        self._credential = credential
        self._endpoint = arm_endpoint.rstrip("/")
        self._registries = registries
        self._read_seconds = read_seconds
        self._clients: dict[str, ContainerRegistryTasksMgmtClient] = {}
        self._lock = threading.Lock()
        # Logs are read by signed links: no policies, so no token goes with them, and no redirect is followed.
        self._blobs: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            self._endpoint, policies=[], connection_timeout=_CONNECT_SECONDS, read_timeout=read_seconds
        )

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
        self._blobs.close()

    def start(self, request: BuildRequest) -> Run:
        return self._start(request.registry, task_run_name(request.name), docker_build(request))

    def run(
        self, registry: str, name: str, text: str, *, secrets: Mapping[str, str], timeout: int, pool: str | None
    ) -> Run:
        """Run a task's YAML once under `name`, as `start` does a build; `timeout` in seconds."""
        wanted = encoded_task(text, secrets=secrets, timeout=timeout, pool=pool)
        return self._start(registry, task_run_name(name), wanted)

    def find(self, registry: str, name: str) -> Run | None:
        """The run that was begun under `name`; None when there is none, or its name was forgotten."""
        with translated(f"looking for run {name}"):
            found = self._find(self._place(registry), task_run_name(name))
        return None if found is None else _named(found, name)

    def _start(self, registry: str, name: str, wanted: arm.RunRequest) -> Run:
        place = self._place(registry)
        with translated(f"starting build {name}"):
            # Asked first, because putting a changed request under the same name would run it again.
            earlier = self._find(place, name)
            found, resumed = (earlier, True) if earlier else self._create(place, name, wanted)
        return replace(_named(found, name), resumed=resumed)

    def observe(self, registry: str, run_id: str) -> Run:
        place = self._place(registry)
        with translated(f"observing run {run_id}"):
            return _run(place.client.runs.get(place.group, place.name, run_id), run_id)

    def cancel(self, registry: str, run_id: str) -> None:
        place = self._place(registry)
        try:
            with translated(f"cancelling run {run_id}"):
                place.client.runs.cancel(place.group, place.name, run_id)
        except PermanentError:
            # The service may refuse to stop what has ended; for the caller that is as good as stopped.
            if not self.observe(registry, run_id).status.ended:
                raise

    def log(self, registry: str, run_id: str) -> str:
        place = self._place(registry)
        with translated(f"reading the log of run {run_id}"):
            link = place.client.runs.get_log_sas_url(place.group, place.name, run_id).log_link
            if not link:
                raise TemporaryError(f"ACR Tasks gave no link to the log of run {run_id}")
            return self._read_end(link, run_id).decode("utf-8", errors="replace")

    def named(self, registry: str) -> Mapping[str, Run]:
        """See `Builder.named`; a taskRuns resource whose run the service has not named yet is left out."""
        place = self._place(registry)
        with translated(f"listing the builds of {registry}"):
            found = list(place.client.task_runs.list(place.group, place.name))
        builds = {}
        for each in found:
            result = each.properties.run_result if each.properties else None
            try:
                if result is not None:
                    builds[str(each.name)] = _run(result, str(each.name))
            except TemporaryError as exc:  # one that cannot be read must not hide the others
                logger.warning("build not understood", extra={"build": each.name, "why": str(exc)})
        return builds

    def forget(self, registry: str, name: str) -> None:
        """Delete the taskRuns resource of a build that has ended; its run and log stay. ARM keeps 800 a group."""
        place = self._place(registry)
        with translated(f"forgetting build {name}"):
            place.client.task_runs.delete(place.group, place.name, task_run_name(name))

    def _place(self, registry: str) -> _Place:
        ids = self._registries.get(registry)
        if ids is None:
            raise PermanentError(
                f"registry {registry} has no entry in the setting GROUNDSWELL_REGISTRIES, "
                "which says where its ACR Tasks are"
            )
        with self._lock:
            client = self._clients.get(ids.subscription)
            if client is None:
                client = self._clients[ids.subscription] = ContainerRegistryTasksMgmtClient(
                    self._credential,
                    ids.subscription,
                    base_url=self._endpoint,
                    credential_scopes=[f"{self._endpoint}/.default"],
                    retry_total=0,
                    connection_timeout=_CONNECT_SECONDS,
                    read_timeout=self._read_seconds,
                )
        return _Place(client=client, group=ids.resource_group, name=ids.name)

    def _find(self, place: _Place, name: str) -> arm.TaskRun | None:
        try:
            return place.client.task_runs.get(place.group, place.name, name)
        except ResourceNotFoundError:
            return None

    def _create(self, place: _Place, name: str, wanted: arm.RunRequest) -> tuple[arm.TaskRun | None, bool]:
        """The task run, and whether it was somebody else who made it."""
        body = arm.TaskRun(properties=arm.TaskRunProperties(run_request=wanted))
        try:
            created = place.client.task_runs.begin_create(
                place.group, place.name, name, body, polling=False
            ).result()
        except ResourceExistsError:  # 409: another worker's request for this name is being carried out
            return self._find(place, name), True
        logger.info("build accepted", extra={"action": "build.start", "build": name})
        return created, False

    def _read_end(self, link: str, run_id: str) -> bytes:
        """The last MAX_LOG bytes of the blob."""
        parts = urlsplit(link)
        if parts.scheme != "https" and parts.netloc != urlsplit(self._endpoint).netloc:
            raise PermanentError(f"the log link of run {run_id} is not https, so it is not followed")
        data, size = self._get(link, f"bytes=0-{MAX_LOG - 1}", run_id)
        if size > MAX_LOG:
            data, _ = self._get(link, f"bytes={size - MAX_LOG}-{size - 1}", run_id)
        return data

    def _get(self, link: str, part: str, run_id: str) -> tuple[bytes, int]:
        """A part of the blob and the size of the whole; at most MAX_LOG bytes, whatever the server sends."""
        request = HttpRequest("GET", link, headers={"Range": part, "x-ms-version": "2021-12-02"})
        with self._blobs.send_request(request, stream=True) as response:
            status = response.status_code
            if status in (_EMPTY_BLOB, _NO_BLOB):
                return b"", 0
            if status == 429 or status >= 500:
                raise TemporaryError(f"the log of run {run_id} cannot be read now: its storage answers {status}")
            if status not in (200, 206):
                raise PermanentError(f"the log of run {run_id} cannot be read: its storage answers {status}")
            data = b""
            for chunk in response.iter_bytes():
                data = (data + chunk)[-MAX_LOG:]
            return data, int(response.headers.get("Content-Range", "/0").rpartition("/")[2])


def _named(found: arm.TaskRun | None, name: str) -> Run:
    result = found.properties.run_result if found and found.properties else None
    if result is None:
        raise TemporaryError(f"build {name} was accepted by ACR Tasks, which has not named its run yet")
    return _run(result, name)


def _run(found: arm.Run, subject: str) -> Run:
    properties = found.properties
    if properties is None or not properties.run_id:
        raise TemporaryError(f"ACR Tasks answered for {subject} without a run id")
    status = _status(properties.status, properties.run_id)
    unsuccessful = status.ended and status is not RunStatus.SUCCEEDED
    error = properties.run_error_message or f"the run ended as {status}"
    return Run(id=properties.run_id, status=status, error=error if unsuccessful else "")


def _status(value: Any, run_id: str) -> RunStatus:
    text = str(getattr(value, "value", value))  # an enum of the SDK, or a string that it does not know
    try:
        return RunStatus(text)
    except ValueError as exc:
        raise TemporaryError(f"run {run_id} has a status that is not known: {text}") from exc
