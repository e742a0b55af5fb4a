"""The words of the look-alike: registries it serves, its limits, and a run as Azure Resource Manager shows it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundswell.build.port import RunStatus

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """How runs reach the registry they belong to; `ca` is a PEM file to trust besides the system's."""

    login_server: str
    user: str = ""
    password: str = field(default="", repr=False)
    ca: Path | None = None
    plain_http: bool = False

    @property
    def name(self) -> str:
        return self.login_server.partition(".")[0].partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the service allows. Timeouts are Azure's; concurrency is a setting, for Azure documents none."""

    concurrency: int = 2
    pools: Mapping[str, int] = field(default_factory=dict)  # agent pools: name -> runs at once
    min_timeout: int = 300
    max_timeout: int = 28_800
    source_bytes: int = 256 << 20
    unpacked_bytes: int = 2 << 30
    unpacked_files: int = 100_000
    log_bytes: int = 16 << 20
    link_seconds: int = 3600  # how long a log or upload link is good for


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputImage:
    registry: str
    repository: str
    tag: str
    digest: str


@dataclass(slots=True, kw_only=True)
class Run:
    """One run. Only the runner changes it."""

    id: str
    resource: str
    """The ARM id of its registry."""
    run_type: str
    created: dt.datetime
    platform: Mapping[str, str]
    status: RunStatus = RunStatus.QUEUED
    pool: str | None = None
    task: str | None = None
    trigger_token: str | None = None
    archived: bool = False
    started: dt.datetime | None = None
    finished: dt.datetime | None = None
    outputs: list[OutputImage] = field(default_factory=list)
    error: str = ""

    def document(self) -> Json:
        """The run as ARM answers it; also how it is kept on disk."""
        properties: Json = {
            "runId": self.id,
            "status": str(self.status),
            "lastUpdatedTime": _text(self.finished or self.started or self.created),
            "runType": self.run_type,
            "agentPoolName": self.pool,
            "createTime": _text(self.created),
            "startTime": _text(self.started),
            "finishTime": _text(self.finished),
            "outputImages": [
                {"registry": one.registry, "repository": one.repository, "tag": one.tag, "digest": one.digest}
                for one in self.outputs
            ],
            "task": self.task,
            "platform": dict(self.platform),
            "runErrorMessage": self.error or None,
            "updateTriggerToken": self.trigger_token,
            "provisioningState": self.provisioning_state,
            "isArchiveEnabled": self.archived,
        }
        return {
            "id": f"{self.resource}/runs/{self.id}",
            "name": self.id,
            "type": "Microsoft.ContainerRegistry/registries/runs",
            "properties": {name: value for name, value in properties.items() if value is not None},
        }

    @staticmethod
    def load(document: Json) -> "Run":
        """The inverse of `document`."""
        properties = document["properties"]
        return Run(
            id=document["name"],
            resource=document["id"].rpartition("/runs/")[0],
            run_type=properties["runType"],
            created=dt.datetime.fromisoformat(properties["createTime"]),
            platform=properties["platform"],
            status=RunStatus(properties["status"]),
            pool=properties.get("agentPoolName"),
            task=properties.get("task"),
            trigger_token=properties.get("updateTriggerToken"),
            archived=properties["isArchiveEnabled"],
            started=_time(properties.get("startTime")),
            finished=_time(properties.get("finishTime")),
            outputs=[OutputImage(**one) for one in properties["outputImages"]],
            error=properties.get("runErrorMessage", ""),
        )

    @property
    def provisioning_state(self) -> str:
        if not self.status.ended:
            return "Creating"
        return {RunStatus.SUCCEEDED: "Succeeded", RunStatus.CANCELED: "Canceled"}.get(self.status, "Failed")


def _text(time: dt.datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None


def _time(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
