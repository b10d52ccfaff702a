"""Reports as data and as pages. The figures themselves are tests/ledger/test_figures.py's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.results import FinishedJob
from adobe_privacy.ledger.schema import Job
from adobe_privacy.opt_outs.receipts import receipt_of
from adobe_privacy.reporting.reports import (
    PERIODS,
    as_json,
    evidence,
    evidence_html,
    figures_html,
    figures_report,
)
from adobe_privacy.storage import Store, open_store
from tests.support.ledgers import DAY, received

NASTY = '<script>alert("1")</script>'
RECEIPT = b'{"answer": "accepted"}'


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Ledger]:
    with Ledger(sqlite_url, actor=f"user {NASTY}") as ledger:
        yield ledger


@pytest.fixture
def archive(tmp_path: Path) -> Store:
    (tmp_path / "archive").mkdir()
    return open_store(f"file://{tmp_path}/archive")


@pytest.fixture
def job(ledger: Ledger) -> Job:
    """A delete that a person approved, archived without a manifest in the archive yet."""
    ledger.intake.receive([received(1, "delete", products=f"analytics,{NASTY}")])
    batch = ledger.claims.claim_batch(run_id="run", inbox_date=DAY, daily_limit=9, approve_deletes=True)
    assert batch is not None
    ledger.approvals.decide(batch.id, ledger.approvals.delete_plan(batch.id).hash, approved=True)
    [job] = ledger.intents.intend(
        batch.id, [job.id for job in ledger.claims.batch_jobs(batch.id)], daily_limit=9
    )
    ledger.intents.record_submitted([(job, "adobe-1")], adobe_request_id="rx", reason="Adobe's answer")
    ledger.people.hold("DSR-1", f"a dispute {NASTY}")
    [job] = ledger.people.request_jobs("DSR-1")
    ledger.results.record_complete([FinishedJob(job, None, "done", "6054-200")])
    ledger.results.record_archived({job.id: "jobs/gdpr/2026/11/21/adobe-1/manifest.json"})
    return job


@pytest.fixture
def opted_out(ledger: Ledger) -> str:
    """Where the receipt of an archived opt-out should lie."""
    ledger.intake.receive([received(1, "opt_out_of_sale", request_id="A/B#1", regulation="ccpa")])
    opt_outs = ledger.opt_outs
    accepted = opt_outs.record_accepted(opt_outs.intend(DAY, limit=1, abandoned_before=ledger.now()))
    receipt = receipt_of(accepted[0])
    digest = hashlib.sha256(RECEIPT).hexdigest()
    assert opt_outs.record_receipts([(accepted[0], receipt.place)], {accepted[0].id: digest}) == 1
    return receipt.place


class Page(HTMLParser):
    """The elements and the text of a page; complains about elements that are not closed."""

    VOID = ("meta", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, list[str | None]] = {}
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check_self_contained(page: Page) -> None:
    assert "script" not in page.tags
    assert not {"src", "href", "onload", "style"} & set(page.attributes)


def test_evidence_is_the_ledgers_history_the_approval_and_the_manifest(
    ledger: Ledger, job: Job, archive: Store, tmp_path: Path
) -> None:
    path = tmp_path / "archive" / str(ledger.people.request_jobs("DSR-1")[0].manifest)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"job_id": "adobe-1", "status": "complete"}))
    pack = evidence(ledger, "DSR-1", archive)
    assert pack is not None
    assert [step["to"] for step in pack["history"]] == [
        "received",
        "planned",
        "planned",
        "submitting",
        "submitted",
        "submitted",
        "complete",
        "archived",
    ]
    assert [(row["by"], row["approved"], len(row["plan_hash"])) for row in pack["approvals"]] == [
        (f"user {NASTY}", True, 64)
    ]
    assert list(pack["manifests"].values()) == [{"job_id": "adobe-1", "status": "complete"}]
    again = json.loads(as_json(pack))
    assert again["jobs"][0]["due_on"] == str(DAY.replace(day=20, month=12))
    assert again["jobs"][0]["on_hold"] is True


def test_a_manifest_that_is_missing_is_said(ledger: Ledger, job: Job, archive: Store) -> None:
    pack = evidence(ledger, "DSR-1", archive)
    assert pack is not None
    assert list(pack["manifests"].values()) == [{"problem": "it is not in the archive"}]


def test_the_receipt_of_an_opt_out_that_the_ledger_forgot_is_shown(
    ledger: Ledger, opted_out: str, archive: Store
) -> None:
    """It is all the proof that there is."""
    receipt = {opted_out: {"answer": "accepted"}}
    archive.create(opted_out, RECEIPT)
    before = evidence(ledger, "A/B#1", archive)
    assert before is not None
    assert before["manifests"] == receipt
    assert sum(ledger.forgetting.forget(datetime.now(UTC) + timedelta(days=1))) == 1
    assert "A~B#1" not in str(ledger.people.request_jobs("A/B#1")[0].manifest)
    after = evidence(ledger, "A/B#1", archive)
    assert after is not None
    assert after["manifests"] == receipt
    assert after["jobs"][0]["manifest"] == opted_out
    assert opted_out in evidence_html(after)
    archive.write(opted_out, b"{}")
    changed = evidence(ledger, "A/B#1", archive)
    assert changed is not None
    assert "problem" in changed["manifests"][opted_out]
    archive.delete(opted_out)
    gone = evidence(ledger, "A/B#1", archive)
    assert gone is not None
    assert gone["manifests"] == {opted_out: {"problem": "it is not in the archive"}}


def test_where_the_id_is_not_known_no_receipt_is_looked_for(
    ledger: Ledger, opted_out: str, archive: Store
) -> None:
    assert sum(ledger.forgetting.forget(datetime.now(UTC) + timedelta(days=1))) == 1
    [job] = ledger.people.request_jobs("A/B#1")
    pack = evidence(ledger, job.request_id, archive)
    assert pack is not None
    assert pack["manifests"] == {}


def test_an_unknown_request_has_no_evidence(ledger: Ledger) -> None:
    assert evidence(ledger, "DSR-9") is None


def test_the_evidence_page_escapes_everything_and_needs_nothing_else(
    ledger: Ledger, job: Job, archive: Store
) -> None:
    pack = evidence(ledger, "DSR-1", archive)
    assert pack is not None
    html = evidence_html(pack | {"request_id": f"DSR{NASTY}"})
    assert NASTY not in html
    page = Page(html)
    check_self_contained(page)
    assert page.text.count(NASTY) >= 5
    for text in ("adobe-1", "done (6054-200)", "approved", "it is not in the archive", "on hold: a dispute"):
        assert text in page.text


def test_the_figures_page_says_what_the_data_say(ledger: Ledger, job: Job) -> None:
    report = figures_report(ledger, DAY, DAY)
    [row] = report["figures"]
    assert (row["requests_to"], row["received"], row["complied"], row["denied"]) == ("delete", 1, 1, 0)
    page = Page(figures_html(report))
    check_self_contained(page)
    assert f"received {DAY} to {DAY}" in page.text
    assert "11 CCR § 7102(a)(1)" in page.text
    assert json.loads(as_json(report))["figures"] == report["figures"]


def test_the_figures_have_a_total_and_name_each_laws_period(ledger: Ledger, job: Job) -> None:
    report = figures_report(ledger, DAY, DAY)
    assert (report["total"]["received"], report["total"]["requests_to"]) == (1, "all")
    assert report["figures"][0]["law"]["period"] == "1 calendar month"
    assert report["figures"][0]["law"]["extension"] == "2 calendar months"
    text = Page(figures_html(report)).text
    for words in ("Total", "GDPR Art. 12(3)", "Answered in time"):
        assert words in text


@pytest.mark.parametrize(
    ("name", "today", "first", "last"),
    [
        ("this month", date(2028, 2, 29), date(2028, 2, 1), date(2028, 2, 29)),
        ("last month", date(2026, 1, 31), date(2025, 12, 1), date(2025, 12, 31)),
        ("this quarter", date(2026, 11, 26), date(2026, 10, 1), date(2026, 12, 31)),
        ("last quarter", date(2026, 11, 26), date(2026, 7, 1), date(2026, 9, 30)),
        ("last quarter", date(2026, 3, 31), date(2025, 10, 1), date(2025, 12, 31)),
        ("this year", date(2026, 1, 1), date(2026, 1, 1), date(2026, 12, 31)),
        ("last year", date(2026, 1, 1), date(2025, 1, 1), date(2025, 12, 31)),
    ],
)
def test_periods_are_those_of_the_calendar(name: str, today: date, first: date, last: date) -> None:
    assert PERIODS[name](today) == (first, last)


def test_an_empty_period_is_a_page_that_says_so(ledger: Ledger) -> None:
    assert "No request was received" in figures_html(figures_report(ledger, DAY, DAY, regulation="ccpa"))
