"""Alerts, workbook, runbooks and docs/telemetry.md speak of what telemetry really sends, and of all of it."""

import json
import re

import pytest

from groundswell.telemetry import gauges, names
from tests.unit.infra.bicep import INFRA, ROOT, trees

METRICS = {metric.name: metric for metric in names.METRICS}
RULES = trees()["modules/alerts.bicep"]["variables"]["rules"]["value"]
WORKBOOK = json.loads((INFRA / "workbook.json").read_text())
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
TELEMETRY = (ROOT / "docs/telemetry.md").read_text()
QUERIES = {
    **{f"alert {rule['name']}": rule["query"] for rule in RULES},
    **{each["name"]: each["content"]["query"] for each in WORKBOOK["items"] if each["type"] == 3},
    **{
        f"runbook, block {i}": block
        for i, block in enumerate(re.findall(r"```kusto\n(.*?)```", RUNBOOKS, re.DOTALL))
    },
}


def sections(text: str) -> dict[str, str]:
    """The parts of a page below its second headings, by their names."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def names_in(query: str, column: str) -> set[str]:
    """What a query compares a column with."""
    several = re.findall(rf"\b{column} in \(([^)]*)\)", query)
    return {
        *re.findall(rf'\b{column} [!=]= "([^"]+)"', query),
        *(name for group in several for name in re.findall(r'"([^"]+)"', group)),
    }


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_what_is_sent(query: str) -> None:
    table = query.strip().partition(" ")[0].partition("\n")[0]
    asked = names_in(query, "name")
    dimensions = set(re.findall(r'customDimensions\["([^"]+)"\]', query))
    if table == "customMetrics":
        assert asked
        assert asked <= set(METRICS)
        assert dimensions <= {each.value for name in asked for each in METRICS[name].attributes}
    elif table == "dependencies":
        assert asked <= {span.value for span in names.Span}
        assert dimensions <= {each.value for each in names.Attribute}
    else:
        assert table in ("requests", "exceptions", "traces")


def test_every_queue_is_looked_at() -> None:
    made = trees()["modules/storage.bicep"]["variables"]["queues"]["value"]
    assert set(gauges.QUEUES) == set(made)


def test_the_workbook_shows_what_it_must() -> None:
    text = " ".join(QUERIES)
    for subject in ("Throughput", "lag, p50 and p95", "Failures", "Slots", "Backlog"):
        assert subject in text
    assert trees()["modules/workbook.bicep"]["resources"]["workbook"]["type"] == "Microsoft.Insights/workbooks"
    assert "loadTextContent('../workbook.json')" in (INFRA / "modules/workbook.bicep").read_text()


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    assert sorted(sections(RUNBOOKS)) == sorted(rule["name"] for rule in RULES)
    assert "docs/runbooks.md#${each.name}" in (INFRA / "modules/alerts.bicep").read_text()


@pytest.mark.parametrize("text", sections(RUNBOOKS).values(), ids=sections(RUNBOOKS))
def test_a_runbook_answers_the_four_questions(text: str) -> None:
    asked = re.findall(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
    assert asked == ["What it means.", "Look.", "Do.", "Over."]


def test_the_docs_list_every_span_metric_and_attribute() -> None:
    for heading, wanted in (
        ("Spans", {"POST /webhooks/…", *(span.value for span in names.Span)}),
        ("Metrics", set(METRICS)),
        ("Attributes of ours", {each.value for each in names.Attribute if each.startswith("groundswell.")}),
    ):
        rows = re.findall(r"^\| `([^`]+)` \|", sections(TELEMETRY)[heading], re.MULTILINE)
        assert sorted(rows) == sorted(wanted), heading


@pytest.mark.parametrize("metric", names.METRICS, ids=lambda metric: metric.name)
def test_the_docs_say_of_a_metric_what_it_is(metric: names.Metric) -> None:
    attributes = ", ".join(f"`{each.value}`" for each in metric.attributes)
    assert f"| `{metric.name}` | {metric.kind} | {metric.unit} | {attributes} | {metric.about} |" in TELEMETRY


def test_the_docs_name_the_settings() -> None:
    for name in ("GROUNDSWELL_TELEMETRY", "GROUNDSWELL_PROMETHEUS", "APPLICATIONINSIGHTS_CONNECTION_STRING"):
        assert f"| `{name}` |" in TELEMETRY
