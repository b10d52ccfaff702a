"""Every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.attention import BY_NAME
from adobe_privacy.ledger.database import MIGRATIONS
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.others import OthersJob
from adobe_privacy.ledger.overview import Filters, Overview, Position, expires_at
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import DailyFigures, Job
from adobe_privacy.ledger.states import JobState
from adobe_privacy.results.verdicts import Answer
from tests.support.ledgers import DAY, NOON, FakeClock, Postgres, counted, received

TODAY = NOON.date()
RUN = "privacy_requests/scheduled__2026-11-20"


@pytest.fixture
def overview(ledger: Ledger) -> Overview:
    return ledger.overview


def submit(ledger: Ledger) -> list[Job]:
    """Everything that waits is at Adobe afterwards."""
    batch = ledger.claims.claim_batch(run_id=RUN, inbox_date=DAY, daily_limit=20_000)
    assert batch is not None
    jobs = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=20_000
    )
    made = [(job, f"adobe-{job.id}") for job in jobs]
    ledger.intents.record_submitted(made, adobe_request_id=None, reason="Adobe's answer")
    return ledger.claims.batch_jobs(batch.id)


def archive(ledger: Ledger, job: Job, *, completed_at: datetime | None = None) -> None:
    ledger.results.record_complete([FinishedJob(job, completed_at, "done", "6000-200")])
    assert ledger.results.record_archived({job.id: f"jobs/{job.adobe_job_id}/manifest.json"})


def ids(jobs: list[Job]) -> list[str]:
    return [job.request_id for job in jobs]


class TestCounts:
    def test_every_state_is_counted_as_the_rows_say(self, ledger: Ledger, overview: Overview) -> None:
        assert set(overview.counts().values()) == {0}
        ledger.intake.receive([received(n, "access", "delete") for n in range(5)])
        jobs = submit(ledger)
        ledger.intake.receive([received(n) for n in range(10, 13)])
        for job in jobs[:3]:
            archive(ledger, job)
        ledger.results.record_error(
            jobs[3], completed_at=None, outcome_code="1000-400", reason="", try_again=False
        )
        ledger.others.register([others(1)])
        counts = overview.counts()
        assert {state: count for state, count in counts.items() if count} == counted(ledger)
        assert counts[JobState.ARCHIVED] == 3

    def test_opt_outs_are_counted_once_their_receipt_is_written(
        self, ledger: Ledger, overview: Overview
    ) -> None:
        ledger.intake.receive([received(1, "opt_out_of_sale")])
        jobs = ledger.opt_outs.record_accepted(ledger.opt_outs.intend(DAY, limit=10, abandoned_before=NOON))
        ledger.opt_outs.record_receipts([(job, "optouts/1.json") for job in jobs])
        assert overview.counts()[JobState.ARCHIVED] == 1


class TestDailyFigures:
    def test_they_tell_arrivals_archived_and_how_long_it_took(
        self, ledger: Ledger, overview: Overview, clock: FakeClock
    ) -> None:
        ledger.intake.receive([received(n, received_at=NOON - timedelta(hours=n)) for n in (0, 1)])
        jobs = submit(ledger)
        clock.advance(days=2)
        for job in jobs:
            archive(ledger, job)
        archive_again = ledger.results.record_archived({jobs[0].id: "other"})
        first, between, last = overview.daily_figures(3)
        assert not archive_again
        assert [figures.day for figures in (first, between, last)] == [
            TODAY,
            TODAY + timedelta(days=1),
            TODAY + timedelta(days=2),
        ]
        assert (first.arrived, first.archived) == (2, 0)
        assert (between.arrived, between.archived) == (0, 0)
        assert (last.archived, last.seconds, last.longest) == (2, (48 + 49) * 3600, 49 * 3600)

    def test_an_older_ledger_gets_them_from_its_rows(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(n, received_at=NOON - timedelta(days=2)) for n in range(3)])
        for job in submit(ledger)[:2]:
            archive(ledger, job)
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with ledger.unit.engine.begin() as connection:
            DailyFigures.__table__.drop(connection)  # type: ignore[attr-defined]
            indexes = Job.__table__.indexes  # type: ignore[attr-defined]
            for index in indexes:
                if index.name == "ix_privacy_jobs_at_adobe":
                    index.drop(connection)
            config.attributes["connection"] = connection
            command.stamp(config, "0002", purge=True)
            command.upgrade(config, "0003")
            # Later revisions are in the tables already.
            command.stamp(config, "head", purge=True)
            # But for this index, which the old revision makes as it was.
            [found_by] = [each for each in indexes if each.name == "ix_privacy_jobs_state"]
            found_by.drop(connection)
            found_by.create(connection)
        arrival, _, archival = overview.daily_figures(3)
        assert (arrival.day, arrival.arrived) == (TODAY - timedelta(days=2), 3)
        assert (archival.archived, archival.seconds, archival.longest) == (2, 2 * 172_800, 172_800)


class TestAttention:
    def test_what_is_due_is_told_by_the_day(self, ledger: Ledger, overview: Overview) -> None:
        days = {"late": -1, "today": 0, "week": 7, "later": 8}
        ledger.intake.receive([received(name, due=TODAY + timedelta(days=n)) for name, n in days.items()])
        counts = ledger.attention.counts()
        assert {name for name, count in counts.items() if count} == {"overdue", "soon"}
        assert (counts["overdue"], counts["soon"]) == (1, 2)
        assert ids(overview.page(Filters(attention=BY_NAME["overdue"])).jobs) == ["DSR-late"]
        assert ids(overview.page(Filters(attention=BY_NAME["soon"])).jobs) == ["DSR-today", "DSR-week"]

    def test_what_is_archived_is_late_no_more(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(1, due=TODAY - timedelta(days=1))])
        archive(ledger, submit(ledger)[0])
        assert ledger.attention.counts()["overdue"] == 0
        assert overview.page(Filters(attention=BY_NAME["overdue"])).jobs == []

    def test_held_and_failed_jobs(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(n) for n in range(3)])
        jobs = submit(ledger)
        ledger.results.record_error(
            jobs[0], completed_at=None, outcome_code="1000-400", reason="", try_again=False
        )
        ledger.people.hold("DSR-1", "lawsuit")
        counts = ledger.attention.counts()
        assert (counts["held"], counts["error"]) == (1, 1)
        assert ids(overview.page(Filters(attention=BY_NAME["held"])).jobs) == ["DSR-1"]
        assert ids(overview.page(Filters(attention=BY_NAME["error"])).jobs) == ["DSR-0"]

    def test_a_held_job_is_of_concern_in_the_archive_too(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(1)])
        archive(ledger, submit(ledger)[0])
        ledger.people.hold("DSR-1", "lawsuit")
        held = Filters(attention=BY_NAME["held"])
        assert ids(overview.page(held).jobs) == ["DSR-1"]
        submitted = Filters(attention=BY_NAME["held"], states=(JobState.SUBMITTED,))
        assert overview.page(submitted).jobs == []

    def test_what_adobe_will_not_keep_for_another_week(
        self, ledger: Ledger, overview: Overview, clock: FakeClock
    ) -> None:
        ledger.intake.receive([received(n) for n in range(2)])
        complete, still_open = submit(ledger)
        ledger.results.record_complete([FinishedJob(complete, NOON, "done", None)])
        clock.advance(days=23)
        assert ledger.attention.counts()["expiring"] == 0
        clock.advance(seconds=1)
        (job,) = overview.page(Filters(attention=BY_NAME["expiring"])).jobs
        assert (job.request_id, expires_at(job)) == (complete.request_id, NOON + timedelta(days=30))
        clock.advance(days=15)
        assert ledger.attention.counts()["expiring"] == 2
        jobs = overview.page(Filters(attention=BY_NAME["expiring"])).jobs
        assert [expires_at(job) for job in jobs if job.id == still_open.id] == [NOON + timedelta(days=45)]


class TestPages:
    def test_pages_join_without_a_gap_or_a_repetition(self, ledger: Ledger, overview: Overview) -> None:
        # Several on one due date, in several states.
        ledger.intake.receive([received(n, due=TODAY + timedelta(days=n % 4)) for n in range(10)])
        jobs = submit(ledger)
        ledger.results.record_error(
            jobs[4], completed_at=None, outcome_code="1000-400", reason="", try_again=False
        )
        ledger.intake.receive([received(n, due=TODAY + timedelta(days=n % 4)) for n in range(20, 25)])
        seen: list[Job] = []
        after: Position | None = None
        for _ in range(4):
            page = overview.page(Filters(), after=after, limit=4)
            seen += page.jobs
            after = page.next
        assert after is None
        assert [(job.due_on, job.id) for job in seen] == sorted((job.due_on, job.id) for job in seen)
        assert len({job.id for job in seen}) == 15

    def test_a_last_page_that_is_full_has_no_next_one(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(n) for n in range(4)])
        assert overview.page(Filters(), limit=4).next is None

    def test_with_archived_jobs_the_latest_come_first(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(n, due=TODAY + timedelta(days=n)) for n in range(4)])
        for job in submit(ledger)[:3]:
            archive(ledger, job)
        archived = Filters(states=(JobState.ARCHIVED,))
        first = overview.page(archived, limit=2)
        assert ids(first.jobs) == ["DSR-2", "DSR-1"]
        assert ids(overview.page(archived, after=first.next, limit=2).jobs) == ["DSR-0"]
        assert ids(overview.page(Filters(states=tuple(JobState))).jobs) == [
            "DSR-3",
            "DSR-2",
            "DSR-1",
            "DSR-0",
        ]
        assert ids(overview.page(Filters()).jobs) == ["DSR-3"]

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            (Filters(regulation="ccpa"), {"DSR-ccpa"}),
            (Filters(action="delete"), {"DSR-delete"}),
            (Filters(request_id="DSR-delete"), {"DSR-delete"}),
            (Filters(request_id="DSR-"), set()),
            (Filters(product="target"), {"DSR-target"}),
            (Filters(product="targe"), set()),
            (Filters(product="%"), set()),
            (Filters(product="campaign", default_products=["campaign"]), {"DSR-default"}),
            (Filters(first_day=DAY + timedelta(days=1)), {"DSR-day"}),
            (Filters(first_day=DAY + timedelta(days=1), last_day=DAY + timedelta(days=1)), {"DSR-day"}),
            (Filters(first_day=DAY, last_day=DAY, states=(JobState.ARCHIVED,)), set()),
            (Filters(last_day=DAY, regulation="ccpa"), {"DSR-ccpa"}),
            (Filters(batch_id="none"), set()),
            (Filters(states=(JobState.PLANNED,)), set()),
            (Filters(states=(JobState.RECEIVED,), regulation="ccpa", action="access"), {"DSR-ccpa"}),
        ],
    )
    def test_a_filter_leaves_what_it_says(
        self, ledger: Ledger, overview: Overview, filters: Filters, found: set[str]
    ) -> None:
        ledger.intake.receive(
            [
                received("ccpa", regulation="ccpa"),
                received("delete", "delete"),
                received("target", products="analytics,target"),
                received("default", products=""),
                received("day", inbox_date=DAY + timedelta(days=1)),
            ]
        )
        assert set(ids(overview.page(filters).jobs)) == found

    def test_a_request_without_products_counts_by_what_its_batch_asks_for(
        self, ledger: Ledger, overview: Overview
    ) -> None:
        ledger.intake.receive([received("in a batch", products="")])
        ledger.claims.claim_batch(
            run_id="run", inbox_date=DAY, daily_limit=10, default_products="analytics,target"
        )
        ledger.intake.receive([received("of today", products="")])

        def found(product: str, *defaults: str) -> list[str]:
            return sorted(ids(overview.page(Filters(product=product, default_products=defaults)).jobs))

        assert found("target") == ["DSR-in a batch"]
        # The connection's default products have changed since.
        assert found("target", "campaign", "target") == ["DSR-in a batch", "DSR-of today"]
        assert found("campaign", "campaign") == ["DSR-of today"]

    def test_so_does_one_that_is_archived(self, ledger: Ledger, overview: Overview) -> None:
        def archived(number: int, products: str, asked: str) -> None:
            ledger.intake.receive([received(number, products=products)])
            batch = ledger.claims.claim_batch(
                run_id="run", inbox_date=DAY, daily_limit=10, default_products=asked
            )
            assert batch is not None
            with ledger.unit.write() as session:
                of_batch = update(Job).where(Job.batch_id == batch.id)
                session.execute(of_batch.values(state=JobState.ARCHIVED))

        def found(product: str, *defaults: str) -> list[str]:
            filters = Filters(states=(JobState.ARCHIVED,), product=product, default_products=defaults)
            return sorted(ids(overview.page(filters).jobs))

        archived(1, "", "analytics,target")
        assert found("target", "target") == found("target") == ["DSR-1"]
        assert found("campaign") == found("campaign", "campaign") == []
        archived(2, "", "analytics,campaign")
        archived(3, "campaign,target", "analytics")
        assert found("analytics", "analytics") == ["DSR-1", "DSR-2"]
        assert found("target") == ["DSR-1", "DSR-3"]
        assert found("campaign", "target") == ["DSR-2", "DSR-3"]

    def test_a_batch_shows_all_its_jobs(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(n) for n in range(3)])
        jobs = submit(ledger)
        archive(ledger, jobs[0])
        ledger.intake.receive([received(9)])
        assert len(overview.page(Filters(batch_id=jobs[0].batch_id)).jobs) == 3


def answered(ledger: Ledger, outcome: Verdict, *answers: Answer) -> Job:
    """One more archived job, with these answers."""
    number = sum(counted(ledger).values())
    ledger.intake.receive([received(number, products="target,analytics")])
    (job,) = submit(ledger)
    ledger.results.record_complete([FinishedJob(job, None, outcome, answers[-1].code, answers)])
    ledger.results.record_archived({job.id: "m"})
    return job


class TestVerdicts:
    @pytest.fixture
    def jobs(self, ledger: Ledger) -> dict[str, Job]:
        done = Answer("analytics", "Analytics", Verdict.DONE, code="6000-200")
        wrong = Answer("target", "Target", Verdict.WRONG_NAMESPACE, code="6053-200")
        missed = Answer("target", "Target", Verdict.IN_PART, code="6054-200")
        return {
            "done": answered(ledger, Verdict.DONE, done),
            "wrong at target": answered(ledger, Verdict.IN_PART, done, wrong),
            "wrong at both": answered(
                ledger, Verdict.NOT_DONE, wrong, replace(wrong, product="analytics", name="Analytics")
            ),
            "in part at target": answered(ledger, Verdict.IN_PART, done, missed),
            "as before": answered(ledger, Verdict.AS_BEFORE, done),
        }

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            (Filters(verdict=Verdict.IN_PART), {"wrong at target", "in part at target"}),
            (Filters(verdict=Verdict.AS_BEFORE), {"as before"}),
            (Filters(verdict=Verdict.WRONG_NAMESPACE), {"wrong at target", "wrong at both"}),
            (Filters(verdict=Verdict.IN_PART, product="target"), {"in part at target"}),
            (Filters(verdict=Verdict.IN_PART, product="analytics"), set()),
            (Filters(code="6053-200"), {"wrong at target", "wrong at both"}),
            (Filters(code="6053-200", product="analytics"), {"wrong at both"}),
            (Filters(code="6053-200", verdict=Verdict.DONE), set()),
            (Filters(verdict=Verdict.IN_PART, first_day=DAY + timedelta(days=1)), set()),
            (Filters(verdict=Verdict.DONE, states=(JobState.ERROR,)), set()),
        ],
    )
    def test_jobs_are_found_by_what_became_of_them(
        self,
        overview: Overview,
        jobs: dict[str, Job],
        filters: Filters,
        found: set[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        expected = {jobs[name].request_id for name in found}
        assert set(ids(overview.page(filters).jobs)) == expected
        # Where there are many such answers, the same is found by another way.
        monkeypatch.setattr("adobe_privacy.ledger.overview.FEW_ANSWERS", 0)
        assert set(ids(overview.page(filters).jobs)) == expected

    def test_an_earlier_attempts_answer_is_not_the_jobs(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(1)])
        (job,) = submit(ledger)
        ledger.results.record_error(
            job,
            completed_at=None,
            outcome_code="1020-400",
            reason="",
            try_again=True,
            answers=[Answer("target", "Target", Verdict.NOT_DONE, code="1020-400")],
        )
        assert overview.page(Filters(code="1020-400")).jobs == []

    def test_every_job_is_read_once(
        self, overview: Overview, jobs: dict[str, Job], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adobe_privacy.ledger.overview.EXPORTED_AT_ONCE", 2)
        read = [ids(some) for some in overview.every(Filters(states=tuple(JobState)))]
        assert [len(some) for some in read] == [2, 2, 1]
        assert {each for some in read for each in some} == {job.request_id for job in jobs.values()}
        assert list(overview.every(Filters(request_id="nobody"))) == []


class TestOneRequest:
    def test_its_jobs_history_and_batches(self, ledger: Ledger, overview: Overview) -> None:
        ledger.intake.receive([received(1, "access", "delete"), received(2)])
        (batch_id,) = {job.batch_id for job in submit(ledger)}
        jobs, changes, batches = overview.request("DSR-1")
        assert [job.action for job in jobs] == ["access", "delete"]
        assert [change.to_state.value for change in changes if change.job_id == jobs[0].id] == [
            "received",
            "planned",
            "submitting",
            "submitted",
        ]
        assert {batch.run_id for batch in batches.values()} == {RUN}
        assert list(batches) == [batch_id]
        assert overview.job(jobs[0].id) is not None
        assert overview.request("DSR-9") == ([], [], {})


def test_postgresql_would_not_let_it_write(postgres: Postgres) -> None:
    with Ledger(postgres.empty_ledger(), actor="test") as ledger:
        ledger.intake.receive([received(1)])
        with ledger.unit.read() as session, pytest.raises(DBAPIError, match="read-only"):
            session.execute(Job.__table__.delete())  # type: ignore[attr-defined]
        ledger.intake.receive([received(2)])
        assert sum(counted(ledger).values()) == 2


def others(number: int) -> OthersJob:
    return OthersJob(
        adobe_job_id=f"others-{number}",
        regulation="gdpr",
        action="access",
        created_at=NOON,
        due_on=date(2026, 12, 21),
        request_id_in_key=None,
    )
