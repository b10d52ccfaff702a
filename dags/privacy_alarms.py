"""### Privacy alarms

Tells, **before it is late**, once each:

- requests with 50, 80 and 100 % of their time used and no end yet;
- results that Adobe has ready and nobody has archived, at 50, 80 and 100 % of the 30 days that Adobe keeps them;
- the day's quota at 90 and 100 %.

The message goes to the notifiers in the variable `privacy_alarm_notifier`, and always to the log of `alarms`. It has
request ids and no identity.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from adobe_privacy.links import owner_links
from adobe_privacy.operators.privacy_alarms import PrivacyAlarmsOperator

with DAG(
    dag_id="privacy_alarms",
    description="Requests, results and the quota, told before it is late",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("5 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # Two at once would tell everything twice.
    max_active_runs=1,
    default_args={"owner": "privacy", "retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["privacy", "adobe"],
    owner_links=owner_links(),
):
    PrivacyAlarmsOperator(task_id="alarms")
