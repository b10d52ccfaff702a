"""Text that others wrote is text wherever it is shown."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adobe_privacy.command_output import _cell as terminal_cell
from adobe_privacy.ledger.delete_plan import DeletePlan
from adobe_privacy.ledger.schema import Batch, Job
from adobe_privacy.plain_text import csv_cell, markdown, plain
from adobe_privacy.planning.approval import question
from adobe_privacy.reporting.export import _lines

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
