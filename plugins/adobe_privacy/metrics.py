"""What is measured: one table of metrics, and how the code tells of them.

`docs/reference/metrics.md` and the StatsD exporter's mapping are made from the table: `python -m scripts.metrics_page`.
Nothing is sent before `send_to` has said where to. A label's value is one of a closed set, so no identity and no id
can become one; any other value is told as `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from time import perf_counter
from typing import Protocol

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.states import JobState
from adobe_privacy.organisations import is_name

PREFIX = "adobe_privacy"
OTHER = "other"
# What a gauge of seconds tells at most, and where there is nothing to tell of.
FAR = 90 * 24 * 3600


class Type(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    TIMER = "timer"


@dataclass(frozen=True)
class Label:
    """`values` are all that there are, but for `other`; `also` knows those that the configuration names."""

    name: str
    values: Callable[[], tuple[str, ...]]
    also: Callable[[str], bool] = field(default=lambda _: False)

    def value(self, given: str) -> str:
        value = _plain(given)
        return value if value in self.values() or self.also(value) else OTHER


@dataclass(frozen=True)
class Metric:
    name: str
    type: Type
    unit: str
    meaning: str
    labels: tuple[Label, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{PREFIX}.{self.name}"

    def labelled(self, given: Mapping[str, str]) -> dict[str, str]:
        """The values of all its labels, in the order of the table."""
        return {label.name: label.value(given.get(label.name, OTHER)) for label in self.labels}


def _plain(value: str) -> str:
    return value.replace(" ", "_")


def _kinds() -> tuple[str, ...]:
    # The client counts its calls, and it needs no database.
    from adobe_privacy.ledger.attention import LASTING

    return tuple(kind.name for kind in LASTING)


def _one_of(*values: str) -> Callable[[], tuple[str, ...]]:
    return lambda: values


NO_ANSWER = "none"
# Those that HTTP's standard names and an API may answer.
_STATUSES = "200 201 202 206 207 301 302 303 307 308 400 401 403 404 405 406 408 409 410 413 415 422 429"
_STATUSES += " 500 501 502 503 504"

ORGANISATION = Label("organisation", _one_of("default"), is_name)
STATE = Label("state", _one_of(*(state.value for state in JobState)))
KIND = Label("kind", _kinds)
ACTION = Label("action", _one_of("access", "delete"))
VERDICT = Label("verdict", _one_of(*(_plain(verdict) for verdict in Verdict)))
METHOD = Label("method", _one_of("GET", "POST"))
STATUS = Label("status", _one_of(*_STATUSES.split(), NO_ANSWER))
COMPONENT = Label("component", _one_of("task", "triggerer"))

JOBS = Metric(
    "jobs",
    Type.GAUGE,
    "jobs",
    "Jobs in each state. A request is one job for each action.",
    (ORGANISATION, STATE),
)
ATTENTION = Metric(
    "attention", Type.GAUGE, "jobs or lines", "What needs a person or is good to know.", (ORGANISATION, KIND)
)
QUOTA_LEFT = Metric(
    "quota_left",
    Type.GAUGE,
    "jobs",
    "Jobs that may still be sent on this UTC day; 0 once Adobe refused one.",
    (ORGANISATION,),
)
OLDEST_OPEN = Metric(
    "oldest_open_seconds",
    Type.GAUGE,
    "seconds",
    "Time since the oldest unfinished request was received.",
    (ORGANISATION,),
)
DUE_IN = Metric(
    "due_in_seconds",
    Type.GAUGE,
    "seconds",
    "Time until the last day of the next due request begins (UTC); below 0 where one is late. At most 90 days.",
    (ORGANISATION,),
)
EXPIRES_IN = Metric(
    "expires_in_seconds",
    Type.GAUGE,
    "seconds",
    "Time until Adobe may delete the data of the oldest finished job that is not archived. At most 90 days.",
    (ORGANISATION,),
)
VERDICTS = Metric(
    "verdicts",
    Type.COUNTER,
    "jobs",
    "Jobs that came to their end at Adobe, by verdict. A job that two tasks archive at once counts twice.",
    (ACTION, VERDICT),
)
API_CALLS = Metric(
    "api_calls",
    Type.COUNTER,
    "calls",
    "Requests to Adobe, each repetition included; status `none` where no answer came, 429 where a limit was full.",
    (METHOD, STATUS),
)
API_TIME = Metric(
    "api_time", Type.TIMER, "milliseconds", "Time until the headers of an answer were there.", (METHOD,)
)
LOOK_TIME = Metric(
    "look_time", Type.TIMER, "milliseconds", "Time that one look at Adobe's lists of open jobs took."
)
ARCHIVE_BYTES = Metric("archive_bytes", Type.COUNTER, "bytes", "Size of the archived results.")
ARCHIVE_TIME = Metric(
    "archive_time",
    Type.TIMER,
    "milliseconds",
    "Time that one job took to archive: download, check, store, manifest.",
)
LEDGER_CONNECTIONS = Metric(
    "ledger_connections", Type.GAUGE, "connections", "Connections of one process to its ledger.", (COMPONENT,)
)
API_CONNECTIONS = Metric("api_connections", Type.GAUGE, "connections", "Connections of a triggerer to Adobe.")

METRICS = (
    JOBS,
    ATTENTION,
    QUOTA_LEFT,
    OLDEST_OPEN,
    DUE_IN,
    EXPIRES_IN,
    VERDICTS,
    API_CALLS,
    API_TIME,
    LOOK_TIME,
    ARCHIVE_BYTES,
    ARCHIVE_TIME,
    LEDGER_CONNECTIONS,
    API_CONNECTIONS,
)


class Meter(Protocol):
    """Where metrics go. It must not raise."""

    def count(self, metric: Metric, by: int, labels: Mapping[str, str]) -> None: ...

    def gauge(self, metric: Metric, value: float, labels: Mapping[str, str]) -> None: ...

    def time(self, metric: Metric, seconds: float, labels: Mapping[str, str]) -> None: ...


# One for the process, as Airflow's own statistics are.
_meter: Meter | None = None


def send_to(meter: Meter | None) -> None:
    """From now on this process tells `meter`; None: nobody."""
    global _meter
    _meter = meter


def sent() -> bool:
    """Whether anybody is told: what is costly to find out can be left then."""
    return _meter is not None


def count(metric: Metric, by: int = 1, **labels: str) -> None:
    if _meter is not None and by:
        _meter.count(metric, by, metric.labelled(labels))


def gauge(metric: Metric, value: float, **labels: str) -> None:
    if _meter is not None:
        _meter.gauge(metric, value, metric.labelled(labels))


@contextmanager
def timed(metric: Metric, **labels: str) -> Iterator[None]:
    """Tells how long what is inside took, also where it raises."""
    began = perf_counter()
    try:
        yield
    finally:
        if _meter is not None:
            _meter.time(metric, perf_counter() - began, metric.labelled(labels))
