from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from adobe_privacy.archive import (
    ArchiveError,
    ArchiveSettings,
    Download,
    DownloadIncomplete,
    InvalidArchive,
    Manifest,
    ProductOutcome,
    UnreadableManifest,
    ZipLimits,
    archive_job,
    find_manifest,
    iter_manifests,
    transfer,
    verify_archive,
)
from adobe_privacy.archive.zip_check import ZipCheck
from adobe_privacy.archive.zip_rules import ZipSummary
from adobe_privacy.storage import LocationNotFound, Store
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory, Result, ResultsServer
from tests.archive.zips import make_zip, noise
from tests.storage.servers import S3Server

FOLDER = "jobs/gdpr/2026/11/20/6e1f0f7a-0001"
LARGE = make_zip([("result/Analytics/hits.bin", noise(9_000_000))])


def keys(store: Store) -> list[str]:
    return sorted(info.key for info in store.objects())


async def find(store: Store, job_id: str = "6e1f0f7a-0001") -> Manifest | None:
    job = access_job(job_id)
    return await find_manifest(
        store, regulation=job.regulation, completed_at=job.completed_at, job_id=job.job_id
    )


@pytest.mark.parametrize("body", [make_zip(), LARGE, make_zip([])], ids=["small", "large", "empty"])
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
async def test_a_result_is_stored_whole_and_named_by_its_manifest(
    store: Store, results: ResultsServer, body: bytes, chunked: bool
) -> None:
    _, download = results.add(Result(body, announced=None if chunked else -1))
    manifest = await archive_job(store, access_job(), download)
    assert keys(store) == sorted([f"{FOLDER}/{manifest.object}", f"{FOLDER}/manifest.json"])
    stored = store.read(f"{FOLDER}/{manifest.object}")
    assert stored == body
    assert manifest.sha256 == hashlib.sha256(body).hexdigest()
    assert manifest.size == len(body)
    assert manifest.etag == store.info(f"{FOLDER}/{manifest.object}").etag
    assert await find(store) == manifest


async def test_the_manifest_holds_what_readers_rely_on(file_store: Store, results: ResultsServer) -> None:
    _, download = results.add(make_zip())
    now = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    manifest = await archive_job(file_store, access_job(), download, clock=lambda: now)
    written = json.loads(file_store.read(f"{FOLDER}/manifest.json"))
    assert written == {
        "format": 1,
        "job_id": "6e1f0f7a-0001",
        "request_id": "DSR-2026-000123",
        "request_key": "DSR-2026-000123",
        "regulation": "gdpr",
        "action": "access",
        "status": "complete",
        "completed_at": "2026-11-20T23:30Z",
        "archived_at": "2026-11-22T08:00:00Z",
        "products": [
            {"name": "Analytics", "status": "complete", "code": "6000-200", "verdict": "done"},
            {"name": "Profile", "status": "complete", "code": "6000-200", "verdict": "done"},
        ],
        "completeness": {
            "verdict": "done",
            "products_requested": ["analytics", "profileService"],
            "products_answered": ["Analytics", "Profile"],
            "products_missing": [],
            "folders_found": ["Analytics", "Profile"],
            "other_folders": 1,
            "processed": 2,
            "ignored": 0,
        },
        "object": manifest.object,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "members": 5,
        "inflated_size": 7046,
        "etag": manifest.etag,
    }
    assert list(iter_manifests(file_store)) == [(f"{FOLDER}/manifest.json", manifest)]


async def test_names_inside_the_archive_never_reach_the_manifest(file_store: Store) -> None:
    body = make_zip([("dsmith@example.com/dsmith@example.com.json", b"{}")])
    await archive_job(file_store, access_job(), FromMemory(body).open)
    assert b"dsmith" not in file_store.read(f"{FOLDER}/manifest.json")


async def test_a_delete_job_is_archived_as_its_manifest_alone(store: Store) -> None:
    manifest = await archive_job(store, access_job(action="delete"), None)
    assert keys(store) == [f"{FOLDER}/manifest.json"]
    assert manifest.object is None
    assert manifest.completeness.verdict == "done"


async def test_what_adobe_left_open_is_absent_and_reads_back(file_store: Store) -> None:
    job = access_job(
        products=[ProductOutcome(name="Analytics", status="complete")],
        processed_count=None,
        ignored_count=None,
    )
    manifest = await archive_job(file_store, job, None)
    assert manifest.completeness.processed is None
    assert await find(file_store) == manifest


async def test_the_folder_follows_the_completion_date_in_utc(file_store: Store) -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    await archive_job(file_store, access_job(action="delete", completed_at=late), None)
    assert keys(file_store) == ["jobs/gdpr/2026/11/21/6e1f0f7a-0001/manifest.json"]


async def test_an_archived_job_is_not_downloaded_again(store: Store, results: ResultsServer) -> None:
    result, download = results.add(make_zip())
    first = await archive_job(store, access_job(), download)
    assert await archive_job(store, access_job(), download) == first
    assert result.requests == 1


@pytest.mark.parametrize("body", [make_zip(), LARGE], ids=["small", "large"])
async def test_racing_tasks_end_with_one_manifest_and_one_result(
    store: Store, results: ResultsServer, body: bytes
) -> None:
    _, download = results.add(Result(body, pause=0.01))
    manifests = await asyncio.gather(*(archive_job(store, access_job(), download) for _ in range(6)))
    assert len({manifest.object for manifest in manifests}) == 1
    assert keys(store) == sorted([f"{FOLDER}/{manifests[0].object}", f"{FOLDER}/manifest.json"])
    assert store.read(f"{FOLDER}/{manifests[0].object}") == body


# What must not be believed

GOOD = make_zip()
BAD_CRC = bytearray(LARGE)
BAD_CRC[5_000_000] ^= 1


@pytest.mark.parametrize(
    ("result", "error", "reason"),
    [
        (Result(b""), InvalidArchive, "empty-body"),
        (Result(b'{"title": "Not found", "status": 404}'), InvalidArchive, "json-body"),
        (Result(b"<html>Bad gateway</html>"), InvalidArchive, "not-a-zip"),
        (Result(GOOD[:-1]), InvalidArchive, "truncated"),
        (Result(GOOD + b"\0"), InvalidArchive, "trailing-bytes"),
        (Result(LARGE[:-10], announced=None), InvalidArchive, "truncated"),
        (Result(LARGE[:5_000_000], announced=None), InvalidArchive, "truncated"),
        (Result(LARGE + b"padding" * 1000), InvalidArchive, "trailing-bytes"),
        (Result(bytes(BAD_CRC)), InvalidArchive, None),
        (Result(GOOD, cut_after=100), httpx.RemoteProtocolError, None),
        (Result(LARGE, cut_after=5_000_000), httpx.RemoteProtocolError, None),
        (Result(LARGE, announced=None, cut_after=5_000_000), httpx.RemoteProtocolError, None),
        (Result(LARGE, announced=len(LARGE) + 1, cut_after=len(LARGE)), httpx.RemoteProtocolError, None),
    ],
    ids=[
        "empty",
        "json",
        "html",
        "short",
        "padded",
        "large-short",
        "large-half",
        "large-padded",
        "large-wrong-crc",
        "dropped",
        "large-dropped",
        "large-chunked-dropped",
        "large-announced-longer",
    ],
)
async def test_a_bad_answer_leaves_no_manifest_and_no_bytes_and_a_retry_succeeds(
    store: Store,
    results: ResultsServer,
    s3: S3Server,
    result: Result,
    error: type[Exception],
    reason: str | None,
) -> None:
    _, download = results.add(result)
    with pytest.raises(error) as caught:
        await archive_job(store, access_job(), download)
    if reason is not None:
        assert isinstance(caught.value, InvalidArchive)
        assert caught.value.reason == reason
    assert keys(store) == []
    if store.location.scheme == "s3":
        assert s3.open_uploads(store) == []
    assert await find(store) is None
    _, good = results.add(LARGE)
    assert (await archive_job(store, access_job(), good)).size == len(LARGE)


@pytest.mark.parametrize("body", [GOOD, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("off_by", [-7, 7])
async def test_a_length_other_than_announced_is_refused(store: Store, body: bytes, off_by: int) -> None:
    download = FromMemory(body, content_length=len(body) + off_by)
    with pytest.raises(DownloadIncomplete) as caught:
        await archive_job(store, access_job(), download.open)
    assert (caught.value.expected, caught.value.received) == (len(body) + off_by, len(body))
    assert keys(store) == []


@pytest.mark.parametrize("body", [GOOD[:-3], bytes(BAD_CRC)], ids=["small", "large"])
async def test_bytes_that_failed_can_be_kept_for_a_look(
    store: Store, results: ResultsServer, body: bytes
) -> None:
    _, download = results.add(body)
    with pytest.raises(InvalidArchive):
        await archive_job(store, access_job(), download, settings=ArchiveSettings(keep_rejected=True))
    (kept,) = keys(store)
    assert kept.startswith("rejected/6e1f0f7a-0001/")
    assert store.read(kept) == body


async def test_a_bomb_is_refused_before_it_is_stored(store: Store, results: ResultsServer) -> None:
    _, download = results.add(make_zip([("zeros", bytes(30_000_000))]))
    tight = ArchiveSettings(limits=ZipLimits(max_inflated_bytes=20_000_000))
    with pytest.raises(InvalidArchive) as caught:
        await archive_job(store, access_job(), download, settings=tight)
    assert caught.value.reason == "inflates-too-large"
    assert keys(store) == []


async def test_wider_caps_stand_in_the_manifest_and_the_verifier_goes_by_them(
    store: Store, results: ResultsServer
) -> None:
    inner = make_zip()
    for _ in range(3):
        inner = make_zip([("inner.zip", inner)])
    _, download = results.add(inner)
    with pytest.raises(InvalidArchive, match="nested-too-deep"):
        await archive_job(store, access_job(), download)
    wider = ZipLimits(max_nesting=3)
    manifest = await archive_job(store, access_job(), download, settings=ArchiveSettings(limits=wider))
    assert manifest.limits == wider
    assert await find(store) == manifest
    assert list(verify_archive(store)) == []


async def test_a_missing_bucket_is_told_before_anything_is_downloaded(
    s3: S3Server, results: ResultsServer
) -> None:
    result, download = results.add(GOOD)
    with pytest.raises(LocationNotFound, match="s3://no-such-bucket/archive"):
        await archive_job(s3.store("no-such-bucket"), access_job(), download)
    assert result.requests == 0


async def test_a_cancelled_task_leaves_nothing(store: Store, results: ResultsServer, s3: S3Server) -> None:
    _, download = results.add(Result(LARGE, pause=0.05))
    task = asyncio.create_task(archive_job(store, access_job(), download))
    await asyncio.sleep(0.6)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert keys(store) == []
    if store.location.scheme == "s3":
        assert s3.open_uploads(store) == []


async def test_a_killed_process_leaves_no_manifest_and_the_next_one_archives(
    file_store: Store, results: ResultsServer
) -> None:
    program = """
import asyncio, sys
from adobe_privacy.archive import archive_job
from adobe_privacy.storage import open_store
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory
from tests.archive.zips import make_zip, noise

class Slow(FromMemory):
    async def chunks(self):
        async for chunk in super().chunks():
            print("chunk", flush=True)
            await asyncio.sleep(0.05)
            yield chunk

body = make_zip([("result/Analytics/hits.bin", noise(9_000_000))])
asyncio.run(archive_job(open_store(sys.argv[1]), access_job(), Slow(body).open))
"""
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", program, file_store.location.uri],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    for _ in range(25):
        assert process.stdout.readline() == b"chunk\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert keys(file_store) == []
    assert await find(file_store) is None
    assert list(file_store.abandoned_uploads(datetime.now(UTC) + timedelta(seconds=1))) != []
    _, download = results.add(LARGE)
    assert (await archive_job(file_store, access_job(), download)).size == len(LARGE)


async def test_a_manifest_that_cannot_be_read_stops_the_job(
    file_store: Store, results: ResultsServer
) -> None:
    file_store.write(f"{FOLDER}/manifest.json", b"{}")
    _, download = results.add(GOOD)
    with pytest.raises(UnreadableManifest, match=rf"{FOLDER}/manifest\.json"):
        await archive_job(file_store, access_job(), download)


async def test_a_manifest_in_another_jobs_folder_is_refused(file_store: Store) -> None:
    manifest = await archive_job(file_store, access_job(action="delete"), None)
    file_store.write("jobs/gdpr/2026/11/20/other/manifest.json", manifest.to_json())
    with pytest.raises(UnreadableManifest, match="another job"):
        await find(file_store, "other")


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "a b", "dsmith@example.com", "x" * 200])
async def test_an_id_that_cannot_be_part_of_a_path_is_refused_and_not_repeated(
    file_store: Store, job_id: str
) -> None:
    with pytest.raises(ArchiveError, match="cannot name a folder") as caught:
        await archive_job(file_store, access_job(job_id), None)
    assert len(job_id) < 3 or job_id not in str(caught.value)


@pytest.mark.parametrize("content", [bytes(300_000_000), noise(9_000_000)], ids=["one piece", "many pieces"])
async def test_hashing_and_inflating_stay_off_the_event_loop(
    content: bytes, file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = make_zip([("content", content)])
    threads: dict[str, set[int]] = {"hash": set(), "check": set()}

    class WatchedHash:
        def __init__(self, first: bytes = b"") -> None:
            assert len(first) <= 8 * 1024**2  # A small result's own hash may be made in passing.
            self._hash = hashlib.sha256(first)

        def update(self, block: bytes) -> None:
            threads["hash"].add(threading.get_ident())
            self._hash.update(block)

        def hexdigest(self) -> str:
            return self._hash.hexdigest()

    class WatchedCheck(ZipCheck):
        def feed(self, data: bytes) -> None:
            threads["check"].add(threading.get_ident())
            super().feed(data)

        def finish(self) -> ZipSummary:
            threads["check"].add(threading.get_ident())
            return super().finish()

    monkeypatch.setattr(transfer, "hashlib", SimpleNamespace(sha256=WatchedHash))
    monkeypatch.setattr(transfer, "ZipCheck", WatchedCheck)

    @asynccontextmanager
    async def slow() -> AsyncIterator[Download]:
        yield FromMemory(body)

    await archive_job(file_store, access_job(), slow, settings=ArchiveSettings(ZipLimits(max_ratio=2000)))
    for work, seen in threads.items():
        assert seen, work
        assert threading.get_ident() not in seen, work


def test_errors_survive_the_way_between_processes() -> None:
    import pickle

    for error in (InvalidArchive("truncated", member=3, offset=17), DownloadIncomplete(5, 3)):
        copy = pickle.loads(pickle.dumps(error))
        assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_the_fixtures_are_what_they_say(tmp_path: Path) -> None:
    assert len(LARGE) > 8 * 1024 * 1024
    assert len(GOOD) < 1024 * 1024
