"""host.json, app settings, and log lines of the local host."""

import json
import logging
import os
from pathlib import Path

import pytest

from groundswell.errors import InputError
from groundswell.local.host import config
from groundswell.local.host.lines import JsonLines
from groundswell.local.paths import ROOT


def read(folder: Path, document: object) -> config.HostConfig:
    (folder / "host.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return config.read(folder)


def queues(**values: object) -> dict[str, object]:
    return {"version": "2.0", "extensions": {"queues": values}}


def test_defaults(tmp_path: Path) -> None:
    found = read(tmp_path, {"version": "2.0"})
    assert found == config.HostConfig(queues=config.Queues(), route_prefix="api", timeout=1800.0)


def test_what_is_given(tmp_path: Path) -> None:
    document = queues(batchSize=4, visibilityTimeout="00:00:05", maxPollingInterval="00:00:01.5", maxDequeueCount=2)
    found = read(tmp_path, {**document, "functionTimeout": "-1"})
    assert found.timeout is None
    assert found.queues == config.Queues(batch=4, threshold=2, retry=5.0, max_poll=1.5, max_dequeue=2)


def test_the_products_own_is_valid() -> None:
    found = config.read(ROOT)
    assert found.route_prefix == ""
    assert found.queues.retry > 0  # or what fails would come again at once, over and over


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "cannot be read"),
        ([], "JSON object"),
        ({"extensions": []}, "extensions must be an object"),
        (queues(batchSize=33), "batchSize must be a whole number from 1 to 32, not 33"),
        (queues(batchSize="8"), "batchSize"),
        (queues(batchSize=True), "batchSize"),
        (queues(newBatchThreshold=-1), "newBatchThreshold"),
        (queues(maxDequeueCount=0), "maxDequeueCount"),
        (queues(visibilityTimeout="5"), "'5' is not a time span"),
        (queues(messageEncoding="none"), "messageEncoding must be base64"),
        ({"functionTimeout": "soon"}, "'soon' is not a time span"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, document: object, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read(tmp_path, document)


def test_without_host_json(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        config.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:10:00", 600.0), ("1.00:00:00", 86400.0), ("00:00:00.250", 0.25), ("1:2:3", 3723.0)]
)
def test_time_spans(text: str, seconds: float) -> None:
    assert config.timespan(text) == seconds


def test_values_go_into_the_environment_but_never_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_A", "from outside")
    monkeypatch.setenv("SAMPLE_B", "")
    monkeypatch.delenv("SAMPLE_B")
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps({"Values": {"SAMPLE_A": "from the file", "SAMPLE_B": 3}}), "utf-8-sig")
    config.put_values(file)
    assert (os.environ["SAMPLE_A"], os.environ["SAMPLE_B"]) == ("from outside", "3")


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "local.settings.json"
    file.write_text(json.dumps({"IsEncrypted": True, "Values": {"A": "x"}}))
    with pytest.raises(InputError, match="func settings decrypt"):
        config.put_values(file)


def test_binding_expressions() -> None:
    assert config.expanded("a-%X%-%Y%", {"X": "1", "Y": "%X%"}, "f") == "a-1-%X%"
    assert config.expanded("50% of it", {}, "f") == "50% of it"
    with pytest.raises(InputError, match="function f: app setting NONE is missing"):
        config.expanded("%NONE%", {}, "f")


def test_json_lines() -> None:
    logger = logging.Logger("sample")
    made: list[logging.LogRecord] = []
    logger.addFilter(lambda record: made.append(record) is None)
    extra = {"cascade": "c", "path": Path("x"), "level": "mine"}
    logger.error("it %s", "failed", extra=extra, exc_info=ValueError("why"))
    line = JsonLines().format(made[0])
    assert "\n" not in line
    document = json.loads(line)
    assert (document["level"], document["logger"], document["message"]) == ("error", "sample", "it failed")
    assert (document["cascade"], document["path"]) == ("c", "x")
    assert document["exception"].endswith("ValueError: why")
    assert document["time"].endswith("+00:00")
