"""A small world in which planning and submission run, step by step, in an order that a test decides.

Real: the planner, the submission, the ledger (SQLite in memory), the inbox. Played: Adobe, time, and which process
goes on next, crashes, or loses an answer. Adobe's promises are those that the submission relies on: a call that is
given up has its effect within `call_timeout` of its start or never, and a job is in the list `list_lag` after that.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from obstore.store import MemoryStore
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from adobe_privacy.api.errors import (
    OutcomeUnknown,
    PrivacyServiceError,
    QuotaReached,
    RateLimited,
    RequestRefused,
    TemporarilyUnavailable,
)
from adobe_privacy.api.models import CompanyContext, CreatedJobs, CreateJobsRequest, JobSummary
from adobe_privacy.ledger.delete_plan import PlanChanged
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Base, Job, Usage
from adobe_privacy.ledger.states import JobState
from adobe_privacy.ledger.unit import Topic
from adobe_privacy.planning.planning import PlanSettings, plan_day
from adobe_privacy.storage import Store
from adobe_privacy.storage.location import parse_location
from adobe_privacy.submission.submission import SubmissionSettings, submit_batch

START = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
DAY = START.date()
LIST_LAG = 60.0
# Of one task try, for six jobs at most: each may be refused alone and in halves, and lose an answer thrice.
MAX_CALLS = 40
CALL_TIMEOUT = 90.0  # of the product's own timeout, 60 s
ORGANISATION = "0123456789ABCDEF01234567@AdobeOrg"
# Calls around which a process may die: before one, or after what it did is committed.
FATAL_CALLS = frozenset(
    (
        "receive",
        "claim_batch",
        "open_batches",
        "batch_jobs",
        "intend",
        "record_submitted",
        "withdraw",
        "unclaim",
        "refuse",
        "record_refusal",
        "pause",
        "begin",
        "record_found",
        "renew",
        "begin_doubt",
        "note_open_job_listed",
        "note_keys",
        "known_adobe_jobs",
        "unapproved_deletes",
        "decide",
    )
)


class Crash(BaseException):
    """The process is gone: nothing of it runs any more."""


class Twice(AssertionError):
    """Adobe got a job that it had already."""


class NotApproved(AssertionError):
    """A delete was sent that nobody approved, or that was rejected since."""


@dataclass
class AdobeJob:
    job_id: str
    key: str
    action: str
    made_at: datetime
    created_at: datetime  # as Adobe tells it: by its own clock, in whole minutes
    visible_at: datetime
    failed: bool = False


@dataclass
class Process:
    """One task try. `gate` is what it waits for; `wake_at` until when, where it sleeps."""

    name: str
    task: asyncio.Task[Any] | None = None
    gate: asyncio.Future[None] | None = None
    waits_for: str = ""
    wake_at: datetime | None = None
    post_started: datetime | None = None
    # What Adobe does with the call at the latest when its time is over.
    arrive: Callable[[], None] | None = None
    calls: int = 0


@dataclass
class World:
    random: Random
    ledger: Ledger
    loop: asyncio.AbstractEventLoop
    now: datetime = START
    calm: bool = False
    crashes_left: int = 4
    daily_limit: int = 6
    adobes_limit: int = 16
    # Of that, what other applications take each day of Adobe's; the last for all further days.
    taken_by_others: tuple[int, ...] = (0,)
    ahead: timedelta = timedelta()
    # Whether Adobe's lists show a job before it is finished.
    shows_open_jobs: bool = True
    approve_deletes: bool = False
    # What a person was shown and has not answered: batch, hash, and each job with its attempt.
    questions: list[tuple[str, str, set[tuple[int, int]]]] = field(default_factory=list)
    approved: set[tuple[int, int]] = field(default_factory=set)
    bad_keys: set[str] = field(default_factory=set)
    jobs: list[AdobeJob] = field(default_factory=list)
    on_its_way: list[tuple[datetime, CreateJobsRequest]] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    requests: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger.unit.now = lambda: self.now
        with self.ledger.unit.engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(delete(table))
        self.ledger.__dict__.pop("_fingerprint_key", None)
        self.inbox = Store(parse_location("s3://inbox"), MemoryStore())
        self.archive = Store(parse_location("s3://archive"), MemoryStore())
        self.numbers = itertools.count(1)
        self.runs = itertools.count(1)

    # -- what can happen ----------------------------------------------------------------------------------

    def act(self) -> None:
        """One thing happens."""
        awake = [process for process in self.processes if self._can_go_on(process)]
        happenings: list[tuple[int, Callable[[], None]]] = [
            (1, self.plan),
            (2, self.claim),
            (6, self.start_submission),
            (4, self.pass_time),
            (2, self.fail_a_job),
            (2, self.hold_or_release),
            (1, self.hand_in_again),
        ]
        if self.approve_deletes:
            happenings += [(4, self.ask), (4, self.answer)]
        if awake:
            happenings += [
                (24, lambda: self.go_on(self.random.choice(awake))),
                (2, lambda: self.kill(self.random.choice(awake))),
            ]
        self.random.choices([do for _, do in happenings], [weight for weight, _ in happenings])[0]()

    def hand_in(self, count: int) -> None:
        lines = []
        for number in range(count):
            request_id = f"DSR-{number}"
            actions = self.random.choice((["access"], ["delete"], ["access", "delete"]))
            identities = 12 if self.random.random() < 0.1 else 1
            self.requests[request_id] = actions
            lines.append(
                {
                    "request_id": request_id,
                    "regulation": "cpra_ca_usa",
                    "actions": actions,
                    "identities": [
                        {"namespace": "email", "value": f"{request_id}.{n}@example.com"}
                        for n in range(identities)
                    ],
                    "products": ["profileService"],
                }
            )
        if count > 1 and self.random.random() < 0.2 and len(lines[0]["identities"]) == 1:
            self.bad_keys = {"DSR-0"}
        self.lines = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.inbox.write(f"{DAY}/requests.jsonl", self.lines)

    def hand_in_again(self) -> None:
        self.inbox.write(f"{DAY}/again.jsonl", self.lines)

    def plan(self, day: date | None = None) -> None:
        run = next(self.runs)
        day = day or self.random.choice((DAY, self.now.date()))
        self.log.append(f"plan {run} of {day}")
        with suppress(Crash):
            plan_day(
                self.inbox,
                self._mortal(f"run {run}"),
                day=day,
                run_id=f"run {run}",
                settings=PlanSettings(daily_limit=self.daily_limit, approve_deletes=self.approve_deletes),
            )

    def claim(self) -> None:
        """What a plan does last, by itself: it is much quicker than a whole plan."""
        run = next(self.runs)
        self.log.append(f"run {run} claims")
        ledger = self._mortal(f"run {run}")
        with suppress(Crash):
            while ledger.claims.claim_batch(
                run_id=f"run {run}",
                inbox_date=self.now.date(),
                daily_limit=self.daily_limit,
                approve_deletes=self.approve_deletes,
            ):
                pass

    def ask(self) -> None:
        """Shows a person what a batch would send, where it needs an approval."""
        batches = sorted(self._unsent_batches())
        if batches:
            self.ask_about(self.random.choice(batches))

    def ask_about(self, batch_id: str) -> bool:
        if not self.ledger.approvals.unapproved_deletes(batch_id, approve_deletes=self.approve_deletes):
            return False
        plan = self.ledger.approvals.delete_plan(batch_id)
        self.questions.append((batch_id, plan.hash, {(job.id, job.attempt) for job in plan.jobs}))
        return True

    def answer(self, *, well: bool = False) -> None:
        """The person's answer, to a question of now or of long ago."""
        if not self.questions:
            return
        batch_id, plan_hash, shown = self.questions.pop(self.random.randrange(len(self.questions)))
        approved = well or self.random.random() < 0.8
        request_ids = {row.request_id for row in self._rows() if (row.id, row.attempt) in shown}
        hold = set() if well else {one for one in request_ids if self.random.random() < 0.2}
        self.log.append(f"{batch_id}: {'approved' if approved else 'rejected'}, {sorted(hold)} held")
        before = set(self.approved)
        held = {row.id for row in self._rows() if row.on_hold or row.request_id in hold}
        # What it may commit before the process dies counts.
        sent = {place for place in shown if approved and place[0] not in held}
        self.approved = (self.approved - shown) | sent
        try:
            self._mortal("a person").approvals.decide(batch_id, plan_hash, approved=approved, hold=hold)
        except PlanChanged:
            self.log.append("the plan has changed")
            self.approved = before
        except Crash:
            if not any(row.approval_id for row in self._rows() if (row.id, row.attempt) in sent - before):
                self.approved = before

    def check_approved(self, request: CreateJobsRequest) -> None:
        if not self.approve_deletes:
            return
        rows = {row.key: row for row in self._rows() if row.action == "delete"}
        for user in request.users:
            row = rows.get(user.key) if "delete" in user.actions else None
            if row is not None and (row.id, row.attempt) not in self.approved:
                raise NotApproved(f"{user.key} is deleted in attempt {row.attempt}")

    def start_submission(self) -> None:
        batches = sorted(self._unsent_batches())
        if batches and len(self.processes) < 3:
            self.submit(self.random.choice(batches))

    def submit(self, batch_id: str) -> Process:
        process = Process(f"process {next(self.numbers)}")
        ledger = self._mortal(process.name)
        coroutine = submit_batch(
            batch=self.ledger.claims.batch(batch_id),
            inbox=self.inbox,
            archive=self.archive,
            ledger=ledger,
            client=Client(self, process),  # type: ignore[arg-type]
            settings=SubmissionSettings(
                daily_limit=self.daily_limit,
                list_lag=LIST_LAG,
                approve_deletes=self.approve_deletes,
                company_contexts=(CompanyContext.organisation(ORGANISATION),),
            ),
            sleep=lambda seconds: self.sleep(process, seconds),
        )
        self.log.append(f"{process.name} submits {batch_id}")
        process.task = self.loop.create_task(coroutine)
        self.processes.append(process)
        self._run(process)
        return process

    def go_on(self, process: Process) -> None:
        self.log.append(f"{process.name} goes on: {process.waits_for}")
        gate, process.gate, process.wake_at = process.gate, None, None
        assert gate is not None
        gate.set_result(None)
        self._run(process)

    def kill(self, process: Process) -> None:
        self.log.append(f"{process.name} is killed: {process.waits_for}")
        if process.arrive is not None:
            # The request was on its way: whether it arrives is no longer the process's business.
            process.arrive()
        gate, process.gate = process.gate, None
        assert gate is not None
        gate.set_exception(Crash())
        self._run(process)

    def pass_time(self) -> None:
        self.move_clock(timedelta(seconds=self.random.choice((1, 10, 30, 60, 200, 3600, 6 * 3600))))

    def move_clock(self, by: timedelta) -> None:
        """In order: what is on its way arrives, calls run out of time."""
        until = self.now + by
        while True:
            due = [(moment, request) for moment, request in self.on_its_way if moment <= until]
            late = [
                (process.post_started + timedelta(seconds=CALL_TIMEOUT), process)
                for process in self.processes
                if process.arrive is not None and process.post_started is not None
            ]
            late = [(moment, process) for moment, process in late if moment <= until]
            if not due and not late:
                break
            if due and (not late or min(due, key=lambda d: d[0])[0] <= min(late, key=lambda d: d[0])[0]):
                moment, request = min(due, key=lambda d: d[0])
                self.on_its_way.remove((moment, request))
                self.now = max(self.now, moment)
                self.make(request)
            else:
                moment, process = min(late, key=lambda d: d[0])
                self.now = max(self.now, moment)
                assert process.arrive is not None
                process.arrive()
        self.now = until
        self.log.append(f"it is {self.now:%d %H:%M:%S}")

    def fail_a_job(self) -> None:
        """A job of Adobe's ends in an error after which another try can help, and is seen to."""
        for row in self._rows(JobState.SUBMITTED):
            job = next(job for job in self.jobs if job.job_id == row.adobe_job_id)
            if self.random.random() < 0.5 and row.attempt < 3:
                job.failed = True
                self.log.append(f"{row.key} ({row.action}) fails")
                self.ledger.results.record_error(
                    row, completed_at=self.now, outcome_code="1020-400", reason="Adobe: error", try_again=True
                )
                return

    def hold_or_release(self) -> None:
        request_id = self.random.choice(sorted(self.requests))
        change = self.random.choice((self.ledger.people.hold, self.ledger.people.release))
        if change == self.ledger.people.release and request_id in self.bad_keys:
            return
        change(request_id, "test")
        self.log.append(f"{change.__name__} {request_id}")

    # -- coming to rest -----------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Little goes wrong any more: processes end, holds end, and plans of later days send what is left."""
        self.calm = True
        self._finish_processes()
        if not all(self.ledger.people.request_jobs(request_id) for request_id in self.requests):
            self.plan(DAY)  # the one at the beginning died
        for request_id in self.requests:
            if any(job.on_hold for job in self.ledger.people.request_jobs(request_id)):
                self.ledger.people.release(request_id, "end of the test")
        for day in range(40):
            self.move_clock(timedelta(days=1))
            self.claim()
            for batch_id in sorted(self._unsent_batches()):
                self.questions.clear()
                if self.ask_about(batch_id):
                    self.answer(well=True)
                self.submit(batch_id)
                self._finish_processes()
            if day < 2:
                self.fail_a_job()
            left = self._rows(JobState.RECEIVED, JobState.PLANNED, JobState.SUBMITTING)
            if all(row.key in self.bad_keys for row in left):
                return

    def _finish_processes(self) -> None:
        while self.processes:
            awake = [process for process in self.processes if self._can_go_on(process)]
            if awake:
                self.go_on(awake[0])
            else:
                wake_ups = [process.wake_at for process in self.processes if process.wake_at is not None]
                self.move_clock(min(wake_ups) - self.now)

    def close(self) -> None:
        """Ends what still waits."""
        for process in list(self.processes):
            self.kill(process)

    # -- what must hold -----------------------------------------------------------------------------------

    def check_quota(self) -> None:
        with Session(self.ledger.unit.engine) as session:
            for day, jobs in session.execute(select(Usage.day, Usage.jobs)):
                assert 0 <= jobs <= self.daily_limit, f"{jobs} jobs are charged to {day}"

    def check_nothing_is_lost(self) -> None:
        at_adobe = {job.job_id: job for job in self.jobs}
        for request_id, actions in self.requests.items():
            rows = self.ledger.people.request_jobs(request_id)
            assert {row.action for row in rows} == set(actions)
            for row in rows:
                if row.state is JobState.SUBMITTING and not self.shows_open_jobs:
                    continue  # unknown, and told
                if row.key in self.bad_keys:
                    # Refused for good only where Adobe took others of the same batch.
                    assert row.state in (JobState.REFUSED, JobState.RECEIVED), f"{row.key} is {row.state}"
                    continue
                assert row.state is JobState.SUBMITTED, f"{row.key} ({row.action}) is {row.state}"
                job = at_adobe[str(row.adobe_job_id)]
                assert (job.key, job.action, job.failed) == (row.key, row.action, False)
        if self.shows_open_jobs:
            assert self.ledger.intents.known_adobe_jobs(at_adobe) == set(at_adobe), (
                "the ledger does not know a job of Adobe's"
            )

    # -- Adobe --------------------------------------------------------------------------------------------

    def make(self, request: CreateJobsRequest) -> list[AdobeJob]:
        made = []
        for user in request.users:
            for action in user.actions:
                earlier = [job for job in self.jobs if (job.key, job.action) == (user.key, action)]
                if not all(job.failed for job in earlier):
                    raise Twice(f"{user.key} ({action}) is made a second time")
                created = (self.now + self.ahead).replace(second=0, microsecond=0)
                lag = self.random.choice((0, LIST_LAG / 2, LIST_LAG))
                job = AdobeJob(
                    f"job-{next(self.numbers)}",
                    user.key,
                    action,
                    self.now,
                    created,
                    self.now + timedelta(seconds=lag),
                )
                self.jobs.append(job)
                made.append(job)
        self.log.append(f"Adobe makes {', '.join(f'{job.key} ({job.action})' for job in made)}")
        return made

    def today(self, moment: datetime | None = None) -> date:
        """Of Adobe's clock."""
        return ((moment or self.now) + self.ahead).date()

    def made_today(self) -> int:
        """Jobs that count against the organisation's limit, those of other applications too."""
        days = (self.today() - self.today(START)).days
        others = self.taken_by_others[min(days, len(self.taken_by_others) - 1)]
        return sum(self.today(job.made_at) == self.today() for job in self.jobs) + others

    # -- processes ----------------------------------------------------------------------------------------

    async def gate(self, process: Process, waits_for: str, wake_at: datetime | None = None) -> None:
        process.gate, process.waits_for, process.wake_at = self.loop.create_future(), waits_for, wake_at
        await process.gate

    async def sleep(self, process: Process, seconds: float) -> None:
        await self.gate(process, "wake up", self.now + timedelta(seconds=seconds))

    def dies_here(self) -> bool:
        if self.calm or self.crashes_left == 0 or self.random.random() >= 0.04:
            return False
        self.crashes_left -= 1
        return True

    def _can_go_on(self, process: Process) -> bool:
        return process.gate is not None and (process.wake_at is None or process.wake_at <= self.now)

    def _run(self, process: Process) -> None:
        """Until it waits for something or has ended."""
        task = process.task
        assert task is not None

        async def until_it_waits() -> None:
            # Nothing here takes time: the next steps are all waiting in the loop.
            while process.gate is None and not task.done():  # noqa: ASYNC110
                await asyncio.sleep(0)

        self.loop.run_until_complete(until_it_waits())
        if task.done():
            self.processes.remove(process)
            error = task.exception()
            self.log.append(f"{process.name} ends: {error or task.result()}")
            if error is not None and not isinstance(error, Crash | PrivacyServiceError):
                raise error

    def _mortal(self, actor: str) -> Ledger:
        return MortalLedger(self, actor)  # type: ignore[return-value]

    def _rows(self, *states: JobState) -> list[Job]:
        query = select(Job).where(Job.state.in_(states or tuple(JobState)))
        with Session(self.ledger.unit.engine, expire_on_commit=False) as session:
            return list(session.scalars(query.order_by(Job.id)))

    def _unsent_batches(self) -> set[str]:
        return {str(row.batch_id) for row in self._rows(JobState.PLANNED, JobState.SUBMITTING)}


class MortalLedger:
    """The ledger as a process sees it that may die before a call, or when its effect is committed."""

    def __init__(self, world: World, actor: str, part: Any = None) -> None:
        self._world = world
        self._actor = actor
        self._part = part or world.ledger

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if isinstance(found, Topic):
            return MortalLedger(self._world, self._actor, found)
        if name not in FATAL_CALLS:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            world = self._world
            if world.dies_here():
                world.log.append(f"{self._actor} dies before {name}")
                raise Crash
            world.ledger.unit.actor = self._actor
            result = found(*args, **kwargs)
            if name in ("intend", "withdraw"):
                world.check_quota()
            if name == "intend" and not world.calm and world.random.random() < 0.1:
                world.move_clock(timedelta(seconds=world.random.choice((5, 20, 40))))
            if world.dies_here():
                world.log.append(f"{self._actor} dies after {name}")
                raise Crash
            return result

        return call


class Client:
    """What the submission uses of the client, played."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._knows_clock = False

    lists_all_of_today = True
    keys_without_id: Collection[str] = ()

    def server_time(self) -> datetime:
        return self._world.now + (self._world.ahead if self._knows_clock else timedelta())

    async def learn_server_time(self) -> None:
        if not self._knows_clock:
            today = self.server_time().date()
            with suppress(RequestRefused):
                async for _ in self.list_jobs("gdpr", from_date=today, to_date=today):
                    break

    async def fetch_token(self) -> None:
        await self._world.gate(self._process, "token")

    async def create_jobs(self, request: CreateJobsRequest) -> CreatedJobs:
        world, process = self._world, self._process
        process.calls += 1
        assert process.calls <= MAX_CALLS, f"{process.name} calls for ever"
        outcome = self._outcome(request)
        world.check_approved(request)
        process.post_started = world.now
        made: list[AdobeJob] = []
        arrived = False

        def arrive() -> None:
            nonlocal arrived, made
            process.arrive = None
            if outcome in ("made", "made, part of the answer is missing", "made, no answer"):
                arrived = True
                # The limit is checked at the moment of arrival.
                if world.made_today() + self._size(request) > world.adobes_limit:
                    return
                made = world.make(request)

        process.arrive = arrive
        await world.gate(process, f"request, {outcome}")
        if process.arrive is not None:
            process.arrive()
        if outcome in ("bad user", "rate limited", "made", "made, part of the answer is missing"):
            self._knows_clock = True
        match outcome:
            case "bad user":
                raise RequestRefused("the service refuses the request as it is.")
            case "rate limited":
                raise RateLimited("too many requests.")
            case "made later":
                limit = world.made_today() + self._size(request) <= world.adobes_limit
                latest = process.post_started + timedelta(seconds=CALL_TIMEOUT)
                if limit and world.now < latest:
                    when = world.now + (latest - world.now) * world.random.random()
                    if world.today(when) == world.today():
                        world.on_its_way.append((when, request))
                raise OutcomeUnknown("the connection broke off.")
            case "never arrived" | "made, no answer":
                raise OutcomeUnknown("the connection broke off.")
        await world.gate(process, "answer")
        if world.now > process.post_started + timedelta(seconds=CALL_TIMEOUT):
            raise TimeoutError
        if arrived and not made:
            raise QuotaReached("the organisation's jobs of the day are used up.")
        shown = made[1:] if outcome == "made, part of the answer is missing" else made
        world.random.shuffle(shown)
        return CreatedJobs.model_validate(
            {
                "requestId": "rx",
                "jobs": [
                    {"jobId": job.job_id, "customer": {"user": {"key": job.key, "action": [job.action]}}}
                    for job in shown
                ]
                or [{"jobId": "somebody else's", "customer": {}}],
            }
        )

    @staticmethod
    def _size(request: CreateJobsRequest) -> int:
        return sum(len(user.actions) for user in request.users)

    def _outcome(self, request: CreateJobsRequest) -> str:
        if {user.key for user in request.users} & self._world.bad_keys:
            return "bad user"
        if self._world.calm:
            return "made"
        outcomes = {
            "made": 4,
            "never arrived": 2,
            "made, no answer": 3,
            "made later": 2,
            "made, part of the answer is missing": 1,
            "rate limited": 1,
        }
        return self._world.random.choices(list(outcomes), list(outcomes.values()))[0]

    async def list_jobs(
        self, regulation: str, *, from_date: date, to_date: date, **_: object
    ) -> AsyncIterator[JobSummary]:
        world = self._world
        await world.gate(self._process, f"list of {regulation}")
        self._knows_clock = True
        if not world.calm and world.random.random() < 0.05:
            raise TemporarilyUnavailable("the service is not available.")
        if regulation == "cpra_usa" or from_date < (world.now + world.ahead).date() - timedelta(days=45):
            raise RequestRefused("the service refuses the request as it is.")
        rows = [
            job
            for job in world.jobs
            if (world.shows_open_jobs or job.failed)
            and job.visible_at <= world.now
            and from_date <= job.created_at.date() <= to_date
        ]
        world.random.shuffle(rows)
        if world.shows_open_jobs:
            # Somebody else's, of long ago.
            yield JobSummary.model_validate({"jobId": "other", "userKey": "other", "status": "processing"})
        for number, job in enumerate(rows):
            if number == 1:
                await world.gate(self._process, "next page")
            yield JobSummary.model_validate(
                {
                    "jobId": job.job_id,
                    "userKey": job.key,
                    "action": job.action,
                    "status": "error" if job.failed else "processing",
                    "createdDate": f"{job.created_at:%m/%d/%Y %I:%M %p} GMT",
                }
            )
