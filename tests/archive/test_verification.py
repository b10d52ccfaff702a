from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from adobe_privacy.archive import (
    Finding,
    Manifest,
    VerificationSummary,
    archive_job,
    erase_expired,
    iter_manifests,
    verify_archive,
)
from adobe_privacy.archive.transfer import OpenDownload
from adobe_privacy.ledger.chain import Filed
from adobe_privacy.storage import AccessDenied, LocationNotFound, ObjectInfo, StorageUnavailable, Store
from tests.archive.erasing import Erasing
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory
from tests.archive.zips import make_zip, noise
from tests.storage.servers import S3Server

BODY = make_zip([("result/Analytics/hits.bin", noise(3_000_000))])


@pytest.fixture
async def archived(store: Store) -> Manifest:
    """One access job among others that are fine."""
    await archive_job(store, access_job("fine-1", completed_at=datetime(2025, 1, 2, tzinfo=UTC)), _small())
    await archive_job(store, access_job("fine-2", action="delete", regulation="ccpa"), None)
    return await archive_job(store, access_job("looked-at"), FromMemory(BODY).open)


def _small() -> OpenDownload:
    return FromMemory(make_zip()).open


def run(store: Store) -> tuple[Sequence[tuple[str, str]], VerificationSummary]:
    verification = verify_archive(store)
    findings = [(finding.severity, finding.problem) for finding in verification]
    return findings, verification.summary


async def test_a_good_archive_has_no_findings(store: Store, archived: Manifest) -> None:
    findings, summary = run(store)
    assert findings == []
    assert summary.ok
    assert (summary.manifests, summary.results, summary.erased) == (3, 2, 0)
    assert summary.bytes == len(BODY) + len(make_zip())


async def test_a_missing_result_is_found(store: Store, archived: Manifest) -> None:
    assert archived.object_key is not None
    store.delete(archived.object_key)
    verification = verify_archive(store)
    assert [finding.model_dump() for finding in verification] == [
        {
            "severity": "error",
            "problem": "missing-object",
            "key": archived.object_key,
            "detail": "the manifest names it and it is not there",
        }
    ]
    assert not verification.summary.ok


async def test_a_flipped_bit_is_found_by_hash_and_by_structure(store: Store, archived: Manifest) -> None:
    assert archived.object_key is not None
    bad = bytearray(BODY)
    bad[1_500_000] ^= 1
    store.write(archived.object_key, bytes(bad))
    findings, summary = run(store)
    assert findings == [("error", "wrong-sha256"), ("error", "invalid-zip")]
    assert summary.errors == 2


async def test_a_truncated_result_is_found(store: Store, archived: Manifest) -> None:
    assert archived.object_key is not None
    store.write(archived.object_key, BODY[:-1])
    findings, _ = run(store)
    assert findings == [("error", "wrong-size"), ("error", "wrong-sha256"), ("error", "invalid-zip")]


async def test_another_good_archive_in_its_place_is_found(store: Store, archived: Manifest) -> None:
    assert archived.object_key is not None
    store.write(archived.object_key, make_zip())
    findings, _ = run(store)
    assert findings == [("error", "wrong-size"), ("error", "wrong-sha256"), ("error", "wrong-members")]


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b"[]", b"\xff\xfe"])
async def test_an_unreadable_manifest_is_found(store: Store, archived: Manifest, text: bytes) -> None:
    store.write(f"{archived.folder}/manifest.json", text)
    findings, summary = run(store)
    assert findings == [("error", "unreadable-manifest")]
    assert summary.manifests == 3


async def test_a_manifest_that_points_elsewhere_is_unreadable(store: Store, archived: Manifest) -> None:
    text = archived.to_json().replace(archived.object.encode(), b"../other/result.zip")  # type: ignore[union-attr]
    store.write(f"{archived.folder}/manifest.json", text)
    findings, _ = run(store)
    assert findings == [("error", "unreadable-manifest")]


async def test_attempts_and_rejected_downloads_are_notes(store: Store, archived: Manifest) -> None:
    store.write(f"{archived.folder}/attempt.zip", b"half")
    store.write("jobs/gdpr/2026/11/20/never-finished/attempt.zip", b"half")
    store.write("rejected/looked-at/attempt.zip", b"bad")
    findings, summary = run(store)
    assert findings == [("note", "no-manifest"), ("note", "no-manifest"), ("note", "rejected")]
    assert summary.ok
    assert summary.notes == 3


async def test_findings_and_summary_are_plain_json(store: Store, archived: Manifest) -> None:
    store.write("rejected/x/attempt.zip", b"bad")
    verification = verify_archive(store)
    (finding,) = verification
    assert Finding.model_validate_json(finding.model_dump_json()) == finding
    assert set(verification.summary.model_dump()) == {
        "manifests",
        "results",
        "bytes",
        "erased",
        "errors",
        "notes",
    }


async def test_a_selection_reads_only_what_it_selects(store: Store, archived: Manifest) -> None:
    verification = verify_archive(store, selected=lambda job_id: job_id == "looked-at")
    assert list(verification) == []
    assert verification.summary.bytes == len(BODY)


async def test_an_empty_archive_is_fine(store: Store) -> None:
    assert run(store) == ([], VerificationSummary())


def test_a_missing_bucket_is_an_error_not_an_empty_archive(s3: S3Server) -> None:
    with pytest.raises(LocationNotFound):
        list(verify_archive(s3.store("no-such-bucket")))


async def test_time_has_no_part_in_it(store: Store, archived: Manifest) -> None:
    old = archived.model_copy(update={"archived_at": archived.archived_at - timedelta(days=4000)})
    store.write(f"{archived.folder}/manifest.json", old.to_json())
    assert run(store)[0] == []


async def test_one_odd_job_costs_itself_only(
    store: Store, archived: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dates at the ends of time, an object that may not be read: each is a finding, and all others are checked."""
    for year in ("0001", "9999"):
        text = archived.to_json().replace(
            archived.completed_at.strftime("%Y-%m-%dT%H:%M").encode(), f"{year}-01-01T00:00".encode()
        )
        text = text.replace(b"looked-at", f"odd-{year}".encode()).replace(b"00:00Z", b"00:00+14:00")
        store.write(f"jobs/gdpr/{year}/01/01/odd-{year}/manifest.json", text)
    chunks = Store.chunks

    def denied(self: Store, key: str, size: int = 0) -> Iterator[bytes]:
        if "fine-1" in key:
            raise AccessDenied("the store refused", uri=key)
        return chunks(self, key)

    monkeypatch.setattr(Store, "chunks", denied)
    findings, summary = run(store)
    assert [each for each in findings if each == ("error", "cannot-check")]
    assert summary.manifests == 5
    assert summary.bytes >= len(BODY)
    assert summary.errors == 3


async def test_rejected_downloads_that_may_not_be_listed_are_a_finding(
    store: Store, archived: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = Store.objects

    def closed(self: Store, prefix: str = "") -> Iterator[ObjectInfo]:
        if prefix == "rejected":
            raise AccessDenied("the store refused", uri=prefix)
        return objects(self, prefix)

    monkeypatch.setattr(Store, "objects", closed)
    findings, summary = run(store)
    assert findings == [("error", "cannot-check")]
    assert summary.results == 2


async def test_a_store_that_is_down_is_no_finding(file_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        await archive_job(file_store, access_job(f"job-{number}"), _small())

    def down(self: Store, key: str) -> bytes:
        raise StorageUnavailable("the store failed", uri=key)

    monkeypatch.setattr(Store, "read", down)
    with pytest.raises(StorageUnavailable):
        run(file_store)


class NothingMissed:
    """A ledger that has nothing else in the archive."""

    def manifests(self) -> list[tuple[str, str]]:
        return []

    def earlier(self) -> list[str]:
        return []

    def receipts(self) -> list[tuple[str, str]]:
        return []


async def test_a_manifest_that_was_changed_is_found_while_its_erasure_waits(file_store: Store) -> None:
    """It has begun, and the store refuses it night after night."""
    manifest = await archive_job(file_store, access_job(), FromMemory(make_zip()).open)
    known = {manifest.job_id: Filed(manifest.written_sha256, erasing=True)}

    class Ledger(NothingMissed):
        def filed(self, job_ids: Collection[str]) -> dict[str, Filed]:
            return known

    assert list(verify_archive(file_store, witness=Ledger())) == []
    changed = manifest.to_json().replace(b'"request_id": "', b'"request_id": "x')
    file_store.write(f"{manifest.folder}/manifest.json", changed)
    problems = [finding.problem for finding in verify_archive(file_store, witness=Ledger())]
    assert problems == ["changed-manifest"]


@pytest.mark.parametrize("moment", ["listed", "manifest read"])
async def test_a_result_that_is_erased_while_it_is_looked_at_is_no_fault(
    store: Store, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The tasks of a night do not wait for each other."""
    manifest = await archive_job(store, access_job(), FromMemory(make_zip()).open)
    known = {manifest.job_id: Filed(manifest.written_sha256)}

    def erase() -> None:
        list(erase_expired(store, {"gdpr": 1}, erasures=Erasing(), clock=lambda: datetime.now(UTC)))
        (_, tombstone) = next(iter_manifests(store))
        known[manifest.job_id] = Filed(tombstone.written_sha256)

    class Ledger(NothingMissed):
        def filed(self, job_ids: Collection[str]) -> dict[str, Filed]:
            found = dict(known)
            if moment == "listed" and not erased:
                erased.append("")
                erase()
            return found

    erased: list[str] = []
    chunks = Store.chunks

    def late(self: Store, key: str) -> Iterator[bytes]:
        if moment == "manifest read" and not erased:
            erased.append(key)
            erase()
        return chunks(self, key)

    monkeypatch.setattr(Store, "chunks", late)
    verification = verify_archive(store, witness=Ledger())
    assert list(verification) == []
    assert erased
    assert (verification.summary.erased, verification.summary.results) == (1, 0)


@pytest.mark.parametrize("later", ["whole", "down"])
async def test_damage_that_is_found_once_is_told_whatever_a_second_look_would_find(
    store: Store, archived: Manifest, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    """A disk that fails now and then, and a store that fails afterwards. No result is read twice."""
    reads: list[str] = []
    chunks, read = Store.chunks, Store.read

    def damaged(self: Store, key: str) -> Iterator[bytes]:
        reads.append(key)
        for chunk in chunks(self, key):
            flipped = key == archived.object_key and reads.count(key) == 1
            yield bytes([chunk[0] ^ 1]) + chunk[1:] if flipped else chunk

    def down(self: Store, key: str) -> bytes:
        if later == "down" and archived.object_key in reads and key.startswith(archived.folder):
            raise StorageUnavailable("the store failed", uri=key)
        return read(self, key)

    monkeypatch.setattr(Store, "chunks", damaged)
    monkeypatch.setattr(Store, "read", down)
    findings, _ = run(store)
    assert ("error", "wrong-sha256") in findings
    assert ("error", "cannot-check") not in findings
    assert reads.count(str(archived.object_key)) == 1
