"""### Keeping the archive

One run, daily:

1. **erase** removes results past the retention of their regulation and leaves a tombstone manifest with hash and
   reason. It does nothing until the variable `privacy_retention_days` is set, for example `{"gdpr": 365, "*": 730}`.
   What is on legal hold stays;
2. **clean_up** deletes what no manifest names: attempts that were killed, rejected downloads;
3. **verify** re-reads a thirtieth of the archive, a different one each day, against its manifests.

The three tasks do not wait for each other: one that fails stops none of the others.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from adobe_privacy.links import owner_links
from adobe_privacy.operators.privacy_retention import (
    CleanUpPrivacyArchiveOperator,
    ErasePrivacyResultsOperator,
    VerifyPrivacyArchiveOperator,
)

with DAG(
    dag_id="privacy_retention",
    description="Archives past their retention are erased, with a tombstone left; a sample is re-read",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "privacy",
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=12),
    },
    params={
        "dry_run": Param(
            False, type="boolean", title="Dry run", description="Say what would be erased, erase nothing"
        )
    },
    tags=["privacy", "adobe"],
    owner_links=owner_links(),
):
    ErasePrivacyResultsOperator(task_id="erase")
    CleanUpPrivacyArchiveOperator(task_id="clean_up")
    VerifyPrivacyArchiveOperator(task_id="verify")
