"""The ledger forgets ended requests, and knows an id again. On SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import String, select, update

from adobe_privacy.ledger.forgetting import months_before
from adobe_privacy.ledger.inbox import FileName, Problem
from adobe_privacy.ledger.intake import Reception
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Base, Job, Origin, ProblemKind, Transition
from adobe_privacy.ledger.states import JobState
from tests.support.ledgers import DAY, FakeClock, OpenLedger, received

LONG_AGO = {"received_at": datetime(2026, 11, 20, 9, 30, tzinfo=UTC)}


def forget(ledger: Ledger, clock: FakeClock, months: int = 24) -> int:
    return sum(ledger.forgetting.forget(months_before(clock(), months)))


def everything(ledger: Ledger) -> dict[str, list[dict[str, Any]]]:
    with ledger.unit.read() as session:
        return {
            table.name: [dict(row) for row in session.execute(select(table)).mappings()]
            for table in Base.metadata.sorted_tables
        }


def archived(ledger: Ledger, *numbers: int, **fields: Any) -> None:
    ledger.intake.receive([received(number, "access", parts=2, **LONG_AGO | fields) for number in numbers])
    with ledger.unit.write() as session:
        for number in numbers:
            session.execute(
                update(Job)
                .where(Job.request_id == f"DSR-{number}")
                .values(
                    state=JobState.ARCHIVED,
                    archived_at=ledger.now(),
                    adobe_job_id="adobe-" + Job.id.cast(String),
                )
            )


def test_after_24_months_no_text_holds_the_request_id(ledger: Ledger, clock: FakeClock) -> None:
    archived(ledger, 1, fingerprint="e" * 64, source=f"{DAY}/jane.doe.jsonl", warnings="w")
    ledger.erasures.begin("adobe-1", "DSR-1", "jobs/gdpr/2026/01/01/adobe-1")
    file = FileName(DAY, "k" * 64, "jane.doe.jsonl")
    ledger.inbox.record(
        file, [Problem(ProblemKind.LINE, "no", 1, request_id="DSR-1")], size=1, mark="m", run_id="r"
    )
    ledger.inbox.close(DAY, "jane.doe.jsonl", "a mistake")
    figures = ledger.figures.requests(DAY, DAY)
    clock.moment = datetime(2028, 11, 21, 11, 59, tzinfo=UTC)
    assert forget(ledger, clock) == 0
    clock.advance(minutes=2)
    assert forget(ledger, clock) == 1
    text = repr(everything(ledger))
    for trace in ("DSR-1", "e" * 64, "jane.doe"):
        assert trace not in text
    assert ledger.figures.requests(DAY, DAY) == figures
    assert forget(ledger, clock) == 0


def test_the_place_of_a_receipt_is_forgotten_too(ledger: Ledger, clock: FakeClock) -> None:
    """Its name is the request id."""
    long_ago = LONG_AGO["received_at"]
    ledger.intake.receive([received(1, "opt_out_of_sale", received_at=long_ago)])
    with ledger.unit.write() as session:
        session.execute(update(Job).values(state=JobState.COMPLETE))
    place = "optouts/ccpa/2026/11/20/DSR-1.json"
    ledger.results.record_archived({1: place}, {1: "ab" * 32})
    assert list(ledger.chain.receipts()) == [(place, "ab" * 32)]
    clock.advance(days=800)
    assert forget(ledger, clock) == 1
    assert "DSR-1" not in repr(everything(ledger))
    assert list(ledger.chain.receipts()) == []


def test_the_history_stays_to_the_letter(ledger: Ledger, clock: FakeClock) -> None:
    archived(ledger, 1)
    before = everything(ledger)[Transition.__tablename__]
    clock.advance(days=800)
    assert forget(ledger, clock) == 1
    assert everything(ledger)[Transition.__tablename__][: len(before)] == before


def test_an_id_that_comes_again_is_recognised_and_never_sent(ledger: Ledger, clock: FakeClock) -> None:
    archived(ledger, 1)
    clock.advance(days=800)
    assert forget(ledger, clock) == 1
    assert ledger.intake.receive([received(1), received(2)]) == [Reception.FORGOTTEN, Reception.NEW]
    with ledger.unit.read() as session:
        assert session.scalars(select(Job.request_id).where(Job.state == JobState.RECEIVED)).all() == [
            "DSR-2"
        ]


def test_who_knows_the_id_finds_the_request_and_can_hold_its_results(
    ledger: Ledger, clock: FakeClock
) -> None:
    archived(ledger, 1)
    clock.advance(days=800)
    forget(ledger, clock)
    jobs = ledger.people.request_jobs("DSR-1")
    assert [job.part for job in jobs] == [1, 2]
    assert [job.key.partition("~")[2][32:] for job in jobs] == ["", "~2"]
    assert len(ledger.people.history("DSR-1")) == 4
    assert len(ledger.overview.request("DSR-1")[0]) == 2
    assert ledger.people.hold("DSR-1", "lawsuit") == 2
    assert not ledger.erasures.begin("adobe-1", "DSR-1", "jobs/gdpr/2026/01/01/adobe-1")


def test_what_is_not_settled_is_not_forgotten(ledger: Ledger, clock: FakeClock) -> None:
    archived(ledger, *range(1, 7))
    ledger.people.hold("DSR-1", "lawsuit")
    states = (JobState.ERROR, JobState.REFUSED, JobState.GONE)
    with ledger.unit.write() as session:
        for number, state in enumerate(states, 2):
            one = select(Job.id).where(Job.request_id == f"DSR-{number}").limit(1).scalar_subquery()
            session.execute(update(Job).where(Job.id == one).values(state=state))
        session.execute(update(Job).where(Job.request_id == "DSR-6").values(origin=Origin.ADOBE))
    ledger.inbox.record(
        FileName(DAY, "k" * 64, "r.jsonl"),
        [Problem(ProblemKind.CONFLICT, "known with other content", 1, request_id="DSR-5")],
        size=1,
        mark="m",
        run_id="r",
    )
    clock.advance(days=800)
    assert forget(ledger, clock) == 0
    ledger.inbox.close(DAY, "r.jsonl", "a mistake")
    assert forget(ledger, clock) == 1


def test_what_is_not_known_to_be_erased_is_not_forgotten(ledger: Ledger, clock: FakeClock) -> None:
    archived(ledger, 1, 2)
    for number in (1, 2):
        # Of each, one part only.
        job = ledger.people.request_jobs(f"DSR-{number}")[0]
        folder = f"jobs/gdpr/2026/01/01/{job.adobe_job_id}"
        with ledger.unit.write() as session:
            ledger.unit.note(session, [job], job.state, job.state, "archived")
        assert ledger.erasures.begin(str(job.adobe_job_id), f"DSR-{number}", folder)
        assert ledger.erasures.note_stopped(folder)
    ledger.people.close("DSR-2", "lost for good")
    assert ledger.attention.counts()["not_erased"] == 1
    clock.advance(days=800)
    assert forget(ledger, clock) == 1
    assert ledger.people.request_jobs("DSR-1")[0].request_id == "DSR-1"
    ledger.people.close("DSR-1", "lost for good")
    assert forget(ledger, clock) == 0
    clock.advance(days=800)
    assert forget(ledger, clock) == 1


def test_a_change_begins_the_time_anew(ledger: Ledger, clock: FakeClock) -> None:
    archived(ledger, 1)
    clock.advance(days=700)
    ledger.people.hold("DSR-1", "lawsuit")
    ledger.people.release("DSR-1", "settled")
    clock.advance(days=100)
    assert forget(ledger, clock) == 0
    clock.advance(days=700)
    assert forget(ledger, clock) == 1


def test_a_hold_that_comes_while_the_ledger_forgets_wins(
    ledger: Ledger, open_ledger: OpenLedger, clock: FakeClock
) -> None:
    archived(ledger, *range(1, 302))
    clock.advance(days=800)
    forgetting = ledger.forgetting.forget(months_before(clock(), 24))
    assert next(forgetting) == 200
    with ledger.unit.read() as session:
        last = session.scalars(select(Job.request_id).where(Job.forgotten_at.is_(None))).first()
    with open_ledger("user counsel") as other:
        assert other.people.hold(str(last), "lawsuit")
    assert sum(forgetting) == 100


def test_without_the_key_a_request_is_looked_for_by_its_id_alone(
    open_ledger: OpenLedger, clock: FakeClock
) -> None:
    with_key = open_ledger(fingerprint_key="one")
    with_key.intake.fingerprint(b"")
    archived(with_key, 1, 2)
    without = open_ledger()
    assert len(without.people.request_jobs("DSR-2")) == 2
    clock.advance(days=800)
    forget(with_key, clock)
    assert without.people.request_jobs("DSR-2") == []
    assert len(with_key.people.request_jobs("DSR-2")) == 2


@pytest.mark.parametrize(
    ("moment", "months", "expected"),
    [
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
        (date(2028, 2, 29), 24, date(2026, 2, 28)),
        (date(2026, 12, 1), 24, date(2024, 12, 1)),
    ],
)
def test_months_are_calendar_months(moment: date, months: int, expected: date) -> None:
    noon = timedelta(hours=12)
    start = datetime(moment.year, moment.month, moment.day, tzinfo=UTC) + noon
    assert months_before(start, months).date() == expected
