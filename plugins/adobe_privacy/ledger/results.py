"""What Adobe finished, and what of it lies in the archive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.orm import Session

from adobe_privacy.api.names import Verdict
from adobe_privacy.ledger.chain import SHA256
from adobe_privacy.ledger.identity import lost
from adobe_privacy.ledger.keys import setting
from adobe_privacy.ledger.schema import DailyFigures, Job, Origin, ProductAnswer, Setting
from adobe_privacy.ledger.states import OPEN_AT_ADOBE, JobState, Move
from adobe_privacy.ledger.times import not_before
from adobe_privacy.ledger.unit import Topic, Unit, chunks
from adobe_privacy.results.verdicts import Answer

# Set by the migration of a ledger with such jobs, until all of them were looked at.
JUDGE_AGAIN_AFTER = "judge_again_after"
# There while some of those that were looked at could not be read: after the last, all are looked at once more.
JUDGE_AGAIN_LEFT = "judge_again_left"


@dataclass(frozen=True)
class FinishedJob:
    """What Adobe says of a job that it is done with. `outcome` is the verdict on the whole, `outcome_code` the code
    behind it. `completed_at` is None where Adobe does not say when."""

    job: Job
    completed_at: datetime | None
    outcome: str
    outcome_code: str | None
    answers: Sequence[Answer] = ()


class Results(Topic):
    """Notes how Adobe's jobs ended, and that they are archived."""

    def record_complete(self, found: Sequence[FinishedJob]) -> dict[int, datetime]:
        """Adobe is done with them. By job, the time that counts as its completion for ever: the first recorded."""
        if not found:
            return {}
        by_id = {each.job.id: each for each in found}
        times: dict[int, datetime] = {}
        by_outcome: dict[str, list[Job]] = defaultdict(list)
        answered: list[tuple[Job, Sequence[Answer]]] = []
        with self.unit.write() as session:
            for row in self.unit.by_id(session, by_id):
                each = by_id[row.id]
                if row.state in OPEN_AT_ADOBE and row.adobe_job_id == each.job.adobe_job_id:
                    answered.append((row, each.answers))
                    if row.state is JobState.SUBMITTED:
                        row.completed_at = not_before(each.completed_at, row.submitted_at) or self.unit.now()
                        _correct(row, each.job)
                        by_outcome[each.outcome].append(row)
                times[row.id] = row.completed_at or each.completed_at or self.unit.now()
            _write_answers(session, answered)
            for row, _ in answered:
                row.outcome, row.outcome_code = by_id[row.id].outcome, by_id[row.id].outcome_code
            for outcome, rows in by_outcome.items():
                self.unit.move(session, rows, Move.COMPLETE, f"Adobe: complete, {outcome}")
        return times

    def record_answers(self, found: Sequence[FinishedJob]) -> None:
        """Adobe calls them complete, and some product has yet to answer: they stay at Adobe."""
        if not found:
            return
        by_id = {each.job.id: each for each in found}
        with self.unit.write() as session:
            rows = [
                row
                for row in self.unit.by_id(session, by_id, Job.state == JobState.SUBMITTED)
                if row.adobe_job_id == by_id[row.id].job.adobe_job_id
            ]
            _write_answers(session, [(row, by_id[row.id].answers) for row in rows])
            for row in rows:
                row.outcome, row.outcome_code = Verdict.PENDING.value, by_id[row.id].outcome_code

    def record_error(
        self,
        job: Job,
        *,
        completed_at: datetime | None,
        outcome_code: str | None,
        reason: str,
        try_again: bool,
        outcome: str = Verdict.NOT_DONE.value,
        answers: Sequence[Answer] = (),
        manifest: str | None = None,
        manifest_sha256: str | None = None,
    ) -> bool:
        """Adobe's job ended in error: a new attempt waits for the next plan, or the job for a person."""
        with self.unit.write() as session:
            # A run and the sweep may both look at it, and the next attempt be at Adobe before the second tells.
            same_attempt = Job.adobe_job_id == job.adobe_job_id
            rows = self.unit.by_id(session, [job.id], Job.state.in_(Move.FAIL.origins), same_attempt)
            _write_answers(session, [(row, answers) for row in rows])
            for row in rows:
                row.completed_at = not_before(completed_at, row.submitted_at) or self.unit.now()
                row.outcome, row.outcome_code, row.manifest = outcome, outcome_code, manifest
                row.manifest_sha256 = manifest_sha256
                _correct(row, job)
            self.unit.move(session, rows, Move.FAIL, with_hash(reason, manifest_sha256))
            time_lost = lost(session)
            if time_lost and any(row.submitted_at and row.submitted_at <= time_lost.until for row in rows):
                # The next attempt may be at Adobe already: a person decides.
                try_again = False
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

    def answers(self, job_ids: Collection[int]) -> dict[int, list[ProductAnswer]]:
        """What the products answered to the jobs' present attempts, in the order of Adobe's answer."""
        found: dict[int, list[ProductAnswer]] = defaultdict(list)
        present = and_(Job.id == ProductAnswer.job_id, Job.attempt == ProductAnswer.attempt)
        with self.unit.read() as session:
            for some in chunks(job_ids):
                # Both by their keys: PostgreSQL does not conclude one list from the other.
                of_these = and_(ProductAnswer.job_id.in_(some), Job.id.in_(some))
                query = select(ProductAnswer).join(Job, present).where(of_these)
                for row in session.scalars(query.order_by(ProductAnswer.job_id, ProductAnswer.position)):
                    found[row.job_id].append(row)
        return dict(found)

    def judged_before(self, limit: int) -> list[Job]:
        """The next jobs that an older version judged and that have a manifest; each is given until it is recorded as
        looked at."""
        with self.unit.read() as session:
            after = setting(session, JUDGE_AGAIN_AFTER)
            if after is None:
                return []
            query = select(Job).where(
                Job.id > int(after), Job.outcome == Verdict.AS_BEFORE, Job.manifest.is_not(None)
            )
            return list(session.scalars(query.order_by(Job.id).limit(limit)))

    def record_judged_again(
        self, found: Sequence[FinishedJob], up_to: int | None, *, some_left: bool = False
    ) -> None:
        """Jobs that an older version judged have a verdict now; all up to the job `up_to` were looked at, or all. With
        `some_left`, some of them have to be looked at again."""
        by_id = {each.job.id: each for each in found}
        with self.unit.write() as session:
            rows = self.unit.by_id(session, by_id, Job.outcome == Verdict.AS_BEFORE)
            _write_answers(session, [(row, by_id[row.id].answers) for row in rows])
            for row in rows:
                row.outcome, row.outcome_code = by_id[row.id].outcome, by_id[row.id].outcome_code
                note = f"judged again by its manifest: {row.outcome}"
                self.unit.note(session, [row], row.state, row.state, note)
            left = some_left or setting(session, JUDGE_AGAIN_LEFT) is not None
            if left and up_to is not None:
                session.merge(Setting(name=JUDGE_AGAIN_LEFT, value="yes"))
            if left or up_to is not None:
                session.merge(Setting(name=JUDGE_AGAIN_AFTER, value=str(up_to or 0)))
            ended = [] if up_to is not None else [JUDGE_AGAIN_LEFT] + [JUDGE_AGAIN_AFTER] * (not left)
            session.execute(delete(Setting).where(Setting.name.in_(ended)))

    def record_archived(
        self, manifests: Mapping[int, str], hashes: Mapping[int, str] | None = None
    ) -> set[int]:
        """By job id, where its manifest lies within the archive, and the SHA-256 of its bytes. Returns those that were
        not archived before."""
        if not manifests:
            return set()
        with self.unit.write() as session:
            rows = self.unit.in_state(session, manifests.keys(), JobState.COMPLETE)
            archive(self.unit, session, rows, manifests, hashes or {}, "manifest written")
            return {row.id for row in rows}


def archive(
    unit: Unit,
    session: Session,
    rows: Sequence[Job],
    places: Mapping[int, str],
    hashes: Mapping[int, str],
    reason: str,
) -> None:
    if not rows:
        return
    now, figures = unit.now(), unit.daily_figures(session)
    for row in rows:
        row.archived_at, row.manifest, row.manifest_sha256 = now, places[row.id], hashes.get(row.id)
        figures.archived += 1
        _count_time(figures, row, now)
    unit.move(session, rows, Move.ARCHIVE, {row.id: with_hash(reason, row.manifest_sha256) for row in rows})


def with_hash(reason: str, sha256: str | None) -> str:
    """A reason that keeps a manifest's hash in the history, which is sealed."""
    return reason if sha256 is None else f"{reason[:400]}; {SHA256}{sha256}"


def _taken(row: Job, archived_at: datetime) -> int:
    """Seconds from reception to the archive."""
    return max(0, int((archived_at - row.received_at).total_seconds()))


def _count_time(figures: DailyFigures, row: Job, archived_at: datetime) -> None:
    figures.seconds += _taken(row, archived_at)
    figures.longest = max(figures.longest, _taken(row, archived_at))


def change_receipt(session: Session, row: Job, received_at: datetime) -> None:
    """The request was received earlier than was known: so long it took, where it is archived already."""
    figures = None if row.archived_at is None else session.get(DailyFigures, row.archived_at.date())
    if figures is None or row.archived_at is None:
        row.received_at = received_at
        return
    figures.seconds -= _taken(row, row.archived_at)
    row.received_at = received_at
    _count_time(figures, row, row.archived_at)


def take_out(session: Session, rows: Sequence[Job]) -> None:
    """They count as archived no more. What is in the archive stays there."""
    for row in rows:
        if row.archived_at is None:
            continue
        figures = session.get(DailyFigures, row.archived_at.date())
        if figures is not None:
            figures.archived -= 1
            figures.seconds -= _taken(row, row.archived_at)
        row.archived_at = None


def _correct(row: Job, told: Job) -> None:
    """Of others' jobs only Adobe's detail says for certain what was asked for, and under which law."""
    if row.origin is Origin.ADOBE:
        row.action, row.regulation, row.due_on = told.action, told.regulation, told.due_on


def _write_answers(session: Session, found: Sequence[tuple[Job, Sequence[Answer]]]) -> None:
    """In the place of those that are known of a job's present attempt; their jobs have no final answer yet."""
    for job, _ in found:
        if job.outcome is not None:
            known = and_(ProductAnswer.job_id == job.id, ProductAnswer.attempt == job.attempt)
            session.execute(delete(ProductAnswer).where(known))
    rows = [
        {"job_id": job.id, "attempt": job.attempt, "position": position}
        | asdict(answer)
        | {"verdict": answer.verdict.value, "processed_at": not_before(answer.processed_at, job.submitted_at)}
        for job, answers in found
        for position, answer in enumerate(answers)
    ]
    if rows:
        session.execute(insert(ProductAnswer), rows)
