"""Sends our metrics and spans through Airflow's own: StatsD, Datadog or OpenTelemetry, as its configuration says.

What is observed never fails what is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from adobe_privacy import metrics
from adobe_privacy._compat import Labels, airflow_stats, labels_of_stats
from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from adobe_privacy.ledger.ledger import Ledger
    from adobe_privacy.metrics import Metric

log = plain_logger(__name__)


class AirflowMeter:
    """Airflow's statistics as a `Meter`. Plain StatsD knows no labels: there their values are parts of the name, which
    the exporter's mapping takes apart again."""

    def __init__(self, labels: Labels) -> None:
        self._stats = airflow_stats()
        self._in_name = labels is Labels.IN_NAME
        self._failed = False

    def count(self, metric: Metric, by: int, labels: Mapping[str, str]) -> None:
        self._send("incr", metric, by, labels)

    def gauge(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None:
        self._send("gauge", metric, value, labels)

    def time(self, metric: Metric, seconds: float, labels: Mapping[str, str]) -> None:
        self._send("timing", metric, timedelta(seconds=seconds), labels)

    def _send(self, way: str, metric: Metric, value: Any, labels: Mapping[str, str]) -> None:
        name, tags = metric.full_name, dict(labels)
        if self._in_name:
            name, tags = ".".join((name, *labels.values())), {}
        try:
            getattr(self._stats, way)(name, value, tags=tags)
        except Exception as error:
            if not self._failed:
                log.warning("Metrics cannot be sent: %s", type(error).__name__)
            self._failed = True


def start() -> None:
    """From now on this process measures, where Airflow does."""
    labels = labels_of_stats()
    metrics.send_to(None if labels is Labels.OFF else AirflowMeter(labels))


def tell_ledger(ledger: Ledger, *, organisation: str, daily_limit: int) -> None:
    """How things stand in an organisation's ledger."""
    from adobe_privacy.reporting import gauges

    try:
        gauges.tell(ledger, organisation=organisation, daily_limit=daily_limit)
    except Exception as error:
        log.warning("The ledger's figures cannot be measured: %s", type(error).__name__)


@contextmanager
def span(name: str, **attributes: str) -> Iterator[None]:
    """A span of Airflow's trace, below its task or trigger. Of an error it holds the kind only: no text that may quote
    more than belongs there."""
    from airflow.sdk.observability import trace

    with trace.get_tracer(metrics.PREFIX).start_as_current_span(
        f"{metrics.PREFIX}.{name}",
        attributes={f"{metrics.PREFIX}.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except Exception as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
