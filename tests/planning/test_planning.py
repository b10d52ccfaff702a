from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adobe_privacy.api.names import PRODUCTS
from adobe_privacy.intake.options import CompanyContext
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.states import JobState
from adobe_privacy.planning import taking_in
from adobe_privacy.planning.latency import Latencies
from adobe_privacy.planning.planning import Plan, PlanSettings, plan_day
from adobe_privacy.reporting.run_report import plan_lines, settle
from adobe_privacy.storage import Store, open_store
from tests.support.ledgers import DAY, FakeClock, OpenLedger, counted

CANARY = "cana.ry@example.com"


@pytest.fixture
def inbox(tmp_path: Path) -> Store:
    (tmp_path / "inbox").mkdir()
    return open_store(f"file://{tmp_path}/inbox")


@pytest.fixture
def make_plan(inbox: Store, ledger: Ledger) -> Callable[..., Plan]:
    def planning_it(day: date = DAY, *, run_id: str = "run", dry_run: bool = False, **options: Any) -> Plan:
        settings = PlanSettings(**{"default_products": ("analytics",)} | options)
        return plan_day(inbox, ledger, day=day, run_id=run_id, settings=settings, dry_run=dry_run)

    return planning_it


MakePlan = Callable[..., Plan]


def line(number: int, *actions: str, **fields: Any) -> dict[str, Any]:
    return {
        "request_id": f"DSR-{number}",
        "regulation": "gdpr",
        "actions": list(actions or ("access",)),
        "identities": [{"namespace": "email", "value": f"{number}.{CANARY}"}],
    } | fields


def hand_in(inbox: Store, *lines: dict[str, Any] | str, name: str = "r.jsonl", day: date = DAY) -> None:
    rows = [row if isinstance(row, str) else json.dumps(row) for row in lines]
    inbox.write(f"{day}/{name}", "".join(row + "\n" for row in rows).encode())


def rejected(inbox: Store, day: date = DAY) -> list[dict[str, Any]]:
    keys = sorted(entry.key for entry in inbox.objects(f"{day}/rejected"))
    return [json.loads(row) for key in keys for row in inbox.read(key).splitlines()]


def sizes(plan: Plan) -> list[int]:
    return [planned.content.jobs for planned in plan.batches]


class TestIntake:
    def test_requests_of_all_files_are_taken_in_and_planned(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(inbox, line(1), line(2, "access", "delete"))
        hand_in(inbox, line(3, regulation="ccpa"), name="s.jsonl")
        plan = make_plan()
        assert (plan.intake.new, plan.intake.duplicates, plan.intake.rejected) == (3, 0, 0)
        assert sorted(sizes(plan)) == [1, 3]
        assert plan.waiting == 0

    @pytest.mark.parametrize("chunk", [1, 2, 1000])
    def test_the_same_id_again_is_a_duplicate_or_a_conflict_wherever_it_stands(
        self, inbox: Store, make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch, chunk: int
    ) -> None:
        monkeypatch.setattr(taking_in, "CHUNK", chunk)
        changed = line(1, "delete")
        tomorrow = DAY + timedelta(days=1)
        hand_in(inbox, line(1), line(1), changed)
        hand_in(inbox, line(1), changed, name="s.jsonl")
        hand_in(inbox, changed, line(1), day=tomorrow)
        plan = make_plan()
        assert (plan.intake.new, plan.intake.duplicates, plan.intake.rejected) == (1, 2, 2)
        later = make_plan(tomorrow, run_id="tomorrow")
        assert (later.intake.new, later.intake.duplicates, later.intake.rejected) == (0, 1, 1)
        assert later.batches == []
        assert [(row["file"], row["line"], row["request_id"]) for row in rejected(inbox)] == [
            ("r.jsonl", 3, "DSR-1"),
            ("s.jsonl", 2, "DSR-1"),
        ]
        assert "known already with other content" in rejected(inbox, tomorrow)[0]["reason"]

    @pytest.mark.parametrize("chunk", [1, 1000])
    @pytest.mark.parametrize("folder", [0, 1])
    def test_the_earliest_date_of_receipt_counts_wherever_it_stands(
        self,
        inbox: Store,
        make_plan: MakePlan,
        ledger: Ledger,
        monkeypatch: pytest.MonkeyPatch,
        chunk: int,
        folder: int,
    ) -> None:
        monkeypatch.setattr(taking_in, "CHUNK", chunk)
        days = [DAY + timedelta(days=folder * number) for number in range(3)]
        for number, (day, received) in enumerate(zip(days, ["-18", "-10T09:00:00Z", "-19"], strict=True)):
            row = line(1, "access", "delete", received_at=f"2026-11{received}")
            hand_in(inbox, row, name=f"{number}.jsonl", day=day)
        plans = [make_plan(day, run_id=str(day)) for day in dict.fromkeys(days)]
        assert sum(plan.intake.dated_earlier for plan in plans) == 1
        assert sum(plan.intake.dated_later for plan in plans) == 1
        for job in ledger.people.request_jobs("DSR-1"):
            assert (job.received_at, job.due_on) == (
                datetime(2026, 11, 10, 9, tzinfo=UTC),
                date(2026, 12, 10),
            )
            assert job.submit_by is not None
            assert job.submit_by < job.due_on
            assert job.alarm_at is not None
            assert job.alarm_at <= ledger.now()
        said = [step.reason for step in ledger.people.history("DSR-1") if "received" in step.reason]
        assert said == ["received 2026-11-10 instead of 2026-11-18: due 2026-12-10 instead of 2026-12-18"] * 2
        told = [text for plan in plans for text in plan_lines(plan) if text.startswith("Received ")]
        assert told == [
            "Received earlier than was known: 1 requests; the earlier date counts, for the due date too",
            "Received later than was known: 1 requests; the date that was known stays",
        ]

    def test_without_a_date_a_request_that_comes_again_says_nothing_of_when_it_was_received(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        tomorrow = DAY + timedelta(days=1)
        hand_in(inbox, line(1))
        hand_in(inbox, line(1), day=tomorrow)
        make_plan()
        plan = make_plan(tomorrow, run_id="tomorrow")
        assert (plan.intake.duplicates, plan.intake.dated_earlier, plan.intake.dated_later) == (1, 0, 0)
        assert ledger.people.request_jobs("DSR-1")[0].received_at.date() == DAY

    def test_the_day_of_a_folder_says_no_time_of_that_day(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        moment = datetime(DAY.year, DAY.month, DAY.day, 14, tzinfo=UTC)
        hand_in(inbox, line(1, received_at=moment.isoformat()))
        make_plan()
        hand_in(inbox, line(1), name="s.jsonl")
        plan = make_plan(run_id="again")
        assert (plan.intake.duplicates, plan.intake.dated_earlier, plan.intake.dated_later) == (1, 0, 0)
        assert ledger.people.request_jobs("DSR-1")[0].received_at == moment

    def test_a_dry_run_moves_no_date(self, inbox: Store, make_plan: MakePlan, ledger: Ledger) -> None:
        hand_in(inbox, line(1))
        make_plan()
        hand_in(inbox, line(1, received_at="2026-11-10"), name="s.jsonl")
        plan = make_plan(dry_run=True)
        assert plan.intake.dated_earlier == 1
        assert ledger.people.request_jobs("DSR-1")[0].received_at.date() == DAY

    def test_planning_again_changes_nothing(self, inbox: Store, make_plan: MakePlan, ledger: Ledger) -> None:
        hand_in(inbox, line(1), "junk")
        first = make_plan()
        report = rejected(inbox)
        again = make_plan()
        assert [p.batch.id for p in again.batches] == [p.batch.id for p in first.batches]
        assert (again.intake.new, again.intake.duplicates) == (0, 1)
        assert rejected(inbox) == report
        assert len(ledger.people.history("DSR-1")) == 2

    def test_the_report_goes_when_the_file_was_mended(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(inbox, "junk")
        make_plan()
        assert len(rejected(inbox)) == 1
        hand_in(inbox, line(1))
        make_plan()
        assert rejected(inbox) == []

    def test_opt_outs_and_risks_count_new_requests_only(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(
            inbox,
            line(1, "opt_out_of_sale", regulation="ccpa"),
            line(2, regulation="lgpd_bra"),
            line(2),
            "junk",
        )
        plan = make_plan()
        assert plan.intake.opt_outs == 1
        assert list(plan.intake.at_risk.values()) == [1]
        assert next(iter(plan.intake.at_risk)).startswith("lgpd_bra: The answer is due in 14 days")
        again = make_plan()
        assert (again.intake.opt_outs, len(again.intake.at_risk)) == (0, 0)

    def test_opt_outs_wait_for_their_own_dag(self, inbox: Store, make_plan: MakePlan, ledger: Ledger) -> None:
        hand_in(inbox, line(1, "access", "opt_out_of_sale"))
        plan = make_plan()
        assert sizes(plan) == [1]
        assert [(job.action, job.state) for job in ledger.people.request_jobs("DSR-1")] == [
            ("access", JobState.PLANNED),
            ("opt_out_of_sale", JobState.RECEIVED),
        ]

    def test_due_dates_go_by_the_law(self, inbox: Store, make_plan: MakePlan, ledger: Ledger) -> None:
        hand_in(
            inbox,
            line(1, received_at="2026-11-02T09:00:00Z"),
            line(2, "access", "opt_out_of_sale", regulation="ccpa", received_at="2026-11-20T20:00:00Z"),
            line(3, regulation="ccpa"),
        )
        make_plan()
        due = {
            (j.request_id, j.action): j.due_on
            for n in (1, 2, 3)
            for j in ledger.people.request_jobs(f"DSR-{n}")
        }
        assert due["DSR-1", "access"] == date(2026, 12, 2)
        assert due["DSR-2", "access"] == due["DSR-3", "access"] == DAY + timedelta(days=45)
        assert due["DSR-2", "opt_out_of_sale"] < DAY + timedelta(days=30)

    def test_a_job_is_to_be_submitted_so_early_that_adobe_can_do_it_by_its_due_date(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen = Latencies({("access", "analytics"): 6.5, ("delete", "analytics"): 20.0})
        monkeypatch.setattr(taking_in, "observed_latencies", lambda _ledger: seen)
        hand_in(
            inbox,
            line(1, "access", "delete", received_at="2026-11-02T09:00:00Z"),
            line(2, "opt_out_of_sale", regulation="ccpa"),
        )
        lines = plan_lines(make_plan())
        found = {job.action: job for number in (1, 2) for job in ledger.people.request_jobs(f"DSR-{number}")}
        assert {action: job.submit_by for action, job in found.items()} == {
            "access": date(2026, 11, 25),
            "delete": date(2026, 11, 12),
            "opt_out_of_sale": None,
        }
        # Half of the time from 2 November to the begin of 2 December.
        assert found["access"].alarm_at == datetime(2026, 11, 17, 4, 30, tzinfo=UTC)
        assert "first answer due 2026-12-02, to be submitted by 2026-11-12" in "\n".join(lines)
        assert (
            "At risk: 1 requests under gdpr: The answer is due in 11 days but Adobe may take 20"
            in "\n".join(lines)
        )

    def test_a_delete_that_would_hang_is_rejected_with_the_products_that_count(
        self, inbox: Store, make_plan: MakePlan
    ) -> None:
        hand_in(inbox, line(1, "delete", products=["cjm"]), line(2, "delete"))
        plan = make_plan(default_products=("cjm",))
        assert [row["request_id"] for row in rejected(inbox)] == ["DSR-1", "DSR-2"]
        assert plan.batches == []
        assert make_plan(products=("target",)).intake.new == 2

    def test_without_any_product_a_request_is_rejected_but_an_opt_out_is_not(
        self, inbox: Store, make_plan: MakePlan
    ) -> None:
        hand_in(inbox, line(1), line(2, "opt_out_of_sale", regulation="ccpa"))
        plan = make_plan(default_products=())
        assert (plan.intake.new, plan.intake.rejected) == (1, 1)

    def test_no_value_of_a_line_is_ever_repeated(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(
            inbox,
            line(1, regulation=CANARY),
            line(2, CANARY),
            line(3, **{CANARY: CANARY}),
            line(4, request_id=CANARY),
            line(5, received_at=CANARY),
            line(6, products=[CANARY]),
            line(7, identities=[{"namespace": CANARY, "value": CANARY, "type": CANARY}]),
            CANARY,
            json.dumps(CANARY),
        )
        hand_in(inbox, f"{CANARY},x", f"{CANARY},{CANARY}", name="s.csv")
        inbox.write(f"{DAY}/{CANARY}.txt", b"")
        plan = make_plan()
        assert plan.intake.rejected == 10
        assert plan.intake.new == 0
        told = json.dumps(rejected(inbox)) + "\n".join(plan_lines(plan))
        assert "cana" not in told


class TestWarnings:
    def test_what_a_product_cannot_use_is_told_and_kept(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        hand_in(inbox, line(1), line(2, products=["marketo"]))
        plan = make_plan()
        (warning,) = plan.intake.warnings
        assert warning.startswith("DSR-1: analytics can use none of the identities")
        assert f"Warning: {warning}" in plan_lines(plan)
        assert [job.warnings for job in ledger.people.request_jobs("DSR-1")] == [warning[7:]]
        assert [job.warnings for job in ledger.people.request_jobs("DSR-2")] == [""]
        assert make_plan().intake.warnings == []

    def test_it_is_refused_where_the_organisation_wants_that(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(inbox, line(1), line(2, products=["marketo"]))
        plan = make_plan(strict_identities=True)
        assert (plan.intake.new, plan.intake.rejected) == (1, 1)
        assert "products: analytics can use none" in rejected(inbox)[0]["reason"]

    def test_campaign_without_its_tenant_is_told_and_kept(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        tenant = [{"namespace": "Campaign", "value": "acme-stg1"}]
        named = {"products": ["campaign"], "company_contexts": tenant}
        hand_in(inbox, line(1, products=["campaign"]), line(2, **named))
        (warning,) = make_plan(contexts=()).intake.warnings
        assert warning.startswith("DSR-1: campaign needs its tenant")
        assert [job.warnings for job in ledger.people.request_jobs("DSR-1")] == [warning[7:]]
        hand_in(inbox, line(3, products=["campaign"]), name="2.jsonl")
        assert make_plan(contexts=(CompanyContext(**tenant[0]),)).intake.warnings == []

    @pytest.mark.parametrize("namespace", ["imsOrgID", "IMSOrgId", "imsOrg"])
    def test_a_request_for_another_organisation_is_refused(
        self, inbox: Store, make_plan: MakePlan, namespace: str
    ) -> None:
        other = [{"namespace": namespace, "value": "OTHER@AdobeOrg"}]
        hand_in(inbox, line(1, company_contexts=other))
        plan = make_plan(organisation="MINE@AdobeOrg")
        assert plan.intake.rejected == 1
        assert "another organisation" in rejected(inbox)[0]["reason"]


class TestBatches:
    def test_a_crash_while_planning_loses_nothing(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hand_in(inbox, *(line(n) for n in range(10)), *(line(n, regulation="ccpa") for n in range(10, 20)))
        monkeypatch.setattr(taking_in, "CHUNK", 3)
        for topic, name, after in ((ledger.intake, "receive", 2), (ledger.claims, "claim_batch", 1)):
            with monkeypatch.context() as patch:
                patch.setattr(topic, name, _dies_after(after, getattr(topic, name)))
                with pytest.raises(KeyboardInterrupt):
                    make_plan()
        plan = make_plan()
        assert sorted(sizes(plan)) == [10, 10]
        assert counted(ledger) == {JobState.PLANNED: 20}

    def test_a_later_days_plan_takes_over_what_a_dead_run_left(
        self, inbox: Store, make_plan: MakePlan, clock: FakeClock
    ) -> None:
        hand_in(inbox, line(1))
        [left] = make_plan(run_id="dead").batches
        tomorrow = DAY + timedelta(days=1)
        assert make_plan(tomorrow, run_id="too soon").batches == []
        clock.advance(hours=2, seconds=1)
        assert [p.batch.id for p in make_plan(tomorrow, run_id="tomorrow").batches] == [left.batch.id]
        assert make_plan(DAY - timedelta(days=1), run_id="backfill").batches == []

    def test_what_is_over_the_quota_waits_and_is_taken_the_next_day(
        self, inbox: Store, make_plan: MakePlan, clock: FakeClock, ledger: Ledger
    ) -> None:
        hand_in(inbox, *(line(n) for n in range(5)))
        plan = make_plan(daily_limit=3)
        assert (sizes(plan), plan.waiting) == ([3], 2)
        assert "2 jobs are left for the next run" in plan_lines(plan)[-1]
        [batch] = plan.batches
        ledger.intents.intend(
            batch.batch.id, [j.id for j in ledger.claims.batch_jobs(batch.batch.id)], daily_limit=3
        )
        assert make_plan(run_id="again", daily_limit=3).waiting == 2
        clock.advance(days=1)
        later = make_plan(DAY + timedelta(days=1), run_id="tomorrow", daily_limit=3)
        assert later.waiting == 0
        assert sizes(later)[-1] == 2

    def test_a_backfill_leaves_the_schedule_its_share(
        self, inbox: Store, make_plan: MakePlan, clock: FakeClock
    ) -> None:
        hand_in(inbox, *(line(n) for n in range(10)))
        assert make_plan(max_jobs=0).batches == []
        clock.advance(hours=2, seconds=1)
        assert sizes(make_plan(run_id="backfill", daily_limit=10, share=0.75)) == [7]
        assert sizes(make_plan(DAY + timedelta(days=1), run_id="schedule", daily_limit=10)) == [3]

    def test_a_run_of_at_most_so_many_jobs_keeps_to_it_when_it_is_tried_again(
        self, inbox: Store, make_plan: MakePlan
    ) -> None:
        hand_in(inbox, *(line(n) for n in range(6)))
        others = make_plan(run_id="other", max_jobs=1)
        first = make_plan(max_jobs=2)
        again = make_plan(max_jobs=2)
        assert sizes(others) == [1]
        assert sizes(first) == sizes(again) == [2]
        assert again.waiting == 3

    def test_a_thousand_users_make_a_batch(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(inbox, *(line(n, "access", "delete") for n in range(1001)))
        plan = make_plan()
        # Batches of one moment come in any order.
        assert sorted((p.content.users, p.content.jobs) for p in plan.batches) == [(1, 2), (1000, 2000)]

    def test_a_plan_has_no_more_than_a_hundred_batches(
        self, inbox: Store, make_plan: MakePlan, clock: FakeClock
    ) -> None:
        # Requests for other products go in other batches: the worst that a day's requests can be.
        pairs = list(itertools.combinations(PRODUCTS, 2))[:105]
        assert len(pairs) == 105
        hand_in(inbox, *(line(n, products=list(pair)) for n, pair in enumerate(pairs)))
        assert make_plan(max_jobs=0).batches == []
        clock.advance(hours=2, seconds=1)
        plan = make_plan()
        assert (len(plan.batches), plan.waiting) == (100, 5)
        assert len(make_plan().batches) == 100
        tomorrow = make_plan(DAY + timedelta(days=1), run_id="tomorrow")
        assert (len(tomorrow.batches), tomorrow.waiting) == (5, 0)

    def test_a_plan_whose_batches_are_all_sent_and_done_is_empty(self, make_plan: MakePlan) -> None:
        (told,) = plan_lines(make_plan())
        assert told.endswith(f"/inbox/{DAY}: nothing for this day, and nothing waits from earlier days.")


class TestDryRun:
    def test_a_dry_run_says_what_a_run_would_do_and_keeps_nothing(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        hand_in(inbox, line(1, "access", "delete"), "junk")
        dry = make_plan(dry_run=True)
        assert counted(ledger) == {}
        assert rejected(inbox) == []
        wet = make_plan()
        assert sizes(dry) == sizes(wet) == [2]

        def without_ids(plan: Plan) -> list[str]:
            return [text for text in plan_lines(plan) if not text.startswith("Batch ")]

        assert without_ids(dry) == without_ids(wet)
        assert plan_lines(dry)[0].endswith(
            f"/inbox/{DAY}: 1 files, 1 new requests, 0 known already, 1 lines rejected"
        )

    def test_it_says_the_same_as_a_run_whatever_the_ledger_holds(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger, clock: FakeClock
    ) -> None:
        hand_in(inbox, *(line(n, "access", "delete") for n in range(6)))
        hand_in(inbox, line(6, "delete"), line(7, regulation="ccpa"), "junk", name="s.jsonl")
        make_plan(max_jobs=3, run_id="lost", approve_deletes=True)
        ledger.people.hold("DSR-7", "a court asks for it")
        clock.advance(hours=2, seconds=1)
        hand_in(inbox, line(6, "delete"), line(1, "delete"), line(8), name="t.jsonl")
        hand_in(inbox, line(2, "access", "delete"), line(9), day=DAY + timedelta(days=1))
        before = counted(ledger)
        for day, options in (
            (DAY, {"approve_deletes": True}),
            (DAY, {"max_jobs": 2}),
            (DAY + timedelta(days=1), {"daily_limit": 7}),
            (DAY + timedelta(days=1), {"run_id": "lost"}),
        ):
            dry = make_plan(day, dry_run=True, **options)
            assert counted(ledger) == before
            wet = make_plan(day, **options)
            before = counted(ledger)
            assert [told for told in plan_lines(dry) if not told.startswith("Batch ")] == [
                told for told in plan_lines(wet) if not told.startswith("Batch ")
            ]
            assert sorted(sizes(dry)) == sorted(sizes(wet))

    def test_it_keeps_nobody_from_writing_while_it_reads_the_inbox(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hand_in(inbox, *(line(n, "delete") for n in range(2)))
        make_plan(approve_deletes=True)
        hand_in(inbox, line(3), name="s.jsonl")
        chunks, done = Store.chunks, threading.Event()

        def hold() -> None:
            ledger.people.hold("DSR-1", "now")
            done.set()

        def while_somebody_writes(store: Store, key: str) -> Iterator[bytes]:
            for chunk in chunks(store, key):
                held = threading.Thread(target=hold)
                held.start()
                held.join(10)
                yield chunk

        monkeypatch.setattr(Store, "chunks", while_somebody_writes)
        assert make_plan(dry_run=True).intake.new == 1
        assert done.is_set(), "a hold waited for the dry run"
        assert counted(ledger)[JobState.PLANNED] == 2

    def test_it_leaves_no_file_behind(
        self, inbox: Store, make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        hand_in(inbox, line(1))
        make_plan(dry_run=True)
        assert list(scratch.iterdir()) == []


class TestQuestions:
    """p19: who asks again, and when, where the run that asked is gone."""

    def test_the_next_plan_asks_again_what_nobody_asks_any_more(
        self, inbox: Store, ledger: Ledger, clock: FakeClock
    ) -> None:
        hand_in(inbox, line(1, "delete"), line(2, "access"))
        settings = PlanSettings(default_products=("analytics",), approve_deletes=True)

        def deletes(day: date, run_id: str, *, asks: bool, dry_run: bool = False) -> list[str]:
            plan = plan_day(
                inbox,
                ledger,
                day=day,
                run_id=run_id,
                settings=settings,
                dry_run=dry_run,
                still_asks=lambda actor: asks,
            )
            return [planned.batch.id for planned in plan.batches if planned.batch.needs_approval]

        [batch] = deletes(DAY, "first", asks=True)
        ledger.approvals.ask(batch, clock() + timedelta(days=7))
        clock.advance(days=1)
        tomorrow = DAY + timedelta(days=1)
        assert deletes(tomorrow, "second", asks=True) == []
        assert deletes(tomorrow, "second", asks=False, dry_run=True) == [batch]
        assert deletes(tomorrow, "second", asks=True) == []
        assert deletes(tomorrow, "second", asks=False) == [batch]


class TestReport:
    def test_empty_files_and_files_of_another_kind_are_told(self, inbox: Store, make_plan: MakePlan) -> None:
        inbox.write(f"{DAY}/empty.jsonl", b"")
        inbox.write(f"{DAY}/headings.csv", b"request_id,regulation,actions\n")
        inbox.write(f"{DAY}/notes.xlsx", b"x")
        told = plan_lines(make_plan())
        assert f"Empty: {DAY}/empty.jsonl holds no request" in told
        assert f"Empty: {DAY}/headings.csv holds no request" in told
        assert (
            "Not read: 1 files; only regular files *.csv, *.tsv, *.jsonl, *.ndjson and *.json hold requests"
            in told
        )

    def test_many_rejected_lines_are_counted_not_all_shown(self, inbox: Store, make_plan: MakePlan) -> None:
        hand_in(inbox, *["junk"] * 60)
        told = plan_lines(make_plan())
        assert sum(text.startswith("Rejected: ") for text in told) == 50
        assert "… and 10 more rejected lines" in told

    def test_adobes_quota_refusal_is_told(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger, clock: FakeClock
    ) -> None:
        hand_in(inbox, line(1))
        ledger.quotas.record_refusal(ledger.now().date())
        assert "Adobe takes no more today" in plan_lines(make_plan())[-2]
        clock.advance(days=1)
        assert not any("Adobe takes no more today" in text for text in plan_lines(make_plan()))

    def test_a_settlement_names_every_job_that_needs_a_look(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        hand_in(inbox, *(line(n) for n in range(6)), line(6, "opt_out_of_sale", regulation="ccpa"))
        [planned] = make_plan().batches
        jobs = ledger.claims.batch_jobs(planned.batch.id)
        ledger.claims.unclaim(planned.batch.id, "no room", job_ids={jobs[0].id})
        ledger.claims.refuse([jobs[1].id], "gone")
        sent = ledger.intents.intend(planned.batch.id, [job.id for job in jobs[2:5]], daily_limit=99)
        ledger.intents.record_submitted(
            [(job, f"adobe-{job.key}") for job in sent], adobe_request_id=None, reason="Adobe's answer"
        )
        failed = ledger.people.request_jobs("DSR-2")[0]
        ledger.results.record_error(
            failed, completed_at=None, outcome_code="1000-400", reason="", try_again=False
        )
        _, partial, full = ledger.claims.batch_jobs(planned.batch.id, JobState.SUBMITTED, JobState.ERROR)
        for job, outcome in ((partial, "in part"), (full, "done")):
            ledger.results.record_complete([FinishedJob(job, None, outcome, "6054-200")])
            ledger.results.record_archived({job.id: "m"})
        settlement = settle(ledger, run_id="run", inbox_date=DAY)
        assert (settlement.jobs, settlement.problems, settlement.waiting) == (6, 3, 1)
        assert sorted(problem.partition(" ")[0] for problem in settlement.named) == [
            "DSR-1",
            "DSR-2",
            "DSR-5",
        ]
        assert any("DSR-2" in problem and "1000-400" in problem for problem in settlement.named)
        assert any(text.startswith("In part: DSR-3 (access)") for text in settlement.lines)
        assert settlement.figures.partition("; ")[0] == (
            "6 jobs (6 access): 2 archived (1 not in whole), 1 ended in error, 1 refused, 1 not submitted yet, "
            "1 for the next run"
        )

    def test_a_settlement_tells_of_warnings_and_of_what_the_law_says_in_bounds(
        self, inbox: Store, make_plan: MakePlan, ledger: Ledger
    ) -> None:
        hand_in(inbox, *(line(n, "delete", products=["profileService"]) for n in range(3)))
        make_plan()
        figures = settle(ledger, run_id="run", inbox_date=DAY).figures
        assert figures.endswith(
            "; 3 taken with a warning: 3 a delete for profileService without identity and aepDataLake leaves the data "
            "that is there"
        )
        hand_in(inbox, line(9, "delete", products=["marketo"], regulation="nzpa_nzl"), name="law.jsonl")
        for n, length in enumerate(range(1, 9), 10):
            short = {"namespace": "ECID", "value": "1" * length}
            hand_in(inbox, line(n, identities=[short], products=["target"]), name=f"{n}.jsonl")
        make_plan()
        figures = settle(ledger, run_id="run", inbox_date=DAY).figures
        assert "12 taken with a warning: 3 a delete for" in figures
        assert "1 nzpa_nzl knows no right of deletion" in figures
        assert figures.endswith("; 7 more warnings, see the log of the task plan")

    def test_a_day_without_jobs_is_settled_at_once(self, ledger: Ledger) -> None:
        assert settle(ledger, run_id="run", inbox_date=DAY).problems == 0


def _dies_after(calls: int, call: Callable[..., Any]) -> Callable[..., Any]:
    counted: Iterator[int] = iter(range(calls))

    def mortal(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        if next(counted, None) is None:
            raise KeyboardInterrupt
        return result

    return mortal


def test_two_plans_of_one_day_at_once_take_every_request_once(inbox: Store, open_ledger: OpenLedger) -> None:
    hand_in(inbox, *(line(n) for n in range(300)))
    plans: list[Plan] = []

    def run(number: int) -> None:
        settings = PlanSettings(default_products=("analytics",))
        plans.append(plan_day(inbox, open_ledger(), day=DAY, run_id=f"run {number}", settings=settings))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(plan.intake.new for plan in plans) == 300
    # Who comes later than the first has recorded the file does not open it.
    assert sum(plan.intake.duplicates + 300 * plan.intake.unchanged for plan in plans) == 600
    assert counted(open_ledger()) == {JobState.PLANNED: 300}
