"""Requests are found by a part of their id, by Adobe's id, by batch, and by a fingerprint of a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.search import forget
from tests.support.ledgers import DAY, received


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    with Ledger(ledger_url, actor="user/officer") as ledger:
        ledger.intake.receive(
            [
                replace(received(1, "access", "delete"), request_id=name)
                for name in ("DSR-2026-000107", "Case/7%a")
            ]
        )
        yield ledger


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("DSR-2026-000107", ["DSR-2026-000107"]),
        ("  dsr-2026-000107 ", ["DSR-2026-000107"]),
        ("26-0001", ["DSR-2026-000107"]),
        ("case/7", ["Case/7%a"]),
        ("7%a", ["Case/7%a"]),
        ("7_a", []),  # no pattern
        ("000108", []),
        ("07", []),  # too short for a part
        ("", []),
    ],
)
def test_any_part_of_an_id_in_any_case(ledger: Ledger, text: str, found: list[str]) -> None:
    assert ledger.search.by_text(text) == found


def test_a_batch_and_adobes_job_also_of_an_earlier_attempt(ledger: Ledger) -> None:
    batch = ledger.claims.claim_batch(run_id="r", inbox_date=DAY, daily_limit=10)
    assert batch is not None
    sent = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=10
    )
    ledger.intents.record_submitted(
        [(job, f"adobe-{job.request_id}-{job.action}") for job in sent], adobe_request_id=None, reason=""
    )
    assert ledger.search.by_text(batch.id.upper()) == ["Case/7%a", "DSR-2026-000107"]
    assert ledger.search.by_text("adobe-DSR-2026-000107-delete") == ["DSR-2026-000107"]
    jobs = ledger.claims.batch_jobs(batch.id)
    (job,) = [job for job in jobs if job.request_id.startswith("DSR") and job.action == "delete"]
    assert ledger.results.record_gone(job, "gone")
    assert ledger.people.resend(job.request_id, "again") == 1
    assert ledger.search.by_text("adobe-DSR-2026-000107-delete") == ["DSR-2026-000107"]


def test_a_person_is_found_by_a_keyed_fingerprint_and_forgotten_with_the_request(ledger: Ledger) -> None:
    print_ = ledger.intake.person_print("Email", " DSmith@example.com")
    assert print_ == ledger.intake.person_print("email", "dsmith@example.com")
    assert print_ != ledger.intake.person_print("phone", "dsmith@example.com")
    assert len(print_) == 32
    ledger.intake.receive([replace(received(2), request_id="P-1", prints=[print_])])
    assert ledger.search.by_prints([print_]) == ["P-1"]
    assert ledger.search.by_prints([]) == []
    with ledger.unit.write() as session:
        forget(session, ["P-1"])
    assert ledger.search.by_prints([print_]) == []
    assert ledger.search.by_text("P-1") == []


def test_what_is_handed_in_is_found_before_a_run_takes_it_in(ledger: Ledger) -> None:
    ledger.handing_in.record({"PR-2026-000001": "print"}, "2026-11-20/page-1.json")
    assert ledger.search.by_text("pr-2026") == ["PR-2026-000001"]
    ledger.intake.receive([replace(received(3), request_id="PR-2026-000001")])
    assert ledger.search.by_text("pr-2026") == ["PR-2026-000001"]


def test_numbers_of_a_scheme_are_given_out_once(ledger: Ledger) -> None:
    year = ledger.now().year
    first, second = (ledger.handing_in.next_id("DSR-{year}-{number}") for _ in range(2))
    assert (first, second) == (f"DSR-{year}-000001", f"DSR-{year}-000002")
    ledger.handing_in.record({f"DSR-{year}-000003": "x"}, "y")
    assert ledger.handing_in.next_id("DSR-{year}-{number}") == f"DSR-{year}-000004"
