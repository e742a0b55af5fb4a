"""A scan as a task: its text, its name, and that nothing from outside gets into a step but as a plain word."""

import datetime as dt
import shlex
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from graph.reference import Reference
from groundswell.errors import GroundswellError, PermanentError
from groundswell.local.tasks.plan import Command, Platform, Variables
from groundswell.local.tasks.taskfile import parse
from groundswell.scan.task import Task, task
from groundswell.scanners import read
from tests.support.scan_fakes import DIGEST, IMAGE, ORAS, SCANNER_IMAGE, TRIVY, command
from tests.support.world import HOST


def made(entry: dict[str, Any], reference: Reference = IMAGE, *, name: str = "trivy") -> Task:
    return task(name, read({name: entry}, setting="S")[name], reference, attacher=ORAS)


def steps(found: Task) -> list[dict[str, Any]]:
    document = yaml.safe_load(found.text)
    assert document["version"] == "v1.1.0"
    listed: list[dict[str, Any]] = document["steps"]
    return listed


def test_trivys_task() -> None:
    found = made({**TRIVY, "database": f"{HOST}/tools/trivy-db:2", "java_database": f"{HOST}/j:1", "pool": "large"})
    scan, attach = steps(found)
    image = f"{HOST}/top@{DIGEST}"
    assert scan == {
        "id": "scan",
        "cmd": (
            f"{SCANNER_IMAGE} image --format json --output report.json --cache-dir trivy --image-src remote "
            "--scanners vuln --list-all-pkgs --no-progress --timeout 900s "
            f"--db-repository {HOST}/tools/trivy-db:2 --java-db-repository {HOST}/j:1 {image}"
        ),
        "timeout": 900,
    }
    assert attach == {
        "id": "attach",
        "cmd": (
            f"{ORAS} attach --artifact-type application/vnd.groundswell.scan.v1 "
            "--annotation dev.groundswell.scanner=trivy --annotation dev.groundswell.run={{.Run.ID}} "
            f"{image} report.json:application/vnd.groundswell.scan.report.v1 "
            "trivy/db/metadata.json:application/vnd.groundswell.scan.database.v1+json"
        ),
        "timeout": 120,
    }
    assert (found.timeout, found.pool, found.secrets) == (1200, "large", {})


def test_a_command_with_variables_and_secrets() -> None:
    entry = command(
        "aqua",
        ignore_exit=True,
        env={"LEVEL": "high"},
        secrets={"TOKEN": "s3cret"},
        timeout=60,
    ) | {"command": "scan --token {TOKEN} --registry {registry} {repository}@{digest} --jsonfile {report}"}
    found = made(entry, name="aqua")
    scan, attach = steps(found)
    assert scan["cmd"] == (
        f"{SCANNER_IMAGE} scan --token {{{{.Values.TOKEN}}}} --registry {HOST} top@{DIGEST} --jsonfile report.json"
    )
    assert scan["env"] == ["LEVEL=high", "TOKEN={{.Values.TOKEN}}"]
    assert (scan["ignoreErrors"], scan["timeout"]) == (True, 60)
    assert attach["cmd"].endswith(" report.json:application/vnd.groundswell.scan.report.v1")
    assert (found.secrets, found.pool) == ({"TOKEN": "s3cret"}, None)
    assert "s3cret" not in found.text
    assert "s3cret" not in repr(found)


def test_the_name_is_the_same_for_the_same_scan_and_no_other() -> None:
    names = {
        made(TRIVY).name,
        made(TRIVY, name="again").name,
        made({**TRIVY, "timeout": 901}).name,
        made(TRIVY, IMAGE.with_digest("sha256:" + "00" * 32)).name,
    }
    assert len(names) == 4
    assert made(TRIVY).name in names
    assert all(len(name) <= 50 for name in names)


@pytest.mark.parametrize(
    "reference",
    [
        Reference(registry=HOST, repository="top", tag="1", digest=None),
        Reference(registry=HOST, repository="top", tag=None, digest="sha512:" + "a" * 128),
        Reference(registry=HOST, repository="top", tag=None, digest=DIGEST + ";id"),
        Reference(registry=HOST, repository="top;id", tag=None, digest=DIGEST),
        Reference(registry="-v", repository="x", tag=None, digest=DIGEST),
        Reference(registry="$(id)", repository="x", tag=None, digest=DIGEST),
        Reference(registry="{{.Run.ID}}", repository="x", tag=None, digest=DIGEST),
        Reference(registry="[::1]:5000", repository="x", tag=None, digest=DIGEST),
    ],
)
def test_what_cannot_stand_in_a_step_is_refused(reference: Reference) -> None:
    with pytest.raises(PermanentError, match=r"cannot stand in a step|has no sha256 digest"):
        made(TRIVY, reference)


VARIABLES = Variables.of(
    run_id="cf1",
    registry=HOST,
    registry_name="acr",
    platform=Platform(),
    task="",
    now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
)


@given(
    words=st.text(st.characters(codec="utf-8"), max_size=30),
    value=st.text(st.characters(codec="utf-8"), max_size=12),
    repository=st.text(st.characters(codec="utf-8"), max_size=12),
)
def test_whatever_is_given_stays_a_word_or_is_refused(words: str, value: str, repository: str) -> None:
    """The text is read as the service reads it: YAML, templates, a shell's words. Nothing more comes of it."""
    entry = command("sarif") | {"command": "{image} {report} " + words, "env": {"A": value}}
    reference = Reference(registry=HOST, repository=repository, tag=None, digest=DIGEST)
    try:
        found = made(entry, reference)
    except GroundswellError:
        return
    scan, attach = parse(found.text, VARIABLES)
    assert isinstance(scan.action, Command)
    assert (scan.action.image, scan.env) == (SCANNER_IMAGE, {"A": value})
    assert scan.action.words == (f"{HOST}/{repository}@{DIGEST}", "report.json", *words.split())
    assert shlex.join(scan.action.words) == " ".join(scan.action.words)
    assert isinstance(attach.action, Command)
    assert attach.action.image == ORAS
