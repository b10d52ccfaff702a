"""The trigger: small, serialisable, patient, and cheap."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from airflow.sdk.module_loading import import_string
from airflow.sdk.serde import deserialize, serialize

from adobe_privacy.operators.privacy_requests import CreatePrivacyJobsOperator, PlanPrivacyRequestsOperator
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger, finished_jobs
from tests.conftest import ROOT
from tests.support.privacy import World, context, request


def trigger(batch_id: str, **changes: Any) -> PrivacyJobsTrigger:
    arguments = {
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
    again = import_string(path)(**deserialize(serialize(arguments)))
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


async def test_it_fires_when_all_jobs_are_done_and_asks_for_no_detail(world: World) -> None:
    world.simulator.switch(access_delay_seconds="600", delete_delay_seconds="1200")
    batch_id = await submitted(world, *(request(number, "access", "delete") for number in range(3)))
    waiting = asyncio.create_task(event_of(trigger(batch_id)))
    await asyncio.sleep(0.5)
    assert not waiting.done()
    world.simulator.advance(700)
    await asyncio.sleep(0.5)
    assert not waiting.done(), "the deletes are still open"
    world.simulator.advance(700)
    assert await asyncio.wait_for(waiting, 10) == {"status": "finished", "batch_id": batch_id, "finished": 6}
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
