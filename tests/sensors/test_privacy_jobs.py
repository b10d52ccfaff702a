"""The sensor, deferred and not."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowSensorTimeout, TaskDeferred

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_requests import CreatePrivacyJobsOperator, PlanPrivacyRequestsOperator
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger
from tests.support.ledgers import FakeClock
from tests.support.privacy import World, context, request


@pytest.fixture
def batch_id(world: World) -> str:
    world.simulator.set_clock(rate=0)  # its jobs are done when the test says so
    world.put(request(1), request(2, "delete"))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    return str(batch_id)


def test_it_defers_by_default_with_a_deadline_from_the_batch(world: World, batch_id: str) -> None:
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, timeout=1000)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(context())
    trigger = deferral.value.trigger
    assert isinstance(trigger, PrivacyJobsTrigger)
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert trigger.deadline == ledger.claims.batch(batch_id).created_at.timestamp() + 1000
    assert trigger.poll_interval == 0.2, "the variable privacy_poll_interval"
    assert deferral.value.timeout is None, "the trigger keeps the deadline itself"
    sensor.execute_complete(context(), {"status": "finished", "batch_id": batch_id, "finished": 2})


def test_a_batch_with_nothing_at_adobe_is_not_waited_for(world: World) -> None:
    world.put(request(1))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert PrivacyJobsSensor(task_id="wait", batch_id=batch_id).execute(context()) is None


def test_it_pokes_without_a_triggerer(world: World, batch_id: str) -> None:
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, deferrable=False, poke_interval=0.1)
    assert sensor.poke(context()) is False
    world.simulator.advance(60)
    assert sensor.poke(context()) is True
    assert world.simulator.calls()["detail"] <= 2, "of jobs that it never saw in process"


def test_poking_asks_nothing_in_a_pause_and_keeps_one_that_adobe_asks_for(
    world: World, batch_id: str
) -> None:
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, deferrable=False, poke_interval=0.1)
    world.simulator.advance(60)
    world.simulator.reset_counters()
    world.simulator.fault("list", "rate_limited", retry_after="4000")
    assert sensor.poke(context()) is False
    assert sensor.poke(context()) is False
    assert world.simulator.calls()["list"] == 1
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.limits.not_before() is not None


@pytest.mark.long  # each look tries again for some seconds
@pytest.mark.parametrize("mode", ["reschedule", "poke"])
def test_poking_waits_no_longer_for_a_job_that_alone_cannot_be_asked_for(
    world: World, batch_id: str, mode: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As the triggerer does, although a sensor that reschedules has another process for each look."""
    monkeypatch.setattr("adobe_privacy.waiting.looks.ASKED_IN_VAIN", 3)
    world.simulator.advance(60)
    world.simulator.fault("detail", "error_before", status=503, body="gateway", key="DSR-1", times=None)
    kept = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, deferrable=False)

    def look() -> bool:
        new = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, deferrable=False, mode="reschedule")
        return bool((kept if mode == "poke" else new).poke(context()))

    assert [look() for _ in range(3)] == [False, False, True]
    assert "1 jobs of batch" in caplog.text
    with Ledger(world.ledger_url, actor="test") as ledger:
        jobs = [job_id for job_id, _ in ledger.waiting.jobs(batch_id)]
        assert ledger.waiting.in_vain(jobs) == {}, "who waits anew begins anew"


def test_a_job_that_answers_again_is_counted_anew(world: World) -> None:
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.waiting.note_in_vain({}, {"job-1": 1, "job-2": 4})
        assert ledger.waiting.in_vain(["job-1", "job-3"]) == {"job-1": 1}
        ledger.waiting.note_in_vain({"job-1": 1}, {"job-1": 2})
        ledger.waiting.note_in_vain({"job-2": 4}, {})
        assert ledger.waiting.in_vain(["job-1", "job-2"]) == {"job-1": 2}


def test_what_was_asked_for_in_vain_by_an_earlier_wait_is_not_counted(world: World) -> None:
    """A wait that is killed leaves its counts."""
    clock = FakeClock()
    with Ledger(world.ledger_url, actor="test", now=clock) as ledger:
        ledger.waiting.note_in_vain({}, {"job-1": 9})
        clock.advance(minutes=59)
        assert ledger.waiting.in_vain(["job-1"]) == {"job-1": 9}
        clock.advance(minutes=2)
        assert ledger.waiting.in_vain(["job-1"]) == {}
        assert ledger.waiting.in_vain(["job-1"], within=timedelta(hours=3)) == {"job-1": 9}


def test_what_was_asked_for_in_vain_is_not_kept_for_ever(world: World) -> None:
    clock = FakeClock()
    with Ledger(world.ledger_url, actor="test", now=clock) as ledger:
        ledger.waiting.note_in_vain({}, {"job-1": 9})
        clock.advance(days=8)
        ledger.waiting.note_in_vain({}, {"job-2": 1})
        assert ledger.waiting.in_vain(["job-1", "job-2"], within=timedelta(days=30)) == {"job-2": 1}


def test_poking_ends_at_the_timeout(world: World) -> None:
    world.simulator.switch(jobs_never_finish=True)
    world.put(request(1))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    sensor = PrivacyJobsSensor(
        task_id="wait", batch_id=batch_id, deferrable=False, poke_interval=0.1, timeout=0.3
    )
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute(context())


def test_in_a_backfill_it_waits_for_two_minutes_and_succeeds_with_what_is_done(
    world: World, batch_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_POLL_INTERVAL", "300")
    backfill = context(run_type="backfill")
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id)
    with pytest.raises(TaskDeferred) as deferral:
        sensor.execute(backfill)
    trigger = deferral.value.trigger
    assert isinstance(trigger, PrivacyJobsTrigger)
    assert 60 < trigger.deadline - time.time() <= 120
    assert trigger.poll_interval == 30, "it looks several times within its patience"
    timeout = {"status": "timeout", "batch_id": batch_id}
    sensor.execute_complete(backfill, timeout)
    with pytest.raises(AirflowException, match="did not finish every job in time"):
        sensor.execute_complete(context(), timeout)


def test_in_a_backfill_poking_ends_well_after_two_minutes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.simulator.switch(access_delay_seconds="1000")
    world.put(request(1))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_BACKFILL_PATIENCE", "600")
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, deferrable=False)
    assert sensor.poke(context(run_type="backfill")) is False
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_BACKFILL_PATIENCE", "0.001")
    sensor = PrivacyJobsSensor(task_id="wait", batch_id=batch_id, deferrable=False)
    assert sensor.poke(context(run_type="backfill")) is True
    assert sensor.poke(context()) is False
