"""An Airflow DAG of your own: the requests of one team, at most so many jobs a day.

Connections, locations and limits are arguments of the operators, and templates. What is not given comes from the
settings: here the connections, the archive, and whatever else the variables hold. A test runs this file as it is.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule

from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor

with DAG(
    "privacy_of_a_team",
    # One run reads the folder of the day on which its data interval begins.
    schedule=CronDataIntervalTimetable("30 5 * * *", timezone="UTC"),
    catchup=False,
    # A run may wait for 45 days, and a new one begins every day.
    max_active_runs=64,
    default_args={
        "owner": "legal-ops",
        # An outage of half an hour fails no run.
        "retries": 12,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=5),
    },
    params={
        "team": Param("legal", type="string"),
        "at_most": Param(500, type="integer", minimum=1),
    },
) as dag:
    of_the_team = {"inbox_uri": "{{ var.value.privacy_inbox_uri }}/{{ params.team }}"}
    plan = PlanPrivacyRequestsOperator(task_id="plan", max_jobs="{{ params.at_most }}", **of_the_team)
    submit = CreatePrivacyJobsOperator.partial(task_id="submit", **of_the_team).expand(batch_id=plan.output)
    wait = PrivacyJobsSensor.partial(task_id="wait").expand(batch_id=plan.output)
    archive = ArchivePrivacyResultsOperator.partial(task_id="archive").expand(batch_id=plan.output)
    # It names what a person must look at, also where a task before it failed.
    settle = SettlePrivacyRequestsOperator(
        task_id="settle", batch_ids=plan.output, trigger_rule=TriggerRule.ALL_DONE, **of_the_team
    )
    submit >> wait >> archive >> settle
