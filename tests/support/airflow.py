"""What tests of a real Airflow share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped]

from scripts.stack import Stack

T = TypeVar("T")

# A cluster policy of Airflow: a DAG's minutes between two tries are not what is tested.
_POLICY = """
from datetime import timedelta


def task_policy(task):
    task.retry_delay = timedelta(seconds=1)
    task.retry_exponential_backoff = 0
"""


def retry_at_once(airflow_home: Path) -> None:
    """Before this Airflow starts: its tasks are tried again after a second."""
    policy = airflow_home / "config" / "airflow_local_settings.py"
    policy.parent.mkdir(parents=True)
    policy.write_text(_POLICY)


def until(
    stack: Stack,
    what: Callable[[], T],
    failure: str = "it has not come to pass in time",
    *,
    seconds: float = 400,
) -> T:
    """What `what` returns, once that is true. Raises StackError where one of the stack's processes ends before, and
    AssertionError, with the tasks that have not ended, where it does not come in time."""
    deadline = time.monotonic() + seconds
    while True:
        stack.check_processes()
        if found := what():
            return found
        if time.monotonic() > deadline:
            raise AssertionError("\n".join((failure, *_unfinished(stack))))
        time.sleep(0.5)


def _unfinished(stack: Stack) -> list[str]:
    with stack.api() as api:
        states = ("running", "queued", "scheduled", "awaiting_input", "deferred", "up_for_retry", "failed")
        found = api.get("/dags/~/dagRuns/~/taskInstances", params={"state": states, "limit": 100})
        return [
            " ".join(
                str(task[name])
                for name in ("dag_run_id", "task_display_name", "map_index", "state", "try_number")
            )
            for task in found.raise_for_status().json()["task_instances"]
        ]


def let_the_schedule_go_first(stack: Stack, dag_id: str) -> None:
    """Unpauses the DAG and waits until the schedule's own run is over: it takes in what arrived late, so the inbox
    must be empty as yet, where a backfill's run is to find the requests of its day."""
    with stack.api() as api:
        api.patch(f"/dags/{dag_id}", json={"is_paused": False}).raise_for_status()
    until(stack, lambda: [run["state"] for run in stack.runs(dag_id)] == ["success"])


@contextmanager
def deletes_need_approval(stack: Stack) -> Iterator[None]:
    with stack.api() as api:
        variable = {"key": "privacy_approve_deletes", "value": "true"}
        api.post("/variables", json=variable).raise_for_status()
        try:
            yield
        finally:
            api.delete("/variables/privacy_approve_deletes").raise_for_status()


def questions(api: httpx.Client, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """What the run asks a person now. Before Airflow 3.3 the task is deferred meanwhile."""
    answer = api.get(f"/dags/{dag_id}/dagRuns/{run_id}/hitlDetails").raise_for_status()
    details: list[dict[str, Any]] = answer.json()["hitl_details"]
    return [each for each in details if each["task_instance"]["state"] in ("awaiting_input", "deferred")]


def answer_question(
    stack: Stack, api: httpx.Client, question: Mapping[str, dict[str, Any]], *, hold: Sequence[str] = ()
) -> None:
    """Approves, as the UI does, once Airflow can take the answer, and waits until it is taken."""
    asked = question["task_instance"]
    run = f"/dags/{asked['dag_id']}/dagRuns/{asked['dag_run_id']}"
    here = f"{run}/taskInstances/{asked['task_id']}/{asked['map_index']}"
    answer = {"chosen_options": ["Approve"], "params_input": {"hold": list(hold) or None}}

    def taken() -> bool:
        shown = [each["task_instance"] for each in questions(api, asked["dag_id"], asked["dag_run_id"])]
        same = ("task_id", "map_index")
        waiting = [each for each in shown if all(each[name] == asked[name] for name in same)]
        if waiting and can_be_answered(stack, waiting[0]):
            # 409: it was answered already.
            given = api.patch(f"{here}/hitlDetails", json=answer)
            assert given.is_success or given.status_code == 409, given.text
        state = api.get(here).raise_for_status().json()["state"]
        assert state != "failed", state
        return bool(state == "success")

    until(stack, taken, "the answer was not taken", seconds=240)


def can_be_answered(stack: Stack, asked: Mapping[str, Any]) -> bool:
    """Whether the scheduler has heard that the process ended which asked. That can take five seconds, and a browser or
    a test is quicker. Airflow 3.3 fails a task that is answered before: the answer is lost, and it asks again."""
    told = [f" {name}={asked[name]}," for name in ("dag_id", "task_id", "map_index", "try_number")]
    told.append(f" run_id={asked['dag_run_id']},")
    return any(
        "TaskInstance Finished:" in line and all(each in line for each in told)
        for line in (stack.logs / "scheduler.log").read_text().splitlines()
    )


def callers(stack: Stack, component: str, url: str) -> list[psutil.Process]:
    """The processes below a component's that are connected to the server: those that wait for its answer."""
    port = urlsplit(url).port
    return [
        process
        for process in psutil.Process(stack.process(component).pid).children(recursive=True)
        if port in _connected_ports(process)
    ]


def _connected_ports(process: psutil.Process) -> set[int]:
    try:
        connections = process.net_connections("tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return set()
    return {found.raddr.port for found in connections if found.raddr and found.status == "ESTABLISHED"}
