"""Sets aside all scheduled task instances of a DAG, each to wait for a batch, as the route of Airflow's API server does
that a worker calls to defer a task.

    python tests/scale/set_aside.py DAG_ID BATCH_ID ...

runs in the environment of that Airflow.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from sqlalchemy import select

from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger


def main() -> None:
    dag_id, *batch_ids = sys.argv[1:]
    with create_session() as session:
        tasks = session.scalars(
            select(TaskInstance)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.state == "scheduled")
            .order_by(TaskInstance.map_index)
        ).all()
        for task, batch_id in zip(tasks, batch_ids, strict=True):
            trigger = Trigger.from_object(
                PrivacyJobsTrigger(
                    batch_id=batch_id,
                    adobe_privacy_conn_id="adobe_privacy_default",
                    ledger_conn_id="privacy_ledger",
                    poll_interval=2.0,
                    deadline=time.time() + 7 * 86400,
                )
            )
            session.add(trigger)
            session.flush()
            task.start_date, task.try_number = datetime.now(UTC), 1
            task.state, task.trigger_id = "deferred", trigger.id
            task.next_method, task.next_kwargs = "execute_complete", {}


if __name__ == "__main__":
    main()
