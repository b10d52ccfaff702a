from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from adobe_privacy.archive import (
    Manifest,
    archive_job,
    erase_expired,
    iter_manifests,
    sweep_attempts,
    verify_archive,
    verify_sample,
)
from adobe_privacy.archive.manifest import Erasure
from adobe_privacy.storage import StorageUnavailable, Store
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory
from tests.archive.zips import make_zip
from tests.storage.servers import S3Server

COMPLETED = datetime(2026, 1, 1, tzinfo=UTC)
BODY = make_zip()


def after(days: float) -> Callable[[], datetime]:
    return lambda: COMPLETED + timedelta(days=days)


def nothing_held(job_id: str, request_id: str | None) -> bool:
    return False


def held(*job_ids: str) -> Callable[[str, str | None], bool]:
    return lambda job_id, request_id: job_id in job_ids


async def archive(store: Store, job_id: str = "a-job", **changes: object) -> Manifest:
    job = access_job(job_id, **({"completed_at": COMPLETED} | changes))
    return await archive_job(store, job, FromMemory(BODY).open if job.action == "access" else None)


def manifests(store: Store) -> dict[str, Manifest]:
    return {manifest.job_id: manifest for _, manifest in iter_manifests(store)}


def result_exists(store: Store, manifest: Manifest) -> bool:
    return manifest.object_key in {info.key for info in store.objects()}


async def test_an_expired_result_is_erased_and_its_tombstone_stays(store: Store) -> None:
    before = await archive(store)
    actions = list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(30)))
    assert [(action.action, action.key) for action in actions] == [("erased", before.object_key)]
    assert not result_exists(store, before)
    tombstone = manifests(store)["a-job"]
    assert tombstone.erasure == Erasure(
        reason="retention of 30 days for gdpr", started_at=after(30)(), erased_at=after(30)()
    )
    assert (tombstone.sha256, tombstone.size) == (before.sha256, before.size)
    verification = verify_archive(store)
    assert list(verification) == []
    assert verification.summary.erased == 1


async def test_an_erased_job_is_neither_erased_nor_archived_again(store: Store) -> None:
    await archive(store)
    list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(31)))
    assert list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(32))) == []
    again = await archive(store)
    assert again.erasure is not None
    assert not result_exists(store, again)


async def test_nothing_is_erased_early_or_unasked(store: Store) -> None:
    young = await archive(store, "young")
    other = await archive(store, "other", regulation="ccpa")
    proof = await archive(store, "proof", action="delete")
    assert list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(29.99))) == []
    assert list(erase_expired(store, {}, on_hold=nothing_held, clock=after(9999))) == []
    list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(9999)))
    assert result_exists(store, other)
    assert not result_exists(store, young)
    assert manifests(store)["proof"] == proof


async def test_a_legal_hold_is_honoured(store: Store) -> None:
    kept, gone = await archive(store, "kept"), await archive(store, "gone")
    actions = list(erase_expired(store, {"gdpr": 30}, on_hold=held("kept"), clock=after(31)))
    assert sorted((action.action, action.key) for action in actions) == [
        ("erased", gone.object_key),
        ("held", kept.object_key),
    ]
    assert result_exists(store, kept)
    assert manifests(store)["kept"].erasure is None


async def test_a_hold_that_cannot_be_asked_erases_nothing(store: Store) -> None:
    manifest = await archive(store)

    def broken(job_id: str, request_id: str | None) -> bool:
        raise ConnectionError("the ledger is away")

    with pytest.raises(ConnectionError):
        list(erase_expired(store, {"gdpr": 30}, on_hold=broken, clock=after(31)))
    assert result_exists(store, manifest)


async def test_a_dry_run_names_and_touches_nothing(store: Store) -> None:
    manifest = await archive(store)
    store.write("jobs/gdpr/2026/01/01/x/attempt.zip", b"half")
    (action,) = erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(31), dry_run=True)
    assert action.action == "erased"
    late = lambda: datetime.now(UTC) + timedelta(days=8)  # noqa: E731
    (swept,) = sweep_attempts(
        store, older_than=timedelta(days=7), on_hold=nothing_held, clock=late, dry_run=True
    )
    assert swept.action == "swept"
    assert len(list(store.objects())) == 3
    assert manifests(store)["a-job"] == manifest


async def test_a_crash_between_tombstone_and_deletion_is_seen_and_finished(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = await archive(store)

    def away(self: Store, key: str) -> None:
        raise StorageUnavailable("the store went away", uri="file:///")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", away)
        with pytest.raises(StorageUnavailable):
            list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(31)))
    assert [finding.problem for finding in verify_archive(store)] == ["erasure-unfinished"]
    list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(40)))
    assert list(verify_archive(store)) == []
    assert not result_exists(store, manifest)
    erasure = manifests(store)["a-job"].erasure
    assert erasure is not None
    assert (erasure.started_at, erasure.erased_at) == (after(31)(), after(40)())


async def test_a_result_that_came_back_after_its_erasure_is_an_error(store: Store) -> None:
    manifest = await archive(store)
    list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(31)))
    assert manifest.object_key is not None
    store.write(manifest.object_key, BODY)
    assert [finding.problem for finding in verify_archive(store)] == ["erased-but-present"]


async def test_a_bad_manifest_is_named_and_stops_no_other(store: Store) -> None:
    manifest = await archive(store)
    store.write("jobs/gdpr/2025/12/31/bad/manifest.json", b"{}")
    actions = list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(31)))
    assert sorted(action.action for action in actions) == ["erased", "failed"]
    assert not result_exists(store, manifest)


async def test_a_bucket_with_versions_is_told_in_the_tombstone(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = s3.store(bucket)
    assert (await archive(store)).version_id
    list(erase_expired(store, {"gdpr": 30}, on_hold=nothing_held, clock=after(31)))
    erasure = manifests(store)["a-job"].erasure
    assert erasure is not None
    assert erasure.versions_remain


def test_a_retention_of_no_days_is_refused(file_store: Store) -> None:
    with pytest.raises(ValueError, match="at least 1 day"):
        list(erase_expired(file_store, {"gdpr": 0}, on_hold=nothing_held))


async def test_old_attempts_are_swept_and_what_a_manifest_names_is_kept(store: Store) -> None:
    manifest = await archive(store)
    store.write(f"{manifest.folder}/attempt.zip", b"half")
    store.write("jobs/gdpr/2026/01/01/killed/attempt.zip", b"half")
    store.write("rejected/bad/attempt.zip", b"bad")
    store.write("rejected/disputed/attempt.zip", b"bad")
    store.write("jobs/gdpr/2026/01/01/unreadable/manifest.json", b"{}")
    store.write("jobs/gdpr/2026/01/01/unreadable/perhaps.zip", b"good")
    week = timedelta(days=7)
    assert list(sweep_attempts(store, older_than=week, on_hold=nothing_held)) == []
    late = lambda: datetime.now(UTC) + timedelta(days=8)  # noqa: E731
    actions = list(sweep_attempts(store, older_than=week, on_hold=held("disputed"), clock=late))
    assert sorted((action.action, action.key) for action in actions) == [
        ("failed", "jobs/gdpr/2026/01/01/unreadable/perhaps.zip"),
        ("held", "rejected/disputed/attempt.zip"),
        ("swept", f"{manifest.folder}/attempt.zip"),
        ("swept", "jobs/gdpr/2026/01/01/killed/attempt.zip"),
        ("swept", "rejected/bad/attempt.zip"),
    ]
    assert sorted(info.key for info in store.objects()) == sorted(
        [
            f"{manifest.folder}/manifest.json",
            str(manifest.object_key),
            "jobs/gdpr/2026/01/01/unreadable/manifest.json",
            "jobs/gdpr/2026/01/01/unreadable/perhaps.zip",
            "rejected/disputed/attempt.zip",
        ]
    )


def test_a_sweep_that_could_meet_running_attempts_is_refused(file_store: Store) -> None:
    with pytest.raises(ValueError, match="older than an hour"):
        list(sweep_attempts(file_store, older_than=timedelta(minutes=5), on_hold=nothing_held))


async def test_the_samples_of_a_cycle_read_every_result_exactly_once(file_store: Store) -> None:
    for number in range(20):
        await archive(file_store, f"job-{number}")
    read = []
    for day in range(7):
        sample = verify_sample(file_store, every_days=7, clock=after(day))
        assert list(sample) == []
        read.append(sample.summary.results)
    assert sum(read) == 20
    assert max(read) < 20
