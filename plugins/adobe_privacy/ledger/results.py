"""What Adobe finished, and what of it lies in the archive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from adobe_privacy.ledger.schema import Job, Origin
from adobe_privacy.ledger.states import JobState, Move
from adobe_privacy.ledger.unit import Topic, Unit

# The outcome of a job of which nobody can say whether Adobe ever had it.
UNKNOWN = "unknown"


@dataclass(frozen=True)
class FinishedJob:
    """What Adobe says of a job that it is done with. `completed_at` is None where it does not say when."""

    job: Job
    completed_at: datetime | None
    outcome: str
    outcome_code: str | None


class Results(Topic):
    """Notes how Adobe's jobs ended, and that they are archived."""

    def record_complete(self, found: Sequence[FinishedJob]) -> dict[int, datetime]:
        """Adobe is done with them. By job, the time that counts as its completion for ever: the first recorded."""
        if not found:
            return {}
        by_id = {each.job.id: each for each in found}
        times: dict[int, datetime] = {}
        by_outcome: dict[str, list[Job]] = defaultdict(list)
        with self.unit.write() as session:
            for row in self.unit.by_id(session, by_id):
                each = by_id[row.id]
                if row.state == JobState.SUBMITTED and row.adobe_job_id == each.job.adobe_job_id:
                    row.completed_at = each.completed_at or self.unit.now()
                    row.outcome, row.outcome_code = each.outcome, each.outcome_code
                    if row.origin is Origin.ADOBE:
                        row.regulation, row.due_on = each.job.regulation, each.job.due_on
                    by_outcome[each.outcome].append(row)
                times[row.id] = row.completed_at or each.completed_at or self.unit.now()
            for outcome, rows in by_outcome.items():
                self.unit.move(session, rows, Move.COMPLETE, f"Adobe: complete, {outcome}")
        return times

    def record_error(
        self,
        job: Job,
        *,
        completed_at: datetime | None,
        outcome_code: str | None,
        reason: str,
        try_again: bool,
    ) -> bool:
        """Adobe's job ended in error: a new attempt waits for the next plan, or the job for a person."""
        with self.unit.write() as session:
            # A run and the sweep may both look at it, and the next attempt be at Adobe before the second tells.
            same_attempt = Job.adobe_job_id == job.adobe_job_id
            rows = self.unit.by_id(session, [job.id], Job.state == JobState.SUBMITTED, same_attempt)
            for row in rows:
                row.completed_at = completed_at or self.unit.now()
                row.outcome, row.outcome_code = "error", outcome_code
            self.unit.move(session, rows, Move.FAIL, reason)
            if try_again:
                self.unit.new_attempt(
                    session, rows, Move.TRY_AGAIN, "sent again: the outcome says that another try can help"
                )
            return bool(rows)

    def record_gone(self, job: Job, reason: str) -> bool:
        """Adobe has neither the job's data nor its result any more."""
        with self.unit.write() as session:
            same_attempt = Job.adobe_job_id == job.adobe_job_id
            rows = self.unit.by_id(session, [job.id], Job.state.in_(Move.LOSE.origins), same_attempt)
            self.unit.move(session, rows, Move.LOSE, reason)
            return bool(rows)

    def record_archived(self, manifests: Mapping[int, str]) -> set[int]:
        """By job id, where its manifest lies within the archive. Returns those that were not archived before."""
        if not manifests:
            return set()
        with self.unit.write() as session:
            rows = self.unit.in_state(session, manifests.keys(), JobState.COMPLETE)
            archive(self.unit, session, rows, manifests, "manifest written")
            return {row.id for row in rows}


def archive(
    unit: Unit, session: Session, rows: Sequence[Job], places: Mapping[int, str], reason: str
) -> None:
    if not rows:
        return
    now, figures = unit.now(), unit.daily_figures(session)
    for row in rows:
        row.archived_at, row.manifest = now, places[row.id]
        seconds = max(0, int((now - row.received_at).total_seconds()))
        figures.archived += 1
        figures.seconds += seconds
        figures.longest = max(figures.longest, seconds)
    unit.move(session, rows, Move.ARCHIVE, reason)
