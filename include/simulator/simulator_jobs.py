"""Jobs and their life. A job's state is a function of its moments and the clock: nothing runs in between."""

from __future__ import annotations

import random
import time
import uuid
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simulator_catalogue import UPSTREAM_OF_CJM
from simulator_clock import DAY

NEVER = float("inf")
_SECONDS_FROM_1582_TO_1970 = 12_219_292_800


@dataclass(slots=True)
class ProductAnswer:
    """What one product will say, and when."""

    product: str
    answered_at: float
    code: str = "6000-200"
    retry_count: int = 0
    message: str | None = None
    detail: str | None = None
    name: str | None = None
    # Values of the identities by which the person was found, and of the others.
    processed: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    shows_results: bool = False
    failed_datasets: tuple[str, ...] = ()
    silent: bool = False
    waited_for: bool = True
    # Seconds after the upstream deletes exist; only for a cjm delete that still waits for them.
    delay_after_upstream: float | None = None

    @property
    def failed(self) -> bool:
        return self.code.endswith("-400")


@dataclass(slots=True)
class Job:
    job_id: str
    request_id: str
    key: str | None
    action: str
    regulation: str
    created_at: float
    processing_at: float
    identities: list[dict[str, Any]]
    products: list[ProductAnswer]
    submitted_by: str
    child: Job | None = None
    # The key as answers repeat it.
    shown_key: str | None = None
    # What the job says of itself in the end; None: what follows from its products.
    ends_as: str | None = None
    result_in_error: bool = False
    # Real (monotonic) seconds; the list lag counts from here.
    made_at: float = -NEVER
    detail_calls: int = 0
    content_calls: int = 0
    order: int = 0
    answered_at: float = NEVER

    @property
    def sort_key(self) -> tuple[float, int]:
        return (self.created_at, self.order)

    @property
    def waited_for(self) -> list[ProductAnswer]:
        """Those without which the job does not end."""
        return [answer for answer in self.products if answer.waited_for and not answer.silent]

    def settle(self) -> None:
        """Work out the moment of the last answer, a child's included, from those of the products."""
        self.answered_at = max((answer.answered_at for answer in self.waited_for), default=self.processing_at)
        if self.child is not None:
            self.child.settle()
            self.answered_at = max(self.answered_at, self.child.answered_at)

    def finished_at(self, expire_after_days: float) -> float:
        return min(self.answered_at, self.created_at + expire_after_days * DAY)

    def status(self, now: float, expire_after_days: float) -> str:
        answered_at, expires_at = self.answered_at, self.created_at + expire_after_days * DAY
        if answered_at <= min(now, expires_at):
            failed = any(answer.failed for answer in self.waited_for)
            return self.ends_as or ("error" if failed else "complete")
        if now >= expires_at:
            return "expired"
        return "processing" if now >= self.processing_at else "submitted"

    def modified_at(self, now: float) -> float:
        moments = [
            self.processing_at,
            *(answer.answered_at for answer in self.products if not answer.silent),
        ]
        return max((moment for moment in moments if moment <= now), default=self.created_at)


@dataclass
class JobStore:
    """All jobs, by id and by regulation in the order of their creation."""

    seed: int
    _by_id: dict[str, Job] = field(default_factory=dict)
    _by_regulation: dict[str, list[Job]] = field(default_factory=dict)
    _attempts: Counter[tuple[str | None, str, str]] = field(default_factory=Counter)
    _jobs_per_day: Counter[int] = field(default_factory=Counter)
    _waiting_for_upstream: list[tuple[Job, ProductAnswer]] = field(default_factory=list)
    _deletes_of_identity: dict[str, set[str]] = field(default_factory=dict)
    _ids_made: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._by_id.values())

    def get(self, job_id: str) -> Job | None:
        return self._by_id.get(job_id)

    def created_between(self, regulation: str, since: float, until: float) -> list[Job]:
        """Jobs of a regulation with since <= created < until, oldest first."""
        jobs = self._by_regulation.get(regulation, [])
        start = bisect_left(jobs, (since, -1), key=_sort_key)
        end = bisect_left(jobs, (until, -1), key=_sort_key)
        return jobs[start:end]

    def of_regulation(self, regulation: str) -> list[Job]:
        return self._by_regulation.get(regulation, [])

    def next_attempt(self, key: str | None, action: str, regulation: str) -> int:
        self._attempts[key, action, regulation] += 1
        return self._attempts[key, action, regulation]

    def attempts(self, *, key: str | None, action: str, regulation: str) -> int:
        return self._attempts[key, action, regulation]

    def created_on_day_of(self, moment: float) -> int:
        """How many jobs were charged to the daily limit on the UTC day of `moment`."""
        return self._jobs_per_day[int(moment // DAY)]

    def add(self, jobs: Iterable[Job], *, charged_at: float | None) -> None:
        """Add jobs; `charged_at` decides which UTC day's limit they count against, None for no limit."""
        newest = 0.0
        for job in jobs:
            newest = max(newest, job.created_at)
            job.order = len(self._by_id)
            job.settle()
            self._by_id[job.job_id] = job
            insort(self._by_regulation.setdefault(job.regulation, []), job, key=_sort_key)
            if charged_at is not None:
                self._jobs_per_day[int(charged_at // DAY)] += 1
            if job.action == "delete":
                self._note_delete(job)
        self._release_cjm_deletes(newest)

    def _note_delete(self, job: Job) -> None:
        products = {answer.product for answer in job.products}
        for value in _identity_values(job):
            self._deletes_of_identity.setdefault(value, set()).update(products)
        self._waiting_for_upstream += [
            (job, answer) for answer in job.products if answer.delay_after_upstream is not None
        ]

    def _release_cjm_deletes(self, moment: float) -> None:
        """Let those be answered, counted from `moment`, whose upstream deletes exist by now."""
        still_waiting = []
        for job, answer in self._waiting_for_upstream:
            asked: set[str] = set()
            for value in _identity_values(job):
                asked |= self._deletes_of_identity.get(value, set())
            if asked >= UPSTREAM_OF_CJM and answer.delay_after_upstream is not None:
                answer.answered_at = moment + answer.delay_after_upstream
                job.settle()
            else:
                still_waiting.append((job, answer))
        self._waiting_for_upstream = still_waiting

    def new_job_id(self, created_at: float, version: str, odd_every: int) -> str:
        """A UUID: time-based as in samples of 2024, random as in older ones; each n-th is malformed."""
        self._ids_made += 1
        if version == "v4":
            job_id = str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        else:
            ticks = int((created_at + _SECONDS_FROM_1582_TO_1970) * 10_000_000) + self._ids_made
            node = self._random.getrandbits(48)
            fields = (ticks & 0xFFFFFFFF, (ticks >> 32) & 0xFFFF, (ticks >> 48) & 0x0FFF, 0x80, 0x01, node)
            job_id = str(uuid.UUID(fields=fields, version=1))
        return job_id[:-1] + "j" if odd_every and self._ids_made % odd_every == 0 else job_id

    def new_request_id(self, created_at: float) -> str:
        """13 digits of epoch milliseconds, four digits, `RX-`, three digits."""
        four, three = self._random.randrange(10_000), self._random.randrange(1000)
        return f"{int(created_at * 1000):013d}{four:04d}RX-{three:03d}"

    def shuffled(self, jobs: list[Any]) -> list[Any]:
        return self._random.sample(jobs, len(jobs))


def made_now() -> float:
    """The real moment from which a job's list lag counts."""
    return time.monotonic()


def _sort_key(job: Job) -> tuple[float, int]:
    return job.sort_key


def _identity_values(job: Job) -> set[str]:
    return {str(identity.get("value")) for identity in job.identities}
