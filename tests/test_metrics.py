"""Metrics and spans as Airflow sends them: to a StatsD socket and an OTLP receiver; and the files that name them."""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
import yaml
from airflow.sdk.observability import stats
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from adobe_privacy import metrics, observing
from adobe_privacy._compat import Labels, airflow_stats, labels_of_stats
from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.attention import LASTING
from adobe_privacy.ledger.states import JobState
from adobe_privacy.metrics import METRICS, Metric, Type
from scripts import metrics_page
from tests.api.fake_service import FakeService
from tests.conftest import ROOT
from tests.support.day import main_job
from tests.support.privacy import World, request

ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "adobe-privacy.json"
PERSON = "subject1@example.com"


@pytest.fixture
def _airflow_measures() -> Iterator[None]:
    """As Airflow's task runner starts its statistics, and as if nothing had been after it."""
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    stats.initialize(factory=lambda: get_stats_factory()(), export_legacy_names=True)
    yield
    metrics.send_to(None)
    stats.initialize(factory=NoStatsLogger, export_legacy_names=False)


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        # What is sent before it is read must fit.
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        receiver.bind(("127.0.0.1", 0))
        receiver.setblocking(False)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(receiver.getsockname()[1]))
        yield receiver


def lines_of(receiver: socket.socket) -> list[str]:
    lines = []
    while True:
        try:
            lines += receiver.recv(65536).decode().splitlines()
        except BlockingIOError:
            return [line for line in lines if "adobe_privacy" in line]


class Exporter:
    """As much of statsd_exporter as our mapping uses: globs of one name's parts, and `$1`, `$2`."""

    TYPES = {"c": "counter", "g": "gauge", "ms": "observer"}  # noqa: RUF012

    def __init__(self) -> None:
        self.mappings = yaml.safe_load(metrics_page.MAPPING.read_text())["mappings"]

    def mapped(self, line: str) -> tuple[str, dict[str, str], float]:
        name, _, rest = line.partition(":")
        value, kind = rest.split("|")[:2]
        for mapping in self.mappings:
            pattern = re.escape(mapping["match"]).replace(r"\*", "([^.]*)")
            found = re.fullmatch(pattern, name)
            if found and mapping["match_metric_type"] == self.TYPES[kind]:
                labels = {
                    label: found.group(int(place.removeprefix("$")))
                    for label, place in mapping.get("labels", {}).items()
                }
                return mapping["name"], labels, float(value)
        raise AssertionError(f"the mapping knows no {name} of type {kind}")


def check_labels(metric: Metric, labels: Mapping[str, str]) -> None:
    assert list(labels) == [label.name for label in metric.labels]
    for label in metric.labels:
        assert labels[label.name] in label.values(), (metric.name, labels)


BY_PROMETHEUS_NAME = {metrics_page.prometheus_name(metric): metric for metric in METRICS}


@pytest.mark.usefixtures("_airflow_measures")
def test_a_day_over_statsd_tells_every_metric_with_labels_of_closed_sets(
    world: World, statsd: socket.socket
) -> None:
    world.put(request(1, "access", "delete"), request(2))
    world.simulator.fault("list", "error_before", status=503, times=1)
    main_job()
    lines = lines_of(statsd)
    told: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in lines:
        name, labels, value = Exporter().mapped(line)
        check_labels(BY_PROMETHEUS_NAME[name], labels)
        told.setdefault(name, []).append((labels, value))
    assert set(told) == set(BY_PROMETHEUS_NAME), "every metric of the table was sent"
    calls = [labels for labels, _ in told["airflow_adobe_privacy_api_calls_total"]]
    assert {"method": "GET", "status": "503"} in calls
    assert {"method": "POST", "status": "202"} in calls or {"method": "POST", "status": "200"} in calls
    jobs = {labels["state"]: value for labels, value in told["airflow_adobe_privacy_jobs"]}
    assert jobs["archived"] == 3
    assert sum(value for _, value in told["airflow_adobe_privacy_verdicts_total"]) == 3
    archived = sum(value for _, value in told["airflow_adobe_privacy_archive_bytes_total"])
    assert archived == sum(manifest.get("size") or 0 for manifest in world.manifests()) > 0
    assert told["airflow_adobe_privacy_due_in_seconds"][-1][1] == metrics.FAR, "nothing is open any more"
    everything = "\n".join(lines)
    assert "subject" not in everything
    assert "DSR" not in everything


@pytest.mark.usefixtures("_airflow_measures")
def test_statsd_with_tags_gets_labels_as_tags(
    world: World, statsd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    world.put(request(1))
    main_job()
    lines = lines_of(statsd)
    assert any(
        line.startswith("airflow.adobe_privacy.jobs,organisation=default,state=archived:") for line in lines
    ), lines


class Kept:
    """A meter that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []

    def count(self, metric: Metric, by: int, labels: Mapping[str, str]) -> None:
        self.told.append((metric.name, dict(labels)))

    def gauge(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        self.told.append((metric.name, dict(labels)))

    def time(self, metric: Metric, seconds: float, labels: Mapping[str, str]) -> None:
        self.told.append((metric.name, dict(labels)))


@pytest.fixture
def kept() -> Iterator[Kept]:
    meter = Kept()
    metrics.send_to(meter)
    yield meter
    metrics.send_to(None)


async def test_every_try_is_counted_with_its_status_or_none(kept: Kept) -> None:
    service = FakeService(
        [
            httpx.Response(429, json={"error_code": "429050"}),
            httpx.Response(507, json={}),
            httpx.ConnectError("no"),
            httpx.Response(200, json={"jobId": "job-1", "status": "complete"}),
        ]
    )
    async with service.client(retry_attempts=4) as client:
        await client.get_job("job-1")
    calls = [labels for name, labels in kept.told if name == "api_calls"]
    assert calls[0] == {"method": "POST", "status": "200"}, "the token"
    assert [labels["status"] for labels in calls[1:]] == ["429", "other", "none", "200"]


def test_a_label_is_of_its_closed_set_whatever_is_given(kept: Kept) -> None:
    metrics.count(metrics.VERDICTS, action=PERSON, verdict=Verdict.NOTHING_TO_DO)
    metrics.gauge(metrics.JOBS, 1, organisation="eu", state="planned")
    metrics.gauge(metrics.JOBS, 1, organisation=PERSON, state=PERSON)
    assert kept.told == [
        ("verdicts", {"action": "other", "verdict": "nothing_to_do"}),
        ("jobs", {"organisation": "eu", "state": "planned"}),
        ("jobs", {"organisation": "other", "state": "other"}),
    ]


def test_the_closed_sets_are_those_of_the_code() -> None:
    assert metrics.STATE.values() == tuple(JobState)
    assert metrics.KIND.values() == tuple(kind.name for kind in LASTING)
    assert len(metrics.VERDICT.values()) == len(Verdict)
    for metric in METRICS:
        for label in metric.labels:
            for value in label.values():
                assert re.fullmatch(r"[A-Za-z0-9_]+", value), "a part of a StatsD name"


def test_where_airflow_does_not_measure_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert labels_of_stats() is Labels.OFF
    observing.start()
    assert not metrics.sent()


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"STATSD_ON": "True"}, Labels.IN_NAME),
        ({"STATSD_ON": "True", "OTEL_ON": "True"}, Labels.IN_NAME),
        ({"STATSD_ON": "True", "STATSD_INFLUXDB_ENABLED": "True"}, Labels.AS_TAGS),
        ({"OTEL_ON": "True"}, Labels.AS_TAGS),
        ({"STATSD_DATADOG_ENABLED": "True"}, Labels.AS_TAGS),
        ({"STATSD_DATADOG_ENABLED": "True", "STATSD_DATADOG_METRICS_TAGS": "False"}, Labels.IN_NAME),
    ],
)
def test_labels_go_where_airflows_statistics_take_them(
    options: dict[str, str], labels: Labels, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option, value in options.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{option}", value)
    assert labels_of_stats() is labels


def test_statistics_that_fail_cost_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError(PERSON)

    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    for way in ("incr", "gauge", "timing"):
        monkeypatch.setattr(airflow_stats(), way, broken)
    world.put(request(1))
    try:
        main_job()
    finally:
        metrics.send_to(None)
    assert "Metrics cannot be sent: RuntimeError" in caplog.text
    assert PERSON not in caplog.text


# --- OpenTelemetry


class Received:
    def __init__(self) -> None:
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.traces: list[ExportTraceServiceRequest] = []


@contextmanager
def otlp_receiver() -> Iterator[tuple[str, Received]]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/v1/metrics":
                received.metrics.append(ExportMetricsServiceRequest.FromString(body))
            elif self.path == "/v1/traces":
                received.traces.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# As Airflow's task runner starts statistics and traces, and flushes both at its end.
IN_A_PROCESS_OF_ITS_OWN = """
from airflow.sdk._shared.observability.traces import configure_otel
from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats, trace
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

configure_otel(conf)
stats.initialize(factory=get_stats_factory(), export_legacy_names=True)

from tests.support.day import main_job

with trace.get_tracer("airflow").start_as_current_span("task"):
    print("BATCH", main_job())
trace.get_tracer_provider().force_flush()
"""


def test_a_day_over_opentelemetry_tells_metrics_and_spans(world: World) -> None:
    world.put(request(1, "access", "delete"))
    with otlp_receiver() as (address, received):
        done = subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN],
            cwd=ROOT,
            env=os.environ
            | {
                "PYTHONPATH": f"{ROOT / 'plugins'}{os.pathsep}{ROOT}",
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "AIRFLOW__TRACES__OTEL_ON": "True",
                "OTEL_EXPORTER_OTLP_ENDPOINT": address,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_TRACES_EXPORTER": "otlp_proto_http",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    batch_id = re.findall(r"^BATCH (\S+)$", done.stdout, re.MULTILINE)[-1]
    by_name = {f"airflow.{metric.full_name}": metric for metric in METRICS}
    told = set()
    for export in received.metrics:
        for resource in export.resource_metrics:
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                if "adobe_privacy" not in metric.name:
                    continue
                told.add(metric.name)
                kind = {"sum": Type.COUNTER, "gauge": Type.GAUGE}.get(metric.WhichOneof("data"), Type.TIMER)
                assert kind is by_name[metric.name].type, metric.name
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    check_labels(
                        by_name[metric.name], {each.key: each.value.string_value for each in point.attributes}
                    )
    assert told == set(by_name)
    spans = {
        span.name: span
        for export in received.traces
        for resource in export.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert {f"adobe_privacy.{name}" for name in ("submit", "wait", "archive")} <= set(spans)
    for name in ("submit", "wait", "archive"):
        span = spans[f"adobe_privacy.{name}"]
        assert span.parent_span_id == spans["task"].span_id
        attributes = {each.key: each.value.string_value for each in span.attributes}
        assert attributes == {"adobe_privacy.batch_id": batch_id}
        assert not span.events
    everything = "".join(str(export) for export in (*received.metrics, *received.traces))
    assert "subject1" not in everything
    assert "DSR-1" not in everything


# --- what is given along


def names_in(query: str) -> set[str]:
    """The metrics that a query of Prometheus names. Raises ValueError where it is none."""
    # Grafana's own parts: any value does.
    query = re.sub(r"\$\w+", "1h" if "[$" in query else ".*", query)
    return set(re.findall(r"airflow_\w+", promql_parser.parse(query).prettify()))


def known(name: str) -> Metric:
    metric = BY_PROMETHEUS_NAME.get(name)
    if metric is None:
        # Of a histogram.
        name, _, part = name.rpartition("_")
        assert part in ("bucket", "sum", "count"), name
        metric = BY_PROMETHEUS_NAME[name]
        assert metric.type is Type.TIMER
    return metric


def check_query(query: str) -> None:
    names = names_in(query)
    assert names, query
    for metric in map(known, names):
        labels = {label.name for label in metric.labels}
        for given in re.findall(r"(\w+)=~|(\w+)!~|(\w+)=", query):
            assert set(filter(None, given)) <= labels | {"le"}, query
        for label in metric.labels:
            for value in re.findall(rf'\b{label.name}="([^"]+)"', query):
                assert value in label.values(), query


def test_the_alerts_ask_for_metrics_of_the_table() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 5
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        check_query(rule["expr"])


def test_the_dashboard_asks_for_metrics_of_the_table_and_shows_each() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    shown = set()
    for panel in dashboard["panels"]:
        assert panel["title"]
        for target in panel["targets"]:
            check_query(target["expr"])
            shown |= {known(name).name for name in names_in(target["expr"])}
    (organisations,) = [each for each in dashboard["templating"]["list"] if each["name"] == "organisation"]
    assert set(re.findall(r"airflow_\w+", organisations["query"])) <= set(BY_PROMETHEUS_NAME)
    assert shown == {metric.name for metric in METRICS}


def test_kinds_that_are_only_good_to_know_are_no_alarm() -> None:
    text = ALERTS.read_text() + DASHBOARD.read_text()
    (pattern,) = set(re.findall(r'kind!~\\?"([^"\\]+)', text))
    notes = {kind.name for kind in LASTING if kind.level.name == "NOTE"}
    assert set(pattern.split("|")) == notes


def test_page_and_mapping_are_made_from_the_table() -> None:
    assert metrics_page.PAGE.read_text() == metrics_page.page()
    assert metrics_page.MAPPING.read_text() == metrics_page.mapping()


def test_a_program_without_airflow_measures_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, adobe_privacy.metrics as m; print(m.sent(), 'airflow' in sys.modules)",
        ],
        env={"PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
