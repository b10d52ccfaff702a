"""What a person reads of a run: the plan before, the settlement after. Request ids and counts, no identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from adobe_privacy.api.names import Verdict
from adobe_privacy.intake.inbox import KINDS
from adobe_privacy.intake.request import Action
from adobe_privacy.ledger.attention import BY_NAME, Level
from adobe_privacy.ledger.attention_reader import RunScope
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job, Origin, ProductAnswer
from adobe_privacy.ledger.states import JobState
from adobe_privacy.planning.planning import Intake, Plan, PlannedBatch
from adobe_privacy.reporting.attention import Attention, attention_of_run
from adobe_privacy.results.verdicts import missed

SHOWN = 50  # lines of one kind in a log; the rest is counted
# So many warnings, and so much of each, are in the note of a run, which is short.
WARNINGS_IN_NOTE, WARNING_LENGTH = 3, 160
NOTHING = "Nothing to do for this day."


def plan_lines(plan: Plan, share_of_limit: float = 1.0) -> list[str]:
    """The plan as text, line by line."""
    intake, quota = plan.intake, plan.quota
    inbox = f"Inbox {intake.inbox}/{intake.day}"
    if not (intake.files or intake.unchanged or intake.not_read or plan.batches or plan.waiting):
        lines = [f"{inbox}: nothing for this day, and nothing waits from earlier days."]
        return lines + _other_folders(intake)
    lines = [
        f"{inbox}: {len(intake.files)} files, {intake.new} new requests, {intake.duplicates} known already, "
        f"{intake.rejected} lines rejected"
        + (f"; {intake.unchanged} files are as they were read before" if intake.unchanged else "")
    ]
    lines += _other_folders(intake)
    if intake.dated_earlier:
        lines.append(
            f"Received earlier than was known: {intake.dated_earlier} requests; the earlier date counts, for the due "
            "date too"
        )
    if intake.dated_later:
        lines.append(
            f"Received later than was known: {intake.dated_later} requests; the date that was known stays"
        )
    lines += _some(
        [f"Read: {source} as {what}" for source, what in intake.taken_for.items()],
        "files",
        of=len(intake.files),
    )
    lines += [f"Empty: {source} holds no request" for source in intake.empty]
    if intake.not_read:
        # Their names may be anything, a person's too.
        lines.append(f"Not read: {len(intake.not_read)} files; only regular files {KINDS} hold requests")
    if intake.unreported:
        lines.append(
            "The inbox may only be read: no report was written under rejected/. The ledger has the lines"
        )
    if plan.inbox_retention_days is not None:
        lines.append(
            f"Inbox files are erased once all their requests have been at an end for {plan.inbox_retention_days} days "
            "(privacy_inbox_retention_days)"
        )
    if intake.opt_outs:
        lines.append(f"Opt-outs of sale: {intake.opt_outs}, left to the DAG privacy_optouts")
    lines += _some(
        [f"Rejected: {line.source} line {line.number}: {line.reason}" for line in intake.rejected_lines],
        "rejected lines",
        of=intake.rejected,
    )
    lines += _some([f"Warning: {text}" for text in intake.warnings], "warnings", of=intake.warned)
    lines += [f"At risk: {count} requests under {reason}" for reason, count in intake.at_risk.items()]
    for planned in plan.batches:
        batch, content = planned.batch, planned.content
        actions = ", ".join(f"{count} {action}" for action, count in sorted(content.actions.items()))
        lines.append(
            f"Batch {batch.id}: {batch.regulation}, {content.users} users, {actions}; "
            f"products {batch.products}; first answer due {content.first_due}"
            + (f", to be submitted by {content.submit_by}" if content.submit_by else "")
            + ("; its deletes need a person's approval" if batch.needs_approval else "")
        )
    refused = ", Adobe takes no more today" if quota.refused else ""
    lines.append(
        f"Quota of {quota.day}: {quota.used} used, {quota.planned} planned, of {plan.daily_limit}{refused}"
    )
    if plan.waiting:
        lines.append(
            f"{plan.waiting} jobs are left for the next run: the day's quota, max_jobs or the number of batches "
            "in a run has no room"
        )
    return lines


def _other_folders(intake: Intake) -> list[str]:
    lines: list[str] = []
    if intake.late:
        days = sorted({source.split("/", 1)[0] for source in intake.late})
        lines.append(
            f"Late: {len(intake.late)} of these files lie in folders of earlier days: {', '.join(days)}"
        )
    if intake.growing:
        lines.append(f"Still being written: {intake.growing} files; the next run reads them")
    if intake.astray:
        lines.append(
            f"Beside the days' folders: {intake.astray} files or folders that no run reads; move the files into the "
            f"folder of their day, such as {intake.day}"
        )
    for day, count in intake.later.items():
        lines.append(
            f"Not for this run: {count} files in {day} that no run has read; give this day as inbox_day"
        )
    return lines


def batch_label(planned: PlannedBatch) -> str:
    """A batch in one short line, as the grid shows it: `2026-11-25 · gdpr · delete · 412 users ·
    due 2026-12-20`."""
    content = planned.content
    users = f"{content.users} user{'s' * (content.users != 1)}"
    return " · ".join(
        (
            str(planned.batch.inbox_date),
            planned.batch.regulation,
            " + ".join(sorted(content.actions)),
            users,
            f"due {content.first_due}",
        )
    )


@dataclass(frozen=True)
class Settlement:
    """The end of a run of so many `jobs`: `problems` counts what a person must look at, `named` tells of the first of
    it; `figures` is all of it in one line. `waiting` jobs are for the next run, those `at_adobe` for the sweep, those
    `on_hold` for whoever releases them."""

    lines: list[str]
    figures: str
    jobs: int = 0
    problems: int = 0
    named: list[str] = field(default_factory=list)
    waiting: int = 0
    at_adobe: int = 0
    on_hold: int = 0


def settle(
    ledger: Ledger,
    *,
    run_id: str,
    inbox_date: date,
    batch_ids: Sequence[str] = (),
    left_to_sweep: bool = False,
) -> Settlement:
    """Sums up what a run answers for, its jobs one by one; opt-outs of sale are not among them. `batch_ids` are those
    of its plan: the run answers for the batches, too, that another run claimed and left. With `left_to_sweep`, a job
    that Adobe still works on is no problem; one that Adobe calls complete while a product has yet to answer never is:
    every sweep asks again."""
    jobs = ledger.overview.run_jobs(run_id=run_id, inbox_date=inbox_date, batch_ids=batch_ids)
    summary = _Summary(inbox_date)
    summary.add(jobs)
    summary.review(ledger.results.answers([job.id for job in summary.doubtful]))
    attention = attention_of_run(
        ledger, RunScope(run_id, inbox_date, left_to_sweep, batch_ids=tuple(batch_ids))
    )
    states, on_hold = summary.states, summary.on_hold
    lines = summary.lines()
    at_adobe = states[JobState.SUBMITTED] if left_to_sweep else summary.unanswered
    if at_adobe:
        lines.append(
            f"{at_adobe} jobs are at Adobe: the DAG privacy_sweep archives their results as they come"
        )
    if on_hold:
        lines.append(f"{on_hold} jobs are on hold: not sent before a person releases them")
    return Settlement(
        lines,
        summary.figures(attention),
        jobs=states.total(),
        problems=attention.count(Level.PERSON),
        named=[item.text for item in attention.items],
        waiting=states[JobState.RECEIVED] - on_hold,
        at_adobe=at_adobe,
        on_hold=on_hold,
    )


# Of these it matters what each product answered.
_NOT_IN_WHOLE = (Verdict.IN_PART, Verdict.NOT_DONE)
_PLURALS = {"delete": "deletes", "access": "accesses"}


@dataclass
class _Summary:
    """Jobs, counted as they are read: there may be many."""

    inbox_date: date
    late: Counter[date] = field(default_factory=Counter)
    counts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    states: Counter[JobState] = field(default_factory=Counter)
    partial: int = 0
    on_hold: int = 0
    unanswered: int = 0
    doubtful: list[Job] = field(default_factory=list)
    in_part: list[str] = field(default_factory=list)
    missing: dict[str, Counter[str]] = field(default_factory=dict)
    undone: Counter[str] = field(default_factory=Counter)
    warned: int = 0
    warnings: Counter[str] = field(default_factory=Counter)

    def add(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            if job.action == Action.OPT_OUT_OF_SALE:
                continue
            self.states[job.state] += 1
            if job.inbox_date != self.inbox_date:
                self.late[job.inbox_date] += 1
            self.on_hold += job.state is JobState.RECEIVED and job.on_hold
            self.counts[job.regulation, job.action, job.state.value, job.outcome or "-"] += 1
            if job.warnings and job.origin is Origin.INBOX:
                self.warned += 1
                self.warnings.update(text[:WARNING_LENGTH] for text in job.warnings.splitlines())
            self.unanswered += job.state is JobState.SUBMITTED and job.outcome == Verdict.PENDING
            if job.outcome in _NOT_IN_WHOLE and job.state in (JobState.ARCHIVED, JobState.ERROR):
                self.doubtful.append(job)

    def lines(self) -> list[str]:
        if not self.states:
            return [NOTHING]
        rows = [("regulation", "action", "state", "outcome", "jobs")]
        rows += [(*group, str(count)) for group, count in sorted(self.counts.items())]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
        ]
        return lines + _some(self.in_part, "jobs done in part", of=len(self.in_part))

    def review(self, answers: Mapping[int, Sequence[ProductAnswer]]) -> None:
        """Tells jobs in which some product should have done what was asked and did not from those that are done in part
        because some identities were not found."""
        for job in self.doubtful:
            undone = missed(job.action, answers.get(job.id, ()))
            self.partial += job.state is JobState.ARCHIVED
            if undone:
                self.undone[job.action] += 1
                self.missing.setdefault(job.action, Counter()).update(dict.fromkeys(undone, 1))
            elif job.state is JobState.ARCHIVED:
                self.in_part.append(
                    f"In part: {job.key} ({job.action}): {job.outcome}, {job.outcome_code or 'no code'}"
                )

    def not_done(self) -> list[str]:
        """`3 of 412 deletes not done: 2 wrong namespace at Target, 1 no answer from Campaign`."""
        found = []
        for action, number in sorted(self.undone.items()):
            of = sum(count for (_, each, _, _), count in self.counts.items() if each == action)
            why = ", ".join(f"{count} {text}" for text, count in self.missing[action].most_common())
            found.append(f"{number} of {of} {_PLURALS.get(action, action)} not done: {why}")
        return found

    def told_before(self) -> list[str]:
        """`4 taken with a warning: 4 a delete for profileService without identity …`."""
        if not self.warned:
            return []
        texts = [f"{count} {text}" for text, count in self.warnings.most_common(WARNINGS_IN_NOTE)]
        more = len(self.warnings) - len(texts)
        texts += [f"{more} more warnings, see the log of the task plan"] if more else []
        return [f"{BY_NAME['warned'].counted(self.warned)}: {'; '.join(texts)}"]

    def figures(self, attention: Attention) -> str:
        """Such as `4 jobs (2 access, 2 delete): 4 archived, 2 lines rejected`."""
        states = self.states
        parts = {
            f"archived ({self.partial} not in whole)" if self.partial else "archived": states[
                JobState.ARCHIVED
            ],
            "to be archived": states[JobState.COMPLETE],
            "at Adobe": states[JobState.SUBMITTED],
            "ended in error": states[JobState.ERROR],
            "refused": states[JobState.REFUSED],
            "gone at Adobe": states[JobState.GONE],
            "closed by a person and not shown to be done": states[JobState.CLOSED],
            "not submitted yet": states[JobState.PLANNED],
            "of unknown outcome": states[JobState.SUBMITTING],
            "for the next run": states[JobState.RECEIVED] - self.on_hold,
            "on hold": self.on_hold,
        }
        shown = [f"{count} {name}" for name, count in parts.items() if count]
        # Of the jobs, the states say it.
        shown += [kind.counted(count) for kind, count in attention.counts.items() if count and kind.problems]
        if not shown:
            return NOTHING
        actions: Counter[str] = Counter()
        for (_, action, _, _), count in self.counts.items():
            actions[action] += count
        of = ", ".join(f"{count} {action}" for action, count in sorted(actions.items()))
        if self.late:
            days = ", ".join(str(day) for day in sorted(self.late)[:5])
            shown.append(f"{self.late.total()} of them of other days ({days})")
        told = f"{states.total()} jobs" + (f" ({of})" if of else "") + f": {', '.join(shown)}"
        return "; ".join([told, *self.not_done(), *self.told_before()])


def _some(lines: list[str], kind: str, *, of: int) -> list[str]:
    shown = lines[:SHOWN]
    return shown if of <= len(shown) else [*shown, f"… and {of - len(shown)} more {kind}"]
