"""The sweep, executed as its task would be, against jobs that the simulator or we ourselves made."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from sqlalchemy import insert, update

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.facts import LIST_REACH
from adobe_privacy.api.models import JobDetail
from adobe_privacy.api.names import Verdict
from adobe_privacy.archive import verify_archive
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import Filters
from adobe_privacy.ledger.results import JUDGE_AGAIN_AFTER
from adobe_privacy.ledger.schema import Job, Origin, Setting
from adobe_privacy.ledger.states import JobState
from adobe_privacy.operators.privacy_requests import (
    ArchivePrivacyResultsOperator,
    CreatePrivacyJobsOperator,
    PlanPrivacyRequestsOperator,
    SettlePrivacyRequestsOperator,
    privacy_archive,
)
from adobe_privacy.operators.privacy_sweep import SweepPrivacyJobsOperator
from adobe_privacy.organisations import DEFAULT
from adobe_privacy.regulations.clocks import due_dates
from adobe_privacy.regulations.codes import REGULATIONS
from adobe_privacy.results.sweep import Sweep
from adobe_privacy.storage import AccessDenied, Store, open_store
from tests.support.privacy import DAY, World, context, request

FEW = ["gdpr", "ucpa_ut_usa"]


def today(world: World) -> date:
    return datetime.fromisoformat(world.simulator.now()).date()


def sweep(day: date, *, run_type: str = "backfill", regulations: list[str] | None = FEW) -> dict[str, int]:
    operator = SweepPrivacyJobsOperator(task_id="sweep")
    return operator.execute(context(day, run_type=run_type, regulations=regulations))


def made_elsewhere(world: World, finished_on: date, count: int = 1, **fields: Any) -> list[str]:
    """Jobs that somebody made in Adobe's UI and that finished at noon of a day."""
    noon = datetime(finished_on.year, finished_on.month, finished_on.day, 12, tzinfo=UTC)
    fields = {"created_at": (noon - timedelta(days=3)).isoformat(), "products": ["profileService"]} | fields
    return world.simulator.create_jobs(count=count, completed_at=noon.isoformat(), **fields)


def submitted(world: World, *requests: dict[str, Any]) -> str:
    world.put(*requests)
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    return str(batch_id)


def states(world: World) -> Counter[tuple[Origin, JobState]]:
    with Ledger(world.ledger_url, actor="test") as ledger:
        ids = {job["jobId"] for job in world.simulator.jobs()}
        return Counter((job.origin, job.state) for job in ledger.others.jobs_at_adobe(ids, *JobState))


def test_thirty_days_are_archived_once_and_a_second_backfill_downloads_nothing(world: World) -> None:
    days = [today(world) - timedelta(days=back) for back in range(29, -1, -1)]
    for number, day in enumerate(days):
        made_elsewhere(world, day, regulation=("gdpr", "ucpa_ut_usa", "ucpa_usa")[number % 3])
        made_elsewhere(world, day, action="delete")
    # Past the last job's noon, and before the first one's, thirty days on, when Adobe keeps it no longer.
    world.simulator.set_clock(now=f"{days[-1] + timedelta(days=1)}T00:00:01Z")
    swept = [sweep(day) for day in days]
    assert [counts["finished"] for counts in swept] == [2] * 30
    # The oldest finished job of the lists is as old as Adobe keeps it.
    assert sum(counts["archived"] for counts in swept) == 60
    jobs = world.simulator.jobs()
    manifests = world.manifests()
    assert Counter(entry["job_id"] for entry in manifests) == Counter(job["jobId"] for job in jobs)
    assert [job["contentCalls"] for job in jobs] == [job["action"] == "access" for job in jobs]
    assert {entry["completed_at"][:10] for entry in manifests} == {str(day) for day in days}
    assert {entry["regulation"] for entry in manifests} == {"gdpr", "ucpa_ut_usa"}
    verification = verify_archive(open_store(f"file://{world.archive}"))
    assert not list(verification)
    assert verification.summary.results == 30

    world.simulator.reset_counters()
    for day in days:
        assert sweep(day) == {"finished": 2, "archived": 0, "adopted": 0}
    calls = world.simulator.calls()
    assert (calls["content"], calls["detail"]) == (0, 0)


def test_a_day_beyond_the_lists_fails_at_once_and_says_what_is_possible(world: World) -> None:
    day = today(world) - timedelta(days=46)
    made_elsewhere(world, day)
    with pytest.raises(AirflowFailException, match=r"last 45 days.*earliest day.*60 days") as failure:
        sweep(day)
    assert str(day) in str(failure.value)
    assert world.manifests() == []


@pytest.mark.parametrize(
    "reading",
    [
        {"list_dates": "created"},
        {"list_dates": "modified"},
        {"list_dates": "completed"},
        {"to_date_inclusive": False},
        {"list_dates": "completed", "to_date_inclusive": False},
        {"page_base": 1, "page_size_default": 5, "page_size_max": 5},
        {"page_base": 1, "page_zero": "empty"},
        {"lookback_days": 60},
        {"empty_list": "200", "total_records": "total", "list_array": "jobs"},
        {"list_order": "unstable"},
        {"refuse_submitted_filter": True},
        {"retired_regulations": "refuse"},
    ],
    ids=lambda reading: ",".join(f"{name}={value}" for name, value in reading.items()),
)
def test_it_is_right_however_adobes_documents_are_read(world: World, reading: dict[str, Any]) -> None:
    world.simulator.switch(**reading)
    day = today(world) - timedelta(days=10)
    long_ago = (datetime.now(UTC) - timedelta(days=43)).isoformat()
    wanted = {
        *made_elsewhere(world, day, 12),
        *made_elsewhere(world, day, created_at=long_ago, regulation="ucpa_usa"),
        *made_elsewhere(world, day - timedelta(days=1), 3),
        *made_elsewhere(world, day + timedelta(days=1), 3),
    }
    world.simulator.create_jobs(count=3, completed_at="2099-01-01T00:00:00Z")
    sweep(day)
    assert {entry["job_id"] for entry in world.manifests()} == wanted


def test_every_regulation_that_adobe_lists_is_swept_under_its_retired_codes_too(world: World) -> None:
    day = today(world) - timedelta(days=1)
    codes = ("gdpr", "ccpa", "lgpd_bra", "cpa_usa", "pipa_kor", "mcdpa_usa", "ridtppa_ri_usa")
    for code in codes:
        made_elsewhere(world, day, regulation=code)
    assert sweep(day, regulations=None)["archived"] == len(codes)
    assert len(world.simulator.counters()["list_calls_by_regulation"]) == 47
    assert {entry["regulation"] for entry in world.manifests()} == {
        *("gdpr", "ccpa", "lgpd_bra", "cpa_co_usa", "pipa_kor", "mcdpa_mt_usa", "ridtppa_ri_usa")
    }


def test_a_job_listed_under_two_codes_is_archived_under_its_own(world: World) -> None:
    world.simulator.switch(gdpr_lists_ccpa=True)
    day = today(world) - timedelta(days=1)
    made_elsewhere(world, day, regulation="ccpa")
    assert sweep(day, regulations=["gdpr", "ccpa"])["archived"] == 1
    assert [entry["regulation"] for entry in world.manifests()] == ["ccpa"]


@pytest.mark.parametrize("run_type", ["scheduled", "backfill"])
def test_what_finished_is_archived_whatever_its_day_and_only_the_count_goes_by_days(
    world: World, run_type: str
) -> None:
    day = today(world) - timedelta(days=1)
    for back in range(0, 28, 7):
        made_elsewhere(world, day - timedelta(days=back))
    assert sweep(day, run_type=run_type) == {"finished": 1, "archived": 4, "adopted": 4}


def test_a_result_that_finished_while_nobody_swept_is_archived_by_the_next_sweep(world: World) -> None:
    world.simulator.switch(access_delay_seconds="86400")
    submitted(world, request(1))
    world.simulator.advance(8 * 86400)
    assert sweep(today(world) - timedelta(days=1), run_type="scheduled")["archived"] == 1
    assert [entry["request_id"] for entry in world.manifests()] == ["DSR-1"]


def test_jobs_that_no_list_shows_are_asked_for_in_turn_and_who_was_left_out_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("adobe_privacy.results.sweep.ASKED_SINGLY", 3)
    # Under this reading of Adobe's date filters, unfinished jobs are in no list.
    world.simulator.switch(jobs_never_finish=True, list_dates="completed")
    submitted(world, *(request(number) for number in range(7)))
    moment = datetime.now(UTC) + timedelta(days=2)
    monkeypatch.setitem(Ledger.__init__.__kwdefaults__ or {}, "now", lambda: moment)
    asked: list[int] = []
    for _ in range(3):
        before = world.simulator.calls()["detail"]
        sweep(today(world))
        asked.append(world.simulator.calls()["detail"] - before)
    assert asked == [3, 3, 3]
    assert "3 in no list asked for singly, 4 left for the next runs" in caplog.text
    with Ledger(world.ledger_url, actor="test") as ledger:
        turns = [job.id for job in ledger.others.least_recently_asked(FEW, moment)]
        jobs = {job.id: job.asked_at for job in ledger.others.ask(turns)}
    assert len(jobs) == 7, "each had its turn within three sweeps"


def test_a_job_is_archived_under_the_regulation_that_its_detail_names(world: World) -> None:
    world.simulator.switch(gdpr_lists_ccpa=True)
    day = today(world) - timedelta(days=1)
    made_elsewhere(world, day, regulation="ccpa")
    assert sweep(day, regulations=["gdpr"])["archived"] == 1
    assert [entry["regulation"] for entry in world.manifests()] == ["ccpa"]
    with Ledger(world.ledger_url, actor="test") as ledger:
        [job] = ledger.overview.page(Filters(states=(JobState.ARCHIVED,))).jobs
    assert (job.regulation, job.due_on) == ("ccpa", due_dates("ccpa", job.received_at).answer_by)


def test_an_accepted_opt_out_without_a_receipt_does_not_end_a_sweep(world: World) -> None:
    world.put(request(1, "opt_out_of_sale", identities=[{"namespace": "email", "value": "s@example.com"}]))
    PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        opt_outs = ledger.opt_outs.intend(DAY, limit=9, abandoned_before=datetime.now(UTC))
        assert len(ledger.opt_outs.record_accepted(opt_outs)) == 1
    made_elsewhere(world, today(world) - timedelta(days=1))
    moment = datetime.now(UTC) + timedelta(days=43)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Ledger.__init__.__kwdefaults__ or {}, "now", lambda: moment)
        assert sweep(today(world))["archived"] == 1


def test_one_jobs_surprise_is_that_jobs_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    day = today(world) - timedelta(days=1)
    bad, *_ = made_elsewhere(world, day, 5)
    get_job = PrivacyServiceClient.get_job

    async def surprising(client: PrivacyServiceClient, job_id: str) -> JobDetail:
        if job_id == bad:
            raise KeyError("person@example.com")
        return await get_job(client, job_id)

    monkeypatch.setattr(PrivacyServiceClient, "get_job", surprising)
    with pytest.raises(AirflowException, match="1 jobs could not be archived"):
        sweep(day)
    assert len(world.manifests()) == 4


def test_our_own_jobs_are_archived_while_their_batch_still_waits(world: World) -> None:
    world.simulator.switch(delete_delay_seconds="2000000")
    batch_id = submitted(world, request(1, "access", "delete"), request(2))
    world.simulator.advance(60)
    assert sweep(today(world)) == {"finished": 2, "archived": 2, "adopted": 0}
    assert {entry["request_id"] for entry in world.manifests()} == {"DSR-1", "DSR-2"}
    assert all(
        entry["completeness"]["products_requested"] == ["profileService"] for entry in world.manifests()
    )
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert len(ledger.claims.batch_jobs(batch_id, JobState.ARCHIVED)) == 2
        assert len(ledger.claims.batch_jobs(batch_id, JobState.SUBMITTED)) == 1


def test_a_user_key_of_somebody_elses_is_kept_nowhere(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    canary = "canary.person@example.com"
    day = today(world) - timedelta(days=1)
    made_elsewhere(world, day, key=canary)
    made_elsewhere(world, day, key=canary, action="delete", code="1000-400")
    sweep(day)
    assert [entry["request_id"][:6] for entry in world.manifests()] == ["adobe:"] * 2
    kept = [path for path in world.folder.rglob("*") if path.is_file() and path.suffix != ".zip"]
    assert any(path.name == "ledger.db" for path in kept)
    said = capsys.readouterr()
    for text in (*(path.read_bytes() for path in kept), caplog.text.encode(), said.out.encode()):
        assert b"canary" not in text


def test_what_a_lost_call_made_is_left_to_the_submission_and_not_sent_twice(world: World) -> None:
    world.put(request(1))
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    with Ledger(world.ledger_url, actor="killed") as ledger:
        # A worker that was killed after its call and before the answer.
        ledger.intents.intend(
            batch_id, [job.id for job in ledger.claims.batch_jobs(batch_id)], daily_limit=100
        )
    world.simulator.create_jobs(key="DSR-1", products=["profileService"])
    world.simulator.advance(60)
    assert sweep(today(world)) == {"finished": 1, "archived": 0, "adopted": 0}
    counts = CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(context())
    assert counts["recognised"] == 1
    assert sweep(today(world))["archived"] == 1
    assert world.simulator.calls()["create"] == 0
    assert [entry["request_id"] for entry in world.manifests()] == ["DSR-1"]


def test_a_second_job_with_a_requests_key_belongs_to_the_request(world: World) -> None:
    submitted(world, request(1))
    world.simulator.create_jobs(key="DSR-1", products=["profileService"])
    world.simulator.advance(60)
    assert sweep(today(world)) == {"finished": 2, "archived": 2, "adopted": 1}
    assert states(world) == {
        (Origin.INBOX, JobState.ARCHIVED): 1,
        (Origin.SECOND, JobState.ARCHIVED): 1,
    }


def test_an_error_of_ours_is_named_whenever_its_day_is_swept_one_of_others_only_kept(world: World) -> None:
    day = today(world)
    made_elsewhere(world, day - timedelta(days=1), code="1020-400")
    sweep(day - timedelta(days=1))
    assert states(world) == {(Origin.ADOBE, JobState.ERROR): 1}, "and is not sent again"
    world.simulator.scenario({"rules": [{"key": "DSR-1", "code": "1000-400"}], "default_delay_seconds": 1})
    submitted(world, request(1), request(2))
    world.simulator.advance(60)
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"1 jobs need a look.*DSR-1 \(access.*1000-400"):
            sweep(today(world))
    assert sorted(entry["request_id"][:6] for entry in world.manifests()) == ["DSR-1", "DSR-2", "adobe:"]


def test_what_failed_is_retried_and_costs_no_other(world: World) -> None:
    day = today(world) - timedelta(days=1)
    made_elsewhere(world, day, 5)
    world.simulator.fault("content", "cut_body", times=1)
    with pytest.raises(AirflowException, match="1 jobs could not be archived"):
        sweep(day)
    assert len(world.manifests()) == 4
    assert sweep(day)["archived"] == 1


def test_what_can_be_read_no_more_is_named_not_passed_over(world: World) -> None:
    day = today(world) - timedelta(days=35)
    (job_id,) = made_elsewhere(world, day)
    with pytest.raises(AirflowFailException, match=f"Adobe job {job_id}, not ours"):
        sweep(day)
    assert world.simulator.calls()["detail"] == 0


def test_our_jobs_beyond_the_lists_are_asked_for_singly(world: World) -> None:
    world.simulator.switch(access_delay_seconds=str(50 * 86400))
    batch_id = submitted(world, request(1))
    moment = datetime.now(UTC) + LIST_REACH + timedelta(days=7)
    world.simulator.set_clock(now=moment.isoformat())
    with pytest.MonkeyPatch.context() as patch:
        # The ledger's clock is fifty days on as well.
        patch.setattr(
            Ledger.__init__,
            "__kwdefaults__",
            {**(Ledger.__init__.__kwdefaults__ or {}), "now": lambda: moment},
        )
        assert sweep(moment.date())["archived"] == 1
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert len(ledger.claims.batch_jobs(batch_id, JobState.ARCHIVED)) == 1


def test_a_range_is_submitted_by_a_backfill_and_archived_by_the_sweep_as_it_comes(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A backfilled run ends well with jobs at Adobe, and asks for no detail of those that Adobe lists as open."""
    world.simulator.switch(delete_delay_seconds="2000000")
    day = today(world)
    world.put(request(1, "access", "delete"), request(2), day=day)
    run = context(day, run_type="backfill")
    (batch_id,) = PlanPrivacyRequestsOperator(task_id="plan").execute(run)
    CreatePrivacyJobsOperator(task_id="submit", batch_id=batch_id).execute(run)
    archive = ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id)
    settle = SettlePrivacyRequestsOperator(task_id="settle", batch_ids=[batch_id])
    world.simulator.advance(60)
    assert archive.execute(run) == {"archived": 2, "errors": 0}
    assert world.simulator.calls()["detail"] == 2
    assert settle.execute(run) == {"jobs": 3, "waiting": 0, "on_hold": 0}
    assert "1 jobs are at Adobe: the DAG privacy_sweep archives" in caplog.text
    with pytest.raises(AirflowFailException, match="1 need a person"):
        settle.execute(context(day))
    world.simulator.advance(2_000_000)
    assert sweep(today(world)) == {"finished": 1, "archived": 1, "adopted": 0}


def test_a_job_of_ours_that_a_product_did_not_do_fails_the_sweep_that_archives_it_and_no_later_one(
    world: World,
) -> None:
    """A backfilled run has left it at Adobe and ended well. Whoever waits for a success of the sweep does not wait
    until a person has acted."""
    submitted(world, *(request(number, "delete", products=["analytics"]) for number in (1, 2)))
    world.simulator.advance(60)
    with pytest.raises(
        AirflowFailException, match=r"2 jobs need a look.*DSR-1 \(delete.*wrong namespace at Analytics"
    ):
        sweep(today(world), run_type="scheduled")
    assert len(world.manifests()) == 2
    assert sweep(today(world), run_type="scheduled") == {"finished": 2, "archived": 0, "adopted": 0}


@pytest.mark.parametrize("kind", ["errors", "not_done", "gone"])
def test_a_try_that_needs_a_person_for_one_job_and_fails_for_another_is_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A further try could end well, and not tell of the first job."""
    result = Sweep()
    result.failures = ["DSR-2"]
    setattr(result, kind, ["DSR-1 (delete) was not done by Analytics"])

    async def swept(*_: Any, **__: Any) -> Sweep:
        return result

    monkeypatch.setattr(SweepPrivacyJobsOperator, "_sweep", swept)
    with pytest.raises(AirflowFailException, match=r"1 jobs could not be archived.*DSR-1"):
        sweep(today(world))


@pytest.mark.parametrize(
    ("fault", "noted"),
    [
        ("none", True),
        ("a person must look", True),
        ("old manifest", True),
        ("a result is damaged", True),
        ("not archived", False),
        ("one damaged, one not archived", False),
        ("not listed", False),
        ("limited", False),
    ],
)
def test_the_ledger_notes_a_sweep_that_did_its_work(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str, noted: bool
) -> None:
    result = Sweep()
    result.errors = ["DSR-1"] if fault == "a person must look" else []
    result.failures = ["DSR-1"] if "not archived" in fault else []
    if "damaged" in fault:
        # It comes so again each day: all those sweeps would be late, and one that is paused then would not be told.
        result.failures.append("DSR-2")
        result.damaged = 1
    result.not_read = ["jobs/manifest.json"] if fault == "old manifest" else []
    result.not_listed = ["gdpr"] if fault == "not listed" else []

    async def swept(*_: Any, **__: Any) -> Sweep:
        return result

    monkeypatch.setattr(SweepPrivacyJobsOperator, "_sweep", swept)
    with contextlib.suppress(AirflowException):
        sweep(today(world), regulations=FEW if fault == "limited" else None)
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert (ledger.others.swept_at() is not None) is noted


@pytest.mark.parametrize(
    ("regulations", "noted", "event"),
    [
        (["gdpr"], False, "gdpr"),
        (["gdpr", "ccpa"], False, "gdpr,ccpa"),
        (list(REGULATIONS), True, "*"),
    ],
)
def test_the_ledger_notes_no_sweep_that_its_argument_limits(
    world: World, monkeypatch: pytest.MonkeyPatch, regulations: list[str], noted: bool, event: str
) -> None:
    """Nor does the asset's event, by which `privacy_alarms` tells a late sweep, say that it was one of all."""

    async def swept(*_: Any, **__: Any) -> Sweep:
        return Sweep()

    monkeypatch.setattr(SweepPrivacyJobsOperator, "_sweep", swept)
    given = context(today(world))
    SweepPrivacyJobsOperator(task_id="sweep", regulations=regulations).execute(given)
    assert given["outlet_events"][privacy_archive(DEFAULT)].extra["regulation"] == event
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert (ledger.others.swept_at() is not None) is noted


def test_a_job_that_its_own_run_archived_as_not_done_fails_no_sweep(world: World) -> None:
    batch_id = submitted(world, request(1, "delete", products=["analytics"]))
    world.simulator.advance(60)
    ArchivePrivacyResultsOperator(task_id="archive", batch_id=batch_id).execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert ledger.attention.counts()["not_done"] == 1
    assert sweep(today(world), run_type="scheduled") == {"finished": 1, "archived": 0, "adopted": 0}


def test_an_error_told_twice_does_not_end_the_next_attempt(world: World) -> None:
    """The sweep and the job's own run may both have read its detail before either wrote it down."""
    batch_id = submitted(world, request(1))
    error: dict[str, Any] = {
        "completed_at": None,
        "outcome_code": "1020-400",
        "reason": "Adobe: error",
        "try_again": True,
    }
    with Ledger(world.ledger_url, actor="test") as ledger:
        (job,) = ledger.claims.batch_jobs(batch_id)
        assert ledger.results.record_error(job, **error)
    (next_batch,) = PlanPrivacyRequestsOperator(task_id="plan").execute(context())
    CreatePrivacyJobsOperator(task_id="submit", batch_id=next_batch).execute(context())
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert not ledger.results.record_error(job, **error)
        (job,) = ledger.claims.batch_jobs(next_batch)
        assert (job.state, job.attempt) == (JobState.SUBMITTED, 2)


def test_a_misspelt_regulation_is_named(world: World) -> None:
    with pytest.raises(AirflowFailException, match="the parameter regulations: gdrp is not"):
        sweep(today(world), regulations=["gdrp"])


def test_an_old_manifest_that_cannot_be_read_is_told_after_all_others_are_archived(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    submitted(world, request(1))
    world.simulator.advance(60)
    sweep(today(world))
    with Ledger(world.ledger_url, actor="test") as ledger, ledger.unit.write() as session:
        session.execute(update(Job).values(outcome=Verdict.AS_BEFORE.value))
        session.execute(insert(Setting).values(name=JUDGE_AGAIN_AFTER, value="0"))
    read, patch = Store.read, pytest.MonkeyPatch()

    def closed(self: Store, key: str) -> bytes:
        if key.endswith("/manifest.json"):
            raise AccessDenied(f"{key}: the store refused", uri=key)
        return read(self, key)

    made_elsewhere(world, today(world))
    world.simulator.advance(86_400)
    patch.setattr(Store, "read", closed)
    try:
        with pytest.raises(
            AirflowException, match="0 jobs could not be archived, 1 older manifests could not be read"
        ):
            sweep(today(world))
    finally:
        patch.undo()
    assert len(world.manifests()) == 2
    assert "DSR-1" in caplog.text

    sweep(today(world))
    with Ledger(world.ledger_url, actor="test") as ledger:
        assert [job.outcome for job in ledger.people.request_jobs("DSR-1")] == ["done"]
