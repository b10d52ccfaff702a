"""The main job on a real Airflow, once: from the inbox to verified archives, and no identity anywhere else.

Identities, secret and token are unique markers. After the run they are looked for in every file that Airflow, the
ledger and the archive wrote, and in every value of their databases.
"""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, inspect, text

from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from adobe_privacy.storage import open_store
from scripts.stack import ROOT, Stack
from tests.support.airflow import answer_question, questions, until
from tests.support.ledgers import counted

# Most of it is Airflow starting; a loaded machine takes its time.
pytestmark = pytest.mark.timeout(1200)

DAG_ID = "privacy_requests"
CANARY = "c4n4ry"
SECRET = f"{CANARY}-secret-5d1f"
TOKEN = f"{CANARY}-token-8e2a"
REQUESTS = 12
PERSONS_NOTE = "Looked at on Monday."
# A DAG of another team's.
LISTENER = """
from airflow.sdk import DAG, Asset, task
with DAG("listener", schedule=[Asset("privacy_archive")], is_paused_upon_creation=False, catchup=False):
    @task
    def listen():
        pass
    listen()
"""


def identity(number: int) -> dict[str, str]:
    return {"namespace": "email", "value": f"{CANARY}-{number}@example.com"}


def requests(day: int) -> list[dict[str, Any]]:
    first = day * REQUESTS
    return [
        {
            "request_id": f"DSR-{number}",
            "regulation": ("gdpr", "ccpa")[number % 2],
            "actions": ["access", "delete"] if number % 3 == 0 else ["access"],
            "identities": [
                identity(number),
                {
                    "namespace": "loyaltyAccount",
                    "value": f"{CANARY}LOYALTY{number}",
                    "type": "integrationCode",
                },
            ],
            "products": ["profileService", "audienceManager"],
        }
        for number in range(first, first + REQUESTS)
    ]


def lines(day: int) -> str:
    good = "".join(json.dumps(request) + "\n" for request in requests(day))
    bad = [
        {"request_id": f"{CANARY}-id@example.com", "regulation": "gdpr", "actions": ["access"]},
        {"request_id": "DSR-X", "regulation": f"{CANARY}law", "actions": [f"{CANARY}act"], "identities": []},
        {"request_id": "DSR-Y", "regulation": "gdpr", f"{CANARY}field": 1, "identities": [identity(0)]},
    ]
    return good + "".join(json.dumps(line) + "\n" for line in bad) + f'{{"{CANARY}": broken\n'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("main-job")


@pytest.fixture(scope="module")
def stack(home: Path) -> Iterator[Stack]:
    """An Airflow of its own, at the end of two backfilled days and of a second backfill of the same."""
    days = [datetime.now(UTC).date() - timedelta(days=ago) for ago in (2, 1)]
    for number, day in enumerate(days):
        folder = home / "data" / "inbox" / str(day)
        folder.mkdir(parents=True)
        (folder / "requests.jsonl").write_text(lines(number))
    shutil.copytree(ROOT / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "dags" / "listener.py").write_text(LISTENER)
    arguments = ("--port", "0", f"--switch=client_secret={SECRET}", f"--switch=token_prefix={TOKEN}")
    with Stack(
        home / "airflow",
        home / "data",
        port=18080,
        simulator_arguments=arguments,
        connection={"password": SECRET},
        environment={
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        },
    ) as stack:
        stack.wait_for_dag("listener")
        stack.wait_for_dag(DAG_ID)
        assert stack.airflow("dags", "list-import-errors", "-o", "json").splitlines()[-1] == "[]"
        stack.backfill(DAG_ID, str(days[0]), str(days[1]))
        wait_for_runs(stack, 2)
        stack.creates_before = creates(stack)  # type: ignore[attr-defined]
        with stack.api() as api:
            first = both_runs(stack)[0]["dag_run_id"]
            api.patch(f"/dags/{DAG_ID}/dagRuns/{first}", json={"note": PERSONS_NOTE}).raise_for_status()
        stack.backfill(DAG_ID, str(days[0]), str(days[1]), reprocess="completed")
        wait_for_runs(stack, 2, reprocessed=True)
        yield stack
    shutil.rmtree(home, ignore_errors=True)


def both_runs(stack: Stack) -> list[dict[str, Any]]:
    """Of the two backfilled days, the first day's first."""
    return sorted(stack.runs(DAG_ID), key=lambda run: str(run["data_interval_start"]))[-2:]


def wait_for_runs(stack: Stack, count: int, *, reprocessed: bool = False) -> None:
    def states() -> list[str]:
        return [run["state"] for run in stack.runs(DAG_ID)]

    def ended() -> bool:
        found = states()
        return len(found) == count and set(found) <= {"success", "failed"}

    if reprocessed:
        until(stack, lambda: {"queued", "running"} & set(states()), "the runs have not begun", seconds=500)
    until(stack, ended, "the runs have not ended", seconds=500)


def creates(stack: Stack) -> int:
    counters = httpx.get(f"{stack.simulator_url}/_simulator/counters", timeout=30).json()
    return int(counters["calls"]["create"])


def test_a_day_with_rejected_lines_is_not_green(stack: Stack) -> None:
    """Everything else of both days is done: only settle has failed."""
    for run in both_runs(stack):
        assert run["state"] == "failed"
        with stack.api() as api:
            found = api.get(f"/dags/{DAG_ID}/dagRuns/{run['dag_run_id']}/taskInstances").json()
        failed = [task["task_id"] for task in found["task_instances"] if task["state"] == "failed"]
        assert failed == ["settle"]


def test_the_one_list_names_the_rejected_lines(stack: Stack) -> None:
    command = [str(stack.bin / "airflow"), "privacy", "attention", "--json"]
    # At DEBUG, Airflow itself logs to standard output before any command begins.
    environment = stack.environment | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    found = json.loads(ended.stdout)
    assert found["counts"]["rejected"] == 8
    with stack.api() as api:
        on_the_page = api.get(f"{stack.url}/privacy/api/attention").raise_for_status().json()
    for items in (found["items"], on_the_page):
        rejected = [item for item in items if item["level"] == "needs a person"]
        assert {(item["kind"], item["file"]) for item in rejected} == {("rejected", "requests.jsonl")}
        assert {item["line"] for item in rejected} == {REQUESTS + number for number in range(1, 5)}


def test_a_runs_note_has_the_days_figures_unless_a_person_wrote_one(stack: Stack) -> None:
    first, second = both_runs(stack)
    actions = [action for request in requests(1) for action in request["actions"]]
    assert first["note"] == PERSONS_NOTE
    day = second["data_interval_start"][:10]
    # Behind the figures, it may tell of warnings.
    assert second["note"].partition("; ")[0] == (
        f"Inbox {day}: {len(actions)} jobs ({actions.count('access')} access, {actions.count('delete')} delete): "
        f"{len(actions)} archived, 4 lines rejected"
    )


def test_a_note_that_comes_with_a_persons_mark_is_kept(stack: Stack) -> None:
    """Both reach the database in one transaction, that of Airflow's API."""
    run = f"/dags/{DAG_ID}/dagRuns/{both_runs(stack)[1]['dag_run_id']}"
    engine = create_engine(stack.metadata_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM dag_run_note WHERE user_id IS NULL"))
    engine.dispose()
    with stack.api() as api:
        marked = api.patch(run, json={"state": "success", "note": PERSONS_NOTE})
        assert marked.is_success, marked.text
        assert api.get(run).json()["note"] == PERSONS_NOTE


def test_every_request_is_archived_once(stack: Stack, home: Path) -> None:
    wanted = sorted(
        (request["request_id"], action)
        for day in range(2)
        for request in requests(day)
        for action in request["actions"]
    )
    with Ledger(f"sqlite:///{stack.home / 'privacy_ledger.db'}", actor="test") as ledger:
        assert counted(ledger) == {JobState.ARCHIVED: len(wanted)}
    manifests = [json.loads(path.read_text()) for path in (home / "data" / "archive").rglob("manifest.json")]
    assert sorted((manifest["request_id"], manifest["action"]) for manifest in manifests) == wanted
    made = httpx.get(f"{stack.simulator_url}/_simulator/jobs", timeout=30).json()
    assert sorted((job["key"], job["action"]) for job in made) == wanted


def test_every_archive_verifies(stack: Stack, home: Path) -> None:
    verification = verify_archive(open_store(f"file://{home / 'data' / 'archive'}"))
    assert list(verification) == []
    assert verification.summary.results == 2 * REQUESTS


def test_how_far_archiving_is_stands_where_the_ui_shows_it(stack: Stack) -> None:
    query = text("SELECT task_id, value FROM task_state_store WHERE dag_id = :dag_id AND key = 'progress'")
    engine = create_engine(stack.metadata_url)
    with engine.connect() as connection:
        found = connection.execute(query, {"dag_id": DAG_ID}).fetchall()
    engine.dispose()
    assert {task_id for task_id, _ in found} == {"batch.archive"}
    assert sum(json.loads(value)["archived"] for _, value in found) > 0


def test_a_second_backfill_of_the_same_days_makes_no_second_call(stack: Stack) -> None:
    assert creates(stack) == stack.creates_before > 0  # type: ignore[attr-defined]


def test_rejected_lines_are_reported_beside_their_file(stack: Stack, home: Path) -> None:
    reports = sorted((home / "data" / "inbox").glob("*/rejected/requests.jsonl"))
    assert len(reports) == 2
    for report in reports:
        rows = [json.loads(line) for line in report.read_text().splitlines()]
        assert [row["line"] for row in rows] == [REQUESTS + 1, REQUESTS + 2, REQUESTS + 3, REQUESTS + 4]
        assert all(row["reason"] for row in rows)


def test_no_identity_no_secret_and_no_token_is_left_behind(stack: Stack, home: Path) -> None:
    """Looked for in the metadata database, logs, XCom, rendered templates, triggers, ledger, object names,
    manifests and reports. Only the inbox itself, the results and Airflow's encrypted connection hold them."""
    found = [place for place in written(stack, home) if contains(place[1])]
    assert found == [], [name for name, _ in found]


def test_the_search_would_find_them(stack: Stack, home: Path) -> None:
    inbox = next((home / "data" / "inbox").glob("*/requests.jsonl"))
    assert contains(inbox.read_bytes())
    assert contains(pickle.dumps({"deep": [identity(1)]}))
    names = {name for name, _ in written(stack, home)}
    for table in ("task_instance", "rendered_task_instance_fields", "xcom", "log", "trigger", "privacy_jobs"):
        assert any(name.endswith(f":{table}") for name in names), table
    assert any("task_id=plan" in name for name in names), "task logs"
    assert any("process-logs/triggerer" in name for name in names)


def test_other_teams_dags_hear_of_what_was_archived_in_counts(stack: Stack) -> None:
    with stack.api() as api:
        events = api.get("/assets/events", params={"source_dag_id": DAG_ID, "limit": 100}).json()
    extras = [event["extra"] for event in events["asset_events"]]
    assert {frozenset(extra) for extra in extras} == {
        frozenset(["archived", "errors", "missed", "partial", "bytes", "regulation"])
    }
    actions = sum(len(request["actions"]) for day in range(2) for request in requests(day))
    assert sum(extra["archived"] for extra in extras) == actions
    assert {extra["regulation"] for extra in extras} == {"gdpr", "ccpa"}
    until(stack, lambda: any(run["state"] == "success" for run in stack.runs("listener")), seconds=240)
    assert {run["run_type"] for run in stack.runs("listener")} == {"asset_triggered"}


def test_a_person_approves_deletes_and_holds_one_back(stack: Stack, home: Path) -> None:
    """Answered through Airflow's API, as the UI does. Accesses wait for nobody."""
    day = datetime.now(UTC).date() - timedelta(days=3)
    folder = home / "data" / "inbox" / str(day)
    folder.mkdir()
    asked = [requests(9)[number] | {"regulation": "gdpr", "actions": ["delete"]} for number in range(3)]
    asked[0]["actions"] = ["access", "delete"]
    (folder / "requests.jsonl").write_text("".join(json.dumps(request) + "\n" for request in asked))
    first, second, held = [request["request_id"] for request in asked]
    with stack.api() as api:
        variable = {"key": "privacy_approve_deletes", "value": "true"}
        api.post("/variables", json=variable).raise_for_status()
        stack.backfill(DAG_ID, str(day), str(day))
        until(stack, lambda: len(stack.runs(DAG_ID)) == 3 and asked_now(api, stack), seconds=240)
        [question] = asked_now(api, stack)
        instance = question["task_instance"]
        assert question["subject"] == "Send 3 deletes (gdpr) to Adobe?"
        assert instance["rendered_map_index"].startswith(f"{day} · gdpr · delete · 3 users · due ")
        here = f"/dags/{DAG_ID}/dagRuns/{instance['dag_run_id']}/taskInstances/batch.approve"
        until(stack, lambda: at_adobe(stack, first) == ["access"], seconds=240)
        # Links are there while it waits.
        links = api.get(f"{here}/links", params={"map_index": instance["map_index"]}).json()
        batch_page = links["extra_links"]["Privacy requests"]
        assert batch_page.startswith(f"{stack.url}/privacy/?batch=")
        assert batch_page in question["body"]
        answer_question(stack, api, question, hold=[held])
    wait_for_runs(stack, 3)
    assert stack.runs(DAG_ID)[0]["state"] == "success"
    assert at_adobe(stack, first) == ["access", "delete"]
    assert at_adobe(stack, second) == ["delete"]
    assert at_adobe(stack, held) == []
    with Ledger(f"sqlite:///{stack.home / 'privacy_ledger.db'}", actor="test") as ledger:
        [job] = ledger.people.request_jobs(held)
        assert (job.state, job.on_hold) == (JobState.RECEIVED, True)
        assert any(step.actor.startswith("user ") for step in ledger.people.history(second))


def asked_now(api: httpx.Client, stack: Stack) -> list[dict[str, Any]]:
    return questions(api, DAG_ID, stack.runs(DAG_ID)[0]["dag_run_id"])


def at_adobe(stack: Stack, request_id: str) -> list[str]:
    made = httpx.get(f"{stack.simulator_url}/_simulator/jobs", timeout=30).json()
    return sorted(job["action"] for job in made if job["key"] == request_id)


def contains(data: bytes) -> bool:
    return CANARY.encode() in data.lower()


def written(stack: Stack, home: Path) -> Iterator[tuple[str, bytes]]:
    """Everything that was written: each file's name and content, each database's values table by table."""
    fernet = Fernet(json.loads((stack.home / "keys.json").read_text())["fernet"].encode())
    yield from database(stack.metadata_url, fernet)
    inbox, results = home / "data" / "inbox", (".zip",)
    for path in home.rglob("*"):
        if not path.is_file() or stack.home / "postgres" in path.parents:
            continue
        name = str(path.relative_to(home))
        yield f"name {name}", name.encode()
        if path.suffix in results or (inbox in path.parents and path.parent.name != "rejected"):
            continue
        if path.suffix == ".db":
            yield from database(f"sqlite:///{path}", fernet)
        else:
            yield name, path.read_bytes()


def database(url: str, fernet: Fernet) -> Iterator[tuple[str, bytes]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            if table == "connection":
                continue  # where the secret belongs, encrypted
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).fetchall()
            yield (
                f"{engine.name}:{table}",
                b"\n".join(readable(value, fernet) for row in rows for value in row),
            )
    engine.dispose()


def readable(value: Any, fernet: Fernet) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    if data.startswith(b"gAAAA"):
        return fernet.decrypt(data)  # trigger arguments
    try:
        return zlib.decompress(data)  # serialised DAGs
    except zlib.error:
        return data
