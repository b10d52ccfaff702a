"""The trigger: small, serialisable, patient, and cheap."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.module_loading import import_string
from airflow.sdk.serde import deserialize, serialize
from sqlalchemy import insert, make_url

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    run_of,
)
from adobe_privacy.reporting.run_report import settle
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger, finished_jobs
from adobe_privacy.waiting.looks import OpenJobsList
from tests.conftest import ROOT
from tests.support.privacy import DAY, World, context, request


def trigger(batch_id: str, **changes: Any) -> PrivacyJobsTrigger:
    arguments: dict[str, Any] = {
        "batch_id": batch_id,
        "adobe_privacy_conn_id": "adobe_privacy_default",
        "ledger_conn_id": "privacy_ledger",
        "poll_interval": 0.05,
        "deadline": time.time() + 60,
    }
    return PrivacyJobsTrigger(**(arguments | changes))


async def submitted(world: World, *requests: dict[str, Any]) -> str:
    def steps() -> str:
        world.put(*requests)
        (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
        CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
        return str(batch_id)

    return await asyncio.to_thread(steps)


async def event_of(waiting: PrivacyJobsTrigger) -> dict[str, Any]:
    events = [event async for event in waiting.run()]
    assert len(events) == 1, "one event, then the end"
    return dict(events[0].payload)


def test_it_is_rebuilt_from_what_it_serialises() -> None:
    original = trigger("b1", first_look_after=3.0)
    path, arguments = original.serialize()
    again = import_string(path)(**cast(dict[str, Any], deserialize(serialize(arguments))))
    assert type(again) is PrivacyJobsTrigger
    assert again.serialize() == original.serialize()


def test_it_can_be_imported_in_a_bare_process() -> None:
    path, _ = trigger("b1").serialize()
    module = path.rpartition(".")[0]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'plugins'); import {module}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        # What is waited for happens in another process.
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def more_looks(world: World, count: int = 2) -> Callable[[], bool]:
    """Whether so many looks have begun since now, the last of which sees what is true now."""
    goal = world.simulator.calls()["list"] + 2 * count
    return lambda: world.simulator.calls()["list"] >= goal


async def test_it_fires_when_all_jobs_are_done_without_a_single_detail(world: World) -> None:
    world.simulator.switch(access_delay_seconds="600", delete_delay_seconds="1200")
    batch_id = await submitted(world, *(request(number, "access", "delete") for number in range(3)))
    world.simulator.advance(10)
    waiting = asyncio.create_task(event_of(trigger(batch_id)))
    await until(more_looks(world))
    assert not waiting.done()
    world.simulator.advance(700)
    await until(more_looks(world))
    assert not waiting.done(), "the deletes are still open"
    world.simulator.advance(700)
    assert await asyncio.wait_for(waiting, 60) == {"status": "finished", "batch_id": batch_id, "finished": 6}
    assert world.simulator.calls()["detail"] == 0


async def test_an_outage_slows_it_down_and_ends_nothing(world: World) -> None:
    batch_id = await submitted(world, request(1))
    world.simulator.advance(60)
    world.simulator.fault("list", "error_before", status=503, times=2)
    assert (await asyncio.wait_for(event_of(trigger(batch_id)), 30))["status"] == "finished"


async def test_the_deadline_is_a_moment_not_a_duration(world: World) -> None:
    world.simulator.switch(jobs_never_finish=True)
    batch_id = await submitted(world, request(1))
    event = await asyncio.wait_for(event_of(trigger(batch_id, deadline=time.time() + 0.3)), 10)
    assert event == {"status": "timeout", "batch_id": batch_id}


async def test_a_batch_without_open_jobs_fires_at_once(world: World) -> None:
    def plan() -> str:
        world.put(request(1))
        return str(PlanPrivacyRequestsOperator(task_id="plan").execute(context())[0])

    batch_id = await asyncio.to_thread(plan)
    assert (await asyncio.wait_for(event_of(trigger(batch_id)), 10))["status"] == "finished"
    assert world.simulator.calls()["list"] == 0


async def test_a_wrong_connection_is_told_not_retried_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", '{"conn_type": "adobe_privacy", "login": "x"}')
    event = await asyncio.wait_for(event_of(trigger("b1")), 10)
    assert event["status"] == "error"
    assert "extra.org_id" in event["message"]


@pytest.mark.parametrize("event", [{"status": "timeout"}, {"status": "error", "message": "x"}, {}])
def test_any_other_event_fails_the_task(event: dict[str, Any]) -> None:
    with pytest.raises(AirflowException):
        finished_jobs(event)


def put_at_adobe(world: World, *, batches: int, jobs: int, url: str | None = None) -> list[str]:
    """Batches whose jobs are at Adobe, in process for another fortnight; in the ledger as if submitted."""
    ids = world.simulator.create_jobs(
        count=batches * jobs,
        products=["profileService"],
        key="DSR-{n}",
        created_at=(datetime.now(UTC) - timedelta(minutes=10)).isoformat(),
        completed_at=(datetime.now(UTC) + timedelta(days=14)).isoformat(),
    )
    submitted_at = datetime.now(UTC) - timedelta(minutes=10)
    names = [f"batch-{number}" for number in range(batches)]
    with Ledger(url or world.ledger_url, actor="test") as ledger, ledger.unit.engine.begin() as connection:
        connection.execute(
            insert(Batch),
            [
                {
                    "id": name,
                    "regulation": "gdpr",
                    "products": "profileService",
                    "inbox_date": DAY,
                    "run_id": "run",
                    "created_at": submitted_at,
                }
                for name in names
            ],
        )
        connection.execute(
            insert(Job),
            [
                {
                    "request_id": f"DSR-{number}",
                    "regulation": "gdpr",
                    "action": "access",
                    "part": 1,
                    "key": f"DSR-{number}",
                    "fingerprint": "f" * 64,
                    "source": "requests.jsonl",
                    "inbox_date": DAY,
                    "received_at": submitted_at,
                    "due_on": DAY,
                    "state": JobState.SUBMITTED,
                    "batch_id": names[number % batches],
                    "submitted_at": submitted_at,
                    "adobe_job_id": job_id,
                }
                for number, job_id in enumerate(ids)
            ],
        )
    return names


async def test_ten_thousand_open_jobs_in_fifty_batches_cost_a_dozen_list_calls_a_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await asyncio.to_thread(put_at_adobe, world, batches=50, jobs=200)
    calls: list[int] = []
    look = OpenJobsList.look

    async def counted(*arguments: Any, **options: Any) -> Any:
        before = await asyncio.to_thread(world.simulator.calls)
        listed = await look(*arguments, **options)
        calls.append((await asyncio.to_thread(world.simulator.calls))["list"] - before["list"])
        return listed

    monkeypatch.setattr(OpenJobsList, "look", counted)
    waiting = [asyncio.create_task(event_of(trigger(name, poll_interval=1.0))) for name in names]
    await until(lambda: len(calls) >= 6)
    assert max(calls) <= 12, calls
    counters = await asyncio.to_thread(world.simulator.counters)
    assert counters["calls"]["detail"] == 0
    assert counters["tokens_issued"] == 1, "one client for all"
    assert not any(task.done() for task in waiting)
    await asyncio.to_thread(world.simulator.advance, 15 * 86400)
    events = await asyncio.wait_for(asyncio.gather(*waiting), 60)
    assert {(event["status"], event["finished"]) for event in events} == {("finished", 200)}
    assert world.simulator.calls()["detail"] == 0


async def test_another_triggerer_takes_over_where_one_was_stopped(world: World) -> None:
    batch_id = await submitted(world, *(request(number) for number in range(20)))
    first = asyncio.create_task(event_of(trigger(batch_id)))
    await asyncio.sleep(0.2)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    world.simulator.advance(60)
    event = await asyncio.wait_for(event_of(trigger(batch_id)), 60)
    assert event == {"status": "finished", "batch_id": batch_id, "finished": 20}
    assert world.simulator.calls()["detail"] <= 5, "a few of those that it never saw open"


async def test_jobs_that_no_list_shows_are_asked_for_singly_a_few_at_a_time(world: World) -> None:
    # Under this reading of Adobe's date filters, unfinished jobs are in no list.
    world.simulator.switch(list_dates="completed", access_delay_seconds="600")
    batch_id = await submitted(world, *(request(number) for number in range(20)))
    waiting = asyncio.create_task(event_of(trigger(batch_id, poll_interval=0.3)))
    await until(more_looks(world))
    # The first of them may still be asking.
    await until(lambda: world.simulator.calls()["detail"] > 0)
    assert not waiting.done()
    calls = world.simulator.calls()
    assert 0 < calls["detail"] <= 5 * calls["list"]
    world.simulator.advance(700)
    assert (await asyncio.wait_for(waiting, 60))["finished"] == 20


# What a proxy answers for one job, and what Adobe may.
DENIALS: list[tuple[str, dict[str, Any]]] = [
    ("error_before", {"status": 403, "body": "html"}),
    ("error_before", {"status": 404, "body": "html"}),
    ("error_before", {"status": 403, "body": "json"}),
    ("error_before", {"status": 401, "body": "json"}),
    ("error_before", {"status": 400, "body": "html"}),
    ("error_before", {"status": 503, "body": "gateway"}),
    ("not_json", {}),
]


def archive(batch_id: str) -> dict[str, int]:
    return ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())


@pytest.mark.parametrize(("kind", "options"), DENIALS)
async def test_a_job_that_cannot_be_asked_for_costs_itself_only(
    world: World,
    kind: str,
    options: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of what may pass. Each look takes seconds.
    monkeypatch.setattr("adobe_privacy.waiting.looks.ASKED_IN_VAIN", 2)
    batch_id = await submitted(world, *(request(number) for number in range(3)))
    world.simulator.advance(60)
    world.simulator.fault("detail", kind, key="DSR-1", times=None, **options)
    event = await asyncio.wait_for(event_of(trigger(batch_id)), 55)
    assert (event["status"], event["finished"]) == ("finished", 2)
    [job_id] = event["denied"]
    assert job_id in caplog.text
    with pytest.raises(AirflowException, match="1 jobs of batch"):
        await asyncio.to_thread(archive, batch_id)
    assert "Adobe no longer knows" not in caplog.text
    assert sorted(each["request_id"] for each in world.manifests()) == ["DSR-0", "DSR-2"]
    with Ledger(world.ledger_url, actor="test") as ledger:
        settlement = settle(ledger, run_id=run_of(context()), inbox_date=DAY)
    assert [name for name in settlement.named if job_id in name]
    assert settlement.problems == 1
    world.simulator.clear_faults()
    assert await asyncio.to_thread(archive, batch_id) == {"archived": 1, "errors": 0}


@pytest.mark.parametrize(("kind", "options"), DENIALS[:3])
async def test_where_no_job_can_be_asked_for_the_wait_fails(
    world: World, kind: str, options: dict[str, Any]
) -> None:
    batch_id = await submitted(world, *(request(number) for number in range(12)))
    world.simulator.advance(60)
    world.simulator.fault("detail", kind, times=None, **options)
    event = await asyncio.wait_for(event_of(trigger(batch_id)), 30)
    assert event["status"] == "error"


async def test_a_connection_that_is_not_found_for_a_while_ends_no_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await submitted(world, request(1))
    world.simulator.advance(60)
    good = os.environ["AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT")
    waiting = asyncio.create_task(event_of(trigger(batch_id, poll_interval=1.0)))
    await asyncio.sleep(1.5)
    assert not waiting.done()
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", good)
    assert (await asyncio.wait_for(waiting, 60))["status"] == "finished"


async def test_no_ledger_is_made_where_its_connection_is_not_found(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.delenv("AIRFLOW_CONN_PRIVACY_LEDGER")
    event = await asyncio.wait_for(event_of(trigger("b1")), 30)
    assert event["status"] == "error"
    assert "connection privacy_ledger is absent or could not be looked up" in event["message"]
    assert not list(tmp_path.glob("*.db"))


async def test_a_mended_connection_is_taken_up_while_it_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await submitted(world, request(1))
    world.simulator.advance(60)
    good = os.environ["AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT"]
    monkeypatch.setenv(
        "AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(json.loads(good) | {"password": "of yesterday"})
    )
    waiting = asyncio.create_task(event_of(trigger(batch_id, poll_interval=0.5)))
    await until(lambda: world.simulator.calls()["token"] >= 2)
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", good)
    assert (await asyncio.wait_for(waiting, 60))["status"] == "finished"


def _postgres_connection(url: str) -> str:
    parsed = make_url(url)
    return json.dumps(
        {
            "conn_type": "postgres",
            "host": parsed.query["host"],
            "login": parsed.username,
            "schema": parsed.database,
        }
    )


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_triggerer_that_waits_for_many_batches_has_few_connections(
    world: World, database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = world.ledger_url
    if database == "postgres":
        url = request.getfixturevalue("postgres").empty_ledger()
        monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", _postgres_connection(url))
    names = await asyncio.to_thread(put_at_adobe, world, batches=150, jobs=1, url=url)
    before = len(os.listdir("/proc/self/fd"))
    waiting = [asyncio.create_task(event_of(trigger(name, poll_interval=0.5))) for name in names]
    await until(more_looks(world, 3))
    descriptors = len(os.listdir("/proc/self/fd")) - before
    assert not any(task.done() for task in waiting)
    if database == "postgres":
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            [others] = connection.execute(f"{count} AND pid <> pg_backend_pid()").fetchone() or (None,)
        assert others <= 5
    assert descriptors <= 50
    await asyncio.to_thread(world.simulator.advance, 15 * 86400)
    events = await asyncio.wait_for(asyncio.gather(*waiting), 60)
    assert {event["status"] for event in events} == {"finished"}


async def test_a_ledger_that_does_not_answer_at_the_start_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await submitted(world, request(1))
    world.simulator.advance(60)
    good = os.environ["AIRFLOW_CONN_PRIVACY_LEDGER"]
    away = {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "login": "nobody", "schema": "ledger"}
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", json.dumps(away))
    waiting = asyncio.create_task(event_of(trigger(batch_id, poll_interval=1.0)))
    await asyncio.sleep(1.5)
    assert not waiting.done()
    monkeypatch.setenv("AIRFLOW_CONN_PRIVACY_LEDGER", good)
    assert (await asyncio.wait_for(waiting, 60))["status"] == "finished"
