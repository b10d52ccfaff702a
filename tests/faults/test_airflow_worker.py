"""A worker that is killed in the midst of `submit`, on a real Airflow, whose scheduler tries the task again."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from scripts.stack import Stack
from tests.support.airflow import callers, retry_at_once, until
from tests.support.privacy import request
from tests.support.simulator import Simulator

DAG_ID = "privacy_requests"
# Longer than the test: the worker does not live to see an answer.
HANGING = 600
TIMEOUT = 150.0


class KilledWorkers:
    """An Airflow in which two workers were killed, and what each of them was doing."""

    def __init__(self, stack: Stack, simulator: Simulator, days: list[date]) -> None:
        self.stack = stack
        self.simulator = simulator
        self.days = days

    def callers(self) -> list[psutil.Process]:
        """The scheduler's tasks that wait for the simulator."""
        return callers(self.stack, "scheduler", self.simulator.url)

    def kill_task(self, caller: psutil.Process) -> None:
        """As the kernel does when memory runs out: Airflow's supervisor sees its end."""
        caller.send_signal(signal.SIGKILL)

    def kill_worker(self, caller: psutil.Process) -> None:
        """As a host that dies: task and supervisor are gone, and only the heartbeat that stays away tells."""
        supervisor = caller.parent()
        assert supervisor is not None
        assert supervisor.pid != self.stack.process("scheduler").pid
        for process in (supervisor, caller):
            process.send_signal(signal.SIGKILL)

    def run_to_the_end(self) -> None:
        until(
            self.stack,
            lambda: all(run["state"] in ("success", "failed") for run in self.stack.runs(DAG_ID)),
            "the runs have not ended",
            seconds=TIMEOUT,
        )

    def tries(self) -> list[int]:
        """How often each run's `submit` was tried."""
        with self.stack.api() as api:
            answer = api.get(f"/dags/{DAG_ID}/dagRuns/~/taskInstances", params={"limit": 100})
            return [
                instance["try_number"]
                for instance in answer.raise_for_status().json()["task_instances"]
                if instance["task_id"] == "batch.submit"
            ]


def requests(day: date) -> list[dict[str, Any]]:
    return [
        request(number, "access", "delete", request_id=f"DSR-{day:%m%d}-{number}") for number in range(1, 4)
    ]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[KilledWorkers]:
    """Two days under way at once; of one the task was killed, of the other the whole worker."""
    if not pytestconfig.getoption("--full-faults", default=False):
        pytest.skip("takes minutes: run with --full-faults")
    home = tmp_path_factory.mktemp("killed-worker")
    days = [datetime.now(UTC).date() - timedelta(days=ago) for ago in (2, 1)]
    for day in days:
        folder = home / "data" / "inbox" / str(day)
        folder.mkdir(parents=True)
        (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in requests(day)))
    retry_at_once(home / "airflow")
    environment = {
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    }
    stack = Stack(
        home / "airflow",
        home / "data",
        port=18380,
        simulator_arguments=("--port", "0"),
        environment=environment,
    )
    with stack, Simulator(stack.simulator_url) as simulator:
        stack.wait_for_dag(DAG_ID)
        workers = KilledWorkers(stack, simulator, days)
        simulator.fault("create", "hang_after", times=len(days), seconds=HANGING)
        stack.backfill(DAG_ID, str(days[0]), str(days[1]))
        until(
            stack, lambda: simulator.faults() == [], "the tasks do not come to their calls", seconds=TIMEOUT
        )
        callers = workers.callers()
        assert len(callers) == len(days), "each run's submit waits for the simulator"
        workers.kill_task(callers[0])
        workers.kill_worker(callers[1])
        workers.run_to_the_end()
        yield workers
    shutil.rmtree(home, ignore_errors=True)


def test_airflow_tries_again_and_both_runs_end_well(killed: KilledWorkers) -> None:
    assert killed.tries() == [2, 2]
    assert [run["state"] for run in killed.stack.runs(DAG_ID)] == ["success", "success"]


def test_each_job_was_made_once_by_one_call_each(killed: KilledWorkers) -> None:
    made = Counter((job["key"], job["action"]) for job in killed.simulator.jobs())
    wanted = [
        (line["request_id"], action)
        for day in killed.days
        for line in requests(day)
        for action in line["actions"]
    ]
    assert made == dict.fromkeys(wanted, 1)
    assert killed.simulator.calls()["create"] == len(killed.days)


def test_the_ledger_knows_each_job_by_its_id(killed: KilledWorkers) -> None:
    with Ledger(f"sqlite:///{killed.stack.home / 'privacy_ledger.db'}", actor="test") as ledger:
        jobs = [
            job
            for day in killed.days
            for line in requests(day)
            for job in ledger.people.request_jobs(line["request_id"])
        ]
    assert {job.state for job in jobs} == {JobState.ARCHIVED}
    assert {(job.key, job.action, job.adobe_job_id) for job in jobs} == {
        (job["key"], job["action"], job["jobId"]) for job in killed.simulator.jobs()
    }


def test_backfilling_the_days_again_makes_no_second_call(killed: KilledWorkers) -> None:
    killed.stack.backfill(DAG_ID, str(killed.days[0]), str(killed.days[1]), reprocess="completed")
    until(
        killed.stack,
        lambda: any(run["state"] in ("queued", "running") for run in killed.stack.runs(DAG_ID)),
        "the second backfill does not begin",
        seconds=TIMEOUT,
    )
    killed.run_to_the_end()
    assert [run["state"] for run in killed.stack.runs(DAG_ID)] == ["success", "success"]
    assert killed.simulator.calls()["create"] == len(killed.days)
