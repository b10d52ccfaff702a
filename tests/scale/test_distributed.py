"""The set-up of production, as far as one machine can be it: CeleryExecutor with two workers, two schedulers, two
triggerers, Redis, PostgreSQL for Airflow and for the ledger, inbox and archive in S3. One worker dies as a host does,
in the midst of a submission.
"""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from scripts.stack import Stack
from tests.storage.servers import s3_server
from tests.support.airflow import callers, retry_at_once, until
from tests.support.distributed import (
    DAG_ID,
    LOST_MESSAGES_ARE_FOUND,
    WORKERS,
    Redis,
    fill_inbox,
    production,
    start_second,
    start_workers,
    worker_command,
)
from tests.support.ledgers import Postgres, counted
from tests.support.privacy import request
from tests.support.simulator import Simulator

DAYS = 10
REQUESTS_PER_DAY = 40
# Longer than the test: the worker does not live to see an answer.
HANGING = 900

pytestmark = pytest.mark.timeout(1200)


def requests_of(day: date) -> list[dict[str, Any]]:
    return [
        request(number, "access", "delete", request_id=f"DSR-{day:%m%d}-{number}")
        for number in range(REQUESTS_PER_DAY)
    ]


class Distributed:
    def __init__(self, stack: Stack, simulator: Simulator, ledger_url: str, archive: Any) -> None:
        self.stack = stack
        self.simulator = simulator
        self.ledger_url = ledger_url
        self.archive = archive
        today = datetime.now(UTC).date()
        self.days = [today - timedelta(days=ago) for ago in range(DAYS, 0, -1)]

    def submitting_worker(self) -> str | None:
        """The worker that waits for the simulator's answer."""
        return next((name for name in WORKERS if callers(self.stack, name, self.simulator.url)), None)

    def kill_worker(self, name: str) -> None:
        """Everything on that host at once; only what it no longer says tells of it."""
        worker = psutil.Process(self.stack.process(name).pid)
        for process in [*reversed(worker.children(recursive=True)), worker]:
            process.send_signal(signal.SIGKILL)

    def run_to_the_end(self) -> None:
        until(
            self.stack,
            lambda: all(run["state"] in ("success", "failed") for run in self.stack.runs(DAG_ID)),
            "the runs have not ended",
        )

    def wanted(self) -> dict[tuple[str, str], int]:
        return {
            (line["request_id"], action): 1
            for day in self.days
            for line in requests_of(day)
            for action in line["actions"]
        }


@pytest.fixture(scope="module")
def distributed(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Distributed]:
    """Ten days backfilled, and a worker lost on the way."""
    home = tmp_path_factory.mktemp("distributed")
    retry_at_once(home / "airflow")
    ledger_url, results_url = (postgres.new_database(name) for name in ("shared_ledger", "celery"))
    with Redis(home) as redis, s3_server() as s3:
        bucket = s3.new_bucket()
        environment = {
            **production(
                redis=redis.url, ledger_url=ledger_url, results_url=results_url, s3=s3, bucket=bucket
            ),
            **LOST_MESSAGES_ARE_FOUND,
        }
        stack = Stack(
            home / "airflow",
            home / "data",
            port=18280,
            simulator_arguments=("--port", "0"),
            environment=environment,
        )
        with stack, Simulator(stack.simulator_url) as simulator:
            it = Distributed(stack, simulator, ledger_url, s3.store(bucket))
            fill_inbox(s3, bucket, {str(day): requests_of(day) for day in it.days})
            start_workers(stack)
            for component in ("scheduler", "triggerer"):
                start_second(stack, component)
            stack.wait_for_dag(DAG_ID)
            simulator.fault("create", "hang_after", times=1, seconds=HANGING)
            stack.backfill(DAG_ID, str(it.days[0]), str(it.days[-1]))
            until(stack, lambda: simulator.faults() == [], "no task comes to its call")
            lost = until(stack, it.submitting_worker, "no worker waits for the simulator")
            assert lost is not None
            it.kill_worker(lost)
            stack.start_process(lost, *worker_command(lost))
            it.run_to_the_end()
            yield it
    shutil.rmtree(home, ignore_errors=True)


def test_every_run_ends_well(distributed: Distributed) -> None:
    runs = distributed.stack.runs(DAG_ID)
    assert [run["state"] for run in runs] == ["success"] * DAYS
    assert all(" archived" in run["note"] for run in runs)


def test_each_job_was_made_once(distributed: Distributed) -> None:
    made = Counter((job["key"], job["action"]) for job in distributed.simulator.jobs())
    assert made == distributed.wanted()


def test_both_workers_took_part(distributed: Distributed) -> None:
    for name in WORKERS:
        assert "received" in (distributed.stack.logs / f"{name}.log").read_text(), name


def test_the_shared_ledger_knows_each_job_by_its_id(distributed: Distributed) -> None:
    with Ledger(distributed.ledger_url, actor="test") as ledger:
        assert counted(ledger) == {JobState.ARCHIVED: len(distributed.wanted())}
        jobs = [
            job for request_id, _ in distributed.wanted() for job in ledger.people.request_jobs(request_id)
        ]
    assert {(job.key, job.action, job.adobe_job_id) for job in jobs} == {
        (job["key"], job["action"], job["jobId"]) for job in distributed.simulator.jobs()
    }


def test_every_archive_in_s3_verifies(distributed: Distributed) -> None:
    verification = verify_archive(distributed.archive)
    assert list(verification) == []
    assert verification.summary.manifests == len(distributed.wanted())
    assert verification.summary.results == DAYS * REQUESTS_PER_DAY


def test_backfilling_again_makes_no_second_call(distributed: Distributed) -> None:
    before = distributed.simulator.calls()["create"]
    days = distributed.days
    distributed.stack.backfill(DAG_ID, str(days[0]), str(days[-1]), reprocess="completed")
    until(
        distributed.stack,
        lambda: any(run["state"] in ("queued", "running") for run in distributed.stack.runs(DAG_ID)),
        "the second backfill does not begin",
    )
    distributed.run_to_the_end()
    assert distributed.simulator.calls()["create"] == before
