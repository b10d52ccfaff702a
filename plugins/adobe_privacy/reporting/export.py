"""Jobs as CSV or JSON, for a spreadsheet or another program: those that the page shows. It holds no identity."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from adobe_privacy.api.moments import as_told
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.overview import Filters
from adobe_privacy.ledger.schema import Job, ProductAnswer
from adobe_privacy.ledger.times import within
from adobe_privacy.plain_text import csv_cell
from adobe_privacy.reporting.reports import iso
from adobe_privacy.results.verdicts import explained

COLUMNS = (
    "request_id",
    "regulation",
    "action",
    "part",
    "state",
    "on_hold",
    "outcome",
    "outcome_code",
    "answers",
    "to_do",
    "received_at",
    "due_on",
    "submitted_at",
    "completed_at",
    "archived_at",
    "products",
    "inbox_date",
    "attempt",
    "batch_id",
    "adobe_job_id",
    "manifest",
)


def export_csv(ledger: Ledger, filters: Filters) -> Iterator[str]:
    """The jobs that `filters` leave as CSV, the headings first, some hundred jobs at a time. Times are UTC."""
    yield _lines([COLUMNS])
    for rows in _rows(ledger, filters):
        yield _lines([list(row.values()) for row in rows])


def as_json_list(ledger: Ledger, filters: Filters) -> Iterator[str]:
    """The same as one JSON list, some hundred jobs at a time. Times are in ISO 8601."""
    before = "["
    for rows in _rows(ledger, filters):
        yield before + ",\n".join(json.dumps(row, default=iso, ensure_ascii=False) for row in rows)
        before = ",\n"
    yield "]\n" if before != "[" else "[]\n"


def _rows(ledger: Ledger, filters: Filters) -> Iterator[list[dict[str, Any]]]:
    for jobs in ledger.overview.every(filters):
        answers = ledger.results.answers([job.id for job in jobs])
        yield [_row(job, answers.get(job.id, ())) for job in jobs]


def _row(job: Job, answers: Sequence[ProductAnswer]) -> dict[str, Any]:
    said = [" ".join(filter(None, (f"{each.name}: {each.verdict}", each.code))) for each in answers]
    values = {
        "state": job.state.value,
        "submitted_at": as_told(job.submitted_at),
        "completed_at": as_told(within(job.completed_at, job)),
        "answers": "; ".join(said),
        "to_do": " ".join(filter(None, map(explained, answers))),
    }
    return {name: values[name] if name in values else getattr(job, name) for name in COLUMNS}


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return csv_cell(value) if isinstance(value, str) else value


def result_name(job: Job) -> str:
    """What the file is called in which a job's result is handed out."""
    return f"{job.request_id.replace('/', '_').replace(':', '_')}-{job.action}-{job.part}.zip"
