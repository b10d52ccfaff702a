"""What the builders share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable

from adobe_privacy.links import owner_links

TAGS = ("privacy", "adobe")
OWNER = "privacy"


def make_dag(
    builder: Callable[..., DAG],
    *,
    dag_id: str,
    schedule: Any,
    retry_delay: timedelta,
    owner: str,
    tags: Sequence[str],
    pool: str | None,
    places: Mapping[str, str | None],
    dag_arguments: Mapping[str, Any],
    **own: Any,
) -> DAG:
    """A DAG whose documentation is its builder's, and whose operators use the places that are given.

    `dag_arguments` are a user's and win over `own`; their `default_args` are added to those made here."""
    text = inspect.getdoc(builder) or ""
    arguments = {**own, **dag_arguments}
    default_args = {
        "owner": owner,
        "retries": 3,
        "retry_delay": retry_delay,
        **{name: value for name, value in (*places.items(), ("pool", pool)) if value is not None},
        **(arguments.pop("default_args", None) or {}),
    }
    return DAG(  # noqa: AIR002
        **{
            "dag_id": dag_id,
            "doc_md": text.split("\n:param", 1)[0].strip(),
            "schedule": timetable(schedule),
            "start_date": datetime(2026, 1, 1, tzinfo=UTC),
            "catchup": False,
            "tags": list(tags),
            "owner_links": owner_links(owner),
            "default_args": default_args,
            **arguments,
        }
    )


def timetable(schedule: Any) -> Any:
    """A cron expression has a data interval: that of a bare string is empty in Airflow 3, and names no day."""
    return CronDataIntervalTimetable(schedule, timezone="UTC") if isinstance(schedule, str) else schedule
