"""Tells before it is late: requests near the end of their clock, results near expiry, the day's quota near its end.
And tells what should have been done by now: batches and opt-outs that are not at Adobe, a sweep that does not run.

`due_alarms` finds what is to be told now, `record` notes that it was told. Each alarm is found until it is
recorded, and never after: who tells first and records then tells each at least once, and twice only where it was
interrupted between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from adobe_privacy.api.facts import RESULT_KEPT_FOR_CERTAIN
from adobe_privacy.ledger.alarms import ClockJob, NextAlarm, Raised
from adobe_privacy.ledger.attention import Kind, Level
from adobe_privacy.ledger.late import LateJobs
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.plain_text import counted
from adobe_privacy.reporting.attention import Item, read_attention

CLOCK_PERCENTS = (50, 80, 100)
RESULT_PERCENTS = (50, 80, 100)
QUOTA_PERCENTS = (90, 100)
SHOWN = 20  # of one kind in a message; the rest is counted

# A day is submitted within minutes. What is not after this has failed, or waits for something that is out.
SUBMITTED_WITHIN = timedelta(hours=3)
OPTED_OUT_WITHIN = timedelta(hours=12)
# A plan is made daily.
PLANNED_WITHIN = timedelta(hours=36)
# The sweep runs daily.
SWEPT_WITHIN = timedelta(hours=36)

ATTENTION_PERCENT = 100  # of the urgency by which alarms are ordered

CLOCK, RESULT, QUOTA, LATE, SWEEP = "clock", "result", "quota", "late", "sweep"


@dataclass(frozen=True)
class AlarmGroup:
    """Alarms told together. `names` are request ids, files of the inbox, or the days that are told of; `lines` say
    of each what there is to say, `to_do` what to do, `document` where that is said in full. Besides the named there are
    `more`."""

    kind: str
    percent: int
    headline: str
    names: tuple[str, ...]
    lines: tuple[str, ...]
    to_do: str = ""
    more: int = 0
    document: str = ""


@dataclass
class Alarms:
    """What is to be told, the most urgent first. It holds no identity."""

    groups: list[AlarmGroup] = field(default_factory=list)
    raised: list[Raised] = field(default_factory=list)
    told: dict[str, datetime] = field(default_factory=dict)  # the kinds of attention, and when they were read
    # When each job that was looked at is worth another look.
    next_alarms: dict[int, NextAlarm] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        return "Privacy requests: " + "; ".join(group.headline for group in self.groups)

    @property
    def message(self) -> str:
        """Plain text; a person's mail or channel is meant to take it whole."""
        blocks: list[str] = []
        for group in self.groups:
            more = group.more + max(0, len(group.names) - SHOWN)
            shown = [f"- {line}" for line in group.lines[:SHOWN]]
            end = [f"- and {more} more"] if more > 0 else []
            end += [f"What to do: {group.to_do}"] if group.to_do else []
            end += [f"Read more: {group.document}"] if group.document else []
            blocks.append("\n".join([f"{group.headline}:", *shown, *end]))
        return "\n\n".join(blocks)


def clock_moments(received_at: datetime, due_on: date) -> Iterator[tuple[int, datetime]]:
    """When which percent of a request's time is used up.

    All of it is used when the last day begins in UTC: wherever the law holds, some hours of it are left then.
    """
    length = max(datetime.combine(due_on, time(), UTC) - received_at, timedelta())
    return ((percent, received_at + length * percent / 100) for percent in CLOCK_PERCENTS)


def next_alarm(received_at: datetime, due_on: date, after: datetime | None = None) -> datetime | None:
    """When a request's next alarm is due: its first, or the first after a moment."""
    moments = clock_moments(received_at, due_on)
    return next((moment for _, moment in moments if after is None or moment > after), None)


def due_alarms(ledger: Ledger, *, daily_limit: int, swept_at: datetime | None = None) -> Alarms:
    """What is to be told now and was not told yet. Of several percents reached at once the highest is told.

    What needs a person is told at once, and again every UTC day until it is mended or closed.

    `swept_at` is when a sweep last did its work; where it is not known, nothing is told of sweeps."""
    result = Alarms()
    _attention(ledger, result)
    _clocks(ledger, result)
    _results(ledger, result)
    _quota(ledger, daily_limit, result)
    _late(ledger, result)
    _sweep(ledger, swept_at, result)
    result.groups.sort(key=lambda group: -group.percent)
    return result


def record(ledger: Ledger, told: Alarms) -> None:
    """None of it is told again."""
    ledger.alarms.record(told.raised, told.next_alarms)
    ledger.attention.record_told(told.told)


def _attention(ledger: Ledger, result: Alarms) -> None:
    now = ledger.now()
    last = ledger.attention.told()
    found = read_attention(ledger)
    by_kind: dict[Kind, list[Item]] = {}
    for item in found.of(Level.PERSON):
        by_kind.setdefault(item.kind, []).append(item)
    for kind, items in by_kind.items():
        told_at = last.get(kind.name)
        newest = max((item.since + kind.after for item in items if item.since is not None), default=now)
        if told_at is not None and told_at.date() == now.date() and newest <= told_at:
            continue
        count = found.counts[kind]
        result.told[kind.name] = now
        result.groups.append(
            AlarmGroup(
                kind.name,
                ATTENTION_PERCENT,
                kind.counted(count),
                tuple(item.request_id or item.about for item in items),
                tuple(item.text for item in items),
                kind.to_do,
                max(0, count - len(items)),
                kind.document,
            )
        )


def _clocks(ledger: Ledger, result: Alarms) -> None:
    now = ledger.now()
    by_case: dict[str, list[ClockJob]] = {}
    for job in ledger.alarms.jobs_due(now):
        after = next_alarm(job.received_at, job.due_on, now)
        result.next_alarms[job.id] = NextAlarm(after, instead_of=job.alarm_at)
        # An opt-out and the rest of its request are due on different days.
        by_case.setdefault(f"{job.request_id} {job.due_on}", []).append(job)
    reached = {
        case: _reached(clock_moments(jobs[0].received_at, jobs[0].due_on), now)
        for case, jobs in by_case.items()
    }
    for percent, cases in _new(ledger, CLOCK, reached, result):
        some = sorted(cases, key=lambda case: (by_case[case][0].due_on, case))
        result.groups.append(
            AlarmGroup(
                CLOCK,
                percent,
                f"{counted(len(some), 'unfinished request')} on the last day or later"
                if percent == 100
                else f"{counted(len(some), 'unfinished request')} with {percent} % of the time used",
                tuple(by_case[case][0].request_id for case in some),
                tuple(_case_line(by_case[case]) for case in some),
            )
        )


def _case_line(jobs: Sequence[ClockJob]) -> str:
    actions = ", ".join(
        sorted({f"{job.action} {job.state}" + (" (on hold)" if job.on_hold else "") for job in jobs})
    )
    return f"{jobs[0].request_id} ({jobs[0].regulation}), due {jobs[0].due_on}: {actions}"


def _results(ledger: Ledger, result: Alarms) -> None:
    now = ledger.now()
    share = RESULT_PERCENTS[0] / 100
    jobs = {job.adobe_job_id: job for job in ledger.alarms.unarchived(now - RESULT_KEPT_FOR_CERTAIN * share)}
    reached = {
        job_id: _reached(
            [
                (percent, job.completed_at + RESULT_KEPT_FOR_CERTAIN * percent / 100)
                for percent in RESULT_PERCENTS
            ],
            now,
        )
        for job_id, job in jobs.items()
    }
    for percent, job_ids in _new(ledger, RESULT, reached, result):
        some = sorted(job_ids, key=lambda job_id: (jobs[job_id].completed_at, job_id))
        days = RESULT_KEPT_FOR_CERTAIN.days * percent // 100
        result.groups.append(
            AlarmGroup(
                RESULT,
                percent,
                f"{counted(len(some), 'result')} not archived, {days} of Adobe's "
                f"{RESULT_KEPT_FOR_CERTAIN.days} days over",
                tuple(jobs[job_id].request_id for job_id in some),
                tuple(
                    f"{jobs[job_id].request_id} ({jobs[job_id].action}, Adobe job {job_id}), "
                    f"complete since {jobs[job_id].completed_at:%Y-%m-%d}"
                    for job_id in some
                ),
            )
        )


def _quota(ledger: Ledger, daily_limit: int, result: Alarms) -> None:
    quota = ledger.quotas.today()
    percent = 100 if quota.refused else quota.used * 100 // daily_limit if daily_limit else 0
    reached = {str(quota.day): max((p for p in QUOTA_PERCENTS if p <= percent), default=None)}
    for told, days in _new(ledger, QUOTA, reached, result):
        what = f"{quota.used} of {daily_limit} jobs of {quota.day} (UTC) used"
        headline = "Adobe takes no more jobs today" if quota.refused else f"{told} % of the day's jobs used"
        result.groups.append(AlarmGroup(QUOTA, told, headline, tuple(days), (what,)))


def _late(ledger: Ledger, result: Alarms) -> None:
    now = ledger.now()
    late = {
        _late_subject(each): each
        for each in (
            *ledger.late.batches(now - SUBMITTED_WITHIN),
            *ledger.late.waiting(now - PLANNED_WITHIN),
            *ledger.late.opt_outs(now - OPTED_OUT_WITHIN),
        )
    }
    for percent, subjects in _new(ledger, LATE, dict.fromkeys(late, 100), result):
        some = [late[subject] for subject in subjects]
        jobs = sum(each.jobs for each in some)
        result.groups.append(
            AlarmGroup(
                LATE,
                percent,
                f"{counted(jobs, 'job')} late: not known to be at Adobe",
                tuple(str(each.inbox_date) for each in some),
                tuple(_late_line(each) for each in some),
            )
        )


def _late_subject(late: LateJobs) -> str:
    if late.since is None:
        return f"{late.id} {late.inbox_date}"
    return f"{late.regulation or 'opt-outs'} {late.inbox_date} {late.since.isoformat()}"


def _late_line(late: LateJobs) -> str:
    if late.regulation is None:
        return f"inbox {late.inbox_date}: {late.jobs} opt-outs; see the run of privacy_optouts"
    if late.id is None:
        return (
            f"inbox {late.inbox_date}, {late.regulation}: {late.jobs} jobs that no plan has claimed; see that "
            "privacy_requests runs, and in its last plan whether the day's quota has room"
        )
    return (
        f"inbox {late.inbox_date}, {late.regulation}: {late.jobs} jobs; see the logs of plan and submit, and clear "
        "what failed"
    )


def _sweep(ledger: Ledger, swept_at: datetime | None, result: Alarms) -> None:
    if swept_at is None or ledger.now() - swept_at < SWEPT_WITHIN:
        return
    when = f"{swept_at:%Y-%m-%d %H:%M}"
    for percent, names in _new(ledger, SWEEP, {when: 100}, result):
        line = (
            f"privacy_sweep last went through all open jobs at {when} UTC. Results of backfills, and of runs that "
            "do not wait, are not archived meanwhile: see its runs, and that it is not paused"
        )
        result.groups.append(AlarmGroup(SWEEP, percent, "The daily sweep is late", tuple(names), (line,)))


def _reached(moments: Iterable[tuple[int, datetime]], now: datetime) -> int | None:
    return max((percent for percent, moment in moments if moment <= now), default=None)


def _new(
    ledger: Ledger, kind: str, reached: dict[str, int | None], result: Alarms
) -> list[tuple[int, list[str]]]:
    """The subjects by the percent that they have reached and that was not raised, the highest percent first."""
    before = ledger.alarms.raised(kind, reached.keys())
    groups: dict[int, list[str]] = {}
    for subject, percent in reached.items():
        if percent is not None and percent > before.get(subject, 0):
            groups.setdefault(percent, []).append(subject)
            result.raised.append(Raised(kind, subject, percent))
    return [(percent, groups[percent]) for percent in sorted(groups, reverse=True)]
