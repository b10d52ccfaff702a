"""Results that only the holder of a key can open."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyrage
import pytest

from adobe_privacy.archive import (
    AgeKeys,
    ArchiveError,
    ArchiveSettings,
    CannotOpen,
    Download,
    Encryption,
    InvalidArchive,
    KmsKey,
    Manifest,
    Opener,
    archive_job,
    clean_up,
    erase_expired,
    open_result,
    verify_archive,
)
from adobe_privacy.storage import FileOptions, Store, open_store
from tests.archive.erasing import Erasing
from tests.archive.jobs import access_job
from tests.archive.results_server import FromMemory, Result, ResultsServer
from tests.archive.zips import make_zip, noise
from tests.storage.servers import S3Server

SECRET = pyrage.x25519.Identity.generate()
OWNER = AgeKeys(identities=(str(SECRET),))
PUBLIC = AgeKeys(recipients=(str(SECRET.to_public()),))
STRANGER = AgeKeys(identities=(str(pyrage.x25519.Identity.generate()),))
SEALED = ArchiveSettings(encryption=Encryption(PUBLIC))

SMALL = make_zip()
LARGE = make_zip([("result/Analytics/hits.bin", noise(9_000_000))])


def keys(store: Store) -> list[str]:
    return sorted(info.key for info in store.objects())


def problems(store: Store, opener: Opener | None = None) -> list[str]:
    return [finding.problem for finding in verify_archive(store, opener=opener)]


async def archive(store: Store, body: bytes = SMALL, settings: ArchiveSettings = SEALED) -> Manifest:
    return await archive_job(store, access_job(), FromMemory(body).open, settings=settings)


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A place for data keys that is not the archive."""
    return open_store(f"file://{tmp_path_factory.mktemp('keys')}")


@pytest.mark.parametrize("body", [SMALL, LARGE, make_zip([])], ids=["small", "large", "empty"])
async def test_a_result_is_stored_encrypted_and_opened_with_the_key(
    store: Store, results: ResultsServer, body: bytes, tmp_path: Path
) -> None:
    _, download = results.add(body)
    manifest = await archive_job(store, access_job(), download, settings=SEALED)
    assert manifest.object_key is not None
    assert manifest.sealed is not None
    assert keys(store) == sorted(
        [manifest.object_key, f"{manifest.folder}/{manifest.sealed.key}", f"{manifest.folder}/manifest.json"]
    )
    stored = store.read(manifest.object_key)
    assert stored.startswith(b"age-encryption.org/v1\n")
    assert body[:1000] not in stored
    assert (manifest.sealed.size, manifest.sealed.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert (manifest.size, manifest.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert manifest.sealed.wrapped_by == str(SECRET.to_public())
    output = tmp_path / "result.zip"
    assert open_result(store, manifest, output, Opener(OWNER)) == []
    assert output.read_bytes() == body
    assert output.stat().st_mode & 0o777 == 0o600
    assert problems(store) == []
    assert problems(store, Opener(OWNER)) == []


async def test_any_age_tool_opens_it_in_two_steps(file_store: Store) -> None:
    manifest = await archive(file_store)
    assert manifest.data_key is not None
    assert manifest.object_key is not None
    data_key = pyrage.decrypt(file_store.read(manifest.data_key), [SECRET])
    identity = pyrage.x25519.Identity.from_str(data_key.decode())
    assert pyrage.decrypt(file_store.read(manifest.object_key), [identity]) == SMALL


async def test_each_result_has_a_key_of_its_own(file_store: Store) -> None:
    wrapped = []
    for number in range(3):
        job = access_job(f"job-{number}")
        manifest = await archive_job(file_store, job, FromMemory(SMALL).open, settings=SEALED)
        assert manifest.data_key is not None
        wrapped.append(OWNER.unwrap(file_store.read(manifest.data_key)).to_bytes())
    assert len(set(wrapped)) == 3


async def test_neither_manifest_nor_repr_holds_a_secret(file_store: Store) -> None:
    manifest = await archive(file_store)
    assert b"AGE-SECRET" not in file_store.read(f"{manifest.folder}/manifest.json")
    assert manifest.data_key is not None
    data_key = OWNER.unwrap(file_store.read(manifest.data_key))
    for shown in (repr(data_key), repr(OWNER), repr(SEALED)):
        assert "SECRET" not in shown


# Destroying the key


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_without_its_data_key_nobody_opens_it(file_store: Store, body: bytes, tmp_path: Path) -> None:
    manifest = await archive(file_store, body)
    assert manifest.data_key is not None
    file_store.delete(manifest.data_key)
    output = tmp_path.parent / "opened.zip"
    (finding,) = open_result(file_store, manifest, output, Opener(OWNER))
    assert (finding.problem, "not there any more" in finding.detail) == ("cannot-open", True)
    assert not output.exists()
    assert problems(file_store) == ["missing-key"]


async def test_retention_destroys_the_key_wherever_it_lies(store: Store, elsewhere: Store) -> None:
    settings = ArchiveSettings(encryption=Encryption(PUBLIC, elsewhere))
    manifest = await archive(store, settings=settings)
    assert keys(elsewhere) == [manifest.data_key]
    copy = store.read(str(manifest.object_key))
    late: Any = {"clock": lambda: manifest.completed_at + timedelta(days=31), "erasures": Erasing()}
    (refused,) = erase_expired(store, {"gdpr": 30}, **late)
    assert (refused.action, elsewhere.location.uri in refused.detail) == ("failed", True)
    assert len(keys(store)) == 2
    (erased,) = erase_expired(store, {"gdpr": 30}, keys=elsewhere, **late)
    assert erased.action == "erased"
    assert keys(elsewhere) == []
    assert keys(store) == [f"{manifest.folder}/manifest.json"]
    assert problems(store) == []
    # A copy in a backup is of no use any more, even together with the owner's key.
    store.write(str(manifest.object_key), copy)
    with pytest.raises(CannotOpen, match="not there any more"):
        Opener(OWNER, elsewhere).data_key(store, manifest)


async def test_versions_of_the_ciphertext_do_not_count_where_the_key_is_gone(
    s3: S3Server, elsewhere: Store
) -> None:
    bucket = s3.new_bucket()
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    late: Any = {"clock": lambda: datetime(2030, 1, 1, tzinfo=UTC), "erasures": Erasing()}
    for keys_at, remain in ((elsewhere, False), (None, True)):
        store = s3.store(bucket, prefix=f"archive-{remain}")
        manifest = await archive(store, settings=ArchiveSettings(encryption=Encryption(PUBLIC, keys_at)))
        assert manifest.version_id is not None
        list(erase_expired(store, {"gdpr": 30}, keys=keys_at, **late))
        text = store.read(f"{manifest.folder}/manifest.json")
        erasure = Manifest.model_validate_json(text).erasure
        assert erasure is not None
        assert erasure.versions_remain is remain


def clean(store: Store, elsewhere: Store, days: float = 8) -> list[str]:
    """The names of what is deleted so many days from now."""
    actions = clean_up(
        store,
        older_than=timedelta(days=7),
        on_hold=lambda *_: False,
        is_archived=lambda *_: False,
        keys=elsewhere,
        clock=lambda: datetime.now(UTC) + timedelta(days=days),
    )
    return sorted(action.key.rpartition("/")[2] for action in actions)


async def test_versions_of_data_keys_that_were_turned_on_later_remain(
    file_store: Store, s3: S3Server
) -> None:
    place = s3.store()
    manifest = await archive(file_store, settings=ArchiveSettings(encryption=Encryption(PUBLIC, place)))
    s3.client.put_bucket_versioning(
        Bucket=place.location.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    late = lambda: manifest.completed_at + timedelta(days=31)  # noqa: E731
    (erased,) = erase_expired(file_store, {"gdpr": 30}, erasures=Erasing(), keys=place, clock=late)
    assert erased.action == "erased"
    text = file_store.read(f"{manifest.folder}/manifest.json")
    erasure = Manifest.model_validate_json(text).erasure
    assert erasure is not None
    assert erasure.versions_remain
    assert keys(place) == []


async def test_the_clean_up_keeps_named_keys_and_deletes_those_of_attempts(
    store: Store, elsewhere: Store
) -> None:
    for place in (None, elsewhere):
        job = access_job("beside" if place is None else "elsewhere")
        settings = ArchiveSettings(encryption=Encryption(PUBLIC, place))
        manifest = await archive_job(store, job, FromMemory(SMALL).open, settings=settings)
        store.write(f"{manifest.folder}/killed.zip.age", b"half")
        (place or store).write(f"{manifest.folder}/killed.key", b"wrapped")
    store.write("rejected/a-job/bad.zip.age", b"bad")
    elsewhere.write("rejected/a-job/bad.key", b"wrapped")
    before = len(keys(store)), len(keys(elsewhere))
    assert clean(store, elsewhere) == ["bad.zip.age", "killed.key", "killed.zip.age", "killed.zip.age"]
    assert (len(keys(store)), len(keys(elsewhere))) == (before[0] - 4, before[1] - 2)
    assert problems(store, Opener(OWNER, elsewhere)) == []


async def test_the_clean_up_of_one_archive_touches_no_other_s_data_keys(
    store: Store, elsewhere: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of another organisation, or of the archive that was in use before."""
    other = open_store(f"file://{tmp_path_factory.mktemp('other')}")
    await archive(store, settings=ArchiveSettings(encryption=Encryption(PUBLIC, elsewhere)))
    elsewhere.write("rejected/a-job/theirs.key", b"wrapped")
    before = keys(elsewhere)
    # Older months are read once in thirty days.
    assert [clean(other, elsewhere, 8 + day) for day in range(31)] == [[]] * 31
    assert keys(elsewhere) == before
    assert problems(store, Opener(OWNER, elsewhere)) == []


# What must not be believed


def flipped(data: bytes) -> bytes:
    return data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "flipped": flipped,
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("beside", [True, False], ids=["beside", "elsewhere"])
async def test_a_damaged_data_key_is_found_without_any_secret(
    file_store: Store, elsewhere: Store, damage: str, beside: bool
) -> None:
    place = file_store if beside else elsewhere
    settings = ArchiveSettings(encryption=Encryption(PUBLIC, None if beside else elsewhere))
    manifest = await archive(file_store, settings=settings)
    assert manifest.data_key is not None
    place.write(manifest.data_key, DAMAGES[damage](place.read(manifest.data_key)))
    found = list(verify_archive(file_store, keys=elsewhere))
    assert [(each.problem, each.key) for each in found] == [("damaged-key", manifest.data_key)]


async def test_a_missing_data_key_is_found_wherever_it_lies(file_store: Store, elsewhere: Store) -> None:
    manifest = await archive(file_store, settings=ArchiveSettings(encryption=Encryption(PUBLIC, elsewhere)))
    elsewhere.delete(str(manifest.data_key))
    assert [each.problem for each in verify_archive(file_store, keys=elsewhere)] == ["missing-key"]


async def test_keys_of_two_results_that_were_swapped_are_found(file_store: Store) -> None:
    found = []
    for name in ("one", "two"):
        manifest = await archive_job(file_store, access_job(name), FromMemory(SMALL).open, settings=SEALED)
        found.append(str(manifest.data_key))
    one, two = found
    first = file_store.read(one)
    file_store.write(one, file_store.read(two))
    file_store.write(two, first)
    assert problems(file_store) == ["damaged-key", "damaged-key"]


async def test_a_damaged_key_is_told_from_a_wrong_one(file_store: Store, tmp_path: Path) -> None:
    manifest = await archive(file_store)
    output = tmp_path.parent / "opened.zip"
    (wrong,) = open_result(file_store, manifest, output, Opener(STRANGER))
    assert "another key than the one given" in wrong.detail
    key = str(manifest.data_key)
    file_store.write(key, flipped(file_store.read(key)))
    (damaged,) = open_result(file_store, manifest, output, Opener(OWNER))
    assert "is damaged" in damaged.detail
    assert "another key than" not in damaged.detail


async def test_manifests_of_before_are_still_read(file_store: Store) -> None:
    """They do not tell what the wrapped key was like; an empty one is noticed all the same."""
    manifest = await archive(file_store)
    assert manifest.sealed is not None
    old = manifest.model_copy(
        update={"sealed": manifest.sealed.model_copy(update={"key_size": None, "key_sha256": None})}
    )
    file_store.write(f"{manifest.folder}/manifest.json", old.to_json())
    assert problems(file_store, Opener(OWNER)) == []
    file_store.write(str(manifest.data_key), b"")
    assert problems(file_store) == ["damaged-key"]


async def test_another_key_does_not_open_it(file_store: Store) -> None:
    await archive(file_store)
    assert problems(file_store, Opener(STRANGER)) == ["cannot-open"]
    assert problems(file_store, Opener(PUBLIC)) == ["cannot-open"]


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
async def test_a_changed_ciphertext_is_found_without_the_key_and_with_it(
    store: Store, body: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifest = await archive(store, body)
    assert manifest.object_key is not None
    stored = store.read(manifest.object_key)
    middle = len(stored) // 2
    damages = {
        "flipped": stored[:middle] + bytes([stored[middle] ^ 1]) + stored[middle + 1 :],
        "cut": stored[:middle],
        "cut at a piece's end": stored[: len(stored) - (len(stored) % 65552 or 65552)],
        "padded": stored + b"x",
    }
    for name, damaged in damages.items():
        store.write(manifest.object_key, damaged)
        assert "wrong-sha256" in problems(store), name
        assert {"wrong-sha256", "cannot-open"} <= set(problems(store, Opener(OWNER))), name
        output = tmp_path_factory.mktemp("opened") / "result.zip"
        assert open_result(store, manifest, output, Opener(OWNER)) != []
        assert list(output.parent.iterdir()) == []


async def test_another_results_bytes_and_key_in_its_place_are_found(file_store: Store) -> None:
    manifest = await archive(file_store)
    other = await archive_job(file_store, access_job("other"), FromMemory(make_zip([])).open, settings=SEALED)
    for mine, theirs in ((manifest.object_key, other.object_key), (manifest.data_key, other.data_key)):
        file_store.write(str(mine), file_store.read(str(theirs)))
    found = problems(file_store, Opener(OWNER))
    assert sorted(found) == ["cannot-open", "damaged-key", "wrong-sha256", "wrong-size"]


BAD_CRC = bytearray(LARGE)
BAD_CRC[5_000_000] ^= 1


@pytest.mark.parametrize("body", [SMALL[:-1], bytes(BAD_CRC)], ids=["small", "large"])
async def test_a_bad_result_leaves_nothing(store: Store, s3: S3Server, body: bytes) -> None:
    with pytest.raises(InvalidArchive):
        await archive(store, body)
    assert keys(store) == []
    if store.location.scheme == "s3":
        assert s3.open_uploads(store) == []
    assert (await archive(store, LARGE)).size == len(LARGE)


@pytest.mark.parametrize("body", [SMALL[:-1], bytes(BAD_CRC)], ids=["small", "large"])
async def test_a_bad_result_that_is_kept_is_kept_encrypted(store: Store, body: bytes) -> None:
    with pytest.raises(InvalidArchive):
        await archive(store, body, replace(SEALED, keep_rejected=True))
    key, sealed = keys(store)
    assert key.startswith("rejected/6e1f0f7a-0001/")
    assert key.removesuffix(".key") == sealed.removesuffix(".zip.age")
    identity = pyrage.x25519.Identity.from_str(pyrage.decrypt(store.read(key), [SECRET]).decode())
    assert pyrage.decrypt(store.read(sealed), [identity]) == body


async def test_a_download_that_breaks_off_is_told_as_it_is(store: Store, results: ResultsServer) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[Download]:
        class Breaking(FromMemory):
            async def chunks(self) -> AsyncIterator[bytes]:
                async for chunk in super().chunks():
                    yield chunk
                raise ConnectionResetError("half way")

        yield Breaking(LARGE)

    with pytest.raises(ConnectionResetError, match="half way"):
        await archive_job(store, access_job(), broken, settings=SEALED)
    assert keys(store) == []


async def test_a_cancelled_task_leaves_nothing_and_no_thread(
    store: Store, results: ResultsServer, s3: S3Server
) -> None:
    import threading

    _, download = results.add(Result(LARGE, pause=0.05))
    task = asyncio.create_task(archive_job(store, access_job(), download, settings=SEALED))
    await asyncio.sleep(0.6)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert keys(store) == []
    if store.location.scheme == "s3":
        assert s3.open_uploads(store) == []
    assert [thread for thread in threading.enumerate() if thread.name.startswith("seal")] == []


async def test_racing_tasks_end_with_one_manifest_one_result_and_one_key(
    store: Store, results: ResultsServer
) -> None:
    _, download = results.add(Result(LARGE, pause=0.01))
    race = (archive_job(store, access_job(), download, settings=SEALED) for _ in range(6))
    manifests = await asyncio.gather(*race)
    assert len({manifest.object for manifest in manifests}) == 1
    assert len(keys(store)) == 3
    assert problems(store, Opener(OWNER)) == []


# AWS KMS


@pytest.fixture
def kms(s3: S3Server) -> Any:
    return boto3.client(
        "kms",
        endpoint_url=s3.endpoint,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


async def test_data_keys_are_wrapped_by_kms(kms: Any, file_store: Store, tmp_path: Path) -> None:
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    settings = ArchiveSettings(encryption=Encryption(KmsKey(kms, key_id)))
    manifest = await archive(file_store, LARGE, settings)
    assert manifest.sealed is not None
    assert manifest.sealed.wrapped_by == f"aws-kms:{key_id}"
    output = tmp_path.parent / "by-kms.zip"
    assert open_result(file_store, manifest, output, Opener(KmsKey(kms))) == []
    assert output.read_bytes() == LARGE


async def test_no_data_key_is_logged_at_any_level(
    kms: Any, file_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    for name in list(logging.root.manager.loggerDict):
        if name.startswith(("boto", "urllib3")):
            caplog.set_level(1, logger=name)
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    assert "botocore.endpoint" in {record.name for record in caplog.records}
    manifest = await archive(file_store, settings=ArchiveSettings(encryption=Encryption(KmsKey(kms, key_id))))
    opener = Opener(KmsKey(kms))
    assert open_result(file_store, manifest, tmp_path.parent / "quiet.zip", opener) == []
    data_key = opener.data_key(file_store, manifest).to_bytes()
    wrapped = file_store.read(str(manifest.data_key))
    text = " ".join(str((record.getMessage(), record.args)) for record in caplog.records)
    for secret in (data_key, base64.b64encode(data_key)):
        assert secret.decode() not in text
    assert base64.b64encode(wrapped).decode() not in text
    kms.list_keys()
    assert caplog.records[-1].name.startswith(("boto", "urllib3")), "other calls keep their log"


async def test_a_kms_key_that_does_not_work_is_told_before_anything_is_fetched(
    kms: Any, file_store: Store, results: ResultsServer
) -> None:
    result, download = results.add(SMALL)
    settings = ArchiveSettings(encryption=Encryption(KmsKey(kms, "alias/none")))
    with pytest.raises(ArchiveError, match=r"AWS KMS did not encrypt a data key \(NotFoundException\)"):
        await archive_job(file_store, access_job(), download, settings=settings)
    assert result.requests == 0


# Keys of the wrong form


@pytest.mark.parametrize(
    "given",
    [{}, {"recipients": ("age1nonsense",)}, {"identities": ("AGE-SECRET-KEY-1NONSENSE",)}],
)
def test_a_key_of_the_wrong_form_is_refused_and_not_repeated(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"recipient|identity") as caught:
        AgeKeys(**given)
    assert "NONSENSE" not in str(caught.value).upper()


def test_a_place_for_keys_that_is_missing_is_made(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/keys", FileOptions(create=True)).check_writable()
