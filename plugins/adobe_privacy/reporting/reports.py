"""Reports for a controller's files: a period's figures, and the evidence pack of one request.

Each is data first (a dict for JSON) and a page made from it: one HTML file without scripts or links to other
files, which prints well. Neither holds an identity; a request is named by its id.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select

from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Approval, Job, ProductAnswer, Transition
from adobe_privacy.storage import ObjectNotFound, StorageError, Store

# An action as the CCPA regulations call the request for it (11 CCR § 7102(a)(1)).
KINDS = {"access": "know", "delete": "delete", "opt_out_of_sale": "opt-out of sale/sharing"}


def figures_report(
    ledger: Ledger, first: date, last: date, *, regulation: str | None = None
) -> dict[str, Any]:
    """The figures of the requests received from `first` to `last`, as they stand now."""
    return {
        "from": first,
        "to": last,
        "regulation": regulation,
        "made_at": ledger.now(),
        "figures": [
            {
                **asdict(row),
                "requests_to": KINDS.get(row.action, row.action),
                "complied": row.complied,
                "mean_days": None if row.mean_days is None else round(row.mean_days, 1),
            }
            for row in ledger.figures.requests(first, last, regulation=regulation)
        ],
    }


def last_year(today: date) -> tuple[date, date]:
    """The first and the last day of the period that is reported on where none is named."""
    return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)


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
    return {
        "request_id": request_id,
        "made_at": ledger.now(),
        "jobs": [_job(job) | {"answers": [_answer(row) for row in answers.get(job.id, ())]} for job in jobs],
        "approvals": _approvals(ledger, {step.batch_id for step in history if step.batch_id}),
        "history": [_step(step, by_id[step.job_id]) for step in history],
        "manifests": {}
        if archive is None
        else {job.manifest: _read(archive, job) for job in jobs if job.manifest},
    }


def evidence_html(pack: dict[str, Any]) -> str:
    """A request's evidence as a page, from what `evidence` returns."""
    return _environment().get_template("evidence.html").render(pack)


def as_json(value: Any) -> str:
    """A report as JSON text; times in ISO 8601."""

    def plain(item: Any) -> str:
        return item.isoformat() if isinstance(item, date) else str(item)

    return json.dumps(value, default=plain, indent=2, ensure_ascii=False)


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
        "submitted_at": job.submitted_at,
        "adobe_request_id": job.adobe_request_id,
        "adobe_job_id": job.adobe_job_id,
        "completed_at": job.completed_at,
        "outcome": job.outcome,
        "outcome_code": job.outcome_code,
        "archived_at": job.archived_at,
        "manifest": job.manifest,
    }


def _answer(answer: ProductAnswer) -> dict[str, Any]:
    return {
        "product": answer.product,
        "name": answer.name,
        "asked": answer.asked,
        "status": answer.status,
        "code": answer.code,
        "verdict": answer.verdict,
        "processed_at": answer.processed_at,
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


def _read(archive: Store, job: Job) -> dict[str, Any]:
    """The manifest, or a receipt, as it lies in the archive; else what is wrong with it."""
    try:
        content = json.loads(archive.read(job.manifest or ""))
    except ObjectNotFound:
        return {"problem": "it is not in the archive"}
    except StorageError as error:
        return {"problem": str(error)}
    except ValueError:
        return {"problem": "it is no JSON"}
    return content if isinstance(content, dict) else {"problem": "it is no JSON object"}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("adobe_privacy.reporting"), autoescape=True, undefined=StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters["moment"] = _moment
    environment.filters["json"] = as_json
    return environment


def _moment(value: date | None) -> str:
    if value is None:
        return "–"
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else f"{value:%Y-%m-%d}"
