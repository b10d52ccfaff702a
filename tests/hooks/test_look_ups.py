"""Every look-up of every setting fails, one at a time and all at once: nothing is sent, stored, erased or made then."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import BaseHook, Variable
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
)
from pyrage import x25519

from adobe_privacy.hooks.ledger import shared_ledger
from adobe_privacy.hooks.look_ups import alook_up_connection, look_up_connection, look_up_variable
from adobe_privacy.hooks.settings import read_settings
from adobe_privacy.ledger.database import LedgerError
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.operators.privacy_alarms import PrivacyAlarmsOperator
from adobe_privacy.operators.privacy_approval import ApprovePrivacyDeletesOperator
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_retention import (
    CleanUpPrivacyArchiveOperator,
    ErasePrivacyResultsOperator,
    VerifyPrivacyArchiveOperator,
)
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.sensors.privacy_jobs import PrivacyJobsSensor
from adobe_privacy.settings import VARIABLES, LookUpFailed
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger
from tests.support.look_ups import Stored, looked_up_in_the_execution_api, looked_up_in_vault
from tests.support.privacy import World, context, long_ago, request

SET = {
    "privacy_approve_deletes": "true",
    "privacy_archive_options": '{"key_conn_id": "the_key"}',
    "privacy_legal_clocks": json.dumps({"ccpa": {"answer": {"amount": 5, "unit": "calendar days"}}}),
    "privacy_retention_days": '{"gdpr": 1, "ccpa": 1}',
}
NAMES = ("adobe_privacy_default", "privacy_ledger", "the_key", *VARIABLES)
CASES = [*((name,) for name in NAMES), NAMES]


@pytest.fixture(params=["a secrets backend that raises", "the execution API answers 503"])
def stored(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stored]:
    """The world's settings, and all that protect, where their look-up can be made to fail."""
    ways = {"a secrets backend that raises": looked_up_in_vault}
    monkeypatch.setenv("AIRFLOW_HOME", str(world.folder / "home"))
    with ways.get(request.param, looked_up_in_the_execution_api)(monkeypatch) as stored:
        for name, value in sorted(os.environ.items()):
            if name.startswith("AIRFLOW_CONN_"):
                stored.connections[name.removeprefix("AIRFLOW_CONN_").lower()] = json.loads(value)
            elif name.startswith("AIRFLOW_VAR_"):
                stored.variables[name.removeprefix("AIRFLOW_VAR_").lower()] = value
            else:
                continue
            monkeypatch.delenv(name)
        for connection in stored.connections.values():
            # As Airflow keeps it: text.
            connection["extra"] = json.dumps(connection.get("extra") or {})
        recipient = str(x25519.Identity.generate().to_public())
        stored.connections["the_key"] = {
            "conn_type": "generic",
            "extra": json.dumps({"recipients": recipient}),
        }
        stored.variables |= SET
        yield stored


def steps(batch_id: str, deletes: str = "") -> dict[str, Callable[[], Any]]:
    """Every task of every DAG, and a wait that holds its worker; `deletes` is a batch that a person must approve."""
    deletes = deletes or batch_id
    return {
        "plan": lambda: PlanPrivacyRequestsOperator(task_id="t").execute(context()),
        "approve": lambda: ApprovePrivacyDeletesOperator(task_id="t", batch_id=deletes).execute(context()),
        "submit": lambda: CreatePrivacyJobsOperator(task_id="t", batch_id=deletes).execute(context()),
        "wait": lambda: PrivacyJobsSensor(task_id="t", batch_id=batch_id).execute(context()),
        "poke": lambda: PrivacyJobsSensor(task_id="t", batch_id=batch_id).poke(context()),
        "archive": lambda: ArchivePrivacyResultsOperator(task_id="t", batch_id=batch_id).execute(context()),
        "settle": lambda: SettlePrivacyRequestsOperator(task_id="t", batch_ids=[batch_id]).execute(context()),
        "opt-outs": lambda: SendPrivacyOptOutsOperator(task_id="t").execute(context()),
        "sweep": lambda: SweepPrivacyJobsOperator(task_id="t").execute(context()),
        "erase": lambda: ErasePrivacyResultsOperator(task_id="t").execute(context()),
        "clean up": lambda: CleanUpPrivacyArchiveOperator(task_id="t", older_than_days=0).execute(context()),
        "verify": lambda: VerifyPrivacyArchiveOperator(task_id="t").execute(context()),
        "alarms": lambda: PrivacyAlarmsOperator(task_id="t").execute(context()),
    }


def seen(world: World) -> dict[str, Any]:
    return {
        "sent": sorted((job["key"], job["action"]) for job in world.simulator.jobs()),
        "opt-outs": world.simulator.consents()["count"],
        "archive": sorted(str(path) for path in world.archive.rglob("*") if path.is_file()),
        "ledgers": sorted(path.name for path in world.folder.rglob("*.db")),
    }


def a_day_is_under_way(world: World) -> list[str]:
    """Two access requests are archived, one of them on hold; a delete waits. The batches of both."""
    with long_ago(world):
        world.put(request(1), request(2, "delete"), request(3))
        batches: list[str] = steps("")["plan"]()
        steps(batches[0])["submit"]()
        world.simulator.advance(60)
        steps(batches[0])["archive"]()
    with Ledger(world.ledger_url, actor="user counsel") as ledger:
        ledger.people.hold("DSR-1", "litigation")
    return batches


def arrive(world: World) -> None:
    opt_out = request(6, "opt_out_of_sale", regulation="ccpa")
    world.put(request(4), request(5, "delete"), opt_out, name="more.jsonl")


@pytest.mark.parametrize("under_way", [True, False], ids=["a day is under way", "the very first run"])
def test_a_look_up_that_fails_stops_every_task_before_it_does_anything(
    world: World, stored: Stored, under_way: bool
) -> None:
    batches = a_day_is_under_way(world) if under_way else ["20261120-gdpr-1"]
    arrive(world)
    before = seen(world)
    assert not under_way or [name for name in before["archive"] if name.endswith(".zip.age")]
    print(f"\n{'look-up that fails':26} {' '.join(f'{step:8}' for step in steps(*batches))} afterwards")
    for failing in CASES:
        stored.failing = set(failing)
        cells = []
        for step, run in steps(*batches).items():
            with pytest.raises(AirflowException) as stopped:
                run()
            text = str(stopped.value)
            assert "could not be looked up" in text, step
            assert any(name in text for name in failing), step
            assert not isinstance(stopped.value, AirflowFailException), "it may answer at the next try"
            assert "\n" not in text
            assert "canary" not in text
            cells.append("stopped ")
        unchanged = seen(world) == before
        name = failing[0] if len(failing) == 1 else "all at once"
        print(
            f"{name:26} {' '.join(cells)} {'nothing sent, stored, erased or made' if unchanged else seen(world)}"
        )
        assert unchanged, failing


@pytest.mark.parametrize("stored", ["the execution API answers 404"], indirect=True)
@pytest.mark.parametrize(
    ("missing", "stopping"),
    [
        (
            "adobe_privacy_default",
            "plan approve submit wait poke archive settle opt-outs sweep erase verify alarms",
        ),
        ("the_key", "plan approve submit wait poke archive settle opt-outs sweep erase verify alarms"),
        ("privacy_ledger", "plan submit archive opt-outs sweep"),
        ("privacy_inbox_uri", "plan submit opt-outs"),
        ("privacy_archive_uri", "submit archive sweep erase verify"),
    ],
)
def test_what_is_needed_and_not_there_may_be_there_at_the_next_try(
    world: World, stored: Stored, missing: str, stopping: str
) -> None:
    """Airflow's API server answers 404 for everything while its own database is away."""
    batches = a_day_is_under_way(world)
    arrive(world)
    before = seen(world)
    stored.connections.pop(missing, None)
    stored.variables.pop(missing, None)
    for step in stopping.split():
        with pytest.raises(AirflowException) as stopped:
            steps(*batches)[step]()
        assert not isinstance(stopped.value, AirflowFailException), (step, stopped.value)
    assert seen(world) == before


def test_the_same_tasks_act_once_every_look_up_answers(world: World, stored: Stored) -> None:
    a_day_is_under_way(world)
    arrive(world)
    before = seen(world)
    for batch_id in steps("")["plan"]():
        steps(batch_id)["submit"]()
    for step in ("opt-outs", "erase"):
        steps(batch_id)[step]()
    after = seen(world)
    assert set(after["sent"]) - set(before["sent"]) == {("DSR-4", "access")}, "the delete waits for a person"
    assert after["opt-outs"] == before["opt-outs"] + 1
    assert set(before["archive"]) - set(after["archive"]), "what is not on hold was erased"


def test_what_a_look_up_answers_is_what_airflow_answers(stored: Stored) -> None:
    for name in stored.connections:
        found, theirs = look_up_connection(name), BaseHook.get_connection(name)
        assert found is not None
        assert (found.conn_id, found.conn_type, found.host) == (name, theirs.conn_type, theirs.host)
        assert (found.login, found.password, found.extra) == (theirs.login, theirs.password, theirs.extra)
        assert asyncio.run(alook_up_connection(name)) == found
    for name, value in stored.variables.items():
        assert look_up_variable(name) == Variable.get(name) == value
    assert look_up_connection("absent") is None
    assert look_up_variable("absent") is None
    assert asyncio.run(alook_up_connection("absent")) is None
    stored.failing = {"the_key", "privacy_retention_days"}
    # Why the look-ups are our own: Airflow says of both that they do not exist.
    with pytest.raises(AirflowNotFoundException):
        BaseHook.get_connection("the_key")
    assert Variable.get("privacy_retention_days", default="absent") == "absent"
    with pytest.raises(LookUpFailed, match=r"connection the_key could not be looked up: .* failed"):
        asyncio.run(alook_up_connection("the_key"))


def test_a_value_behind_a_backend_that_fails_is_not_taken_instead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with looked_up_in_vault(monkeypatch) as stored:
        stored.variables["privacy_approve_deletes"] = "true"
        monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "false")
        stored.failing = {"privacy_approve_deletes"}
        assert Variable.get("privacy_approve_deletes") == "false", "Airflow asks the environment next"
        with pytest.raises(LookUpFailed):
            read_settings()


def test_a_wait_lasts_through_look_ups_that_fail_and_makes_no_ledger(world: World, stored: Stored) -> None:
    batch_id, _ = a_day_is_under_way(world)
    before = seen(world)

    async def wait(failing: str) -> Any:
        stored.failing = {failing}
        trigger = PrivacyJobsTrigger(
            batch_id=batch_id,
            adobe_privacy_conn_id="adobe_privacy_default",
            ledger_conn_id="privacy_ledger",
            poll_interval=0.01,
            deadline=time.time() + 60,
        )
        failures = 0

        def slept(_seconds: float) -> Any:
            nonlocal failures
            failures += 1
            if failures == 3:
                stored.failing = set()
            return real(0)

        real = asyncio.sleep
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("adobe_privacy.triggers.privacy_jobs.asyncio.sleep", slept)
            async for event in trigger.run():
                return event.payload

    for name in ("adobe_privacy_default", "privacy_ledger"):
        assert asyncio.run(wait(name))["status"] == "finished"
    assert seen(world) == before


def test_a_trigger_makes_no_ledger(world: World, stored: Stored) -> None:
    async def read() -> None:
        async with shared_ledger("privacy_ledger"):
            raise AssertionError("it was opened")

    with pytest.raises(LedgerError, match="there is no ledger"):
        asyncio.run(read())
    assert list(world.folder.rglob("*.db")) == []
