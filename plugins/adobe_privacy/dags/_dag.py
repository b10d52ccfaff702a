"""What the builders share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable
from airflow.sdk.definitions.param import ParamsDict

from adobe_privacy.airflow_organisations import organisation_of
from adobe_privacy.links import owner_links

TAGS = ("privacy", "adobe")
OWNER = "privacy"

# The usual schedule of every builder but that of the alarms.
DAILY = "@daily"
# How long Airflow tries each task: of most DAGs the next run takes up what this one has left.
FOUR_TRIES: dict[str, Any] = {"retries": 3, "retry_delay": timedelta(minutes=5)}
# Timetables that `preloading` has made, by their expression. For any other expression each parse makes one.
READY_TIMETABLES: dict[str, Any] = {}


@contextmanager
def make_dag(
    builder: Callable[..., DAG],
    *,
    dag_id: str | None,
    organisation: str,
    schedule: Any,
    tries: Mapping[str, Any] = FOUR_TRIES,
    owner: str,
    tags: Sequence[str],
    pool: str | None,
    places: Mapping[str, str | None],
    dag_arguments: Mapping[str, Any],
    **builders_own: Any,
) -> Iterator[DAG]:
    """A DAG to make tasks in, whose documentation is its builder's, and whose operators use the places that are given,
    or those of the organisation. Raises OrganisationError for an unknown organisation.

    `tries` are Airflow's arguments of each task: how often it is tried again, and after how long.
    `dag_arguments` are a user's and win over `builders_own`; their `default_args` are added to those made here."""
    own = organisation_of(organisation)
    builders_params = builders_own.pop("params", {})
    text = inspect.getdoc(builder) or ""
    arguments = {**builders_own, **dag_arguments}
    given = arguments.pop("default_args", None) or {}
    default_args = {
        "owner": owner,
        # Whoever gives a delay means that delay, which neither grows nor is cut.
        **({"retries": tries["retries"]} if "retry_delay" in given else tries),
        "organisation": organisation,
        **{name: value for name, value in (*places.items(), ("pool", pool)) if value is not None},
        **given,
    }
    with DAG(  # noqa: AIR002
        **{
            "dag_id": dag_id or own.own(builder.__name__),
            "doc_md": text.split("\n:param", 1)[0].strip(),
            "schedule": timetable(schedule),
            "start_date": datetime(2026, 1, 1, tzinfo=UTC),
            "catchup": False,
            "tags": [*tags, *([] if own.is_default else [own.name])],
            "owner_links": owner_links(owner, organisation),
            "default_args": default_args,
            **arguments,
        }
    ) as dag:
        # Airflow checks the params that a DAG is made with, and those that each task copies as it is made. A run takes
        # them from the DAG. So they are there when all tasks are made; only a user's were checked before.
        params, dag.params = dag.params, ParamsDict()
        yield dag
        dag.params.update(params if "params" in arguments else builders_params)


def timetable(schedule: Any) -> Any:
    """A cron expression has a data interval: that of a bare string is empty in Airflow 3, and names no day."""
    if not isinstance(schedule, str):
        return schedule
    return READY_TIMETABLES.get(schedule) or CronDataIntervalTimetable(schedule, timezone="UTC")
