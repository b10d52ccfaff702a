"""One point of the crash suite: a day's requests, one or two runs, one blow, and what there is in the end."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import func, select

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job, Usage
from adobe_privacy.ledger.states import JobState
from tests.faults.boundaries import Blow, Boundary
from tests.faults.task_process import NO_RETRY, Patience, Task, TaskProcess, marker
from tests.support.privacy import DAY, request
from tests.support.simulator import Simulator

# Seconds for which a created job is missing from the simulator's list, and for which the product is told so.
LIST_LAG = 2.0
TOLD_LIST_LAG = 3.0
# As in the DAG: the first try and three more.
TRIES = 4
TASK_TIMEOUT = 60.0


Dates = Literal["created", "modified", "completed"]
Jobs = Literal["open", "finished", "finished but one"]
Database = Literal["sqlite", "postgres"]


@dataclass(frozen=True)
class Lists:
    """What Adobe's lists show: the date that they look at, which of the organisation's jobs are open, and whether one
    that is would be listed."""

    dates: Dates
    jobs: Jobs

    @property
    def show_open_jobs(self) -> bool:
        return self.dates != "completed" and self.jobs != "finished"

    @property
    def switches(self) -> dict[str, Any]:
        at_once = dict.fromkeys(
            ("processing_delay_seconds", "access_delay_seconds", "delete_delay_seconds"), "0"
        )
        return {"list_dates": self.dates, "jobs_never_finish": self.jobs == "open"} | at_once

    def __str__(self) -> str:
        return f"by the date {self.dates}; jobs {self.jobs}"


@dataclass(frozen=True)
class Case:
    boundary: Boundary
    lag: bool
    runs: int
    database: Database
    lists: Lists | None = None

    @property
    def column(self) -> tuple[str, str, str]:
        return (
            "PostgreSQL" if self.database == "postgres" else "SQLite",
            "list lag" if self.lag else "no lag",
            "two runs" if self.runs == 2 else "one run",
        )

    @property
    def name(self) -> str:
        lists = () if self.lists is None else (f"lists {self.lists}",)
        return ", ".join((self.boundary.name, *self.column, *lists))


@dataclass(frozen=True)
class LedgerPlace:
    """A ledger's `privacy_ledger` connection, and the same as the URL of SQLAlchemy."""

    connection: dict[str, Any]
    url: str


@dataclass
class Outcome:
    """`made`, `twice` and `lost` count jobs at Adobe; `told` are of unknown outcome, and a person is told of them;
    `problems` say what else is not as it must be."""

    case: Case
    wanted: int = 0
    made: int = 0
    twice: int = 0
    lost: int = 0
    told: int = 0
    tries: int = 0
    blows: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


class Failed(Exception):
    """A task did not do its work within its tries."""


class Trial:
    """Carries one case out; `prefix` keeps its request ids apart from all others at the same simulator."""

    def __init__(
        self,
        case: Case,
        *,
        prefix: str,
        folder: Path,
        simulator: Simulator,
        ledger: LedgerPlace,
        patience: Patience | None = None,
        tries: int = TRIES,
    ) -> None:
        self.case = case
        self.folder = folder
        self.simulator = simulator
        self.ledger = ledger
        self.patience = patience or Patience(list_lag=TOLD_LIST_LAG if case.lag else 0.0)
        self.tries = tries
        self.outcome = Outcome(case)
        self.requests = [
            request(1, "access", "delete", request_id=f"{prefix}-1"),
            request(2, "access", request_id=f"{prefix}-2"),
        ]
        if case.runs == 2:
            # Other products, so another batch: each run may work on one.
            self.requests.append(request(3, "delete", request_id=f"{prefix}-3", products=["profileService"]))
        self.struck_key = f"{prefix}-1"
        self._processes: dict[int, TaskProcess] = {}
        self._frozen: list[TaskProcess] = []
        self._count = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def run(self) -> Outcome:
        started = time.monotonic()
        day = self.folder / "inbox" / f"{DAY:%Y-%m-%d}"
        day.mkdir(parents=True)
        (day / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in self.requests))
        fault = self.case.boundary.fault
        if fault is not None:
            self.simulator.fault("create", key=self.struck_key, **fault)
        try:
            self._carry_runs()
            self._carry_later_run()
        except Failed as failure:
            self.outcome.problems.append(str(failure))
        finally:
            self._ended.set()
            for process in self._frozen:
                process.signal(signal.SIGKILL)
        self._judge()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    # -- what Airflow does --------------------------------------------------------------------------------

    def _carry_runs(self) -> None:
        run_types = ["scheduled", "backfill"][: self.case.runs]
        together = threading.Barrier(len(run_types))
        with ThreadPoolExecutor(len(run_types) + 1) as threads:
            killing = threads.submit(self._kill_meanwhile) if self.case.boundary.killed_meanwhile else None
            runs = [threads.submit(self._carry_run, run_type, together) for run_type in run_types]
            try:
                for run in runs:
                    run.result()
            finally:
                self._ended.set()
            if killing is not None:
                killing.result()
        for process in self._frozen:
            process.signal(signal.SIGCONT)
            if process.wait(TASK_TIMEOUT) is None:
                raise Failed("a task that was suspended and woken again does not end")

    def _carry_run(self, run_type: str, together: threading.Barrier) -> None:
        """The tasks of one run, each tried again until it succeeds. Runs plan together and submit together."""
        try:
            together.wait()
            batch_ids = self._carry_task(run_type, None)
            together.wait()
            for batch_id in batch_ids:
                self._carry_task(run_type, batch_id)
        except threading.BrokenBarrierError:
            pass  # the other run has failed, and says so
        except BaseException:
            # Whatever it is: the other run must not wait for this one for ever.
            together.abort()
            raise

    def _carry_later_run(self) -> None:
        """The day is planned once more; no blow is left."""
        for batch_id in self._carry_task("manual", None):
            self._carry_task("manual", batch_id)

    def _carry_task(self, run_type: str, batch_id: str | None) -> Any:
        name = f"{run_type} {'plan' if batch_id is None else 'submit'}"
        for _ in range(self.tries):
            process = self._start(run_type, batch_id)
            exit_code = self._end_of(process)
            if exit_code == 0:
                return process.returned()
            if exit_code == NO_RETRY:
                raise Failed(f"{name} failed in a way that Airflow does not try again")
        raise Failed(f"{name} did not succeed in {self.tries} tries")

    def _start(self, run_type: str, batch_id: str | None) -> TaskProcess:
        with self._lock:
            self._count += 1
            output = self.folder / f"{self._count:02}-{run_type}-{'plan' if batch_id is None else 'submit'}"
            self.outcome.tries += 1
        process = TaskProcess(
            Task(
                folder=self.folder,
                run_type=run_type,
                batch_id=batch_id,
                environment=self._environment,
                patience=self.patience,
                strikes=self.case.boundary.strikes,
                struck_key=self.struck_key,
                output=output,
            )
        )
        self._processes[process.pid] = process
        return process

    @cached_property
    def _environment(self) -> dict[str, str]:
        return {
            "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT": self.simulator.connection_json(
                timeout=self.patience.timeout, list_lag=self.patience.list_lag, products=["profileService"]
            ),
            "AIRFLOW_CONN_PRIVACY_LEDGER": json.dumps(self.ledger.connection),
            "AIRFLOW_VAR_PRIVACY_INBOX_URI": f"file://{self.folder / 'inbox'}",
            "AIRFLOW_VAR_PRIVACY_ARCHIVE_URI": f"file://{self.folder / 'archive'}",
        }

    def _end_of(self, process: TaskProcess) -> int:
        """The exit code; a suspended process counts as killed, as Airflow takes it to be."""
        freezes = [
            number
            for number, strike in enumerate(self.case.boundary.strikes)
            if strike.blow is Blow.FREEZE and not marker(self.folder, number).exists()
        ]
        deadline = time.monotonic() + TASK_TIMEOUT
        while time.monotonic() < deadline:
            exit_code = process.wait(0.1 if freezes else TASK_TIMEOUT)
            if exit_code is not None:
                return exit_code
            if any(_pid_of(marker(self.folder, number)) == process.pid for number in freezes):
                self._frozen.append(process)
                return -signal.SIGSTOP
        process.signal(signal.SIGKILL)
        raise Failed(f"a task did not end within {TASK_TIMEOUT:.0f} s")

    def _kill_meanwhile(self) -> None:
        """Kills the process whose call the simulator is sitting on."""
        while not self._ended.wait(0.05):
            pid = _pid_of(marker(self.folder, 0))
            if pid in self._processes and self._fault_was_played():
                self._processes[pid].signal(signal.SIGKILL)
                return

    def _fault_was_played(self) -> bool:
        return all(fault["key"] != self.struck_key for fault in self.simulator.faults())

    # -- what there is in the end -------------------------------------------------------------------------

    def _judge(self) -> None:
        outcome = self.outcome
        wanted = {
            (str(line["request_id"]), str(action), str(line["regulation"]))
            for line in self.requests
            for action in line["actions"]
        }
        request_ids = [str(line["request_id"]) for line in self.requests]
        made = [job for job in self.simulator.jobs() if job["key"] in request_ids]
        there = Counter((job["key"], job["action"], job["regulation"]) for job in made)
        outcome.wanted, outcome.made = len(wanted), len(made)
        outcome.twice = sum(count - 1 for count in there.values())
        outcome.blows = sum(
            marker(self.folder, number).exists() for number in range(len(self.case.boundary.strikes))
        )
        with Ledger(self.ledger.url, actor="crash suite") as ledger:
            jobs = [job for request_id in request_ids for job in ledger.people.request_jobs(request_id)]
            with ledger.unit.engine.connect() as connection:
                charged = connection.scalar(select(func.sum(Usage.jobs))) or 0
        told = {(job.key, job.action, job.regulation) for job in jobs if job.state is JobState.SUBMITTING}
        if self.case.lists is None or self.case.lists.show_open_jobs:
            told.clear()
        outcome.told, outcome.lost = len(told), len(wanted - there.keys() - told)
        # What nobody may send again, or recognise, comes to no second place.
        ended_there = outcome.blows > 0 and any(key == self.struck_key for key, _, _ in told)
        if outcome.blows < len(self.case.boundary.strikes) and not ended_there:
            outcome.problems.append("a blow was not dealt: nothing ever came to its place")
        if self.case.boundary.fault is not None and not self._fault_was_played() and not ended_there:
            outcome.problems.append("the simulator's fault was not played")
        jobs = [job for job in jobs if (job.key, job.action, job.regulation) not in told]
        adobe_ids = {(job["key"], job["action"], job["regulation"]): job["jobId"] for job in made}
        outcome.problems += [problem for job in jobs for problem in _disagreement(job, adobe_ids)]
        if len(jobs) + len(told) != len(wanted):
            outcome.problems.append(f"the ledger has {len(jobs) + len(told)} jobs")
        if charged < len(made):
            outcome.problems.append(f"the ledger charged {charged} jobs against the day")


def _disagreement(job: Job, adobe_ids: dict[tuple[str, str, str], str]) -> list[str]:
    name = f"{job.key} ({job.action})"
    if job.state is not JobState.SUBMITTED:
        return [f"{name} is {job.state} in the ledger"]
    if job.adobe_job_id != adobe_ids.get((job.key, job.action, job.regulation)):
        return [f"{name} has another Adobe job in the ledger than at Adobe"]
    return []


def _pid_of(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except FileNotFoundError:
        return None
