"""Two Adobe organisations in one Airflow, with two simulators that share nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scripts.stack import Stack
from tests.support.airflow import let_the_schedule_go_first, until
from tests.support.simulator import Simulator, running_simulator

pytestmark = pytest.mark.timeout(1200)

DAY = str(datetime.now(UTC).date() - timedelta(days=3))
NAMES = ("eu", "us")


def switches(name: str) -> dict[str, str]:
    """Another organisation, and another credential."""
    return {"org_id": f"{name}@AdobeOrg", "client_id": f"{name}-client", "client_secret": f"{name}-secret"}


@pytest.fixture(scope="module")
def simulators() -> Iterator[dict[str, Simulator]]:
    with (
        running_simulator(switches=switches("EU")) as eu,
        running_simulator(switches=switches("US")) as us,
    ):
        yield {"eu": eu, "us": us}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, simulators: dict[str, Simulator]) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("organisations")
    environment = {
        "AIRFLOW__ADOBE_PRIVACY__ORGANISATIONS": ", ".join(NAMES),
        "AIRFLOW__CORE__PARALLELISM": "4",
    }
    for name, simulator in simulators.items():
        for place in ("inbox", "archive"):
            (home / name / place).mkdir(parents=True)
            environment[f"AIRFLOW__ADOBE_PRIVACY__{name.upper()}_{place.upper()}_URI"] = (
                f"file://{home / name / place}"
            )
        ledger = {"conn_type": "sqlite", "host": str(home / name / "ledger.db")}
        environment[f"AIRFLOW_CONN_PRIVACY_LEDGER_{name.upper()}"] = json.dumps(ledger)
        environment[f"AIRFLOW_CONN_ADOBE_PRIVACY_{name.upper()}"] = simulator.connection_json(list_lag=0)
    with Stack(
        home / "airflow",
        home / "data",
        port=19180,
        simulator_arguments=("--port", "0"),
        environment=environment,
    ) as stack:
        yield stack
    shutil.rmtree(home, ignore_errors=True)


def key(name: str) -> str:
    return f"DSR-1-{name.upper()}"


def arrives(stack: Stack, name: str, request_id: str) -> None:
    folder = stack.home.parent / name / "inbox" / DAY
    folder.mkdir(exist_ok=True)
    line = {
        "request_id": request_id,
        "regulation": "gdpr",
        "actions": ["delete"],
        "identities": [{"namespace": "email", "value": "subject@example.com"}],
        "products": ["profileService"],
    }
    (folder / "requests.jsonl").write_text(json.dumps(line) + "\n")


def runs_end(stack: Stack, name: str) -> None:
    dag_id = f"privacy_requests_{name}"
    let_the_schedule_go_first(stack, dag_id)
    arrives(stack, name, key(name))
    stack.backfill(dag_id, DAY, DAY)

    def found() -> list[dict[str, Any]]:
        return [run for run in stack.runs(dag_id) if str(run["logical_date"]).startswith(DAY)]

    until(stack, lambda: [run["state"] for run in found()] in (["success"], ["failed"]))
    assert [run["state"] for run in found()] == ["success"], stack.task_states(
        dag_id, found()[0]["dag_run_id"]
    )


def test_each_request_goes_to_its_own_organisation(stack: Stack, simulators: dict[str, Simulator]) -> None:
    for name in NAMES:
        stack.wait_for_dag(f"privacy_alarms_{name}")
        runs_end(stack, name)
    for name, simulator in simulators.items():
        assert [job["key"] for job in simulator.jobs()] == [key(name)]
        archive = stack.home.parent / name / "archive"
        manifests = [json.loads(path.read_text()) for path in archive.rglob("manifest.json")]
        assert [manifest["request_id"] for manifest in manifests] == [key(name)]
    assert Simulator(stack.simulator_url).jobs() == [], "the default organisation was asked"
    assert not list((stack.data / "archive").iterdir())


def test_the_page_and_the_commands_show_one_at_a_time(stack: Stack) -> None:
    with stack.api() as api:
        for name, other in (NAMES, NAMES[::-1]):
            page = api.get(f"{stack.url}/privacy/organisations/{name}/?state=all").raise_for_status().text
            assert key(name) in page
            assert key(other) not in page
            printed = stack.airflow("privacy", "show", key(name), "--organisation", name, "--json")
            assert '"archived"' in printed


def test_archive_and_ledger_refuse_another_organisations_connection(stack: Stack) -> None:
    there = stack.environment["AIRFLOW_CONN_ADOBE_PRIVACY_US"]
    with changed(stack, AIRFLOW_CONN_ADOBE_PRIVACY_EU=there):
        told = tried(stack, "privacy_requests_eu", "plan")
        assert "eu/archive belongs to the organisation EU@AdobeOrg" in told
        assert "the connection to Adobe is that of US@AdobeOrg" in told
        # An archive that is nobody's yet: the ledger is asked.
        new = stack.home.parent / "eu" / "new-archive"
        new.mkdir()
        with changed(stack, AIRFLOW__ADOBE_PRIVACY__EU_ARCHIVE_URI=f"file://{new}"):
            told = tried(stack, "privacy_requests_eu", "plan")
    assert "the ledger belongs to the organisation EU@AdobeOrg" in told
    assert "the connection to Adobe is that of US@AdobeOrg" in told
    assert list(new.iterdir()) == []


@contextmanager
def changed(stack: Stack, **environment: str) -> Iterator[None]:
    before = dict(stack.environment)
    stack.environment.update(environment)
    try:
        yield
    finally:
        stack.environment = before


def tried(stack: Stack, dag_id: str, task_id: str) -> str:
    """All that `airflow tasks test` says. It ends with 0 whatever became of the task (3.3.2)."""
    log = stack.logs / "commands.log"
    before = log.stat().st_size
    told = stack.airflow("tasks", "test", dag_id, task_id, DAY)
    return told + log.read_bytes()[before:].decode()
