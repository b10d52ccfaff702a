"""What differs between the versions of Airflow that this package runs on, and nothing else."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow.sdk import conf, exceptions
from airflow.sdk import log as airflow_log
from asgiref.sync import sync_to_async

from adobe_privacy.plain_text import plain_logger

if TYPE_CHECKING:
    from airflow.sdk import DAG

# `make test-versions` carries a whole run through on these.
TESTED = ("3.2.1", "3.2.2", "3.3.1", "3.3.2")

log = plain_logger(__name__)

# How a task says that it waits for a person: since Airflow 3.3 in the scheduler, before in the triggerer. Both carry
# `kwargs`, which the method that takes up the answer is called with.
WAITS_FOR_A_PERSON: tuple[type[BaseException], ...] = tuple(
    getattr(exceptions, name) for name in ("TaskAwaitingInput", "TaskDeferred") if hasattr(exceptions, name)
)


async def amask_secret(secret: str) -> None:
    """Airflow 3.2 masks from synchronous code only, which needs a thread beside a trigger's event loop."""
    mask = getattr(airflow_log, "amask_secret", None) or sync_to_async(airflow_log.mask_secret)
    await mask(secret)


class Labels(Enum):
    """How Airflow's statistics take labels."""

    OFF = "nothing is measured"
    IN_NAME = "plain StatsD has none: their values are part of the name"
    AS_TAGS = "as tags or attributes"


def labels_of_stats() -> Labels:
    """By Airflow's configuration, in the order in which Airflow chooses where its statistics go."""

    def on(option: str, fallback: bool = False) -> bool:
        return bool(conf.getboolean("metrics", option, fallback=fallback))

    if on("statsd_datadog_enabled"):
        return Labels.AS_TAGS if on("statsd_datadog_metrics_tags", True) else Labels.IN_NAME
    if on("statsd_on"):
        return Labels.AS_TAGS if on("statsd_influxdb_enabled") else Labels.IN_NAME
    return Labels.AS_TAGS if on("otel_on") else Labels.OFF


def airflow_stats() -> Any:
    """What has `incr`, `gauge` and `timing`: since Airflow 3.3 a module, before a class in it."""
    from airflow.sdk.observability import stats

    return stats if hasattr(stats, "incr") else stats.Stats


def add_result(dag: DAG, result: Any) -> None:
    """Makes a task's output the result of a run, where Airflow knows such a thing (since 3.3)."""
    if hasattr(dag, "add_result"):
        dag.add_result(result)


def warn_if_untested(version: str) -> None:
    """One line in the log where this Airflow is newer than what was tested. It is used all the same."""
    if _numbers(version)[:2] > _numbers(TESTED[-1])[:2]:
        log.warning(
            "airflow-adobe-privacy was tested with Airflow %s to %s; this is %s. Look for a newer version of "
            "airflow-adobe-privacy.",
            TESTED[0],
            TESTED[-1],
            version,
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
