"""The approval of deletes, executed as a task would. A question's way through the UI is tests/system's."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRuntimeError,
    AirflowSkipException,
    ErrorType,
    TaskAwaitingInput,
)
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, HITLDetailRequestResult

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_approval import ApprovePrivacyDeletesOperator, is_shown
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from tests.support.privacy import DAY, World, context, request

Asked = list[dict[str, Any]]
Shown = dict[str, Any]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the UI shows, of each task instance its first question: a task without a supervisor has no API server."""
    questions: Asked = []
    shown: dict[object, tuple[object, ...]] = {}

    def is_shown(ti_id: object, **question: Any) -> bool:
        text = question["subject"], question["body"]
        if ti_id not in shown:
            questions.append(question)
            shown[ti_id] = text
        return shown[ti_id] == text

    monkeypatch.setattr("adobe_privacy.operators.privacy_approval.is_shown", is_shown)
    monkeypatch.setattr("airflow.providers.standard.operators.hitl.upsert_hitl_detail", is_shown)
    return questions


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "true")
    return world


def plan(**options: Any) -> list[str]:
    return PlanPrivacyRequestsOperator(task_id="plan").execute(context(**options))


def operator(batch_id: str) -> ApprovePrivacyDeletesOperator:
    return ApprovePrivacyDeletesOperator(task_id="approve", batch_id=batch_id)


def ask(batch_id: str, task: Any = None) -> Shown:
    """What is asked about, by the task instance with this context, or by a new one."""
    with pytest.raises(TaskAwaitingInput) as waiting:
        operator(batch_id).execute(task or context())
    assert waiting.value.method_name == "execute_complete"
    assert waiting.value.timeout == timedelta(days=7)
    return waiting.value.kwargs or {}


def answer(batch_id: str, shown: Shown, option: str = "Approve", hold: object = None) -> Any:
    event = {
        "chosen_options": [option],
        "params_input": {"hold": hold},
        "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "7", "name": "jdoe"},
        "timedout": False,
    }
    return operator(batch_id).execute_complete(context(), event=event, **shown)


def asked_while_one_was_on_hold(world: World) -> tuple[str, Shown]:
    """A batch of two deletes, and what was asked about it before DSR-2 was released."""
    world.put(request(1, "delete"), request(2, "delete"))
    [batch_id] = plan()
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        ledger.people.hold("DSR-2", "a dispute")
        shown = ask(batch_id)
        ledger.people.release("DSR-2", "settled")
    return batch_id, shown


def submit(batch_id: str) -> int:
    return CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())["submitted"]


def at_adobe(world: World) -> list[tuple[str, str]]:
    return sorted((job["key"], job["action"]) for job in world.simulator.jobs())


def test_accesses_are_sent_at_once_and_deletes_when_they_are_approved(world: World, asked: Asked) -> None:
    world.put(request(1, "access", "delete"), request(2, "delete"))
    accesses, deletes = plan()
    assert operator(accesses).execute(context()) is None
    assert submit(accesses) == 1
    shown = ask(deletes)
    assert submit(deletes) == 0, "an answer is missing"
    assert at_adobe(world) == [("DSR-1", "access")]
    [deletes] = [batch for batch in plan() if batch != accesses]
    shown = ask(deletes)
    assert answer(deletes, shown) == {"approved": 2, "on_hold": 0, "by": "jdoe", "plan": shown["plan_hash"]}
    assert submit(deletes) == 2
    assert at_adobe(world) == [("DSR-1", "access"), ("DSR-1", "delete"), ("DSR-2", "delete")]


def test_the_question_tells_counts_hash_and_where_the_list_is(
    world: World, asked: Asked, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/team")
    world.put(
        request(1, "delete", products=["analytics", "campaign"]),
        request(2, "delete", products=["analytics", "campaign"]),
    )
    [batch_id] = plan()
    shown = ask(batch_id)
    [question] = asked
    assert question["subject"] == "Send 2 deletes (gdpr) to Adobe?"
    assert question["options"] == ["Approve", "Reject"]
    assert question["defaults"] is None
    assert "| gdpr | analytics | 2 |\n| gdpr | campaign | 2 |" in question["body"]
    assert shown["plan_hash"] in question["body"]
    assert f"(https://airflow.example.com/team/privacy/?batch={batch_id})" in question["body"]
    assert list(question["params"]) == ["hold"]
    assert "DSR-2" in caplog.text
    assert "example.com" not in question["body"].replace("airflow.example.com", "")


def test_some_can_be_held(world: World) -> None:
    world.put(*(request(number, "delete") for number in range(1, 5)))
    [batch_id] = plan()
    assert answer(batch_id, ask(batch_id), hold=["DSR-2", "DSR-3, DSR-4"])["on_hold"] == 3
    assert submit(batch_id) == 1
    assert at_adobe(world) == [("DSR-1", "delete")]


def test_a_mistyped_hold_sends_nothing_and_is_asked_again(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    with pytest.raises(AirflowException, match=r"DSR-99.*asked again"):
        answer(batch_id, ask(batch_id), hold=["DSR-99"])
    assert ask(batch_id)


def test_rejected_deletes_are_on_hold_and_the_batchs_other_steps_are_skipped(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    with pytest.raises(AirflowSkipException, match="1 deletes were put on hold"):
        answer(batch_id, ask(batch_id), "Reject")
    with Ledger(world.ledger_url, actor="test") as ledger:
        [job] = ledger.people.request_jobs("DSR-1")
        assert (job.state, job.on_hold) == (JobState.RECEIVED, True)
    assert submit(batch_id) == 0
    assert plan() == []
    settle = SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id])
    assert settle.execute(context()) == {"jobs": 1, "waiting": 0, "on_hold": 1}


def test_an_answer_to_a_question_that_is_out_of_date_sends_nothing(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    with pytest.raises(AirflowException, match="not what the question showed"):
        answer(batch_id, {"plan_hash": "0" * 64, "on_hold": []})
    assert submit(batch_id) == 0


def test_a_task_that_shows_the_question_of_another_batch_asks_nothing(world: World, asked: Asked) -> None:
    """As after a whole run is cleared: Airflow keeps the text of a task's first question."""
    world.put(request(1, "delete"), request(2, "delete", regulation="ccpa"))
    first, second = plan()
    task = context()
    answer(first, ask(first, task))
    assert submit(first) == 1
    with pytest.raises(
        AirflowSkipException, match=r"shows an earlier question.*1 deletes wait for the next plan"
    ):
        operator(second).execute(task)
    assert submit(second) == 0
    [again] = [batch for batch in plan() if batch != first]
    assert again != second
    assert answer(again, ask(again))["approved"] == 1
    assert submit(again) == 1
    assert [question["subject"] for question in asked] == [
        "Send 1 delete (gdpr) to Adobe?",
        "Send 1 delete (ccpa) to Adobe?",
    ]


def test_a_task_that_shows_a_plan_of_before_asks_nothing(world: World, asked: Asked) -> None:
    world.put(request(1, "delete"), request(2, "delete"))
    [batch_id] = plan()
    task = context()
    shown = ask(batch_id, task)
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        ledger.people.close("DSR-2", "withdrawn")
    with pytest.raises(AirflowException, match="not what the question showed"):
        answer(batch_id, shown)
    with pytest.raises(AirflowSkipException, match="shows an earlier question"):
        operator(batch_id).execute(task)
    [again] = plan()
    assert answer(again, ask(again))["approved"] == 1


def test_a_task_that_is_tried_again_asks_its_question_again(world: World, asked: Asked) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    task = context()
    shown = ask(batch_id, task)
    assert ask(batch_id, task) == shown
    assert len(asked) == 1
    assert answer(batch_id, shown)["approved"] == 1


def test_what_the_question_showed_as_on_hold_is_not_approved_by_its_answer(world: World) -> None:
    """Released before the answer: nobody was asked whether it may be sent."""
    batch_id, shown = asked_while_one_was_on_hold(world)
    answered = answer(batch_id, shown)
    assert (answered["approved"], answered["on_hold"]) == (1, 0)
    assert submit(batch_id) == 1
    assert at_adobe(world) == [("DSR-1", "delete")]
    [again] = [each for each in plan() if each != batch_id]
    assert answer(again, ask(again))["approved"] == 1
    assert submit(again) == 1


def test_an_approval_of_before_does_not_send_what_the_question_showed_as_on_hold(world: World) -> None:
    batch_id, earlier = asked_while_one_was_on_hold(world)
    answer(batch_id, earlier)
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        ledger.people.hold("DSR-1", "another dispute")
        shown = ask(batch_id)
        ledger.people.release("DSR-1", "settled")
    answer(batch_id, shown)
    submit(batch_id)
    assert at_adobe(world) == [("DSR-2", "delete")]


def test_a_rejection_does_not_hold_what_the_question_showed_as_on_hold_and_was_released(world: World) -> None:
    batch_id, shown = asked_while_one_was_on_hold(world)
    assert answer(batch_id, shown, "Reject")["on_hold"] == 1
    with Ledger(world.ledger_url, actor="test") as ledger:
        [released] = ledger.people.request_jobs("DSR-2")
        assert not released.on_hold
    assert submit(batch_id) == 0
    [again] = plan()
    assert answer(again, ask(again))["approved"] == 1


def test_a_question_that_differs_in_what_is_on_hold_alone_is_another(world: World) -> None:
    world.put(request(1, "delete"), request(2, "delete"))
    [batch_id] = plan()
    task = context()
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        ledger.people.hold("DSR-2", "a dispute")
        ask(batch_id, task)
        ledger.people.release("DSR-2", "settled")
        ledger.people.hold("DSR-1", "another dispute")
    with pytest.raises(AirflowSkipException, match="shows an earlier question"):
        operator(batch_id).execute(task)


def test_an_answer_to_a_question_of_an_older_version_is_asked_for_again(world: World) -> None:
    """It did not keep what was on hold."""
    world.put(request(1, "delete"))
    [batch_id] = plan()
    task = context()
    shown = ask(batch_id, task)
    with pytest.raises(AirflowException, match="asked again"):
        answer(batch_id, {"plan_hash": shown["plan_hash"]})
    assert answer(batch_id, ask(batch_id, task))["approved"] == 1


def test_who_may_answer_is_part_of_the_question(world: World, asked: Asked) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    jdoe = {"id": "7", "name": "jdoe"}
    with pytest.raises(TaskAwaitingInput):
        ApprovePrivacyDeletesOperator(task_id="approve", batch_id=batch_id, assigned_users=[jdoe]).execute(
            context()
        )
    assert asked[0]["assigned_users"] == [jdoe]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"subject": "Send 2 deletes (ccpa) to Adobe?"}, False),
        ({"body": "another plan"}, False),
        ({"options": ["Yes", "No"]}, False),
        ({"assigned_users": []}, False),
        ({"assigned_users": [{"id": "8", "name": "another"}]}, False),
    ],
)
def test_what_airflow_shows_is_compared_with_what_is_asked(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, Any], same: bool
) -> None:
    """Airflow answers with the row that is there."""
    first: dict[str, Any] = {
        "ti_id": uuid.uuid4(),
        "subject": "Send 1 delete (gdpr) to Adobe?",
        "body": "a plan",
        "options": ["Approve", "Reject"],
        "assigned_users": [{"id": "7", "name": "jdoe"}],
    }
    supervisor = SimpleNamespace(send=lambda _: HITLDetailRequestResult(**first))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    assert is_shown(**first | other) == same


def test_an_answer_without_a_name_is_none(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    event = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": None,
    }
    with pytest.raises(AirflowException, match="names nobody"):
        operator(batch_id).execute_complete(context(), event=event, **ask(batch_id))
    assert submit(batch_id) == 0


def test_what_nobody_answers_waits_for_the_next_plan_which_asks_again(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    shown = ask(batch_id)
    event = {"error": "The response timeout has passed", "error_type": "timeout"}
    with pytest.raises(AirflowSkipException, match="1 deletes wait for the next plan"):
        operator(batch_id).execute_complete(context(), event=event, **shown)
    [again] = plan()
    assert again != batch_id
    assert answer(again, ask(again))["approved"] == 1
    assert submit(again) == 1


def test_accesses_do_not_wait_for_the_approval_of_deletes_that_were_claimed_with_them(
    world: World, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable was set between the plan and the next step."""
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "false")
    world.put(request(1, "access", "delete"))
    [both] = plan()
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "true")
    assert operator(both).execute(context()) is None
    assert asked == []
    assert submit(both) == 1
    assert at_adobe(world) == [("DSR-1", "access")]
    [deletes] = [batch for batch in plan() if batch != both]
    assert answer(deletes, ask(deletes))["approved"] == 1


def test_a_rejection_skips_nothing_that_is_at_adobe(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "false")
    world.put(request(1, "delete"), request(2, "delete"))
    [batch_id] = plan()
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.people.hold("DSR-2", "a dispute")
        first = ledger.claims.batch_jobs(batch_id)[0]
        sent = ledger.intents.intend(batch_id, [first.id], daily_limit=10)
        ledger.intents.record_submitted([(sent[0], "adobe-1")], adobe_request_id=None, reason="answer")
        ledger.people.release("DSR-2", "settled")
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "true")
    answered = answer(batch_id, ask(batch_id), "Reject")
    assert (answered["approved"], answered["on_hold"]) == (0, 1), "the batch's other steps wait for DSR-1"


def test_what_is_on_hold_goes_back_too_where_nobody_answers(world: World) -> None:
    world.put(request(1, "delete"), request(2, "delete"))
    [batch_id] = plan()
    shown = ask(batch_id)
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.people.hold("DSR-2", "a dispute")
    with pytest.raises(AirflowSkipException, match="1 deletes wait for the next plan"):
        operator(batch_id).execute_complete(
            context(), event={"error": "timeout", "error_type": "timeout"}, **shown
        )
    assert SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(context()) == {
        "jobs": 2,
        "waiting": 1,
        "on_hold": 1,
    }


def test_a_retry_and_a_clear_after_the_answer_ask_nothing(world: World, asked: Asked) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    answer(batch_id, ask(batch_id))
    assert operator(batch_id).execute(context()) is None
    submit(batch_id)
    assert operator(batch_id).execute(context()) is None
    assert len(asked) == 1


def test_an_error_that_is_sent_again_is_asked_again(world: World) -> None:
    world.simulator.scenario({"rules": [{"key": "DSR-1", "code": "1020-400"}], "default_delay_seconds": 1})
    world.put(request(1, "delete"))
    [batch_id] = plan()
    answer(batch_id, ask(batch_id))
    assert submit(batch_id) == 1
    world.simulator.advance(60)
    archive = ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id)
    assert archive.execute(context()) == {"archived": 0, "errors": 1}
    [again] = plan()
    assert submit(again) == 0
    [again] = plan()
    answer(again, ask(again))
    assert submit(again) == 1


def test_a_backfill_asks_as_well(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = PlanPrivacyRequestsOperator(task_id="plan").execute(context(run_type="backfill"))
    backfilled = CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id)
    assert backfilled.execute(context(run_type="backfill"))["carried_over"] == 1
    assert at_adobe(world) == []


@pytest.mark.parametrize(
    ("said", "asked_again"),
    [
        ({}, True),
        ({"manual__1/x": {"batch.approve_3": "failed"}}, True),
        ({"manual__1/x": {"batch.approve_3": "skipped"}}, True),
        ({"manual__1/x": {"batch.approve_3": "awaiting_input"}}, False),
        ({"manual__1/x": {"batch.approve_3": "deferred"}}, False),
        ({"manual__1/x": {"batch.approve_3": None}}, False),
        (None, False),
    ],
    ids=[
        "run deleted",
        "failed",
        "run marked",
        "waits",
        "waits before 3.3",
        "cleared",
        "Airflow does not say",
    ],
)
def test_a_question_whose_task_is_over_is_asked_again_by_the_next_plan(
    world: World, said: dict[str, Any] | None, asked_again: bool
) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    asker = context(DAY - timedelta(days=1))
    asker["ti"].run_id, asker["ti"].task_id, asker["ti"].map_index = "manual__1/x", "batch.approve", 3
    with pytest.raises(TaskAwaitingInput):
        operator(batch_id).execute(asker)
    told: list[dict[str, Any]] = []

    def states(**of: Any) -> dict[str, Any]:
        told.append(of)
        if said is None:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        return said

    tomorrow = context(DAY + timedelta(days=1))
    tomorrow["ti"].get_task_states = states
    planning = PlanPrivacyRequestsOperator(task_id="plan")
    with pytest.MonkeyPatch.context() as later:
        later.setattr("adobe_privacy.ledger.claims.ABANDONED_AFTER", timedelta(0))
        assert planning.execute(tomorrow) == ([batch_id] if asked_again else [])
    assert told == [
        {
            "dag_id": "privacy_requests",
            "run_ids": ["manual__1/x"],
            "task_ids": ["batch.approve"],
            "map_index": 3,
        }
    ]


def test_two_runs_of_one_day_ask_once(world: World, asked: Asked) -> None:
    """A run by hand beside the day's own: what the first is asking about is none of the second's."""
    world.put(request(1, "delete"))
    [batch_id] = plan()
    shown = ask(batch_id)
    second = context()
    second["ti"].run_id = "manual__2"
    second["ti"].get_task_states = lambda **_: {"first": {"approve": "awaiting_input"}}
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(second) == []
    settled = SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[]).execute(second)
    assert settled["jobs"] == 1, "it is the first run's to finish"
    assert len(asked) == 1
    assert answer(batch_id, shown)["approved"] == 1
    assert submit(batch_id) == 1


def test_two_runs_that_planned_together_ask_once(world: World, asked: Asked) -> None:
    """Both had the batch in their plans before one of them asked."""
    world.put(request(1, "delete"))
    second = context()
    second["ti"].run_id = "manual__2"
    [batch_id] = plan()
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(second) == [batch_id]
    shown = ask(batch_id)
    with pytest.raises(AirflowSkipException, match="another run asks"):
        operator(batch_id).execute(second)
    SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(second)
    assert len(asked) == 1
    assert ask(batch_id) == shown, "a task that is cleared asks its own question again"
    assert answer(batch_id, shown)["approved"] == 1
    assert submit(batch_id) == 1


def test_the_end_of_the_run_that_claimed_a_batch_leaves_anothers_question_open(
    world: World, asked: Asked
) -> None:
    """Both had the batch in their plans, and the second asked first."""
    world.put(request(1, "delete"))
    second, third = context(), context()
    second["ti"].run_id, third["ti"].run_id = "manual__2", "manual__3"
    third["ti"].get_task_states = lambda **_: {"manual__2": {"approve": "awaiting_input"}}
    [batch_id] = plan()
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(second) == [batch_id]
    with pytest.raises(TaskAwaitingInput):
        operator(batch_id).execute(second)
    with pytest.raises(AirflowSkipException, match="another run asks"):
        operator(batch_id).execute(context())
    SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(context())
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(third) == []
    assert len(asked) == 1


def test_a_timeout_that_is_heard_late_leaves_anothers_question_open(world: World, asked: Asked) -> None:
    """The first run's time was up, the second took the batch over and asks, and only then the first is woken."""
    world.put(request(1, "delete"))
    [batch_id] = plan()
    shown = ask(batch_id)
    with Ledger(world.ledger_url, actor="test") as ledger, ledger.unit.write() as session:
        session.get_one(Batch, batch_id).asked_until = datetime.now(UTC) - timedelta(seconds=1)
    second = context()
    second["ti"].run_id = "manual__2"
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(second) == [batch_id]
    with pytest.raises(TaskAwaitingInput):
        operator(batch_id).execute(second)
    event = {"error": "The response timeout has passed", "error_type": "timeout"}
    with pytest.raises(AirflowSkipException, match="another run asks"):
        operator(batch_id).execute_complete(context(), event=event, **shown)
    third = context()
    third["ti"].run_id = "manual__3"
    third["ti"].get_task_states = lambda **_: {"manual__2": {"approve": "awaiting_input"}}
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(third) == [], "the second still asks"
    assert answer(batch_id, shown)["approved"] == 1
    assert submit(batch_id) == 1


def test_a_cleared_run_asks_its_own_question_again_about_a_batch_that_it_took_over(world: World) -> None:
    world.put(request(1, "delete"))
    second = context()
    second["ti"].run_id = "manual__2"
    second["ti"].get_task_states = lambda **_: {"manual__2": {"approve": None}}
    [batch_id] = plan()
    planning = PlanPrivacyRequestsOperator(task_id="plan")
    assert planning.execute(second) == [batch_id]
    with pytest.raises(TaskAwaitingInput):
        operator(batch_id).execute(second)
    assert planning.execute(second) == [batch_id]


def test_a_run_that_ends_while_nobody_asks_any_more_tells_of_its_deletes(world: World) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    ask(batch_id)
    with pytest.raises(AirflowFailException, match="not archived yet"):
        SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(context())


def test_off_by_default_nobody_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES")
    world.put(request(1, "access", "delete"))
    [batch_id] = plan()
    assert operator(batch_id).execute(context()) is None
    assert submit(batch_id) == 2


def test_turned_off_while_a_question_is_open_the_batch_still_needs_its_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(request(1, "delete"))
    [batch_id] = plan()
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "false")
    with pytest.raises(AirflowException, match="approval of deletes was on"):
        submit(batch_id)
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        ledger.protection.accept({"approve_deletes": ""})
    assert submit(batch_id) == 0


def test_a_variable_that_is_neither_true_nor_false_sends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES", "ture")
    world.put(request(1, "delete"))
    with pytest.raises(AirflowFailException, match="privacy_approve_deletes: must be true or false"):
        plan()


def test_a_request_put_on_hold_after_planning_is_not_submitted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_VAR_PRIVACY_APPROVE_DELETES")
    world.put(request(1, "access", "delete"), request(2))
    [batch_id] = plan()
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        assert ledger.people.hold("DSR-1", "litigation") == 2
    assert submit(batch_id) == 1
    assert at_adobe(world) == [("DSR-2", "access")]
    assert plan() == [batch_id], "only what was sent is left in it"
