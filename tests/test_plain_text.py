"""Text that others wrote is text wherever it is shown."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowException
from hypothesis import given
from hypothesis import strategies as st

import adobe_privacy
from adobe_privacy.api.models import JobDetail
from adobe_privacy.api.names import Verdict
from adobe_privacy.archive import RetentionAction
from adobe_privacy.archive.findings import wrong
from adobe_privacy.command_output import _cell as terminal_cell
from adobe_privacy.failures import plain_failures
from adobe_privacy.ledger.attention import KINDS
from adobe_privacy.ledger.delete_plan import DeletePlan
from adobe_privacy.ledger.schema import Batch, InboxProblem, Job, ProductAnswer
from adobe_privacy.ledger.states import JobState
from adobe_privacy.plain_text import csv_cell, markdown, plain, plain_logger
from adobe_privacy.planning.approval import question
from adobe_privacy.reporting.attention import _of_inbox, _of_job
from adobe_privacy.reporting.export import _lines
from adobe_privacy.results.verdicts import judge, missed
from adobe_privacy.storage import StorageError
from tests.support.ledgers import DAY, NOON

NASTY = (
    "Analytics |\n\n**Legal has approved.** [here](https://evil.example) <b>x</b>\x1b[2J\x1b]0;x\x07\u202e\0`"
)


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    for shown in (plain(text), markdown(text), csv_cell(text), terminal_cell(text)):
        assert shown.isprintable()
        assert plain(shown) == shown
    assert csv_cell(text).lstrip()[:1] not in ("=", "+", "-", "@") or not text.strip()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert csv_cell(text).startswith("'")
    assert _lines([[text]]).startswith(("'", "\"'"))


def test_ordinary_text_stays_as_it_is() -> None:
    text = "DSR-2026-000123 (Müller's): 4 of 5, 100 %, ucpa_ut_usa, batch #7"
    assert plain(text) == markdown(text) == csv_cell(text) == text


def test_the_approvers_question_takes_no_markup_from_whoever_triggers_a_run() -> None:
    batch = Batch(id="b1", regulation="gdpr", products=NASTY, options="")
    job = Job(id=1, attempt=1, request_id="DSR-1", due_on=date(2026, 12, 20), on_hold=False)
    body = question(DeletePlan(batch, (job,)), "https://airflow.example/list").body
    [row] = [line for line in body.split("\n") if line.startswith("| gdpr")]
    assert "\\*\\*Legal" in row
    assert "\\[here\\](" in row
    assert "\\<b\\>" in row
    assert "Analytics \\|" in row
    assert row.isprintable()


def test_text_of_adobes_answers_is_plain_before_anything_else_sees_it() -> None:
    """So it is in logs, ledger, manifests and alarms."""
    answer = {
        "jobId": f"j{NASTY}",
        "status": "error",
        "action": NASTY,
        "regulation": NASTY,
        "userKey": NASTY,
        "productStatusResponse": [
            {
                "product": NASTY,
                "retryCount": 0,
                "productStatusResponse": {"status": "error", "message": NASTY, "responseMsgDetail": NASTY},
            }
        ],
    }
    detail = JobDetail.model_validate(answer)
    judgement = judge(detail, (), last_look=True)
    texts = [detail.job_id, detail.regulation or "", *missed("access", judgement.answers)]
    texts += [part or "" for each in judgement.answers for part in (each.name, each.message, each.detail)]
    assert any("Legal has approved" in text for text in texts)
    assert all(text.isprintable() for text in texts), texts


def test_what_a_verification_finds_and_a_retention_does_is_plain() -> None:
    found = wrong("odd-name", NASTY, NASTY)
    done = RetentionAction(action="failed", key=NASTY, detail=NASTY)
    assert all(text.isprintable() for text in (found.key, found.detail, done.key, done.detail))


def test_what_needs_a_person_is_told_on_one_line_each() -> None:
    """The run's note, `settle`, the alarms, the page and the command all show these texts."""
    job = Job(
        id=1, attempt=1, request_id="DSR-1", action="access", regulation=NASTY, adobe_job_id=NASTY,
        due_on=date(2026, 12, 20), outcome=NASTY, outcome_code=NASTY, warnings=NASTY, state=JobState.ERROR,
    )  # fmt: skip
    answer = ProductAnswer(product="x", name=NASTY, verdict=Verdict.NOT_DONE.value, message="", detail="")
    problem = InboxProblem(
        inbox_date=DAY, file=NASTY, line=3, lines=1, reason=NASTY, request_id=NASTY, since=NOON
    )
    items = [_of_job(kind, job, NOON, NASTY, [answer]) for kind in KINDS if not kind.problems]
    items += [_of_inbox(kind, problem) for kind in KINDS if kind.problems]
    assert len(items) == len(KINDS)
    for item in items:
        assert item.text.isprintable(), item.kind.name


def test_an_error_of_ours_is_one_plain_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AirflowException) as failed, plain_failures(logging.getLogger("task")):
        raise StorageError(f"{NASTY} cannot be read", uri="file:///x")
    assert str(failed.value).isprintable()
    [record] = caplog.records
    assert record.getMessage().isprintable()


def test_a_logger_makes_every_message_plain(caplog: pytest.LogCaptureFixture) -> None:
    log = plain_logger("adobe_privacy.somewhere")
    with caplog.at_level(logging.INFO):
        log.info("no arguments\x1b[2J, 100%")
        log.warning("%s of %d\n", "\u202egnp.exe\x00", 3)
        log.debug("%s", "never")
    assert [record.getMessage() for record in caplog.records] == [
        "no arguments [2J, 100%",
        " gnp.exe  of 3 ",
    ]
    assert {record.filename for record in caplog.records} == {Path(__file__).name}


def test_nobody_logs_in_another_way() -> None:
    root = Path(adobe_privacy.__file__).parent
    other = [
        path.relative_to(root).as_posix()
        for path in sorted(root.rglob("*.py"))
        if any(way in path.read_text() for way in ("getLogger(", "self.log.", "structlog"))
    ]
    assert other == ["plain_text.py", "quiet_logs.py"]
