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

# An outage of half an hour ends no run: from 30 seconds on, Airflow waits up to twice as long before each further try.
RETRIES: dict[str, Any] = {
    "retries": 12,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=5),
}
# Airflow's own of an expression, which `preloading` makes once. Of any other, Airflow makes its own at each parse, and
# puts the expression into words.
READY_TIMETABLES: dict[str, Any] = {}


@contextmanager
def make_dag(
    builder: Callable[..., DAG],
    *,
    dag_id: str | None,
    organisation: str,
    schedule: Any,
    owner: str,
    tags: Sequence[str],
    pool: str | None,
    places: Mapping[str, str | None],
    dag_arguments: Mapping[str, Any],
    **builders_own: Any,
) -> Iterator[DAG]:
    """A DAG to make tasks in, whose documentation is its builder's, and whose operators use the places that are given,
    or those of the organisation. Raises OrganisationError for an unknown organisation.

    `dag_arguments` are a user's and win over `builders_own`; their `default_args` are added to those made here."""
    own = organisation_of(organisation)
    builders_params = builders_own.pop("params", {})
    text = inspect.getdoc(builder) or ""
    arguments = {**builders_own, **dag_arguments}
    default_args = {
        "owner": owner,
        **RETRIES,
        "organisation": organisation,
        **{name: value for name, value in (*places.items(), ("pool", pool)) if value is not None},
        **(arguments.pop("default_args", None) or {}),
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
