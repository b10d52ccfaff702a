from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from adobe_privacy.archive import (
    CompletedJob,
    Download,
    InvalidArchive,
    OpenDownload,
    Progress,
    archive_job,
    archive_many,
    verify_archive,
)
from adobe_privacy.storage import LocationNotFound, Store
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory, Result, ResultsServer
from tests.archive.zips import make_zip, noise
from tests.storage.servers import S3Server

GOOD = make_zip()


async def test_a_batch_is_archived_and_reported_in_its_order(store: Store, results: ResultsServer) -> None:
    jobs = [(access_job(f"job-{n}"), results.add(GOOD)[1]) for n in range(30)]
    jobs.append((access_job("removed", action="delete"), None))
    archived = await archive_many(store, jobs, concurrency=4)
    assert [each.job for each in archived] == [job for job, _ in jobs]
    assert all(each.manifest is not None and each.error is None and not each.resumed for each in archived)
    verification = verify_archive(store)
    assert list(verification) == []
    assert (verification.summary.manifests, verification.summary.results) == (31, 30)


async def test_a_bad_job_costs_no_other(store: Store, results: ResultsServer) -> None:
    bad = [Result(GOOD[:-1]), Result(GOOD, cut_after=100), Result(b"{}")]
    jobs = [(access_job(f"bad-{n}"), results.add(result)[1]) for n, result in enumerate(bad)]
    jobs += [(access_job(f"good-{n}"), results.add(GOOD)[1]) for n in range(5)]
    archived = await archive_many(store, jobs, concurrency=2)
    errors = [each.error for each in archived]
    assert isinstance(errors[0], InvalidArchive)
    assert isinstance(errors[1], httpx.RemoteProtocolError)
    assert isinstance(errors[2], InvalidArchive)
    assert errors[3:] == [None] * 5
    assert list(verify_archive(store)) == []


async def test_what_is_archived_already_is_not_downloaded_again(store: Store, results: ResultsServer) -> None:
    served = [results.add(GOOD) for _ in range(10)]
    jobs = [(access_job(f"job-{n}"), download) for n, (_, download) in enumerate(served)]
    await archive_many(store, jobs[:6])
    archived = await archive_many(store, jobs)
    assert [each.resumed for each in archived] == [True] * 6 + [False] * 4
    assert [result.requests for result, _ in served] == [1] * 10


async def test_the_result_that_expires_first_goes_first(file_store: Store) -> None:
    order: list[int] = []

    def counted(number: int) -> OpenDownload:
        @asynccontextmanager
        async def download() -> AsyncIterator[Download]:
            order.append(number)
            yield FromMemory(GOOD)

        return download

    start = datetime(2026, 11, 1, tzinfo=UTC)
    days = [5, 1, 4, 2, 3]
    jobs = [(access_job(f"job-{n}", completed_at=start + timedelta(days=n)), counted(n)) for n in days]
    archived = await archive_many(file_store, jobs, concurrency=1)
    assert order == [1, 2, 3, 4, 5]
    assert [each.job.job_id for each in archived] == [f"job-{n}" for n in days]


async def test_progress_counts_up_to_the_end(file_store: Store, results: ResultsServer) -> None:
    await archive_job(file_store, access_job("job-0"), FromMemory(GOOD).open)
    jobs = [(access_job(f"job-{n}"), results.add(GOOD)[1]) for n in range(5)]
    jobs.append((access_job("bad"), results.add(b"{}")[1]))
    seen: list[Progress] = []
    await archive_many(file_store, jobs, progress=seen.append)
    assert len(seen) == 6
    assert seen[-1] == Progress(total=6, archived=5, resumed=1, failed=1, bytes=4 * len(GOOD))


async def test_no_more_run_at_once_than_allowed(file_store: Store) -> None:
    running = most = 0

    @asynccontextmanager
    async def counted() -> AsyncIterator[Download]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        yield FromMemory(GOOD)
        running -= 1

    await archive_many(file_store, [(access_job(f"job-{n}"), counted) for n in range(20)], concurrency=3)
    assert most == 3


async def test_a_store_that_cannot_be_written_is_told_once_before_any_download(
    s3: S3Server, results: ResultsServer
) -> None:
    result, download = results.add(GOOD)
    with pytest.raises(LocationNotFound, match="s3://no-such-bucket"):
        await archive_many(s3.store("no-such-bucket"), [(access_job(), download)] * 3)
    assert result.requests == 0


async def test_a_cancelled_batch_is_resumed(store: Store, results: ResultsServer) -> None:
    large = make_zip([("noise", noise(3_000_000))])
    jobs: list[tuple[CompletedJob, OpenDownload | None]] = [
        (access_job(f"job-{n}"), results.add(Result(large, pause=0.02))[1]) for n in range(8)
    ]
    task = asyncio.create_task(archive_many(store, jobs, concurrency=2))
    await asyncio.sleep(0.8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [finding for finding in verify_archive(store) if finding.severity == "error"] == []
    archived = await archive_many(store, jobs)
    assert all(each.manifest for each in archived)
    # What was uploaded whole and cut off before its manifest stays behind, for the retention to sweep.
    left = list(verify_archive(store))
    assert {finding.problem for finding in left} <= {"no-manifest"}


async def test_an_empty_batch_is_fine(file_store: Store) -> None:
    assert await archive_many(file_store, []) == []
