"""What takes weeks, on a real Airflow: waiting, the sweep, backfills of both, opt-outs, alarms."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from adobe_privacy.storage import open_store
from scripts.stack import BIN, ROOT, Stack, free_port
from tests.support.airflow import until
from tests.support.ledgers import counted
from tests.support.simulator import Simulator

# Most of it is Airflow starting tasks; a loaded machine takes its time.
pytestmark = pytest.mark.timeout(2400)

TODAY = datetime.now(UTC).date()
DAY = timedelta(days=1)
# How long a job takes in the simulator, whose clock is moved on in the end; from noon, so that no day ends meanwhile.
DELAY = 1800
# A backfill runs ten runs at a time.
DAYS = 11


class Mailbox(Message):
    def __init__(self) -> None:
        super().__init__()
        self.mails: list[tuple[str, str]] = []

    def handle_message(self, message: Any) -> None:
        (body,) = (part for part in message.walk() if not part.is_multipart())
        self.mails.append((message["Subject"], body.get_payload(decode=True).decode()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weeks")


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box, port = Mailbox(), free_port(10125)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture(scope="module")
def mails(mailbox: tuple[Mailbox, int]) -> list[tuple[str, str]]:
    return mailbox[0].mails


@pytest.fixture(scope="module")
def stack(home: Path, mailbox: tuple[Mailbox, int]) -> Iterator[Stack]:
    """An Airflow whose jobs are open until the simulator's clock is moved, and whose alarms go out by mail."""
    dags = home / "dags"
    shutil.copytree(ROOT / "dags", dags)
    smtp = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": mailbox[1],
        "extra": {"disable_tls": True, "disable_ssl": True, "from_email": "airflow@example.com"},
    }
    notifier = {
        "class": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
        "kwargs": {
            "to": "privacy@example.com",
            "subject": "{{ alarm.subject }}",
            "html_content": "{{ alarm.message }}",
        },
    }
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW_CONN_SMTP_DEFAULT": json.dumps(smtp),
        "AIRFLOW_VAR_PRIVACY_ALARM_NOTIFIER": json.dumps(notifier),
        "AIRFLOW_VAR_PRIVACY_BACKFILL_PATIENCE": "1",
    }
    delays = (f"--switch=access_delay_seconds={DELAY}", f"--switch=delete_delay_seconds={DELAY}")
    with Stack(
        home / "airflow",
        home / "data",
        port=18180,
        simulator_arguments=("--port", "0", "--start-time", f"{TODAY}T12:00:00Z", *delays),
        environment=environment,
    ) as stack:
        for dag_id in ("privacy_requests", "privacy_sweep", "privacy_optouts", "privacy_alarms"):
            stack.wait_for_dag(dag_id)
        yield stack
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def simulator(stack: Stack) -> Simulator:
    return Simulator(stack.simulator_url)


def put(home: Path, day: date, *lines: dict[str, Any]) -> None:
    folder = home / "data" / "inbox" / str(day)
    folder.mkdir(parents=True)
    rows = [
        {
            "regulation": "gdpr",
            "actions": ["access"],
            "identities": [{"namespace": "email", "value": "subject@example.com"}],
            "products": ["profileService"],
        }
        | line
        for line in lines
    ]
    (folder / "requests.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def manifests(home: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in (home / "data" / "archive").rglob("manifest.json")]


def counts(stack: Stack) -> dict[JobState, int]:
    with Ledger(f"sqlite:///{stack.home / 'privacy_ledger.db'}", actor="test") as ledger:
        return counted(ledger)


def ended(stack: Stack, dag_id: str, first: date, last: date) -> Callable[[], dict[str, str]]:
    """The states of the runs of these days by day, once all of them have ended; before, nothing."""
    days = {str(first + number * DAY) for number in range((last - first).days + 1)}

    def look() -> dict[str, str]:
        runs = {run["logical_date"][:10]: run["state"] for run in stack.runs(dag_id) if run["logical_date"]}
        found = {day: runs.get(day, "none") for day in days}
        return found if all(state in ("success", "failed") for state in found.values()) else {}

    return look


def trigger(stack: Stack, dag_id: str, logical_date: date | None = None) -> str:
    with stack.api() as api:
        api.patch(f"/dags/{dag_id}", json={"is_paused": False}).raise_for_status()
        moment = logical_date and f"{logical_date}T00:00:00Z"
        answer = api.post(f"/dags/{dag_id}/dagRuns", json={"logical_date": moment})
        return str(answer.raise_for_status().json()["dag_run_id"])


def run_state(stack: Stack, dag_id: str, run_id: str) -> str:
    with stack.api() as api:
        return str(api.get(f"/dags/{dag_id}/dagRuns/{run_id}").raise_for_status().json()["state"])


def succeed(stack: Stack, dag_id: str) -> None:
    """Runs a DAG by hand, to its end."""
    run_id = trigger(stack, dag_id)
    state = until(stack, lambda: (s := run_state(stack, dag_id, run_id)) in ("success", "failed") and s)
    assert state == "success"


def instances(stack: Stack, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    with stack.api() as api:
        answer = api.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        return list(answer.raise_for_status().json()["task_instances"])


def waits(stack: Stack, run_id: str) -> Callable[[], bool]:
    return lambda: any(i["state"] == "deferred" for i in instances(stack, "privacy_requests", run_id))


def test_a_backfilled_sweep_archives_thirty_days_once(stack: Stack, simulator: Simulator, home: Path) -> None:
    first, last = TODAY - 30 * DAY, TODAY - DAY
    # The schedule's own run of yesterday, which begins when the DAG is unpaused, finds nothing yet.
    with stack.api() as api:
        api.patch("/dags/privacy_sweep", json={"is_paused": False}).raise_for_status()
    until(stack, ended(stack, "privacy_sweep", last, last))
    for number in range(30):
        day = first + number * DAY
        for action in ("access", "access", "delete"):
            simulator.create_jobs(
                count=1,
                action=action,
                regulation=("gdpr", "ccpa", "ucpa_usa")[number % 3],
                products=["profileService"],
                key=f"by-hand-{number}@example.com",
                created_at=f"{day - 5 * DAY}T08:00:00Z",
                completed_at=f"{day}T23:59:00Z",
            )
    stack.backfill("privacy_sweep", str(first), str(last), reprocess="completed")
    until(stack, lambda: simulator.calls()["content"] >= 60)
    assert set(until(stack, ended(stack, "privacy_sweep", first, last)).values()) == {"success"}
    jobs = simulator.jobs()
    assert Counter(entry["job_id"] for entry in manifests(home)) == Counter(job["jobId"] for job in jobs)
    assert [job["contentCalls"] for job in jobs] == [job["action"] == "access" for job in jobs]
    verification = verify_archive(open_store(f"file://{home / 'data' / 'archive'}"))
    assert not list(verification)
    assert verification.summary.results == 60

    before = {run["dag_run_id"]: run["end_date"] for run in stack.runs("privacy_sweep")}
    simulator.reset_counters()
    stack.backfill("privacy_sweep", str(first), str(last), reprocess="completed")

    def again() -> bool:
        runs = stack.runs("privacy_sweep")
        return all(
            run["state"] == "success" and run["end_date"] != before[run["dag_run_id"]]
            for run in runs
            if first <= date.fromisoformat(run["logical_date"][:10]) <= last
        )

    until(stack, again)
    calls = simulator.calls()
    assert calls["list"] > 0
    assert (calls["content"], calls["detail"]) == (0, 0)


def test_a_day_beyond_adobes_lists_fails_at_once_with_its_reason(stack: Stack) -> None:
    day = TODAY - 46 * DAY
    stack.backfill("privacy_sweep", str(day), str(day))
    assert until(stack, ended(stack, "privacy_sweep", day, day)) == {str(day): "failed"}
    (run_id,) = (
        run["dag_run_id"] for run in stack.runs("privacy_sweep") if run["logical_date"][:10] == str(day)
    )
    (instance,) = instances(stack, "privacy_sweep", run_id)
    assert (instance["state"], instance["try_number"]) == ("failed", 1)
    (log,) = (stack.home / "logs").glob(f"dag_id=privacy_sweep/run_id={run_id}/task_id=sweep/attempt=1.log")
    assert "Adobe lists jobs of the last 45 days" in log.read_text()
    assert f"earliest day that can be swept is {TODAY - 44 * DAY}" in log.read_text()


def test_an_opt_out_run_leaves_a_receipt(stack: Stack, simulator: Simulator, home: Path) -> None:
    day = TODAY - 3 * DAY
    line = {"regulation": "ccpa", "actions": ["opt_out_of_sale"]}
    put(home, day, {"request_id": "OUT-1"} | line, {"request_id": "OUT-2"} | line)
    stack.backfill("privacy_optouts", str(day), str(day))
    assert until(stack, ended(stack, "privacy_optouts", day, day)) == {str(day): "success"}
    assert simulator.consents()["count"] == 1
    receipts = [json.loads(path.read_text()) for path in (home / "data/archive/optouts").rglob("*.json")]
    assert sorted(receipt["request_id"] for receipt in receipts) == ["OUT-1", "OUT-2"]


def test_a_waiting_run_survives_its_triggerer_and_a_cancelled_one_stops_waiting(
    stack: Stack, simulator: Simulator, home: Path
) -> None:
    kept, cancelled = TODAY - 5 * DAY, TODAY - 4 * DAY
    put(home, kept, {"request_id": "WAIT-1", "regulation": "ccpa"})
    put(home, cancelled, {"request_id": "WAIT-2", "regulation": "lgpd_bra"})
    # A run by hand has the day before its logical date for its interval.
    runs = [trigger(stack, "privacy_requests", day + DAY) for day in (kept, cancelled)]
    for run_id in runs:
        until(stack, waits(stack, run_id))
    with stack.api() as api:
        path = f"/dags/privacy_requests/dagRuns/{runs[1]}"
        api.patch(path, json={"state": "failed"}).raise_for_status()
    until(stack, lambda: not waits(stack, runs[1])())

    triggerer = stack.process("triggerer")
    os.killpg(triggerer.pid, signal.SIGKILL)
    triggerer.wait()
    stack.start_process("triggerer", str(BIN / "airflow"), "triggerer")
    # Past the time after which Airflow takes the first one for dead.
    simulator.reset_counters()
    until(stack, lambda: simulator.calls()["list"] >= 3)
    assert waits(stack, runs[0])()
    asked = simulator.calls()["list"]
    until(stack, lambda: simulator.calls()["list"] >= asked + 3)
    simulator.advance(DELAY + 60)
    until(stack, lambda: run_state(stack, "privacy_requests", runs[0]) == "success")
    assert simulator.calls()["create"] == 0
    assert [entry["request_id"] for entry in manifests(home) if entry["request_id"].startswith("WAIT")] == [
        "WAIT-1"
    ]
    # Nobody looks any more.
    before = simulator.calls()["list"]
    time.sleep(5)
    assert simulator.calls()["list"] == before


def test_a_long_range_is_submitted_at_once_told_of_and_archived_as_it_comes(
    stack: Stack,
    simulator: Simulator,
    home: Path,
    mails: list[tuple[str, str]],
    pytestconfig: pytest.Config,
) -> None:
    days = int(pytestconfig.getoption("--backfill-days", None) or DAYS)
    first, last = TODAY - (10 + days - 1) * DAY, TODAY - 10 * DAY
    for number in range(days):
        ids = [f"LONG-{number}-{n}" for n in range(2)]
        put(
            home,
            first + number * DAY,
            {"request_id": ids[0], "actions": ["access", "delete"]},
            {"request_id": ids[1]},
        )
    before = counts(stack)
    stack.backfill("privacy_requests", str(first), str(last))
    states = until(stack, ended(stack, "privacy_requests", first, last), seconds=1800)
    assert set(states.values()) == {"success"}, "no run is left waiting"
    ours = [job for job in simulator.jobs() if job["key"].startswith("LONG-")]
    assert len(ours) == 3 * days
    assert counts(stack)[JobState.SUBMITTED] - before.get(JobState.SUBMITTED, 0) == 3 * days

    mails.clear()
    succeed(stack, "privacy_alarms")
    ((subject, body),) = mails
    assert "of the time used" in subject
    assert "LONG-" in body
    assert "subject@example.com" not in body
    succeed(stack, "privacy_alarms")
    assert len(mails) == 1, "each alarm once"

    simulator.advance(DELAY + 60)
    succeed(stack, "privacy_sweep")
    archived = [entry for entry in manifests(home) if entry["request_id"].startswith("LONG-")]
    assert len(archived) == 3 * days
    assert JobState.SUBMITTED not in counts(stack)
