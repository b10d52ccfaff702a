"""The steps of a day, each executed as a task would, against the simulator."""

from __future__ import annotations

import json
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from adobe_privacy import run_notes
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Setting
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.storage import StorageUnavailable
from adobe_privacy.triggers.privacy_jobs import PrivacyJobsTrigger
from tests.support.inbox import deny
from tests.support.ledgers import counted
from tests.support.privacy import DAY, World, context, request


def plan(**params: Any) -> list[str]:
    return PlanPrivacyRequestsOperator(task_id="plan").execute(context(**params))


def create(batch_id: str) -> dict[str, int]:
    return CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())


def archive(batch_id: str) -> dict[str, int]:
    return ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())


def settle(batch_ids: list[str] | None) -> dict[str, int]:
    return SettlePrivacyRequestsOperator(task_id="settle", batch_ids=batch_ids).execute(context())


def test_a_day_goes_from_the_inbox_to_the_archive(world: World) -> None:
    world.put(request(1, "access", "delete"), request(2))
    (batch_id,) = plan()
    assert create(batch_id) == {
        "submitted": 3,
        "recognised": 0,
        "refused": 0,
        "carried_over": 0,
        "unknown": 0,
        "unreadable": 0,
    }
    world.simulator.advance(60)
    assert archive(batch_id) == {"archived": 3, "errors": 0}
    assert settle([batch_id]) == {"jobs": 3, "waiting": 0, "on_hold": 0}
    manifests = world.manifests()
    assert sorted((entry["request_id"], entry["action"]) for entry in manifests) == [
        ("DSR-1", "access"),
        ("DSR-1", "delete"),
        ("DSR-2", "access"),
    ]
    assert all(("object" in entry) == (entry["action"] == "access") for entry in manifests)


def test_an_empty_day_is_a_quick_success_that_says_so(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert plan() == []
    assert settle([]) == {"jobs": 0, "waiting": 0, "on_hold": 0}
    assert "nothing for this day" in caplog.text
    assert world.simulator.calls()["token"] == 0


@pytest.mark.parametrize("operator", [PlanPrivacyRequestsOperator, SendPrivacyOptOutsOperator])
def test_a_file_that_may_be_read_soon_is_waited_for_and_stops_nothing_in_the_end(
    world: World, operator: type[PlanPrivacyRequestsOperator | SendPrivacyOptOutsOperator]
) -> None:
    world.put(request(1), name="first.jsonl")
    world.put(request(2), name="second.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/second.jsonl", kind=StorageUnavailable)
        with pytest.raises(AirflowException, match=r"second\.jsonl") as failure:
            operator(task_id="plan").execute(context(retries=1))
        assert not isinstance(failure.value, AirflowFailException), "it is tried again"
        assert len(PlanPrivacyRequestsOperator(task_id="plan").execute(context())) == 1, "the last try"


def test_planning_a_date_again_claims_nothing_anew(world: World) -> None:
    world.put(request(1))
    (batch_id,) = plan()
    assert plan() == [batch_id]
    create(batch_id)
    create(batch_id)
    world.simulator.advance(60)
    archive(batch_id)
    assert plan() == []
    assert world.simulator.calls()["create"] == 1


def end_pause(world: World) -> None:
    """The pause that the ledger holds is over."""
    with Ledger(world.ledger_url, actor="test") as ledger, ledger.unit.write() as session:
        session.delete(session.get_one(Setting, "pause"))


@pytest.mark.parametrize("call", ["detail", "content"])
def test_archive_keeps_a_pause_that_adobe_asks_for_and_goes_on_afterwards(world: World, call: str) -> None:
    world.put(*(request(number) for number in range(40)))
    (batch_id,) = plan()
    create(batch_id)
    world.simulator.advance(60)
    world.simulator.reset_counters()
    world.simulator.switch(download_url_host="api")
    world.simulator.fault(call, "rate_limited", retry_after="4000", times=None, after=20)
    with pytest.raises(TaskDeferred) as pause:
        archive(batch_id)
    assert isinstance(pause.value.trigger, DateTimeTrigger)
    assert pause.value.trigger.moment > datetime.now(UTC) + timedelta(seconds=3000)
    assert pause.value.method_name == "after_pause"
    before = len(world.manifests())
    assert 20 <= before < 40, "what was begun is brought to its end"
    assert world.simulator.calls()[call] <= 36, "as many as were under way"
    calls = world.simulator.calls()
    for task in (
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id),
        SweepPrivacyJobsOperator(task_id="sweep"),
    ):
        with pytest.raises(TaskDeferred):
            task.execute(context())
    assert world.simulator.calls() == calls, "nobody asks Adobe for anything in the pause"
    world.simulator.clear_faults()
    end_pause(world)
    task = ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id)
    assert task.after_pause(context()) == {"archived": 40 - before, "errors": 0}


@pytest.mark.parametrize(
    ("fault", "beside", "try_number", "at_once"),
    [
        ("bit_flip", None, 3, False),
        ("bit_flip", None, 4, True),
        ("zip_slip", None, 4, True),
        ("bit_flip", "error_before", 4, False),
        ("bit_flip", "still open", 4, False),
        ("json_error_200", None, 4, False),
        ("cut_body", None, 4, False),
    ],
)
def test_a_result_that_stays_damaged_is_fetched_a_few_times(
    world: World, fault: str, beside: str | None, try_number: int, at_once: bool
) -> None:
    """The other ten tries brought the same. What may pass, beside it or instead of it, is tried as long as ever."""
    world.put(request(1), request(2))
    (batch_id,) = plan()
    if beside == "still open":
        world.simulator.scenario({"rules": [{"key": "DSR-2", "delay_seconds": 9_000_000}]})
    create(batch_id)
    world.simulator.advance(60)
    world.simulator.fault("content", fault, key="DSR-1", times=None)
    if beside == "error_before":
        world.simulator.fault("content", beside, key="DSR-2", times=None)
    of_task = context(retries=12)
    of_task["ti"].try_number = try_number
    with pytest.raises(AirflowException, match=r"[12] jobs of batch .* could not be archived") as failed:
        ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(of_task)
    assert isinstance(failed.value, AirflowFailException) == at_once
    assert len(world.manifests()) == (beside is None), "the other is archived"


def test_a_dry_run_prints_the_plan_and_keeps_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.put(request(1), {"request_id": "subject@example.com"})
    run = context(dry_run=True)
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(run) == []
    note = run["ti"].xcoms[run_notes.XCOM_KEY]
    assert note.startswith("Dry run, nothing was kept or sent.")
    assert "1 users, 1 access" in note, "the plan is the run's note"
    said = caplog.text
    assert "1 users, 1 access" in said
    assert "line 2" in said
    assert not list(world.inbox.rglob("rejected"))
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert counted(ledger) == {}


def test_max_jobs_leaves_the_rest_for_the_next_run(world: World) -> None:
    world.put(*(request(number) for number in range(5)))
    (batch_id,) = plan(max_jobs=2)
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert len(ledger.claims.batch_jobs(batch_id)) == 2
        assert counted(ledger) == {JobState.PLANNED: 2, JobState.RECEIVED: 3}


def test_a_run_of_at_most_so_many_jobs_that_is_cleared_at_its_end_sends_no_more(world: World) -> None:
    world.put(*(request(number) for number in range(2)))
    (batch_id,) = plan(max_jobs=1)
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    world.simulator.advance(60)
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    assert plan(max_jobs=1) == []
    assert len(plan(max_jobs=2)) == 1


def test_a_run_that_was_not_planned_says_so_in_place_of_its_figures_of_before(world: World) -> None:
    of_task = context()
    with pytest.raises(AirflowFailException, match="was not planned"):
        SettlePrivacyRequestsOperator(task_id="settle", batch_ids=None).execute(of_task)
    assert of_task["ti"].xcoms == {run_notes.XCOM_KEY: "Not planned: see the log of the task plan."}


def test_the_products_param_replaces_what_requests_ask_for(world: World) -> None:
    world.put(request(1))
    (batch_id,) = plan(products=["profileService"])
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.claims.batch(batch_id).products == "profileService"


@pytest.mark.parametrize(
    "empty", [{"products": ""}, {"products": " , "}, {"products": []}, {"max_jobs": ""}, {"max_jobs": " "}]
)
def test_an_argument_whose_template_came_to_nothing_plans_nothing(
    world: World, empty: dict[str, Any]
) -> None:
    world.put(request(1))
    task = PlanPrivacyRequestsOperator(task_id="plan", **empty)
    with pytest.raises(AirflowFailException, match=f"the argument {next(iter(empty))} is empty"):
        task.execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert counted(ledger) == {}


@pytest.mark.parametrize("given", [True, 2.5, "2.5", "1_0", 0])
def test_max_jobs_is_a_whole_number(world: World, given: object) -> None:
    world.put(request(1))
    with pytest.raises(AirflowFailException, match="max_jobs is not a whole number"):
        PlanPrivacyRequestsOperator(task_id="plan", max_jobs=given).execute(context())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "absent", [{"products": None, "max_jobs": None}, {"products": "None", "max_jobs": "None"}]
)
def test_an_argument_that_is_none_leaves_it_to_the_params(world: World, absent: dict[str, Any]) -> None:
    world.put(request(1))
    task = PlanPrivacyRequestsOperator(task_id="plan", **absent)
    (batch_id,) = task.execute(context(products=["profileService"], max_jobs=None))
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.claims.batch(batch_id).products == "profileService"


def test_archiving_waits_in_the_triggerer_for_jobs_that_are_not_final(world: World) -> None:
    world.simulator.switch(access_delay_seconds="1000")
    world.put(request(1))
    (batch_id,) = plan()
    create(batch_id)
    with pytest.raises(TaskDeferred) as deferral:
        archive(batch_id)
    trigger = deferral.value.trigger
    assert isinstance(trigger, PrivacyJobsTrigger)
    assert trigger.batch_id == batch_id
    assert trigger.deadline > time.time() + 40 * 86400
    assert deferral.value.method_name == "execute"


def test_one_broken_result_costs_no_other_and_is_archived_by_a_retry(world: World) -> None:
    world.put(*(request(number) for number in range(4)))
    (batch_id,) = plan()
    create(batch_id)
    world.simulator.advance(60)
    world.simulator.fault("content", "wrong_crc", times=1)
    with pytest.raises(AirflowException, match="1 jobs of batch"):
        archive(batch_id)
    assert len(world.manifests()) == 3
    assert archive(batch_id) == {"archived": 1, "errors": 0}
    assert len(world.manifests()) == 4


def test_settle_names_the_job_that_ended_in_error(world: World) -> None:
    world.simulator.scenario({"rules": [{"key": "DSR-2", "code": "1000-400"}], "default_delay_seconds": 1})
    world.put(request(1), request(2, "delete"))
    (batch_id,) = plan()
    create(batch_id)
    world.simulator.advance(60)
    assert archive(batch_id) == {"archived": 1, "errors": 1}
    run = context()
    with pytest.raises(AirflowFailException, match=r"DSR-2 \(delete.*1000-400"):
        SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(run)
    assert run["ti"].xcoms[run_notes.XCOM_KEY] == (
        "Inbox 2026-11-20: 2 jobs (1 access, 1 delete): 1 archived, 1 ended in error; "
        "1 of 1 deletes not done: 1 not done at Profile; "
        "1 taken with a warning: 1 a delete for profileService without identity and aepDataLake leaves the data that "
        "is there"
    )


@pytest.mark.parametrize("field", ["regulation", "include"])
def test_a_code_that_adobe_refuses_is_told_by_each_run_that_sends_it_until_it_is_taken(
    world: World, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    passed = timedelta()
    defaults: Any = Ledger.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "now", lambda: datetime.now(UTC) + passed)

    def run(day: date, refused: int) -> str:
        """What the run's last task fails with."""
        batches = PlanPrivacyRequestsOperator(task_id="plan").execute(context(day))
        failed: list[str] = []
        for batch_id in batches:
            try:
                CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context(day))
                world.simulator.advance(60)
                ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context(day))
            except AirflowFailException as failure:
                failed.append(str(failure))
        assert len(failed) == refused
        assert all(f"Field: {field}" in text for text in failed)
        try:
            SettlePrivacyRequestsOperator(task_id="settle", batch_ids=batches).execute(context(day))
        except AirflowFailException as failure:
            return str(failure)
        return ""

    world.simulator.fault("create", "refusal", key="DSR-2", text=f"Invalid value for `{field}`", times=None)
    world.put(request(1), request(2, "access", "delete", regulation="lgpd_bra"))
    for number in range(3):
        said = run(DAY + timedelta(days=number), 1)
        assert said.startswith("2 need a person: DSR-2 (")
        assert said.count("the whole batch was refused: by Adobe: POST /jobs") == 2
        assert "DSR-1" not in said
        passed += timedelta(hours=2)
    world.simulator.clear_faults()
    assert run(DAY + timedelta(days=3), 0) == ""
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.attention.counts()["refused_together"] == 0


@pytest.mark.parametrize(("lost", "says"), [(False, "not archived yet"), (True, "refused")])
def test_a_run_answers_for_the_batches_that_it_took_over(
    world: World, monkeypatch: pytest.MonkeyPatch, lost: bool, says: str
) -> None:
    world.put(request(1), request(2))
    batches = plan()
    later = datetime.now(UTC) + timedelta(hours=2)
    patched: Any = Ledger.__init__.__kwdefaults__
    monkeypatch.setitem(patched, "now", lambda: later)
    if lost:
        (world.inbox / f"{DAY}" / "requests.jsonl").unlink()
    next_day = DAY + timedelta(days=1)
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(context(next_day)) == batches
    create(batches[0])
    settling = SettlePrivacyRequestsOperator(task_id="settle", batch_ids=batches)
    with pytest.raises(AirflowFailException, match=rf"2 need a person: DSR-1 .access.*: {says}"):
        settling.execute(context(next_day))
    assert "access" in settling.summary, "its jobs are in the figures"


def test_settle_fails_where_there_was_no_plan(world: World) -> None:
    with pytest.raises(AirflowFailException, match="not planned"):
        settle(None)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"login": ""}, r"connection adobe_privacy_default: login .*empty"),
        ({"password": "wrong"}, "client secret|credential"),
        ({"host": "http://127.0.0.1:1/data/core/privacy"}, "connection"),
        ({"extra": {}}, r"extra\.org_id"),
    ],
)
def test_a_wrong_connection_gives_one_line_that_names_it(
    world: World, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], says: str
) -> None:
    world.put(request(1))
    good = json.loads(world.simulator.connection_json(products=["profileService"], list_lag=0, timeout=2))
    (batch_id,) = plan()
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(good | change))
    with pytest.raises(AirflowException, match=says) as failure:
        create(batch_id)
    assert "simulator-secret" not in str(failure.value)
    monkeypatch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(good))
    assert create(batch_id)["submitted"] == 1, "nothing was lost by the failure"


def test_a_missing_inbox_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_INBOX_URI", "file:///no/such/folder")
    with pytest.raises(AirflowFailException, match=r"file:///no/such/folder does not exist"):
        plan()


def test_a_backfill_leaves_a_share_of_the_day_to_the_schedule(world: World) -> None:
    connection = json.loads(world.simulator.connection_json(daily_job_limit=8, schedule_share=0.25))
    world.put(*(request(number) for number in range(10)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_ADOBE_PRIVACY_DEFAULT", json.dumps(connection))
        PlanPrivacyRequestsOperator(task_id="plan").execute(context(run_type="backfill"))
        with Ledger(world.ledger_url, actor="test") as ledger:
            assert counted(ledger) == {JobState.PLANNED: 6, JobState.RECEIVED: 4}
        PlanPrivacyRequestsOperator(task_id="plan").execute(context(run_type="scheduled"))
        with Ledger(world.ledger_url, actor="test") as ledger:
            assert counted(ledger) == {JobState.PLANNED: 8, JobState.RECEIVED: 2}
