"""Batches of earlier days that wait in a whole Airflow, as many as are wanted, in a minute.

A worker needs seconds of a core to begin a task, and does no more for a `wait` than to set it aside. Here one process
sets all of them aside, with the rows that Airflow's API server writes when a worker asks it to. From there on they are
what any batch is that waits: task instances of Airflow, carried by its triggerers, with a job each at Adobe.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from scripts.stack import Stack
from tests.support.airflow import until
from tests.support.ledgers import put_at_adobe
from tests.support.simulator import Simulator

DAG_ID = "earlier_days"
# Nobody begins a task of this pool until all are set aside.
POOL = "earlier_days"
DAG = '''"""Made by tests/scale/waits.py."""

from airflow.sdk import DAG, task_group

from adobe_privacy.operators.privacy_requests import ArchivePrivacyResultsOperator
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor

with DAG("{dag_id}", schedule=None):

    @task_group(group_id="batch")
    def batch(batch_id):
        wait = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, pool="{pool}")
        archive = ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id)
        wait >> archive

    batch.expand(batch_id=[f"batch-{{n}}" for n in range({number})])
'''


def add_dag(folder: Path, number: int) -> None:
    (folder / f"{DAG_ID}.py").write_text(DAG.format(dag_id=DAG_ID, pool=POOL, number=number))


def make_wait(
    stack: Stack, simulator: Simulator, ledger_url: str, number: int, regulations: Sequence[str]
) -> None:
    """Makes them, and returns when all are with a triggerer and Adobe is asked about them. Raises AssertionError where
    that takes minutes."""
    if not number:
        return
    jobs: dict[str, list[str]] = {}
    for place, regulation in enumerate(regulations):
        count = len(range(place, number, len(regulations)))
        if count:
            jobs[regulation] = simulator.create_jobs(
                count=count,
                regulation=regulation,
                products=["profileService"],
                key=f"WAITS-{regulation}-{{n}}",
                created_at=(datetime.now(UTC) - timedelta(minutes=10)).isoformat(),
                completed_at="2099-01-01T00:00:00Z",
            )
    batches = put_at_adobe(ledger_url, jobs)
    stack.airflow("pools", "set", POOL, "0", "Waits")
    stack.wait_for_dag(DAG_ID)
    with stack.api() as api:
        api.patch(f"/dags/{DAG_ID}", json={"is_paused": False}).raise_for_status()
        body = {"logical_date": None, "dag_run_id": "one"}
        api.post(f"/dags/{DAG_ID}/dagRuns", json=body).raise_for_status()
    until(stack, lambda: _count(stack, "scheduled") == number, f"{number} tasks are to be scheduled")
    stack.python(str(Path(__file__).with_name("set_aside.py")), DAG_ID, *batches)
    stack.airflow("pools", "set", POOL, "16", "Waits")
    until(stack, lambda: waiting(stack) == number, f"{number} batches are to wait in the triggerers")
    # Nothing else waits as yet. Of each regulation there is a list.
    simulator.reset_counters()
    until(stack, lambda: simulator.calls()["list"] >= 2 * len(jobs), "no triggerer asks Adobe about them")


def waiting(stack: Stack) -> int:
    """How many batches wait in a triggerer. A list whose rows move while it is read may show a job no more that is
    open: then its batch waits in `archive`, which has asked for the job."""
    return _count(stack, "deferred", "AND trigger.triggerer_id IS NOT NULL")


def waiting_in_archive(stack: Stack) -> int:
    return _count(stack, "deferred", "AND task.task_id = 'batch.archive'")


def _count(stack: Stack, state: str, more: str = "") -> int:
    assert stack.database is not None
    with psycopg.connect(stack.database.get_uri()) as connection:
        (found,) = connection.execute(
            "SELECT count(*) FROM task_instance task LEFT JOIN trigger ON trigger.id = task.trigger_id"
            f" WHERE task.dag_id = '{DAG_ID}' AND task.state = '{state}' {more}"
        ).fetchone() or (0,)
    return int(found)
