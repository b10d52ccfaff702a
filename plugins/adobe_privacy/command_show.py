"""The command `show`: all that the ledger knows of one request, and what to do about it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from adobe_privacy.api.moments import as_told
from adobe_privacy.api.names import meaning_of
from adobe_privacy.command_output import job_row, print_json, print_rows
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job, ProductAnswer
from adobe_privacy.ledger.times import within
from adobe_privacy.results.verdicts import explained


def show(options: argparse.Namespace, ledger: Ledger) -> bool:
    """False where the ledger has no such request."""
    seen = ledger.seen.of_requests()
    jobs = ledger.people.request_jobs(options.request_id)
    if not jobs:
        print(f"the ledger has no request {options.request_id}", file=sys.stderr)
        return False
    answers = ledger.results.answers([job.id for job in jobs])
    said = [_answer(job, answer) for job in jobs for answer in answers.get(job.id, ())]
    actions = {job.id: job.action for job in jobs}
    steps = [
        {
            "at": step.at,
            "action": actions[step.job_id],
            "from": step.from_state,
            "to": step.to_state,
            "attempt": step.attempt,
            "who": step.actor,
            "why": step.reason,
        }
        for step in ledger.people.history(options.request_id)
    ]
    rows = [job_row(job) for job in jobs]
    warnings = list(dict.fromkeys(line for job in jobs for line in job.warnings.splitlines()))
    if options.json:
        print_json({"jobs": rows, "answers": said, "warnings": warnings, "history": steps, "seen": seen})
        return True
    print_rows(options, rows)
    if said:
        print_rows(options, said)
    for warning in warnings:
        print(f"warning: {warning}")
    print_rows(options, steps)
    print(f"seen: {seen}")
    return True


def _answer(job: Job, answer: ProductAnswer) -> dict[str, Any]:
    """What one product answered, in Adobe's words and ours."""
    meaning = meaning_of(answer.code)
    title = meaning.title if meaning is not None else None
    return {
        "action": job.action,
        "part": job.part,
        "product": answer.name,
        "verdict": answer.verdict,
        "code": answer.code,
        "processed": as_told(within(answer.processed_at, job)),
        "adobe": ": ".join(filter(None, (title, answer.message, answer.detail))) or None,
        "to_do": explained(answer),
    }
