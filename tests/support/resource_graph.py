"""Azure Resource Graph as Defender's findings are asked of it: rows by digest, in pages, with faults on demand."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from groundswell.local.certs import Certificates, certificates
from groundswell.local.identity import Identity
from groundswell.local.serve import Servers
from groundswell.scan.resource_graph import DefenderScanner
from tests.support.acr import Credential

PATH = "/providers/Microsoft.ResourceGraph/resources"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
PAGE = 2

type Json = dict[str, Any]


def row(digest: str, flaw: str = "CVE-2022-42969", /, **changes: Any) -> Json:
    """As Microsoft's reference shows one; `changes` are of its status, its software, or of the properties."""
    status = {"severity": "High", "code": "Unhealthy"}
    software = {
        "category": "Language",
        "language": "python",
        "fixedVersion": "",
        "version": "1.11.0.0",
        "vendor": "py",
        "packageName": "py",
        "osDetails": {"osPlatform": "linux", "osVersion": "debian_linux_12"},
        "fixStatus": "FixAvailable",
        "evidence": [],
    }
    properties: Json = {
        "id": flaw,
        "additionalData": {
            "assessedResourceType": "AzureContainerRegistryVulnerability",
            "vulnerabilityDetails": {"severity": changes.pop("details", "High"), "cveId": flaw},
            "artifactDetails": {
                "repositoryName": "shop/web",
                "registryHost": "contoso.azurecr.io",
                "artifactType": "ContainerImage",
                "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "digest": digest,
                "tags": ["1"],
            },
            "softwareDetails": {**software, **changes.pop("software", {})},
            "cvssV30Score": changes.pop("score", 7.5),
        },
        "description": "This vulnerability affects the following vendors: Pytest, Suse, Microsoft, Py.",
        "displayName": flaw,
        "resourceDetails": {"id": f"/repositories/shop/web/images/{digest}", "source": "Azure"},
        "timeGenerated": "2026-11-25T08:00:00.0772799Z",
        "status": {**status, **changes.pop("status", {})},
        **changes,
    }
    return {"id": f"/subscriptions/{SUBSCRIPTION}/…/subassessments/{flaw}", "properties": properties}


@dataclass
class Graph:
    """The rows that there are, and what was asked. `answers` are given first, in turn, in place of rows."""

    identity: Identity
    rows: list[Json] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    asked: list[Json] = field(default_factory=list)
    loses: int = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post(PATH, self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if self.answers:
            return self.answers.pop(0)
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            return web.json_response({"error": {"code": "AuthenticationFailed", "message": "no token"}}, status=401)
        digest = re.search(r'artifactDetails\.digest\) == "(sha256:[0-9a-f]{64})"', body["query"])
        if digest is None or "project id," not in body["query"]:
            return web.json_response(
                {"error": {"code": "BadRequest", "message": "the query is not valid"}}, status=400
            )
        artifact = "artifactDetails"
        found = [r for r in self.rows if r["properties"]["additionalData"][artifact]["digest"] == digest[1]]
        begin = int(body["options"].get("$skipToken") or 0)
        part = found[begin : begin + body["options"]["$top"]]
        more = begin + len(part) < len(found)
        answer: Json = {
            "totalRecords": len(found) + self.loses,
            "count": len(part),
            "resultTruncated": "true" if more else "false",
            "data": part,
        }
        return web.json_response({**answer, "$skipToken": str(begin + len(part))} if more else answer)


@dataclass(frozen=True, kw_only=True)
class DefenderWorld:
    graph: Graph
    scanner: DefenderScanner


@contextmanager
def defender_world(
    folder: Path, registry: str = "contoso.azurecr.io", *, files: Certificates | None = None
) -> Iterator[DefenderWorld]:
    """Resource Graph over TLS, and the scanner that asks it about images of `registry`, two rows a page."""
    files, identity = files or certificates(folder / "certs"), Identity()
    graph = Graph(identity)
    with Servers(files) as servers, pytest.MonkeyPatch.context() as patch:
        patch.setenv("REQUESTS_CA_BUNDLE", str(files.ca))
        endpoint = f"https://localhost:{servers.serve(graph.app)}"
        subscriptions = {registry: [SUBSCRIPTION]}
        scanner = DefenderScanner(
            "defender",
            Credential(identity),
            endpoint,
            lambda host: subscriptions.get(host, []),
            page=PAGE,
            read_seconds=5,
        )
        with closing(scanner):
            yield DefenderWorld(graph=graph, scanner=scanner)
