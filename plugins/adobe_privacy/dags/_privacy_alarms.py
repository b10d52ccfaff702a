"""The DAG `privacy_alarms`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable

from adobe_privacy.dags._dag import FOUR_TRIES, OWNER, TAGS, make_dag
from adobe_privacy.operators.privacy_alarms import PrivacyAlarmsOperator
from adobe_privacy.organisations import DEFAULT


def privacy_alarms(
    *,
    dag_id: str | None = None,
    schedule: Any = "5 * * * *",
    organisation: str = DEFAULT,
    adobe_privacy_conn_id: str | None = None,
    ledger_conn_id: str | None = None,
    inbox_uri: str | None = None,
    sweep_dag_id: str | None = None,
    owner: str = OWNER,
    tags: Sequence[str] = TAGS,
    pool: str | None = None,
    **dag_arguments: Any,
) -> DAG:
    """### Privacy alarms

    Tells people **before something is late**, or when it is. Each of these is told once:

    - requests with 50, 80 and 100 % of their time used and no end yet;
    - results that Adobe has ready and nobody has archived, at 50, 80 and 100 % of the 30 days that Adobe keeps them;
    - the day's quota at 90 and 100 %;
    - requests that no plan has claimed for 36 hours, batches that are not at Adobe three hours after they were
      claimed, opt-outs after twelve hours, and a sweep that has not gone through all open jobs for 36 hours.

    What **needs a person** is told at once, and again every UTC day until somebody has acted. Files of the inbox are
    among it, where no plan has looked for 84 hours and they lie unread for 36.

    The message goes to the notifiers in the variable `privacy_alarm_notifier`, and always to the log of `alarms`. It
    contains request ids and no identity.

    :param sweep_dag_id: the sweep that is watched; the organisation's `privacy_sweep` where not given.
    :param organisation: one of those in Airflow's configuration.
    :param dag_arguments: more arguments of Airflow's `DAG`.
    """
    with make_dag(
        privacy_alarms,
        dag_id=dag_id,
        organisation=organisation,
        description="Requests, results and the quota, told before it is late; submissions and sweeps that are",
        schedule=CronTriggerTimetable(schedule, timezone="UTC") if isinstance(schedule, str) else schedule,
        # Two at once would tell everything twice.
        max_active_runs=1,
        tries={**FOUR_TRIES, "retry_delay": timedelta(minutes=2)},
        owner=owner,
        tags=tags,
        pool=pool,
        places={
            "adobe_privacy_conn_id": adobe_privacy_conn_id,
            "ledger_conn_id": ledger_conn_id,
            "inbox_uri": inbox_uri,
        },
        dag_arguments=dag_arguments,
    ) as dag:
        PrivacyAlarmsOperator(task_id="alarms", sweep_dag_id=sweep_dag_id)
    return dag
