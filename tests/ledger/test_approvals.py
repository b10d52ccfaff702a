"""No delete is sent that no person approved, as it is sent. On SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adobe_privacy.ledger.delete_plan import PlanChanged, UnknownRequests
from adobe_privacy.ledger.intents import DailyLimitReached
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Batch, Job
from adobe_privacy.ledger.states import JobState
from tests.support.ledgers import DAY, FakeClock, OpenLedger, received

RUN = "privacy_requests/scheduled__2026-11-20"
LIMIT = 20_000


def claim(ledger: Ledger, **options: object) -> Batch:
    given = {"run_id": RUN, "inbox_date": DAY, "daily_limit": LIMIT, "approve_deletes": True}
    batch = ledger.claims.claim_batch(**(given | options))  # type: ignore[arg-type]
    assert batch is not None
    return batch


def deletes(ledger: Ledger, *numbers: int) -> Batch:
    """A batch of deletes that waits for its approval."""
    ledger.intake.receive([received(number, "delete") for number in numbers])
    return claim(ledger)


def approve(ledger: Ledger, batch: Batch, *, approved: bool = True, **options: Any) -> tuple[int, int]:
    plan_hash = ledger.approvals.delete_plan(batch.id).hash
    return ledger.approvals.decide(batch.id, plan_hash, approved=approved, **options)


def intend(ledger: Ledger, batch: Batch, **options: object) -> list[str]:
    """The request ids that may be sent now."""
    jobs = ledger.claims.batch_jobs(batch.id)
    intended = ledger.intents.intend(batch.id, [job.id for job in jobs], **({"daily_limit": LIMIT} | options))  # type: ignore[arg-type]
    return sorted(job.request_id for job in intended)


def job(ledger: Ledger, request_id: str) -> Job:
    [found] = ledger.people.request_jobs(request_id)
    return found


def test_deletes_get_batches_of_their_own_and_accesses_go_on(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "access", "delete"), received(2), received(3, "delete")])
    batches = [claim(ledger), claim(ledger)]
    content = {
        batch.needs_approval: sorted(
            (row.request_id, row.action) for row in ledger.claims.batch_jobs(batch.id)
        )
        for batch in batches
    }
    assert content == {
        False: [("DSR-1", "access"), ("DSR-2", "access")],
        True: [("DSR-1", "delete"), ("DSR-3", "delete")],
    }
    assert [intend(ledger, batch) for batch in batches if not batch.needs_approval] == [["DSR-1", "DSR-2"]]
    assert [intend(ledger, batch) for batch in batches if batch.needs_approval] == [[]]


def test_without_approval_a_batch_holds_both(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "access", "delete")])
    batch = claim(ledger, approve_deletes=False)
    assert not batch.needs_approval
    assert intend(ledger, batch) == ["DSR-1", "DSR-1"]


def test_what_is_approved_is_sent_and_the_history_says_by_whom(
    ledger: Ledger, open_ledger: OpenLedger
) -> None:
    batch = deletes(ledger, 1, 2)
    plan = ledger.approvals.delete_plan(batch.id)
    assert intend(ledger, batch) == []
    assert open_ledger("user jdoe").approvals.decide(batch.id, plan.hash, approved=True) == (2, 0)
    assert ledger.approvals.unapproved_deletes(batch.id) == []
    step = ledger.people.history("DSR-1")[-1]
    assert (step.actor, step.reason) == ("user jdoe", f"approved, plan {plan.hash}")
    assert intend(ledger, batch) == ["DSR-1", "DSR-2"]


def test_the_hash_covers_regulation_products_jobs_and_attempts_only(ledger: Ledger) -> None:
    plan = ledger.approvals.delete_plan(deletes(ledger, 1, 2).id)
    assert len(plan.hash) == 64
    assert plan.hash == replace(plan, jobs=plan.jobs[::-1]).hash
    hashes = {plan.hash, replace(plan, jobs=plan.jobs[:1]).hash}
    for change in ({"products": "campaign"}, {"regulation": "ccpa"}):
        [batch] = [Batch(id="b", **({"products": "analytics", "regulation": "gdpr"} | change))]
        hashes.add(replace(plan, batch=batch).hash)
    plan.jobs[0].attempt = 2
    hashes.add(plan.hash)
    assert len(hashes) == 5


def test_another_plan_than_the_one_shown_is_not_approved(ledger: Ledger) -> None:
    batch = deletes(ledger, 1, 2)
    shown = ledger.approvals.delete_plan(batch.id).hash
    ledger.claims.unclaim(batch.id, "taken out", job_ids={job(ledger, "DSR-2").id})
    with pytest.raises(PlanChanged):
        ledger.approvals.decide(batch.id, shown, approved=True)
    assert intend(ledger, batch) == []


def test_a_mistyped_hold_approves_nothing(ledger: Ledger) -> None:
    batch = deletes(ledger, 1, 2)
    with pytest.raises(UnknownRequests, match="DSR-22"):
        approve(ledger, batch, hold={"DSR-2", "DSR-22"})
    assert intend(ledger, batch) == []
    assert not job(ledger, "DSR-2").on_hold


def test_some_are_held_and_the_rest_is_sent(ledger: Ledger, open_ledger: OpenLedger) -> None:
    batch = deletes(ledger, 1, 2, 3)
    assert approve(open_ledger("user jdoe"), batch, hold={"DSR-2"}) == (2, 1)
    assert intend(ledger, batch) == ["DSR-1", "DSR-3"]
    held = job(ledger, "DSR-2")
    assert (held.state, held.on_hold, held.batch_id) == (JobState.RECEIVED, True, None)
    assert any("held back by jdoe" in step.reason for step in ledger.people.history("DSR-2"))
    assert ledger.claims.count_waiting(DAY) == 0


def test_rejected_deletes_wait_on_hold_for_their_release_and_a_new_approval(
    ledger: Ledger, open_ledger: OpenLedger
) -> None:
    ledger.intake.receive([received(1, "access", "delete")])
    batch = next(batch for batch in (claim(ledger), claim(ledger)) if batch.needs_approval)
    assert approve(open_ledger("user jdoe"), batch, approved=False) == (0, 1)
    access, delete = sorted(ledger.people.request_jobs("DSR-1"), key=lambda row: row.action)
    assert (delete.state, delete.on_hold) == (JobState.RECEIVED, True)
    assert not access.on_hold, "an access request is nobody's to approve"
    assert any("rejected by jdoe" in step.reason for step in ledger.people.history("DSR-1"))
    assert ledger.claims.claim_batch(run_id=RUN, inbox_date=DAY, daily_limit=LIMIT) is None
    ledger.people.release("DSR-1", "mended")
    again = claim(ledger)
    assert intend(ledger, again) == []
    approve(ledger, again)
    assert intend(ledger, again) == ["DSR-1"]


def test_a_hold_after_the_approval_takes_only_itself_out(ledger: Ledger) -> None:
    batch = deletes(ledger, 1, 2)
    shown = ledger.approvals.delete_plan(batch.id).hash
    ledger.people.hold("DSR-2", "litigation")
    assert ledger.approvals.decide(batch.id, shown, approved=True) == (1, 1), (
        "a hold does not change what was asked"
    )
    ledger.intake.receive([received(3, "delete")])
    approve(ledger, other := claim(ledger))
    ledger.people.hold("DSR-3", "litigation")
    assert intend(ledger, batch) == ["DSR-1"]
    assert intend(ledger, other) == []


def test_an_approval_holds_for_one_attempt(ledger: Ledger) -> None:
    batch = deletes(ledger, 1)
    approve(ledger, batch)
    [row] = ledger.intents.intend(batch.id, [job(ledger, "DSR-1").id], daily_limit=LIMIT)
    ledger.intents.record_submitted([(row, "adobe-1")], adobe_request_id=None, reason="Adobe's answer")
    ledger.results.record_error(
        job(ledger, "DSR-1"), completed_at=None, outcome_code="1020-400", reason="", try_again=True
    )
    again = claim(ledger)
    assert intend(ledger, again) == []
    assert [row.request_id for row in ledger.approvals.unapproved_deletes(again.id)] == ["DSR-1"]


def test_an_approval_outlasts_a_day_without_room_but_not_other_products(ledger: Ledger) -> None:
    batch = deletes(ledger, 1)
    approve(ledger, batch)
    with pytest.raises(DailyLimitReached):
        intend(ledger, batch, daily_limit=0)
    ledger.claims.unclaim(batch.id, "no room")
    other = claim(ledger, products="campaign")
    assert intend(ledger, other) == []
    ledger.claims.unclaim(other.id, "not approved")
    assert intend(ledger, claim(ledger)) == ["DSR-1"]


def test_a_lost_call_needs_no_second_approval(ledger: Ledger) -> None:
    batch = deletes(ledger, 1)
    approve(ledger, batch)
    rows = ledger.intents.intend(batch.id, [job(ledger, "DSR-1").id], daily_limit=LIMIT)
    ledger.intents.withdraw(rows, JobState.PLANNED, "not at Adobe")
    assert intend(ledger, batch) == ["DSR-1"]


def test_where_approval_is_asked_for_later_a_mixed_batch_sends_its_accesses_only(ledger: Ledger) -> None:
    ledger.intake.receive([received(1, "access", "delete")])
    batch = claim(ledger, approve_deletes=False)
    assert [row.action for row in ledger.approvals.unapproved_deletes(batch.id, approve_deletes=True)] == [
        "delete"
    ]
    ids = [row.id for row in ledger.claims.batch_jobs(batch.id)]
    intended = ledger.intents.intend(batch.id, ids, daily_limit=LIMIT, approve_deletes=True)
    assert [row.action for row in intended] == ["access"]


def test_what_waits_for_a_person_takes_no_room_of_the_day(ledger: Ledger) -> None:
    batch = deletes(ledger, 1, 2)
    assert ledger.quotas.today().planned == 0
    ledger.intake.receive([received(3)])
    assert len(ledger.claims.batch_jobs(claim(ledger, daily_limit=1).id)) == 1
    approve(ledger, batch)
    assert ledger.quotas.today().planned == 3


def test_no_later_run_asks_again_while_the_question_is_open(ledger: Ledger, clock: FakeClock) -> None:
    batch = deletes(ledger, 1)
    ledger.approvals.ask(batch.id, clock.moment + timedelta(days=8))
    tomorrow = {"run_id": "tomorrow", "inbox_date": DAY + timedelta(days=1)}
    clock.advance(days=2)
    assert ledger.claims.open_batches(**tomorrow) == []  # type: ignore[arg-type]
    assert [row.id for row in ledger.claims.open_batches(run_id=RUN, inbox_date=DAY)] == [batch.id]
    clock.advance(days=6, minutes=1)
    assert [row.id for row in ledger.claims.open_batches(**tomorrow)] == [batch.id]  # type: ignore[arg-type]
    clock.advance(days=-6)
    approve(ledger, batch)
    assert [row.id for row in ledger.claims.open_batches(**tomorrow)] == [batch.id], "its run may be lost"  # type: ignore[arg-type]


class TestAQuestion:
    def test_is_not_asked_by_another_run_while_it_is_open(self, ledger: Ledger, clock: FakeClock) -> None:
        batch = asked(ledger, clock, days=7)
        clock.advance(days=1)
        assert batch not in next_plan(ledger)
        clock.advance(days=6, seconds=1)
        assert batch in next_plan(ledger)

    def test_whose_run_has_ended_is_asked_again_by_the_next_plan(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        ledger.unit.actor = f"{RUN}/batch.approve[0]"
        batch = asked(ledger, clock, days=7)
        ledger.approvals.run_ended(RUN)
        clock.advance(days=1)
        assert batch in next_plan(ledger)

    def test_that_an_older_version_asked_ends_with_the_run_that_claimed_the_batch(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        """It did not note who asked."""
        batch = asked(ledger, clock, days=7)
        with ledger.unit.write() as session:
            session.get_one(Batch, batch).asked_by = None
        ledger.approvals.run_ended(RUN)
        clock.advance(days=1)
        assert batch in next_plan(ledger)

    def test_that_a_run_asked_about_anothers_batch_ends_with_the_run_that_asked(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        batch = asked(ledger, clock, days=7, by="privacy_requests/manual__2/batch.approve[0]")
        assert batch not in next_plan(ledger)
        ledger.approvals.run_ended("privacy_requests/manual__2")
        clock.advance(days=1)
        assert batch in next_plan(ledger)

    def test_of_another_run_stays_open_when_the_run_ends_that_claimed_the_batch(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        batch = asked(ledger, clock, days=7, by="privacy_requests/manual__2/batch.approve[0]")
        ledger.approvals.run_ended(RUN)
        clock.advance(days=1)
        assert batch not in next_plan(ledger)

    def test_that_was_never_asked_is_asked_by_the_next_plan(self, ledger: Ledger, clock: FakeClock) -> None:
        ledger.intake.receive([received(1, "delete")])
        batch = claim(ledger).id
        clock.advance(days=1)
        assert batch in next_plan(ledger)


def asked(ledger: Ledger, clock: FakeClock, *, days: int, by: str | None = None) -> str:
    ledger.intake.receive([received(1, "delete")])
    batch = claim(ledger).id
    ledger.unit.actor = by or ledger.unit.actor
    assert ledger.approvals.ask(batch, clock() + timedelta(days=days))
    return batch


def next_plan(ledger: Ledger) -> list[str]:
    batches = ledger.claims.open_batches(run_id="the next run", inbox_date=DAY + timedelta(days=1))
    return [batch.id for batch in batches]
