"""What operators do every day, on a real Airflow, in this order: clear, mark, delete, backfill again, try a DAG, ask.

The ledger's connection is in Airflow's database, as one that was made in the UI.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.stack import Stack, StackError
from tests.support.airflow import (
    answer_question,
    deletes_need_approval,
    let_the_schedule_go_first,
    questions,
    retry_at_once,
    until,
)
from tests.support.simulator import Simulator

# Most of it is Airflow starting tasks; a loaded machine takes its time.
pytestmark = pytest.mark.timeout(1800)

DAG_ID = "privacy_requests"
DAY = timedelta(days=1)
TODAY = datetime.now(UTC).date()
ASKED, PAUSED, FAILS, WAITS, TRIED, TRIED_IN_PYTHON = (
    str(TODAY - number * DAY) for number in range(8, 2, -1)
)
KEYS = {
    FAILS: "DSR-1-FAILS",
    WAITS: "DSR-2-WAITS",
    PAUSED: "DSR-3-PAUSED",
    TRIED: "DSR-4-TRIED",
    TRIED_IN_PYTHON: "DSR-5-PYTHON",
}
SECRET = "simulator-secret"
LONG = 100_000
IN_PYTHON = """
import pendulum, sys
from adobe_privacy.dags import privacy_requests
run = privacy_requests().test(logical_date=pendulum.parse(sys.argv[1]))
sys.exit(run.state != "success")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("everyday")


@pytest.fixture(scope="module")
def stack(home: Path) -> Iterator[Stack]:
    retry_at_once(home / "airflow")
    scenario = home / "scenario.json"
    scenario.write_text(
        json.dumps({"rules": [{"key": KEYS[day], "delay_seconds": LONG} for day in (WAITS, PAUSED)]})
    )
    with Stack(
        home / "airflow",
        home / "data",
        port=19080,
        simulator_arguments=("--port", "0", "--scenario", str(scenario)),
        # So that a backfilled run waits, as a scheduled one does.
        environment={"AIRFLOW_VAR_PRIVACY_BACKFILL_PATIENCE": str(LONG), "AIRFLOW__CORE__PARALLELISM": "4"},
        prepare=lambda stack: stack.airflow(
            *("connections", "add", "privacy_ledger", "--conn-json"),
            json.dumps({"conn_type": "sqlite", "host": str(home / "elsewhere" / "ledger.db")}),
        ),
    ) as stack:
        stack.wait_for_dag(DAG_ID)
        let_the_schedule_go_first(stack, DAG_ID)
        yield stack
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def simulator(stack: Stack) -> Simulator:
    return Simulator(stack.simulator_url)


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    with stack.api() as api:
        yield api


def arrives(stack: Stack, day: str, laws: Mapping[str, str] | None = None, *, action: str = "access") -> None:
    """A file for the day, before its own run: any run but a backfill's takes in what arrived late."""
    folder = stack.data / "inbox" / day
    folder.mkdir()
    lines = [
        {
            "request_id": key,
            "regulation": law,
            "actions": [action],
            "identities": [{"namespace": "email", "value": f"{key.lower()}@example.com"}],
            "products": ["profileService"],
        }
        for key, law in (laws or {KEYS[day]: "gdpr"}).items()
    ]
    (folder / "requests.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def run_of(stack: Stack, day: str) -> dict[str, Any]:
    found = [run for run in stack.runs(DAG_ID) if str(run["logical_date"]).startswith(day)]
    return found[0] if found else {"state": "none"}


def path_of(stack: Stack, day: str) -> str:
    return f"/dags/{DAG_ID}/dagRuns/{run_of(stack, day)['dag_run_id']}"


def becomes(stack: Stack, day: str, state: str) -> None:
    until(
        stack, lambda: run_of(stack, day)["state"] == state, f"the run of {day} is not {state}", seconds=500
    )


def waits(stack: Stack, day: str) -> Callable[[], bool]:
    return lambda: "deferred" in stack.task_states(DAG_ID, run_of(stack, day)["dag_run_id"])


def cancel_backfills(api: httpx.Client) -> None:
    """Airflow makes no second one while one is open. A run of a cancelled one that is cleared stays queued (3.3.2)."""
    for backfill in api.get("/backfills", params={"dag_id": DAG_ID}).raise_for_status().json()["backfills"]:
        if backfill["completed_at"] is None:
            api.put(f"/backfills/{backfill['id']}/cancel").raise_for_status()


def at_adobe(simulator: Simulator) -> list[str]:
    return sorted(job["key"] for job in simulator.jobs())


def archived(stack: Stack) -> list[str]:
    manifests = [json.loads(path.read_text()) for path in (stack.data / "archive").rglob("manifest.json")]
    return sorted(manifest["request_id"] for manifest in manifests)


def pause(api: httpx.Client, paused: bool) -> None:
    api.patch(f"/dags/{DAG_ID}", json={"is_paused": paused}).raise_for_status()


def clear(api: httpx.Client, **what: Any) -> None:
    answer = api.post(f"/dags/{DAG_ID}/clearTaskInstances", json={"dry_run": False, **what})
    assert answer.status_code == 200, answer.text


def test_a_failed_run_is_cleared_once_its_cause_is_gone(
    stack: Stack, simulator: Simulator, api: httpx.Client
) -> None:
    arrives(stack, FAILS)
    simulator.switch(client_secret="another")
    stack.backfill(DAG_ID, FAILS, FAILS)
    becomes(stack, FAILS, "failed")
    simulator.switch(client_secret=SECRET)
    clear(api, dag_run_id=run_of(stack, FAILS)["dag_run_id"], only_failed=True)
    becomes(stack, FAILS, "success")
    assert at_adobe(simulator) == [KEYS[FAILS]]


def test_a_waiting_run_is_cleared_and_waits_again(
    stack: Stack, simulator: Simulator, api: httpx.Client
) -> None:
    arrives(stack, WAITS)
    cancel_backfills(api)
    stack.backfill(DAG_ID, WAITS, WAITS)
    until(stack, lambda: run_of(stack, WAITS)["state"] == "running" and waits(stack, WAITS)())
    answer = api.post(f"{path_of(stack, WAITS)}/clear", json={"dry_run": False})
    assert answer.status_code == 200, answer.text
    until(stack, lambda: not waits(stack, WAITS)())
    until(stack, waits(stack, WAITS))
    assert at_adobe(simulator) == [KEYS[FAILS], KEYS[WAITS]]


def test_one_map_index_is_cleared(stack: Stack, simulator: Simulator, api: httpx.Client) -> None:
    clear(
        api,
        dag_run_id=run_of(stack, WAITS)["dag_run_id"],
        task_ids=[["batch.wait", 0]],
        only_failed=False,
        include_downstream=True,
    )
    until(stack, lambda: not waits(stack, WAITS)())
    until(stack, waits(stack, WAITS))
    assert at_adobe(simulator) == [KEYS[FAILS], KEYS[WAITS]]


@pytest.mark.parametrize("reprocess", ["none", "failed", "completed"])
def test_a_range_with_successful_and_waiting_runs_is_backfilled_again(
    stack: Stack, simulator: Simulator, api: httpx.Client, reprocess: str
) -> None:
    cancel_backfills(api)
    stack.backfill(DAG_ID, FAILS, WAITS, reprocess=reprocess)
    until(stack, lambda: run_of(stack, FAILS)["state"] == "success")
    assert at_adobe(simulator) == [KEYS[FAILS], KEYS[WAITS]]


@pytest.mark.parametrize("reprocess", ["none", "failed", "completed"])
def test_a_range_with_a_run_that_was_marked_failed_is_backfilled_again(
    stack: Stack, simulator: Simulator, api: httpx.Client, reprocess: str
) -> None:
    cancel_backfills(api)
    if run_of(stack, WAITS)["state"] != "failed":
        until(stack, waits(stack, WAITS))
        api.patch(path_of(stack, WAITS), json={"state": "failed"}).raise_for_status()
        becomes(stack, WAITS, "failed")
    stack.backfill(DAG_ID, WAITS, WAITS, reprocess=reprocess)
    if reprocess == "none":
        assert run_of(stack, WAITS)["state"] == "failed"
    else:
        until(stack, waits(stack, WAITS))
    assert at_adobe(simulator) == [KEYS[FAILS], KEYS[WAITS]]


def test_a_run_is_marked_as_succeeded_then_deleted_and_its_day_run_again(
    stack: Stack, simulator: Simulator, api: httpx.Client
) -> None:
    api.patch(path_of(stack, WAITS), json={"state": "success"}).raise_for_status()
    becomes(stack, WAITS, "success")
    assert api.delete(path_of(stack, WAITS)).status_code == 204
    simulator.advance(LONG + 60)
    cancel_backfills(api)
    stack.backfill(DAG_ID, WAITS, WAITS)
    becomes(stack, WAITS, "success")
    assert at_adobe(simulator) == [KEYS[FAILS], KEYS[WAITS]]
    assert archived(stack) == [KEYS[FAILS], KEYS[WAITS]]


def test_the_dag_is_paused_and_the_connection_edited_while_a_run_waits(
    stack: Stack, simulator: Simulator, api: httpx.Client
) -> None:
    arrives(stack, PAUSED)
    cancel_backfills(api)
    stack.backfill(DAG_ID, PAUSED, PAUSED)
    until(stack, lambda: run_of(stack, PAUSED)["state"] == "running" and waits(stack, PAUSED)())
    pause(api, True)
    simulator.switch(client_secret="another")
    path = "/connections/adobe_privacy_default"
    edited = {"connection_id": "adobe_privacy_default", "conn_type": "adobe_privacy", "password": "another"}
    api.patch(path, params={"update_mask": "password"}, json=edited).raise_for_status()
    # The token of the wait, too, is of yesterday then.
    simulator.advance(LONG + 60)
    until(stack, lambda: not waits(stack, PAUSED)())
    assert run_of(stack, PAUSED)["state"] == "running"
    pause(api, False)
    becomes(stack, PAUSED, "success")
    assert archived(stack) == [KEYS[FAILS], KEYS[WAITS], KEYS[PAUSED]]


@pytest.fixture
def paused(api: httpx.Client) -> Iterator[None]:
    """The scheduler would take up a run that `dags test` makes, too: both then run its tasks (3.3.2)."""
    pause(api, True)
    yield
    pause(api, False)


@pytest.mark.usefixtures("paused")
def test_airflow_dags_test_runs_a_day(stack: Stack, simulator: Simulator) -> None:
    arrives(stack, TRIED)
    # Of the day before, as with every run by hand.
    stack.airflow("dags", "test", DAG_ID, next_day(TRIED))
    assert KEYS[TRIED] in at_adobe(simulator)
    assert KEYS[TRIED] in archived(stack)


@pytest.mark.usefixtures("paused")
def test_a_dag_of_the_builder_is_tried_in_python(stack: Stack, simulator: Simulator) -> None:
    arrives(stack, TRIED_IN_PYTHON)
    stack.python("-c", IN_PYTHON, f"{next_day(TRIED_IN_PYTHON)}T00:00:00Z")
    assert KEYS[TRIED_IN_PYTHON] in at_adobe(simulator)
    assert KEYS[TRIED_IN_PYTHON] in archived(stack)


def test_the_commands_see_what_airflows_database_holds(stack: Stack) -> None:
    shown = as_json(stack.airflow("privacy", "status", "--json"))
    assert shown == [{"state": "archived", "jobs": len(KEYS)}]
    stack.airflow("privacy", "hold", KEYS[FAILS], "--reason", "a dispute")
    evidence = as_json(stack.airflow("privacy", "evidence", KEYS[FAILS], "--json"))
    assert evidence["history"][-1]["why"].endswith("a dispute")
    assert evidence["manifests"]
    assert not (stack.home / "privacy_ledger.db").exists(), "a second ledger was made"


@pytest.fixture
def asking(stack: Stack) -> Iterator[None]:
    with deletes_need_approval(stack):
        yield


@pytest.mark.usefixtures("asking")
def test_a_run_is_cleared_after_some_of_its_questions_were_answered(
    stack: Stack, simulator: Simulator, api: httpx.Client
) -> None:
    """The list of its batches is shorter then, and Airflow shows each task its first question for ever: the one of a
    batch that is done. No answer to that sends what is asked about now."""
    arrives(stack, ASKED, {"GDPR-1": "gdpr", "CCPA-1": "ccpa", "CCPA-2": "ccpa"}, action="delete")
    cancel_backfills(api)
    stack.backfill(DAG_ID, ASKED, ASKED)

    def asked(run_id: str, count: int) -> list[dict[str, Any]]:
        found = until(stack, lambda: len(shown := questions(api, DAG_ID, run_id)) == count and shown)
        assert found
        return found

    until(stack, lambda: run_of(stack, ASKED)["state"] == "running")
    first, second = asked(run_of(stack, ASKED)["dag_run_id"], 2)
    assert [first["subject"], second["subject"]] == [
        "Send 1 delete (gdpr) to Adobe?",
        "Send 2 deletes (ccpa) to Adobe?",
    ]
    answer_question(stack, api, first)
    done = f"{path_of(stack, ASKED)}/taskInstances/batch.archive/{first['task_instance']['map_index']}"
    until(stack, lambda: api.get(done).raise_for_status().json()["state"] == "success")
    api.post(
        f"{path_of(stack, ASKED)}/clear", json={"dry_run": False, "only_failed": False}
    ).raise_for_status()
    becomes(stack, ASKED, "success")
    assert "CCPA-1" not in at_adobe(simulator)
    # A run of its own asks what is open.
    run = {"logical_date": None, "conf": {"inbox_day": ASKED}}
    run_id = api.post(f"/dags/{DAG_ID}/dagRuns", json=run).raise_for_status().json()["dag_run_id"]
    [again] = asked(run_id, 1)
    assert again["subject"] == second["subject"]
    answer_question(stack, api, again)
    until(stack, lambda: {"CCPA-1", "CCPA-2"} <= set(archived(stack)))
    assert [key for key in at_adobe(simulator) if key not in KEYS.values()] == ["CCPA-1", "CCPA-2", "GDPR-1"]


def test_a_command_makes_no_ledger_where_there_is_none(stack: Stack, home: Path) -> None:
    stack.airflow("connections", "delete", "privacy_ledger")
    with pytest.raises(StackError):
        stack.airflow("privacy", "hold", KEYS[FAILS], "--reason", "a dispute")
    assert "there is no ledger at" in (stack.logs / "commands.log").read_text()
    assert not (stack.home / "privacy_ledger.db").exists()


def next_day(day: str) -> str:
    return str(date.fromisoformat(day) + DAY)


def as_json(printed: str) -> Any:
    """What follows Airflow's own lines."""
    start = min(printed.index(sign) for sign in "[{" if sign in printed)
    return json.loads(printed[start:])
