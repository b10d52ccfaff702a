"""Reports for a controller's files: a period's figures, and the evidence pack of one request.

Each is data first (a dict for JSON) and a page made from it: one HTML file without scripts or links to other
files, which prints well. Neither holds an identity; a request is named by its id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select

from adobe_privacy.api.moments import as_told
from adobe_privacy.ledger.figures import RequestFigures
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Approval, Job, ProductAnswer, Transition
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.times import within
from adobe_privacy.opt_outs.receipts import place_of
from adobe_privacy.regulations.clocks import DEFAULT, OPT_OUT, Clocks
from adobe_privacy.regulations.working_days import add_calendar_months
from adobe_privacy.storage import ObjectNotFound, StorageError, Store

# An action as the CCPA regulations call the request for it (11 CCR § 7102(a)(1)).
KINDS = {"access": "know", "delete": "delete", "opt_out_of_sale": "opt-out of sale/sharing"}


def figures_report(
    ledger: Ledger, first: date, last: date, *, regulation: str | None = None, clocks: Clocks = DEFAULT
) -> dict[str, Any]:
    """The figures of the requests received from `first` to `last`, as they stand now, with one row for all of them.
    The periods of the laws are those of `clocks`."""
    rows, total = ledger.figures.with_total(first, last, regulation=regulation)
    return {
        "from": first,
        "to": last,
        "regulation": regulation,
        "made_at": ledger.now(),
        "figures": [_figures(row) | {"law": _law(row, clocks, last)} for row in rows],
        "total": _figures(total),
    }


def _figures(row: RequestFigures) -> dict[str, Any]:
    return {
        **asdict(row),
        "requests_to": KINDS.get(row.action, row.action) if row.action else "all",
        "complied": row.complied,
        "mean_days": None if row.mean_days is None else round(row.mean_days, 1),
    }


def _law(row: RequestFigures, clocks: Clocks, day: date) -> dict[str, str | None]:
    """Within which time the law wants an answer, each with the law's own words for where it says so."""
    clock = clocks.clock(row.regulation or "", day)
    opt_out = row.action == OPT_OUT
    period = (clock.opt_out or clock.answer) if opt_out else clock.answer_to(row.action or "")
    extension = None if opt_out or row.action not in clock.extension_covers else clock.extension
    return {
        "period": str(period),
        "source": period.source,
        "extension": str(extension) if extension else None,
        "extension_source": extension.source if extension else None,
    }


Span = tuple[date, date]


def _quarter(today: date, back: int) -> Span:
    number = today.year * 4 + (today.month - 1) // 3 - back
    return _months(number // 4, number % 4 * 3 + 1, 3)


def _months(year: int, month: int, count: int) -> Span:
    first = date(year, month, 1)
    return first, add_calendar_months(first, count) - timedelta(days=1)


def _last_month(today: date) -> Span:
    end = today.replace(day=1) - timedelta(days=1)
    return end.replace(day=1), end


# The periods that people report on, as of a day.
PERIODS: dict[str, Callable[[date], Span]] = {
    "this month": lambda today: _months(today.year, today.month, 1),
    "last month": _last_month,
    "this quarter": lambda today: _quarter(today, 0),
    "last quarter": lambda today: _quarter(today, 1),
    "this year": lambda today: _months(today.year, 1, 12),
    "last year": lambda today: last_year(today),
}


def last_year(today: date) -> Span:
    """The first and the last day of the period that is reported on where none is named."""
    return _months(today.year - 1, 1, 12)


def figures_html(report: dict[str, Any]) -> str:
    """A period's figures as a page, from what `figures_report` returns."""
    return _environment().get_template("figures.html").render(report, first=report["from"], last=report["to"])


def figures_body(report: dict[str, Any]) -> str:
    """The same without a page around it, as HTML."""
    return _environment().get_template("figures_body.html").render(report)


def evidence(ledger: Ledger, request_id: str, archive: Store | None = None) -> dict[str, Any] | None:
    """All that is known of a request: its jobs, every change of them, who approved what, and the manifests,
    which are read from `archive` where one is given. None where the ledger has no such request."""
    jobs = ledger.people.request_jobs(request_id)
    if not jobs:
        return None
    history = ledger.people.history(request_id)
    by_id = {job.id: job for job in jobs}
    answers = ledger.results.answers(by_id)
    places = {job.id: _place(job, request_id) for job in jobs}
    return {
        "request_id": request_id,
        "made_at": ledger.now(),
        "sealed": _sealed(ledger),
        "jobs": [
            _job(job)
            | {
                "manifest": places[job.id],
                "answers": [_answer(row, job) for row in answers.get(job.id, ())],
            }
            for job in jobs
        ],
        "approvals": _approvals(ledger, {step.batch_id for step in history if step.batch_id}),
        "history": [_step(step, by_id[step.job_id]) for step in history],
        "manifests": {}
        if archive is None
        else {
            place: _read(archive, place, by_id[number].manifest_sha256)
            for number, place in places.items()
            if place
        },
    }


def evidence_html(pack: dict[str, Any]) -> str:
    """A request's evidence as a page, from what `evidence` returns."""
    return _environment().get_template("evidence.html").render(pack)


def as_json(value: Any) -> str:
    """A report as JSON text; times in ISO 8601."""
    return json.dumps(value, default=iso, indent=2, ensure_ascii=False)


def iso(value: Any) -> str:
    """What JSON has no form for, as text."""
    return value.isoformat() if isinstance(value, date) else str(value)


def _sealed(ledger: Ledger) -> dict[str, Any] | None:
    """The head of the history's chain."""
    head = ledger.chain.head()
    return None if head is None else {"number": head.number, "at": head.sealed_at, "hash": head.hash}


def _place(job: Job, request_id: str) -> str | None:
    """Where a job's manifest or receipt lies. The ledger forgets where a receipt lies together with the request id,
    which is its name: who knows the id still has the place."""
    receipted = job.action == OPT_OUT and job.state is JobState.ARCHIVED
    if job.manifest is None and receipted and job.submitted_at and job.request_id != request_id:
        return place_of(request_id, job.regulation, job.submitted_at)
    return job.manifest


def _job(job: Job) -> dict[str, Any]:
    return {
        "regulation": job.regulation,
        "action": job.action,
        "part": job.part,
        "products": job.products,
        "received_at": job.received_at,
        "due_on": job.due_on,
        # Not the file, whose name may be anything.
        "inbox_date": job.inbox_date,
        "fingerprint": job.fingerprint,
        "state": job.state.value,
        "on_hold": job.on_hold,
        "attempt": job.attempt,
        "submitted_at": as_told(job.submitted_at),
        "adobe_request_id": job.adobe_request_id,
        "adobe_job_id": job.adobe_job_id,
        "completed_at": as_told(within(job.completed_at, job)),
        "outcome": job.outcome,
        "outcome_code": job.outcome_code,
        "archived_at": job.archived_at,
        "manifest_sha256": job.manifest_sha256,
        "warnings": job.warnings.splitlines(),
    }


def _answer(answer: ProductAnswer, job: Job) -> dict[str, Any]:
    return {
        "product": answer.product,
        "name": answer.name,
        "asked": answer.asked,
        "status": answer.status,
        "code": answer.code,
        "verdict": answer.verdict,
        "processed_at": as_told(within(answer.processed_at, job)),
        "retry_count": answer.retry_count,
        "message": answer.message,
        "detail": answer.detail,
    }


def _step(step: Transition, job: Job) -> dict[str, Any]:
    return {
        "at": step.at,
        "action": job.action,
        "part": job.part,
        "from": step.from_state.value if step.from_state else None,
        "to": step.to_state.value,
        "attempt": step.attempt,
        "batch": step.batch_id,
        "adobe_job_id": step.adobe_job_id,
        "who": step.actor,
        "why": step.reason,
    }


def _approvals(ledger: Ledger, batch_ids: set[str]) -> list[dict[str, Any]]:
    query = select(Approval).where(Approval.batch_id.in_(batch_ids)).order_by(Approval.id)
    with ledger.unit.read() as session:
        return [
            {
                "at": row.decided_at,
                "by": row.decided_by,
                "approved": row.approved,
                "plan_hash": row.plan_hash,
                "batch": row.batch_id,
                "regulation": row.regulation,
                "products": row.products,
            }
            for row in session.scalars(query)
        ]


def _read(archive: Store, place: str, sha256: str | None) -> dict[str, Any]:
    """The manifest, or a receipt, as it lies in the archive; else what is wrong with it."""
    try:
        return manifest_content(archive.read(place), sha256)
    except ObjectNotFound:
        return {"problem": "it is not in the archive"}
    except StorageError as error:
        return {"problem": str(error)}


def manifest_content(data: bytes, sha256: str | None) -> dict[str, Any]:
    """A manifest or receipt, with the `problem` that it is none, or not the one that the ledger noted."""
    try:
        content = json.loads(data)
    except ValueError:
        return {"problem": "it is no JSON"}
    if not isinstance(content, dict):
        return {"problem": "it is no JSON object"}
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        return content | {"problem": "it is not the manifest that was archived: its SHA-256 is another"}
    return content


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("adobe_privacy.reporting"), autoescape=True, undefined=StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters["moment"] = _moment
    environment.filters["minute"] = _minute
    environment.filters["json"] = as_json
    return environment


def _moment(value: date | None) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else f"{value:%Y-%m-%d}"


def _minute(value: date | str | None) -> str:
    """To the minute: Adobe's times have no seconds, and beside them ours would seem to be later."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return _moment(value)[:16]
