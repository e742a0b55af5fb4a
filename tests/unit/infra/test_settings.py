"""The app's settings in Azure are those that the code reads; host.json and the queues agree with the code."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import pytest
from azure.functions.decorators.queue import QueueTrigger

from functions import timers, workers
from groundswell import settings
from groundswell.cascade import engine
from groundswell.notify import post
from tests.faults import harness
from tests.unit.infra.bicep import ROOT, resources, trees

NOT_IN_AZURE = {
    "FUNCTIONS_WORKER_RUNTIME": "functionAppConfig.runtime says it, and Flex Consumption refuses the setting",
    "AzureWebJobsStorage": "by identity: AzureWebJobsStorage__blobServiceUri and those beside it",
    "GROUNDSWELL_STORE": "by identity: GROUNDSWELL_STORE__queueServiceUri, GROUNDSWELL_STORE__tableServiceUri",
    "GROUNDSWELL_TRIVY": "no scanner is beside the app in Azure: scans are runs of ACR Tasks, or Defender's",
    "GROUNDSWELL_TRIVY_CACHE": "as above",
    "IDENTITY_ENDPOINT": "set by Azure",
    "IDENTITY_HEADER": "set by Azure",
    "REQUESTS_CA_BUNDLE": "for certificates of one's own, on the local stack",
}
OF_THE_HOST = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "where the host sends telemetry",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "as which identity",
    "AzureWebJobsStorage__blobServiceUri": "the host's own storage: locks of timers",
    "AzureWebJobsStorage__queueServiceUri": "the host's own storage",
    "AzureWebJobsStorage__tableServiceUri": "the host's own storage: diagnostic events",
    "AzureWebJobsStorage__credential": "by identity",
    "AzureWebJobsStorage__clientId": "by which",
    "GROUNDSWELL_STORE__credential": "the queue triggers: by identity",
    "GROUNDSWELL_STORE__clientId": "by which",
}
HOST = json.loads((ROOT / "host.json").read_text())
QUEUES = HOST["extensions"]["queues"]


def given(part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = trees()["modules/settings.bicep"]["variables"][part]["value"]
    return found


def example() -> dict[str, str]:
    values: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    return values


def test_each_setting_that_is_read_is_given_and_no_other() -> None:
    tuning, wired = set(given("tuning")), set(given("wired"))
    assert not tuning & wired
    assert (tuning | wired) - set(OF_THE_HOST) == set(example()) - set(NOT_IN_AZURE)
    assert set(OF_THE_HOST) <= wired
    assert set(NOT_IN_AZURE) <= set(example())


def test_what_may_be_changed_begins_with_the_products_defaults() -> None:
    minimal = {"GROUNDSWELL_STORE": "sqlite:///x.db"}
    assert settings.parse({**minimal, **given("tuning")}) == settings.parse(minimal)


def test_what_is_wired_cannot_be_changed_by_the_parameter() -> None:
    union = trees()["modules/settings.bicep"]["outputs"]["all"]["value"]["function"]
    assert union == {"type": "union", "parameters": {"arg_1": "tuning", "arg_2": "overrides", "arg_3": "wired"}}


@pytest.mark.parametrize(
    "name", [name for name in example() if re.search("SECRET$|EXTERNAL|CLUSTERS|GIT|BUILDERS|NOTIFY$", name)]
)
def test_settings_that_hold_credentials_come_from_the_vault(name: str) -> None:
    value = given("wired")[name]
    if isinstance(value, dict):
        value = value["operator"]["operands"]["true_value"]
    assert re.fullmatch(r"@Microsoft\.KeyVault\(SecretUri=\$\{webhookUri\}\)|\$\{kept\}[a-z-]+\)", value)
    reference = given("kept")
    assert reference == "@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/"


def test_the_secrets_by_hand_are_those_that_the_parameter_names() -> None:
    text = json.dumps(given("wired"), default=str)
    named = set(re.findall(r'"item_to_find": "([a-z-]+)"', text))
    assert named == set(re.findall(r'"\$\{kept\}([a-z-]+)\)"', text))
    described = trees()["main.bicep"]["parameters"]["secrets"]["decorators"][0]["argument"]
    assert named == set(described.split(": ")[1].rstrip(".").split(", "))


def test_the_queues_are_those_of_the_code() -> None:
    made = set(trees()["modules/storage.bicep"]["variables"]["queues"]["value"])
    sent = {engine.PUSHES, engine.REBUILDS, *engine.QUEUE.values(), post.NOTICES}
    assert made == sent | {f"{name}-poison" for name in sent}
    triggers = [
        function.get_trigger() for function in (builder.build() for builder in workers.blueprint._function_builders)
    ]
    assert made == {trigger.queue_name for trigger in triggers if isinstance(trigger, QueueTrigger)}


def test_messages_are_encoded_as_the_store_encodes_them() -> None:
    assert QUEUES["messageEncoding"] == "base64"


def test_a_message_is_given_up_after_as_many_tries_as_the_faults_are_tested_with() -> None:
    assert QUEUES["maxDequeueCount"] == harness.DELIVERIES


def test_a_message_that_failed_waits_before_it_comes_again() -> None:
    assert re.fullmatch(r"00:00:\d\d", QUEUES["visibilityTimeout"])
    assert QUEUES["visibilityTimeout"] != "00:00:00"


def test_each_message_in_hand_has_a_thread() -> None:
    in_hand = QUEUES["batchSize"] + QUEUES["newBatchThreshold"]
    assert QUEUES["batchSize"] <= 32, "Azure's limit for one call"
    for where in (given("wired"), example()):
        assert int(where["PYTHON_THREADPOOL_THREAD_COUNT"]) >= in_hand


def test_each_value_of_host_json_is_explained() -> None:
    text = (ROOT / "docs/azure.md").read_text().partition("## host.json")[2].partition("\n## ")[0]
    named = {name for row in text.splitlines() for name in re.findall(r"`(\w+)`", row.split(" | ")[0])}
    here = [*HOST["extensions"]["http"], *QUEUES, *(name for name in HOST if name not in ("version", "extensions"))]
    assert set(here) - {"logging"} <= named
    assert "| sampling without `Request` and `Exception` |" in text


def test_what_alerts_count_is_not_sampled() -> None:
    sampling = HOST["logging"]["applicationInsights"]["samplingSettings"]
    assert set(sampling["excludedTypes"].split(";")) == {"Exception", "Request"}


def test_telemetry_is_on_in_azure_for_alerts_and_workbook_stand_on_it() -> None:
    assert given("wired")["GROUNDSWELL_TELEMETRY"] == "azure"


def test_alerts_name_functions_that_exist() -> None:
    builders = (*workers.blueprint._function_builders, *timers.blueprint._function_builders)
    names = {builder.build().get_function_name() for builder in builders}
    queries = [rule["query"] for rule in trees()["modules/alerts.bicep"]["variables"]["rules"]["value"]]
    asked = {name for query in queries for name in re.findall(r'name == "(\w+)"', query)}
    endings = {end for query in queries for end in re.findall(r'name endswith "(\w+)"', query)}
    assert asked == {"reconcile", "sweep"} <= names
    assert endings == {"_poison"}
    assert any(name.endswith("_poison") for name in names)


def test_the_webhooks_name_suits_the_registry() -> None:
    """5 to 50 letters and digits, as ACR demands; thirteen are what uniqueString gives, six of them are taken."""
    text = trees()["main.bicep"]["variables"]["webhookName"]["value"]
    assert text == "groundswell${take(token, 6)}"
    assert resources("Microsoft.ContainerRegistry/registries/webhooks")[0].config["name"] == "webhookName"


@pytest.mark.parametrize(("places", "made"), [("known", settings.AcrRegistry), ("reached", settings.Cluster)])
def test_what_is_said_of_registries_and_clusters_is_what_is_read(places: str, made: type) -> None:
    place = given(places)["config"]["place"]
    assert set(place) <= {each.name for each in fields(made)}


def test_each_parameter_of_main_is_documented() -> None:
    text = (ROOT / "docs/azure.md").read_text()
    table = text.split("## Parameters")[1].split("\n\nThere is")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    by_azd = {"environmentName", "location", "webhookSecret"}
    assert documented == set(trees()["main.bicep"]["parameters"]) - by_azd
