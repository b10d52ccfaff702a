"""Takes finished jobs to their end: reads each final detail, archives results, writes the ledger.

May be repeated and run beside itself: what has a manifest is not fetched again, and one bad job costs no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from adobe_privacy.api.client import PrivacyServiceClient
from adobe_privacy.api.errors import RateLimited
from adobe_privacy.archive import ArchiveSettings
from adobe_privacy.ledger.ledger import Ledger
from adobe_privacy.ledger.schema import Job
from adobe_privacy.regulations.clocks import DEFAULT, Clocks
from adobe_privacy.results.asked_products import AskedProducts
from adobe_privacy.results.completed_job import NEVER
from adobe_privacy.results.finishing import NOBODY_CAN, PATIENCE, Completion, Finishing, Ready
from adobe_privacy.storage import Store

__all__ = ["PATIENCE", "Completion", "complete_jobs"]

CONCURRENCY = 16
MAX_ATTEMPTS = 3
# Details are read for so many jobs before the first of their results is fetched.
AT_A_TIME = 1000

T = TypeVar("T")


async def complete_jobs(
    jobs: Sequence[Job],
    *,
    ledger: Ledger,
    archive: Store,
    client: PrivacyServiceClient,
    settings: ArchiveSettings | None = None,
    clocks: Clocks = DEFAULT,
    concurrency: int = CONCURRENCY,
    max_attempts: int = MAX_ATTEMPTS,
    default_products: Sequence[str] = (),
    on_progress: Callable[[Completion], None] | None = None,
) -> Completion:
    """Finishes those of `jobs` that Adobe is done with, at most `concurrency` at once.

    What expires first is fetched first: of a thousand jobs the details are read, then their results fetched in
    the order of completion. A job that fails here is named in `failures` and stays as it was, to be tried
    again. `default_products` are what a request asks for that names no products, where its batch was lost.
    `on_progress` is called whenever a job has been dealt with, on the event loop.

    Raises AuthenticationFailed or PermissionDenied where no job or no result can be read, and StorageError before
    anything is fetched where the archive cannot be written at all. Without the permission to read results the first
    denials end the fetching: what needs no result is still archived, the rest stays as it was. A job for which Adobe
    has too many requests, after the client's own repetitions, has failed and stops no other. Where Adobe says so of as
    many jobs as are asked for at once, or answers nothing else, what was begun is brought to its end, and RateLimited
    is raised. Memory is up to 4 MiB for each small result in flight and about 45 MiB for each one larger than a block,
    a few more where it is encrypted.
    """
    work = Finishing(
        ledger,
        archive,
        client,
        settings or ArchiveSettings(),
        clocks,
        max_attempts,
        AskedProducts(ledger, default_products),
        Completion(len(jobs)),
    )

    def dealt_with() -> None:
        if on_progress is not None:
            on_progress(work.result)

    async def look(job: Job) -> None:
        try:
            ready = await work.look(job)
        except NOBODY_CAN:
            raise
        except Exception as error:
            work.surprised(job, error)
            ready = False
        if not ready:
            dealt_with()

    async def fetch(ready: Ready) -> None:
        try:
            await work.archive(ready)
        except NOBODY_CAN:
            raise
        except Exception as error:
            work.surprised(ready.job, error)
        dealt_with()

    if jobs:
        await asyncio.to_thread(archive.check_writable)
        if work.settings.encryption is not None and work.settings.encryption.keys is not None:
            await asyncio.to_thread(work.settings.encryption.keys.check_writable)
    ordered = sorted(jobs, key=lambda job: job.completed_at or job.submitted_at or NEVER)
    for start in range(0, len(ordered), AT_A_TIME):
        looks = await _each(ordered[start : start + AT_A_TIME], look, concurrency)
        throttled = looks.throttled if work.answered else looks.first
        if throttled is None:
            work.judge_denied()
        try:
            # What was found before the limit was reached is not asked for again: so each try gets further.
            fetches = await _each(work.ready(), fetch, concurrency)
            throttled = throttled or fetches.throttled
        finally:
            work.record_archived()
        if work.permission.missing is not None:
            raise work.permission.missing
        if throttled is not None:
            raise throttled
        for job, error in [*looks.limited, *((ready.job, error) for ready, error in fetches.limited)]:
            work.limited(job, error)
            dealt_with()
    return work.result


@dataclass
class _Done(Generic[T]):
    """For which items Adobe had too many requests, and whether others were not begun for it."""

    limited: list[tuple[T, RateLimited]]
    all_begun: bool

    @property
    def first(self) -> RateLimited | None:
        return self.limited[0][1] if self.limited else None

    @property
    def throttled(self) -> RateLimited | None:
        return None if self.all_begun else self.first


async def _each(items: Sequence[T], work: Callable[[T], Awaitable[None]], concurrency: int) -> _Done[T]:
    """Does the work for every item in their order, so many at once. The first error ends it and is raised. Each time
    Adobe has too many requests, one less is done at once from then on: the item may be the only such one."""
    waiting = iter(items)
    limited: list[tuple[T, RateLimited]] = []

    async def worker() -> None:
        for item in waiting:
            try:
                await work(item)
            except RateLimited as error:
                limited.append((item, error))
                return

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return _Done(limited, next(waiting, None) is None)
