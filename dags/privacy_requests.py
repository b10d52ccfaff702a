"""### Privacy requests

One run carries **one day of the inbox** through Adobe's Privacy Service:

1. **plan** takes the day's requests into the ledger and claims batches of at most 1,000 users;
2. for each batch, **approve** asks a person whether its deletes may be sent, where the variable
   `privacy_approve_deletes` is true, and passes at once otherwise; **submit** creates its jobs at Adobe, exactly
   once; **wait** holds no worker while Adobe works (minutes to 45 days); **archive** downloads, verifies and keeps
   every result, and is an event of the asset `privacy_archive`;
3. **settle** says what became of the day, and names every job that a person must look at.

Running a date again, or backfilling it twice, submits nothing twice: the ledger knows every request id for ever.
A backfilled run waits for two minutes only (`privacy_backfill_patience`), so that a long range is submitted at once:
`privacy_sweep`, which must not be paused, archives the rest as it comes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import (
    DAG,
    AsyncCallback,
    CronDataIntervalTimetable,
    DeadlineAlert,
    DeadlineReference,
    Param,
    TriggerRule,
    task_group,
)

from adobe_privacy.callbacks import SUBMITTED_WITHIN, tell_of_unsubmitted
from adobe_privacy.links import owner_links
from adobe_privacy.operators.privacy_approval import ApprovePrivacyDeletesOperator
from adobe_privacy.operators.privacy_requests import (
    BATCH_LABEL,
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor

with DAG(
    dag_id="privacy_requests",
    description="One day of privacy requests, from the inbox to verified archives",
    doc_md=__doc__,
    # A bare "@daily" would have an empty data interval in Airflow 3.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # A run may wait for 45 days, and a new one begins every day.
    max_active_runs=64,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=SUBMITTED_WITHIN,
        callback=AsyncCallback(tell_of_unsubmitted),
        name="submitted in time",
    ),
    default_args={"owner": "privacy", "retries": 3, "retry_delay": timedelta(seconds=30)},
    params={
        "dry_run": Param(False, type="boolean", title="Dry run", description="Print the plan, send nothing"),
        "products": Param(
            None,
            type=["null", "array"],
            items={"type": "string"},
            title="Products",
            description="Ask these Adobe products instead of what each request names, one a line",
        ),
        "max_jobs": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="At most",
            description="Submit no more jobs than this",
        ),
    },
    tags=["privacy", "adobe"],
    owner_links=owner_links(),
) as dag:
    plan = PlanPrivacyRequestsOperator(task_id="plan")

    @task_group(group_id="batch")
    def batch(batch_id: str) -> None:
        approve = ApprovePrivacyDeletesOperator(
            task_id="approve",
            batch_id=batch_id,
            map_index_template=BATCH_LABEL,
            # An answer that cannot be taken, with a mistyped request id for example, is asked for again.
            retries=10,
            retry_delay=timedelta(seconds=5),
        )
        submit = CreatePrivacyJobsOperator(
            task_id="submit", batch_id=batch_id, map_index_template=BATCH_LABEL
        )
        wait = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, map_index_template=BATCH_LABEL)
        archive = ArchivePrivacyResultsOperator(
            task_id="archive", batch_id=batch_id, map_index_template=BATCH_LABEL
        )
        approve >> submit >> wait >> archive

    settle = SettlePrivacyRequestsOperator(
        task_id="settle", batch_ids=plan.output, retries=0, trigger_rule=TriggerRule.ALL_DONE
    )

    batch.expand(batch_id=plan.output) >> settle
    # The day's figures: what the run returns to whoever asks the API for its result.
    dag.add_result(settle.output)
