"""### Privacy sweep

One run archives **what Adobe finished on one UTC day**, whoever asked for it:

- results of our own jobs, so that none waits behind the slower jobs of its batch, or of a backfill that does not
  wait for them;
- jobs that somebody made in Adobe's UI: they get a row of their own in the ledger, without their user key.

It runs daily, with an overlap of two days. For days past, back to 44 days before today:

    airflow backfill create --dag-id privacy_sweep --from-date 2026-11-01 --to-date 2026-11-20

What has a manifest is not downloaded again, however often a day is swept.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, AsyncCallback, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference, Param

from adobe_privacy.callbacks import ENDED_WITHIN, tell_of_unfinished
from adobe_privacy.links import owner_links
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator

with DAG(
    dag_id="privacy_sweep",
    description="One day of Adobe's finished jobs, whoever made them, archived",
    doc_md=__doc__,
    # A bare "@daily" would have an empty data interval in Airflow 3.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # A run that is being retried for hours must not keep the next day's waiting.
    max_active_runs=4,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=ENDED_WITHIN,
        callback=AsyncCallback(tell_of_unfinished),
        name="ended in time",
    ),
    default_args={"owner": "privacy", "retries": 3, "retry_delay": timedelta(minutes=5)},
    params={
        "regulations": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Regulations",
            description="Only jobs of these regulation codes, one a line",
        ),
    },
    tags=["privacy", "adobe"],
    owner_links=owner_links(),
):
    SweepPrivacyJobsOperator(task_id="sweep")
