"""The DAG `privacy_requests`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, TriggerRule, task_group

from adobe_privacy._compat import add_result
from adobe_privacy.dags._dag import DAILY, OWNER, TAGS, make_dag
from adobe_privacy.form_fields import field
from adobe_privacy.operators.privacy_approval import ApprovePrivacyDeletesOperator
from adobe_privacy.operators.privacy_requests import (
    BATCH_LABEL,
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor

# An outage of half an hour ends no run, nor do several short ones. Airflow lets up to twice the delay go by.
STEP_TRIES: dict[str, Any] = {
    "retries": 12,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=5),
}
# An answer that cannot be taken, with a mistyped request id for example, is asked for again.
ASKED_AGAIN_SOON: dict[str, Any] = {
    "retries": 33,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=1),
}


def privacy_requests(
    *,
    dag_id: str | None = None,
    schedule: Any = DAILY,
    organisation: str = DEFAULT,
    adobe_privacy_conn_id: str | None = None,
    ledger_conn_id: str | None = None,
    inbox_uri: str | None = None,
    archive_uri: str | None = None,
    owner: str = OWNER,
    tags: Sequence[str] = TAGS,
    pool: str | None = None,
    **dag_arguments: Any,
) -> DAG:
    """### Privacy requests

    One run carries **one day of the inbox** through Adobe's Privacy Service:

    1. **plan** takes the day's requests into the ledger and claims batches of at most 1,000 users;
    2. for each batch, **approve** asks a person whether its deletes may be sent, where the variable
       `privacy_approve_deletes` is true, and passes at once otherwise; **submit** creates its jobs at Adobe, exactly
       once; **wait** holds no worker while Adobe works (minutes to 45 days); **archive** downloads, verifies and
       keeps every result, and is an event of the asset `privacy_archive`;
    3. **settle** says what became of the day, and names every job that a person must look at.

    Running a date again, or backfilling it twice, submits nothing twice: the ledger knows every request id for ever.
    A backfilled run waits for two minutes only (`privacy_backfill_patience`), so that a long range is submitted at
    once: `privacy_sweep`, which must not be paused, archives the rest as it comes.

    :param organisation: one of those in Airflow's configuration.
    :param dag_arguments: more arguments of Airflow's `DAG`.
    """
    with make_dag(
        privacy_requests,
        dag_id=dag_id,
        organisation=organisation,
        description="One day of privacy requests, from the inbox to verified archives",
        schedule=schedule,
        # A run may wait for 45 days, and a new one begins every day.
        max_active_runs=64,
        tries=STEP_TRIES,
        params={
            "dry_run": field(
                False, type="boolean", title="Dry run", description="Print the plan, send nothing"
            ),
            "inbox_day": field(
                None,
                type=["null", "string"],
                format="date",
                title="Inbox day",
                description="The folder to read, such as 2026-11-25; else the first day of the run's data interval",
            ),
            "products": field(
                None,
                type=["null", "array"],
                items={"type": "string"},
                title="Products",
                description="Ask these Adobe products instead of what each request names, one a line",
            ),
            "max_jobs": field(
                None,
                type=["null", "integer"],
                minimum=1,
                title="At most",
                description="Submit no more jobs than this",
            ),
        },
        owner=owner,
        tags=tags,
        pool=pool,
        places={
            "adobe_privacy_conn_id": adobe_privacy_conn_id,
            "ledger_conn_id": ledger_conn_id,
            "inbox_uri": inbox_uri,
            "archive_uri": archive_uri,
        },
        dag_arguments=dag_arguments,
    ) as dag:
        plan = PlanPrivacyRequestsOperator(task_id="plan")

        @task_group(group_id="batch")
        def batch(batch_id: str) -> None:
            approve = ApprovePrivacyDeletesOperator(
                task_id="approve",
                batch_id=batch_id,
                map_index_template=BATCH_LABEL,
                **ASKED_AGAIN_SOON,
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
            task_id="settle", batch_ids=plan.output, trigger_rule=TriggerRule.ALL_DONE
        )

        batch.expand(batch_id=plan.output) >> settle
        # The day's figures: what the run returns to whoever asks the API for its result.
        add_result(dag, settle.output)
    return dag
