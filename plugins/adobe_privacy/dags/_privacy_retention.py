"""The DAG `privacy_retention`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import DAG

from adobe_privacy.dags._dag import DAILY, OWNER, TAGS, make_dag
from adobe_privacy.form_fields import field
from adobe_privacy.operators.privacy_retention import (
    CleanUpPrivacyArchiveOperator,
    ErasePrivacyInboxOperator,
    ErasePrivacyResultsOperator,
    ForgetPrivacyRequestsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.organisations import DEFAULT


def privacy_retention(
    *,
    dag_id: str | None = None,
    schedule: Any = DAILY,
    organisation: str = DEFAULT,
    ledger_conn_id: str | None = None,
    inbox_uri: str | None = None,
    archive_uri: str | None = None,
    owner: str = OWNER,
    tags: Sequence[str] = TAGS,
    pool: str | None = None,
    **dag_arguments: Any,
) -> DAG:
    """### Keeping the archive

    One run, daily:

    1. **erase** removes results past the retention of their regulation and leaves a tombstone manifest with hash and
       reason. It does nothing until the variable `privacy_retention_days` is set, for example
       `{"gdpr": 365, "*": 730}`. What is on legal hold stays;
    2. **clean_up** deletes what no manifest names: attempts that were killed, rejected downloads;
    3. **verify** re-reads a thirtieth of the archive, a different one each day, against its manifests;
    4. **inbox** erases inbox files whose requests have all been at an end for the days of the variable
       `privacy_inbox_retention_days`, 30 where it is not set. Files with a request on hold, or with a line that nobody
       corrected or closed, stay;
    5. **ledger** forgets the ids of requests whose last change was as many months ago as the variable
       `privacy_ledger_retention_months` says, 24 where it is not set. Figures and history stay.

    The tasks do not wait for each other: one that fails stops none of the others.

    :param organisation: one of those in Airflow's configuration.
    :param dag_arguments: more arguments of Airflow's `DAG`.
    """
    with make_dag(
        privacy_retention,
        dag_id=dag_id,
        organisation=organisation,
        description="Archives past their retention are erased, with a tombstone left; a sample is re-read",
        schedule=schedule,
        max_active_runs=1,
        params={
            "dry_run": field(
                False, type="boolean", title="Dry run", description="Say what would be erased, erase nothing"
            )
        },
        owner=owner,
        tags=tags,
        pool=pool,
        places={"ledger_conn_id": ledger_conn_id, "inbox_uri": inbox_uri, "archive_uri": archive_uri},
        dag_arguments=dag_arguments,
    ) as dag:
        ErasePrivacyResultsOperator(task_id="erase")
        CleanUpPrivacyArchiveOperator(task_id="clean_up")
        VerifyPrivacyArchiveOperator(task_id="verify")
        ErasePrivacyInboxOperator(task_id="inbox")
        ForgetPrivacyRequestsOperator(task_id="ledger")
    return dag
