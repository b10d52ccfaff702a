"""Writes docs/reference/metrics.md and the mapping for statsd_exporter from `adobe_privacy.metrics`.

With `--check` it only says whether they are current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from adobe_privacy.metrics import METRICS, Metric, Type
from scripts.made_pages import ROOT, write_or_check

PAGE = ROOT / "docs" / "reference" / "metrics.md"
MAPPING = ROOT / "deploy" / "prometheus" / "statsd_mapping.yml"
# It ends with the mapping.
HELM_VALUES = ROOT / "deploy" / "helm" / "values.yaml"
# Airflow's default of `[metrics] statsd_prefix` and `otel_prefix`.
PREFIX = "airflow"
BUCKETS = "0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800"
INTRODUCTION = """\
# Metrics and traces

This page is made from `plugins/adobe_privacy/metrics.py` by `python -m scripts.metrics_page`.

The tasks and the triggerer send these metrics through Airflow's own statistics, where Airflow's configuration has them
on: `[metrics] statsd_on`, `otel_on` or `statsd_datadog_enabled`. Nothing else has to be set. A label's value is one of
a closed set. No identity, request id or batch id is in a metric.

- **OpenTelemetry, Datadog, and StatsD with `statsd_influxdb_enabled`**: the name is `airflow.adobe_privacy.…`. The
  labels are attributes or tags.
- **Plain StatsD** knows no labels. Their values are part of the name, in the order of the table:
  `airflow.adobe_privacy.jobs.default.archived`. `deploy/prometheus/statsd_mapping.yml` is the mapping for
  Prometheus's statsd_exporter. It makes labels of them again, and seconds of milliseconds.

The gauges of the ledger (those with an organisation) are measured by `privacy_alarms` every hour, and at the end of
each `settle` and `sweep`. Between these, and where the DAG is paused, they keep their last value.

`deploy/grafana/adobe-privacy.json` is a dashboard and `deploy/prometheus/alerts.yml` holds alert rules. Both use the
names of the column *in Prometheus*.
"""
TRACES = """\
## Traces

With `[traces] otel_on`, these spans are below the span of their task or trigger. Each has the attribute
`adobe_privacy.batch_id`. A span that ended in an error names the kind of the error, never its text.

| span | around |
|---|---|
| `adobe_privacy.submit` | one try to create a batch's jobs at Adobe |
| `adobe_privacy.wait` | the wait for a batch in one triggerer; a restart of the triggerer loses it and begins another |
| `adobe_privacy.archive` | one try to archive a batch's results |

## OpenLineage

Where `apache-airflow-providers-openlineage` is installed, `plan` names the inbox as its input and `archive` and `sweep`
name the archive as their output. Both are the folder's location, without credentials; files and jobs are not named.
"""


def prometheus_name(metric: Metric) -> str:
    ending = {Type.COUNTER: "_total", Type.TIMER: "_seconds", Type.GAUGE: ""}[metric.type]
    return f"{PREFIX}_{metric.full_name.replace('.', '_')}{ending}"


def page() -> str:
    return "\n".join([INTRODUCTION, *_table(), "", *_labels(), "", TRACES])


def _table() -> Iterator[str]:
    yield from (
        "## Metrics",
        "",
        "| name | type | unit | labels | in Prometheus | meaning |",
        "|---|---|---|---|---|---|",
    )
    for metric in METRICS:
        labels = ", ".join(label.name for label in metric.labels)
        yield (
            f"| `{metric.full_name}` | {metric.type} | {metric.unit} | {labels} | `{prometheus_name(metric)}` "
            f"| {metric.meaning} |"
        )


def _labels() -> Iterator[str]:
    yield from ("## Labels", "", "| label | values |", "|---|---|")
    labels = {label.name: label for metric in METRICS for label in metric.labels}
    for name, label in labels.items():
        values = ", ".join(f"`{value}`" for value in label.values())
        more = ", and the organisations of the configuration" if name == "organisation" else ", else `other`"
        yield f"| {name} | {values}{more} |"


def mapping() -> str:
    return "\n".join(
        [
            "# Made from adobe_privacy/metrics.py by python -m scripts.metrics_page.",
            "mappings:",
            *_mappings(),
            "",
        ]
    )


def _mappings() -> Iterator[str]:
    kinds = {Type.COUNTER: "counter", Type.GAUGE: "gauge", Type.TIMER: "observer"}
    for metric in METRICS:
        yield f'  - match: "{".".join((PREFIX, metric.full_name, *("*" for _ in metric.labels)))}"'
        yield f"    match_metric_type: {kinds[metric.type]}"
        yield f"    name: {prometheus_name(metric)}"
        if metric.type is Type.TIMER:
            yield "    observer_type: histogram"
            yield f"    histogram_options: {{buckets: [{BUCKETS}]}}"
        if metric.labels:
            yield "    labels:"
            for number, label in enumerate(metric.labels, 1):
                yield f'      {label.name}: "${number}"'


def helm_values(text: str) -> str:
    before, begin, _ = text.partition("  extraMappings:\n")
    return "".join([before, begin, *(f"  {line}\n" for line in _mappings())])


def main() -> int:
    made = {PAGE: page(), MAPPING: mapping(), HELM_VALUES: helm_values(HELM_VALUES.read_text("utf-8"))}
    return max(
        write_or_check(path, text, made_from="adobe_privacy/metrics.py", by="scripts.metrics_page")
        for path, text in made.items()
    )


if __name__ == "__main__":
    sys.exit(main())
