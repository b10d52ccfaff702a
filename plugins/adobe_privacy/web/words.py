"""The ledger's rows as the page and its API tell them: plain values and words, no identity."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from adobe_privacy.api.moments import as_told
from adobe_privacy.api.names import meaning_of, outcome_in_words
from adobe_privacy.ledger.overview import expires_at
from adobe_privacy.ledger.people import NOT_STOPPED, erased_file, may_be_resent
from adobe_privacy.ledger.schema import Batch, Job, ProductAnswer, Transition
from adobe_privacy.ledger.states import FAILED_STATES, OVER, JobState, Move
from adobe_privacy.ledger.times import within
from adobe_privacy.results.verdicts import explained
from adobe_privacy.web.sentences import sentence

# A state as a person calls it; `STATES` says what it means.
LABELS = {
    JobState.RECEIVED: "Waiting",
    JobState.PLANNED: "In a batch",
    JobState.SUBMITTING: "Being sent",
    JobState.SUBMITTED: "At Adobe",
    JobState.COMPLETE: "Done at Adobe",
    JobState.ARCHIVED: "Archived",
    JobState.ERROR: "Failed at Adobe",
    JobState.REFUSED: "Refused",
    JobState.GONE: "Gone at Adobe",
    JobState.CLOSED: "Closed",
}
STATES = {
    JobState.RECEIVED: "waits for a batch",
    JobState.PLANNED: "in a batch, nothing sent yet",
    JobState.SUBMITTING: "being sent: Adobe may have it already",
    JobState.SUBMITTED: "in progress at Adobe",
    JobState.COMPLETE: "done at Adobe, not archived yet",
    JobState.ARCHIVED: "archived, the manifest is written",
    JobState.ERROR: "Adobe ended it in error",
    JobState.REFUSED: "could not be sent, see its history",
    JobState.GONE: "Adobe has no data of it any more",
    JobState.CLOSED: "closed by a person, see its history",
}


def job_words(job: Job, today: date) -> dict[str, Any]:
    """One job. `days_left` is negative once it is late, and None once nobody waits for it any more."""
    late = None if job.state in OVER else (job.due_on - today).days
    return {
        "id": job.id,
        "request_id": job.request_id,
        "regulation": job.regulation,
        "action": job.action,
        "part": job.part,
        "products": job.products.split(",") if job.products else [],
        "state": job.state.value,
        "state_label": LABELS[job.state],
        "state_in_words": STATES[job.state],
        "failed": job.state in FAILED_STATES,
        "on_hold": job.on_hold,
        "may_be_resent": may_be_resent(job),
        "may_be_closed": job.state in Move.CLOSE.origins,
        "not_stopped": job.state in NOT_STOPPED,
        "inbox_file": erased_file([job]) if job.state in FAILED_STATES else None,
        "attempt": job.attempt,
        "inbox_date": job.inbox_date.isoformat(),
        "due_on": job.due_on.isoformat(),
        "days_left": late,
        "received_at": moment_words(job.received_at),
        "submitted_at": as_told(job.submitted_at),
        "completed_at": as_told(within(job.completed_at, job)),
        "archived_at": moment_words(job.archived_at),
        "expires_at": as_told(expires_at(job)),
        "outcome": job.outcome,
        "outcome_code": job.outcome_code,
        "outcome_in_words": outcome_in_words(job.outcome_code) if job.outcome_code else None,
        "batch_id": job.batch_id,
        "origin": job.origin.value,
        "adobe_job_id": job.adobe_job_id,
        "manifest": job.manifest,
        "manifest_sha256": job.manifest_sha256,
        "warnings": job.warnings.splitlines(),
    }


def change_words(change: Transition) -> dict[str, Any]:
    return {
        "at": moment_words(change.at),
        "from": change.from_state and change.from_state.value,
        "to": change.to_state.value,
        "failed": change.to_state in FAILED_STATES and change.from_state is not change.to_state,
        "sentence": sentence(change),
        "reason": change.reason,
        "actor": change.actor,
        "attempt": change.attempt,
        "batch_id": change.batch_id,
        "adobe_job_id": change.adobe_job_id,
    } | links_of(change.actor)


def answer_words(answer: ProductAnswer, job: Job) -> dict[str, Any]:
    """What one product answered, in Adobe's words and ours, and what a person should do."""
    return {
        "product": answer.product,
        "name": answer.name,
        "asked": answer.asked,
        "verdict": answer.verdict,
        "code": answer.code,
        "code_in_words": outcome_in_words(answer.code, answer.name) if answer.code else None,
        "code_of_adobe": meaning.title if (meaning := meaning_of(answer.code)) is not None else None,
        "processed_at": as_told(within(answer.processed_at, job)),
        "retry_count": answer.retry_count,
        "message": answer.message,
        "detail": answer.detail,
        "advice": explained(answer),
    }


def request_words(
    jobs: Sequence[Job],
    changes: Sequence[Transition],
    batches: dict[str, Batch],
    answers: Mapping[int, Sequence[ProductAnswer]],
    undone: Collection[int],
    stopped: Collection[int],
    today: date,
) -> dict[str, Any]:
    """A request: its jobs, each with its history and its batch's run. Those of `undone` are archived, and a product
    should have done what was asked and did not; those of `stopped` are not known to be erased."""
    told = []
    for job in jobs:
        batch = batches.get(job.batch_id or "")
        history = [change_words(change) for change in changes if change.job_id == job.id]
        run = links_of(batch.run_id).get("run") if batch else None
        said = [answer_words(answer, job) for answer in answers.get(job.id, ())]
        words = job_words(job, today) | {"run": run, "history": history, "answers": said}
        words["may_be_resent"] |= job.id in undone
        words["may_be_closed"] |= job.id in undone or job.id in stopped
        told.append(words)
    return {"request_id": jobs[0].request_id, "on_hold": any(job.on_hold for job in jobs), "jobs": told}


_MAPPED = re.compile(r"(?P<task>.+)\[(?P<index>\d+)\]")


def links_of(actor: str) -> dict[str, str]:
    """Where in Airflow's UI the run and the log of `dag/run` or `dag/run/task[index]` are, relative to Airflow's
    root; nothing for a user."""
    parts = actor.split("/")
    if parts[0] == "user" or len(parts) not in (2, 3):
        return {}
    dag, run, *task = (quote(part, safe="") for part in parts)
    links = {"run": f"dags/{dag}/runs/{run}"}
    if task:
        mapped = _MAPPED.fullmatch(parts[2])
        name = quote(mapped["task"] if mapped else parts[2], safe="")
        links["log"] = f"{links['run']}/tasks/{name}" + (f"/mapped/{mapped['index']}" if mapped else "")
    return links


def moment_words(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if value else None
