"""Opt-outs of sale, sent as the DAG's task would, to the simulator."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from adobe_privacy.api.errors import OutcomeUnknown
from adobe_privacy.api.models import ConsentEntity, ConsentRequest
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_optouts import SendPrivacyOptOutsOperator
from adobe_privacy.operators.privacy_requests import (
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
)
from adobe_privacy.opt_outs.receipts import receipt_of
from adobe_privacy.reporting.alarms import due_alarms, record
from adobe_privacy.reporting.attention import read_attention
from tests.api.raw_server import http
from tests.results.odd_adobe import odd_adobe
from tests.support.inbox import deny
from tests.support.ledgers import counted
from tests.support.privacy import DAY, World, context, request

OPT_OUT = "opt_out_of_sale"


def opt_out(number: int, *actions: str, **fields: Any) -> dict[str, Any]:
    return request(number, OPT_OUT, *actions, **({"regulation": "ccpa"} | fields))


def send() -> dict[str, int]:
    return SendPrivacyOptOutsOperator(task_id="send").execute(context())


def receipts(world: World) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((world.archive / "optouts").rglob("*.json"))]


def states(world: World) -> dict[JobState, int]:
    with Ledger(world.ledger_url, actor="test") as ledger:
        return counted(ledger)


def test_each_opt_out_is_sent_once_and_has_a_receipt_without_an_identity(world: World) -> None:
    world.put(opt_out(1), opt_out(2, identities=[{"namespace": "ECID", "value": "4" * 38}]))
    assert send() == {"accepted": 2, "sent_again": 0, "receipts": 2}
    wanted = ("email:subject1@example.com", "ecid:" + "4" * 38)
    hashes = sorted(hashlib.sha256(text.encode()).hexdigest() for text in wanted)
    assert world.simulator.consents()["count"] == 1, "one call for both"
    assert sorted(world.simulator.consents()["hashes"]) == hashes
    first, _ = receipts(world)
    with Ledger(world.ledger_url, actor="test") as ledger:
        (job,) = ledger.people.request_jobs("DSR-1")
    assert first["request_id"] == "DSR-1"
    assert first["fingerprint"] == job.fingerprint
    assert (first["answer"], first["attempts"]) == ("accepted", 1)
    assert job.state is JobState.ARCHIVED
    assert job.manifest == f"optouts/ccpa/{job.submitted_at:%Y/%m/%d}/DSR-1.json"
    assert (world.archive / job.manifest).is_file()
    assert "example.com" not in json.dumps(receipts(world))
    assert send() == {"accepted": 0, "sent_again": 0, "receipts": 0}
    assert world.simulator.consents()["count"] == 1


def test_what_an_opt_out_does_not_reach_is_in_receipt_figures_and_history(world: World) -> None:
    identities = [
        {"namespace": "email", "value": "subject1@example.com"},
        {"namespace": "loyalty", "value": "L-1", "type": "integrationCode"},
    ]
    world.put(opt_out(1, identities=identities, products=["target", "analytics"]), opt_out(2))
    operator = SendPrivacyOptOutsOperator(task_id="send")
    assert operator.execute(context())["accepted"] == 2
    assert "2 accepted (1 not for all that was asked)" in operator.summary
    assert operator.summary.endswith("2 receipts, Adobe says that it accepted, and not what it did")
    first, second = receipts(world)
    assert [text.split(":")[0] for text in first["reservations"]] == [
        "Adobe takes an opt-out of sale in standard namespaces only",
        "an opt-out of sale has no effect at target",
    ]
    assert second["reservations"] == []
    with Ledger(world.ledger_url, actor="test") as ledger:
        reasons = [[step.reason for step in ledger.people.history(f"DSR-{number}")] for number in (1, 2)]
    assert any("for a part of what was asked" in reason for reason in reasons[0])
    assert not any("for a part of what was asked" in reason for reason in reasons[1])


def test_a_line_with_access_and_opt_out_is_carried_by_both_dags(world: World) -> None:
    world.put(opt_out(1, "access"))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    assert send()["accepted"] == 1
    assert CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())["submitted"] == 1
    with pytest.raises(AirflowFailException, match=r"1 need a person: DSR-1 .access"):
        SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id]).execute(context())
    assert PlanPrivacyRequestsOperator(task_id="plan").execute(context()) == [batch_id]


def test_a_line_with_another_than_a_standard_namespace_is_rejected_with_a_reason(world: World) -> None:
    loyalty = {"namespace": "loyaltyAccount", "value": "12AD45FE30R29", "type": "integrationCode"}
    world.put(opt_out(1, identities=[loyalty]), opt_out(2))
    with pytest.raises(
        AirflowFailException, match=rf"1 need a person: {DAY}/requests.jsonl line 1 .DSR-1.: reject"
    ):
        send()
    assert [receipt["request_id"] for receipt in receipts(world)] == ["DSR-2"], "it stopped no other"
    (rejected,) = (world.inbox / f"{DAY}" / "rejected").iterdir()
    row = json.loads(rejected.read_text())
    assert (row["line"], row["request_id"]) == (1, "DSR-1")
    assert "standard namespace" in row["reason"]
    assert "12AD45FE30R29" not in rejected.read_text()


def test_a_call_without_an_answer_is_sent_again(world: World) -> None:
    world.put(opt_out(1), opt_out(2))
    world.simulator.fault("consent", "drop_after")
    assert send() == {"accepted": 2, "sent_again": 2, "receipts": 2}
    assert world.simulator.consents()["count"] == 2
    assert {receipt["attempts"] for receipt in receipts(world)} == {2}


def test_calls_that_never_get_an_answer_are_given_up_and_lose_nothing(world: World) -> None:
    world.put(opt_out(1))
    world.simulator.fault("consent", "drop_before", times=None)
    with pytest.raises(AirflowException, match="Nothing is lost"):
        send()
    assert world.simulator.calls()["consent"] == 3
    assert states(world) == {JobState.SUBMITTING: 1}
    assert receipts(world) == []


def killed_after_intent(world: World, ago: timedelta) -> None:
    with Ledger(world.ledger_url, actor="killed", now=lambda: datetime.now(UTC) - ago) as ledger:
        never = datetime(2000, 1, 1, tzinfo=UTC)
        assert ledger.opt_outs.intend(DAY, limit=10, abandoned_before=never)


def test_what_a_killed_process_may_have_sent_is_sent_again_once_it_cannot_be_under_way(world: World) -> None:
    world.put(opt_out(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    killed_after_intent(world, timedelta(minutes=10))
    assert send() == {"accepted": 1, "sent_again": 1, "receipts": 1}


def test_what_another_process_may_be_sending_is_waited_for(world: World) -> None:
    world.put(opt_out(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    # The call's time limit here is 35 seconds and a minute more: three seconds are left.
    killed_after_intent(world, timedelta(seconds=92))
    assert world.simulator.calls()["consent"] == 0
    assert send()["sent_again"] == 1


def test_a_receipt_that_a_crash_left_out_is_written_without_another_call(world: World) -> None:
    world.put(opt_out(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    killed_after_intent(world, timedelta(minutes=10))
    with Ledger(world.ledger_url, actor="killed") as ledger:
        ledger.opt_outs.record_accepted(ledger.opt_outs.jobs(DAY, JobState.SUBMITTING))
    assert send() == {"accepted": 0, "sent_again": 0, "receipts": 1}
    assert world.simulator.calls()["consent"] == 0
    assert len(receipts(world)) == 1


@pytest.mark.parametrize("bad", ["junk", json.dumps(request(3, "opt_out_of_sale", regulation="gdrp"))])
def test_a_day_with_a_bad_line_is_not_green_until_it_is_corrected_or_closed(world: World, bad: str) -> None:
    world.put(opt_out(1))
    file = world.inbox / f"{DAY}" / "requests.jsonl"
    good = file.read_text()
    file.write_text(good + bad + "\n")
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"1 need a person: .*requests\.jsonl line 2"):
            send()
    assert len(receipts(world)) == 1
    with Ledger(world.ledger_url, actor="user jdoe") as ledger:
        assert ledger.inbox.close(DAY, "requests.jsonl", "no request", line=2) == 1
    assert send() == {"accepted": 0, "sent_again": 0, "receipts": 0}
    file.write_text(good + bad + " \n" + bad + "\n")
    with pytest.raises(AirflowFailException, match=r"requests\.jsonl line 3"):
        send()
    file.write_text(good)
    assert send() == {"accepted": 0, "sent_again": 0, "receipts": 0}


def test_one_that_adobe_refuses_costs_no_other(world: World) -> None:
    world.put(*(opt_out(number) for number in range(4)))
    # The call with all four, its first half, and that half's first request.
    world.simulator.fault("consent", "error_before", status=400, times=3)
    with pytest.raises(AirflowFailException, match=r"1 need a person: DSR-0 .*refused"):
        send()
    assert states(world) == {JobState.ARCHIVED: 3, JobState.REFUSED: 1}
    assert len(receipts(world)) == 3


def test_where_adobe_refuses_all_of_them_the_fault_is_not_theirs(world: World) -> None:
    world.put(*(opt_out(number) for number in range(4)))
    world.simulator.fault("consent", "error_before", status=400, times=None)
    with pytest.raises(AirflowFailException):
        send()
    assert states(world) == {JobState.RECEIVED: 4}
    world.simulator.clear_faults()
    assert send()["accepted"] == 4


def test_without_the_permission_nothing_is_lost(world: World) -> None:
    world.put(opt_out(1))
    world.simulator.switch(permissions="read, write, content")
    with pytest.raises(AirflowFailException, match="permission"):
        send()
    assert states(world) == {JobState.RECEIVED: 1}
    world.simulator.switch(permissions="read, write, content, optout_write")
    assert send() == {"accepted": 1, "sent_again": 0, "receipts": 1}


def test_a_request_on_hold_and_one_whose_line_is_gone_are_not_sent(world: World) -> None:
    world.put(opt_out(1), opt_out(2))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.people.hold("DSR-1", "a dispute")
    world.put(opt_out(1), name="other.jsonl")
    (world.inbox / f"{DAY}" / "requests.jsonl").unlink()
    with pytest.raises(AirflowFailException, match=r"1 need a person: DSR-2 .*refused"):
        send()
    assert world.simulator.calls()["consent"] == 0
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.people.release("DSR-1", "settled")
    with pytest.raises(AirflowFailException, match="DSR-2"):
        send()
    assert [receipt["request_id"] for receipt in receipts(world)] == ["DSR-1"]


@pytest.mark.parametrize("fault", ["line gone", "refused by Adobe"])
def test_a_run_is_not_green_that_could_not_send_what_an_earlier_day_left(world: World, fault: str) -> None:
    world.put(opt_out(1), opt_out(2), day=DAY - timedelta(days=1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context(DAY - timedelta(days=1)))
    world.put(opt_out(3))
    if fault == "line gone":
        world.put(opt_out(2), day=DAY - timedelta(days=1))
    else:
        # The call with all three, and its first half, which is one.
        world.simulator.fault("consent", "error_before", status=400, times=2)
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"1 need a person: DSR-1 .*refused"):
            send()
    assert states(world) == {JobState.ARCHIVED: 2, JobState.REFUSED: 1}
    world.put(day=DAY + timedelta(days=1))
    assert (
        SendPrivacyOptOutsOperator(task_id="send").execute(context(DAY + timedelta(days=1)))["accepted"] == 0
    )


def test_an_id_with_slashes_makes_no_folders(world: World) -> None:
    world.put(opt_out(1, request_id="A/../../../x1"))
    assert send()["receipts"] == 1
    (path,) = (world.archive / "optouts").rglob("*.json")
    assert path.name == "A~..~..~..~x1.json"


def test_a_day_without_opt_outs_talks_to_nobody(world: World) -> None:
    assert send() == {"accepted": 0, "sent_again": 0, "receipts": 0}
    assert world.simulator.calls()["token"] == 0


@pytest.mark.parametrize("content", [b"junk", b"another's"])
def test_what_lies_in_the_place_of_a_receipt_is_no_receipt_and_costs_no_other(
    world: World, content: bytes
) -> None:
    world.put(opt_out(1), opt_out(2))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    killed_after_intent(world, timedelta(minutes=10))
    with Ledger(world.ledger_url, actor="killed") as ledger:
        accepted = ledger.opt_outs.record_accepted(ledger.opt_outs.jobs(DAY, JobState.SUBMITTING))
    receipt = receipt_of(next(job for job in accepted if job.request_id == "DSR-1"))
    place = world.archive / receipt.place
    place.parent.mkdir(parents=True)
    place.write_bytes(
        content if content == b"junk" else receipt.model_copy(update={"fingerprint": "0" * 64}).to_json()
    )
    world.put(opt_out(3), name="later.jsonl")
    with pytest.raises(AirflowException, match="1 receipts could not be written"):
        send()
    assert states(world) == {JobState.COMPLETE: 1, JobState.ARCHIVED: 2}
    place.unlink()
    assert send()["receipts"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b'{"error_code": "429050"}',
        b'{"errors": [{"title": "no"}]}',
        b'{"status": 500}',
    ],
)
async def test_a_success_with_an_error_for_a_body_is_not_taken_for_accepted(body: bytes) -> None:
    async with odd_adobe() as adobe, adobe.client() as client:
        entity = ConsentEntity(namespace="email", values=("a@example.com",))
        adobe.consent = http(200, body)
        with pytest.raises(OutcomeUnknown):
            await client.send_consent(ConsentRequest(entities=(entity,)))
        for good in (b"", b"{}", b'{"requestId": "1"}', b"[]"):
            adobe.consent = http(202, good)
            await client.send_consent(ConsentRequest(entities=(entity,)))


def test_a_file_that_cannot_be_read_any_more_costs_its_own_opt_outs_only(world: World) -> None:
    world.put(opt_out(1), opt_out(2), name="first.jsonl")
    world.put(opt_out(3), name="second.jsonl")
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/second.jsonl")
        with pytest.raises(AirflowException, match=r"^1 opt-out was not sent: .*second\.jsonl"):
            send()
    assert states(world) == {JobState.ARCHIVED: 2, JobState.RECEIVED: 1}
    with Ledger(world.ledger_url, actor="test") as ledger:
        ledger.people.extend("DSR-3", DAY + timedelta(days=90), "told")
        [item] = [item for item in read_attention(ledger).items if item.kind.name == "unreadable"]
        assert item.request_id == "DSR-3"
        assert "second.jsonl" in item.says
    assert send() == {"accepted": 1, "sent_again": 0, "receipts": 1}
    assert world.simulator.consents()["count"] == 2
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.attention.counts()["unreadable"] == 0


def test_an_opt_out_whose_file_cannot_be_read_is_told_once_a_day_however_often_it_is_tried(
    world: World,
) -> None:
    world.put(opt_out(1), opt_out(2), name="first.jsonl")
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/first.jsonl")
        noon = datetime.now(UTC).replace(hour=12)
        for minutes in range(4):
            moment = noon + timedelta(minutes=minutes)
            patch.setitem(Ledger.__init__.__kwdefaults__ or {}, "now", lambda moment=moment: moment)
            with pytest.raises(AirflowException, match=r"^2 opt-outs were not sent: "):
                send()
            with Ledger(world.ledger_url, actor="test") as ledger:
                alarms = due_alarms(ledger, daily_limit=20_000)
                record(ledger, alarms)
            told += [name for group in alarms.groups if group.kind == "unreadable" for name in group.names]
    assert told == ["DSR-1", "DSR-2"]


def test_the_history_of_an_opt_out_whose_file_cannot_be_read_grows_only_with_what_is_new(
    world: World,
) -> None:
    world.put(opt_out(1), opt_out(2), name="first.jsonl")
    world.put(opt_out(3), name="second.jsonl")
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())

    def history(ledger: Ledger) -> list[str]:
        return [step.reason for step in ledger.people.history("DSR-1")]

    with Ledger(world.ledger_url, actor="test") as ledger, pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/first.jsonl")
        for _ in range(3):
            with pytest.raises(AirflowException, match=r"^2 opt-outs were not sent: "):
                send()
        first = history(ledger)
        assert len(first) == 3, first
        assert ledger.attention.counts()["unreadable"] == 2
        assert [job.state for job in ledger.people.request_jobs("DSR-3")] == [JobState.ARCHIVED]
        ledger.people.hold("DSR-2", "a lawsuit")
        with pytest.raises(AirflowException, match=r"^1 opt-out was not sent: DSR-1"):
            send()
        assert history(ledger) == first
        ledger.people.release("DSR-2", "settled")
    send()
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert [job.state for job in ledger.people.request_jobs("DSR-1")] == [JobState.ARCHIVED]


def test_where_no_file_of_the_opt_outs_can_be_read_they_are_sent_once_it_can(world: World) -> None:
    world.put(opt_out(1))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    with pytest.MonkeyPatch.context() as patch:
        deny(patch, f"{DAY}/requests.jsonl")
        with pytest.raises(AirflowException, match=r"requests\.jsonl"):
            send()
    assert states(world) == {JobState.RECEIVED: 1}
    assert send() == {"accepted": 1, "sent_again": 0, "receipts": 1}
