"""The DAG `privacy_sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import DAG

from adobe_privacy.dags._dag import DAILY, OWNER, TAGS, make_dag
from adobe_privacy.form_fields import field
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.organisations import DEFAULT


def privacy_sweep(
    *,
    dag_id: str | None = None,
    schedule: Any = DAILY,
    organisation: str = DEFAULT,
    adobe_privacy_conn_id: str | None = None,
    ledger_conn_id: str | None = None,
    archive_uri: str | None = None,
    owner: str = OWNER,
    tags: Sequence[str] = TAGS,
    pool: str | None = None,
    **dag_arguments: Any,
) -> DAG:
    """### Privacy sweep

    One run archives **whatever Adobe has finished** and is not archived yet, whoever asked for it and on whatever day
    it finished, as far as Adobe's lists reach (45 days):

    - results of our own jobs, so that none waits behind the slower jobs of its batch, or of a backfill that does not
      wait for them;
    - jobs that somebody made in Adobe's UI: they get a row of their own in the ledger, without their user key.

    It runs daily. The run's day only limits what is counted and told: a scheduled run tells of two days before, too.
    A backfill tells of past days, back to 44 days before today. Its first run archives all that is finished:

        airflow backfill create --dag-id privacy_sweep --from-date 2026-11-01 --to-date 2026-11-20

    What has a manifest is not downloaded again, however often Adobe's lists are swept.

    :param organisation: one of those in Airflow's configuration.
    :param dag_arguments: more arguments of Airflow's `DAG`.
    """
    with make_dag(
        privacy_sweep,
        dag_id=dag_id,
        organisation=organisation,
        description="All jobs that Adobe has finished, whoever made them, archived",
        schedule=schedule,
        # A run that is being retried for hours must not keep the next day's waiting.
        max_active_runs=4,
        params={
            "regulations": field(
                None,
                type=["null", "array"],
                items={"type": "string"},
                title="Regulations",
                description="Only jobs of these regulation codes, one a line; else all",
            ),
        },
        owner=owner,
        tags=tags,
        pool=pool,
        places={
            "adobe_privacy_conn_id": adobe_privacy_conn_id,
            "ledger_conn_id": ledger_conn_id,
            "archive_uri": archive_uri,
        },
        dag_arguments=dag_arguments,
    ) as dag:
        SweepPrivacyJobsOperator(task_id="sweep")
    return dag
