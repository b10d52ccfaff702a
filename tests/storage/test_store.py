from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import resource
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adobe_privacy.storage import (
    AccessDenied,
    FileOptions,
    GCSOptions,
    InvalidLocation,
    LocationNotFound,
    ObjectExists,
    ObjectNotFound,
    S3Options,
    StorageError,
    StorageUnavailable,
    Store,
    StoreUnfit,
    check_replaces,
    open_store,
)
from adobe_privacy.storage.store import PART_SIZE
from tests.storage.servers import S3Server

MIB = 1024 * 1024


async def pieces(count: int, *, fail: Exception | None = None, pause: float = 0) -> AsyncIterator[bytes]:
    for index in range(count):
        await asyncio.sleep(pause)
        yield bytes([index % 256]) * MIB
    if fail is not None:
        raise fail


def leftovers(store: Store, s3: S3Server) -> list[str]:
    if store.location.scheme == "s3":
        return s3.open_uploads(store)
    if store.location.scheme == "abfss":
        return []  # blocks that were never committed are no part of any listing, and expire after a week
    return [name for _, _, names in os.walk(store.location.prefix) for name in names]


def test_what_is_written_is_read_back(store: Store) -> None:
    store.write("a/b.txt", b"first")
    store.write("a/b.txt", b"second")
    assert store.read("a/b.txt") == b"second"
    info = store.info("a/b.txt")
    assert (info.key, info.size) == ("a/b.txt", 6)
    assert info.etag
    assert info.modified.tzinfo is not None


def test_a_deleted_object_is_gone_and_deleting_again_is_fine(store: Store) -> None:
    store.write("a", b"x")
    store.delete("a")
    store.delete("a")
    with pytest.raises(ObjectNotFound, match=r"does not exist|no such file"):
        store.read("a")


def test_keys_and_folders_are_listed(store: Store) -> None:
    for key in ("2026-11-19/a.jsonl", "2026-11-20/b.csv", "2026-11-20/rejected/c.jsonl", "top"):
        store.write(key, b"x")
    assert store.folders() == ["2026-11-19", "2026-11-20"]
    assert sorted(info.key for info in store.objects("2026-11-20")) == [
        "2026-11-20/b.csv",
        "2026-11-20/rejected/c.jsonl",
    ]
    assert [info.key for info in store.objects_directly_in("2026-11-20")] == ["2026-11-20/b.csv"]
    assert list(store.objects("no-such-day")) == []
    assert store.folders("no-such-day") == []


def test_names_with_unusual_characters_are_listed_and_read(store: Store) -> None:
    for key in ("day/with space.csv", "day/ümlaut.csv", "day/100%.csv", "day/a+b=c.csv"):
        store.write(key, b"x")
        assert store.read(key) == b"x"
        assert key in [info.key for info in store.objects("day")]


def test_only_the_first_of_two_creates_succeeds(store: Store) -> None:
    store.create("m.json", b"first")
    with pytest.raises(ObjectExists, match=r"m\.json"):
        store.create("m.json", b"second")
    assert store.read("m.json") == b"first"


def test_an_object_is_replaced_only_where_it_is_what_was_seen(store: Store) -> None:
    store.create("m.json", b"first")
    _, seen = store.read_with_info("m.json")
    store.replace("m.json", b"second", seen)
    with pytest.raises(ObjectExists):
        store.replace("m.json", b"third", seen)
    content, now = store.read_with_info("m.json")
    assert content == b"second"
    store.replace("m.json", b"fourth", now)
    assert store.read("m.json") == b"fourth"


def test_of_many_racing_replacements_exactly_one_succeeds(store: Store) -> None:
    store.create("m.json", b"first")
    _, seen = store.read_with_info("m.json")

    def replace(number: int) -> bool:
        try:
            store.replace("m.json", str(number).encode(), seen)
        except ObjectExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(replace, range(8)))
    assert won.count(True) == 1
    assert store.read("m.json") == str(won.index(True)).encode()


async def test_of_many_racing_creates_exactly_one_succeeds(store: Store) -> None:
    answers = await asyncio.gather(
        *(store.create_async("m.json", str(n).encode()) for n in range(10)), return_exceptions=True
    )
    winners = [n for n, answer in enumerate(answers) if not isinstance(answer, BaseException)]
    assert len(winners) == 1
    assert all(isinstance(answer, ObjectExists) for n, answer in enumerate(answers) if n not in winners)
    assert store.read("m.json") == str(winners[0]).encode()


async def test_a_stream_is_written_whole(store: Store) -> None:
    written = await store.write_stream_async("big", pieces(19))
    assert written.etag
    assert store.info("big").size == 19 * MIB
    assert b"".join(store.chunks("big")) == b"".join([bytes([n]) * MIB for n in range(19)])


async def test_an_empty_stream_is_an_empty_object(store: Store) -> None:
    await store.write_stream_async("empty", pieces(0))
    assert store.read("empty") == b""


@pytest.mark.parametrize(
    "failure", [ValueError("half way"), FileNotFoundError("half way"), OSError(5, "half way")]
)
async def test_a_stream_that_fails_half_way_leaves_nothing(
    store: Store, s3: S3Server, failure: Exception
) -> None:
    with pytest.raises(type(failure), match="half way"):
        await store.write_stream_async("big", pieces(19, fail=failure))
    assert list(store.objects()) == []
    assert leftovers(store, s3) == []


async def test_a_cancelled_stream_leaves_nothing(store: Store, s3: S3Server) -> None:
    task = asyncio.create_task(store.write_stream_async("big", pieces(10_000, pause=0.002)))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert list(store.objects()) == []
    assert leftovers(store, s3) == []


async def test_an_object_is_moved(store: Store) -> None:
    store.write("a/b", b"x")
    await store.move_async("a/b", "c/d")
    assert [info.key for info in store.objects()] == ["c/d"]


def test_a_writable_store_passes_the_probe_and_keeps_nothing_of_it(store: Store) -> None:
    store.check_writable()
    assert list(store.objects()) == []


def test_a_store_that_minds_conditions_passes_the_probe_and_keeps_nothing_of_it(store: Store) -> None:
    check_replaces(store)
    assert list(store.objects()) == []


def test_options_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="FileOptions"):
        open_store(f"file://{tmp_path}", S3Options())
    with pytest.raises(TypeError, match="S3Options"):
        open_store("s3://bucket", GCSOptions())


def test_no_secret_shows_in_options_or_store(s3: S3Server) -> None:
    options = S3Options("AKIAEXAMPLE", "hidden-secret", "hidden-token", endpoint=s3.endpoint)
    store = open_store("s3://bucket/prefix", options)
    assert "hidden" not in repr(options) + repr(store) + str(store)


# Folders


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocationNotFound, match=f"file://{tmp_path}/none does not exist; create it"):
        open_store(f"file://{tmp_path}/none")


def test_a_missing_folder_is_made_on_request(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/new/archive", FileOptions(create=True))
    store.check_writable()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="is not a folder"):
        open_store(f"file://{tmp_path}/file")
    with pytest.raises(StorageError, match="file://"):
        open_store(f"file://{tmp_path}/file/below", FileOptions(create=True))


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """File permissions do not stop root, so be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_folder_without_write_permission_is_named_with_the_advice(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for folder in (tmp_path.parent.parent, tmp_path.parent):
        os.chmod(folder, 0o755)
    os.chmod(tmp_path, 0o555)
    store = open_store(f"file://{tmp_path}")
    request.getfixturevalue("unprivileged")
    for call in (store.check_writable, lambda: store.create("m.json", b"{}")):
        with pytest.raises(AccessDenied, match=f"file://{tmp_path}/.*: permission denied; check owner"):
            call()
    with pytest.raises(AccessDenied, match="permission denied"):
        await store.write_stream_async("big", pieces(3))


async def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MIB, before[1]))
    try:
        with pytest.raises(StorageUnavailable, match=r"/big: .*free some space"):
            await store.write_stream_async("big", pieces(19))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_a_killed_writers_files_are_found_and_deleted(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}")
    store.write("jobs/whole.zip", b"x")
    (tmp_path / "jobs" / "killed.zip#1").write_bytes(b"half")
    now = datetime.now(UTC)
    assert list(store.abandoned_uploads(now - timedelta(days=1))) == []
    assert list(store.abandoned_uploads(now + timedelta(seconds=1))) == ["jobs/killed.zip#1"]
    assert [info.key for info in store.objects()] == ["jobs/whole.zip"]
    store.delete_abandoned("jobs/killed.zip#1")
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["whole.zip"]


# S3


def test_a_missing_bucket_is_named(s3: S3Server) -> None:
    store = s3.store("no-such-bucket")
    for call in (lambda: store.read("a"), lambda: store.write("a", b""), lambda: list(store.objects())):
        with pytest.raises(LocationNotFound, match="s3://no-such-bucket/archive: the bucket or container"):
            call()


@pytest.mark.parametrize("key", ["2026-11-20//jane.csv", "2026-11-20/./jane.csv", "2026-11-20/jane\x01.csv"])
def test_a_key_that_no_listing_can_hold_is_told_for_what_it_is(s3: S3Server, key: str) -> None:
    """One such object stops every listing of its folder: trying again does not help, and the store can be reached."""
    store = s3.store(prefix="inbox")
    s3.client.put_object(Bucket=store.location.bucket, Key=f"inbox/{key}", Body=b"x")
    says = r"/inbox/2026-11-20: an object in it has an empty part"
    with pytest.raises(StoreUnfit, match=says) as caught:
        store.objects_directly_in("2026-11-20")
    assert "jane" not in str(caught.value)
    with pytest.raises(StoreUnfit, match=says):
        list(store.objects("2026-11-20"))


def test_an_unreachable_server_is_told_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    options = S3Options("AKIAEXAMPLE", "hidden-secret", endpoint="http://127.0.0.1:9", max_retries=0)
    with pytest.raises(StorageUnavailable) as caught:
        open_store("s3://bucket/prefix", options).read("a")
    assert "s3://bucket/prefix/a" in str(caught.value)
    assert "AKIAEXAMPLE" not in str(caught.value)


def test_encryption_storage_class_and_versions_reach_the_server(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    options = S3Options(
        "testing",
        "testing",
        endpoint=s3.endpoint,
        sse_kms_key_id="alias/results",
        bucket_key_enabled=True,
        storage_class="STANDARD_IA",
        checksum_algorithm="SHA256",
    )
    written = open_store(f"s3://{bucket}", options).write("a", b"x")
    found = s3.client.head_object(Bucket=bucket, Key="a")
    assert found["ServerSideEncryption"] == "aws:kms"
    assert found["SSEKMSKeyId"] == "alias/results"
    assert found["BucketKeyEnabled"] is True
    assert found["StorageClass"] == "STANDARD_IA"
    assert written.version == found["VersionId"]
    assert written.etag == found["ETag"]


@pytest.mark.parametrize(("endpoint", "expected"), [(None, "SHA256"), ("http://127.0.0.1:9", None)])
@pytest.mark.parametrize("by", ["option", "AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_amazon_alone_is_asked_to_check_every_part(
    monkeypatch: pytest.MonkeyPatch, by: str, endpoint: str | None, expected: str | None
) -> None:
    if endpoint and by != "option":
        monkeypatch.setenv(by, endpoint)
        endpoint = None
    backend = open_store("s3://bucket", S3Options("id", "secret", endpoint=endpoint))._backend
    assert backend.config.get("checksum_algorithm") == expected


async def test_every_part_carries_its_checksum(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    options = S3Options("testing", "testing", endpoint=s3.endpoint, checksum_algorithm="SHA256")
    await open_store(f"s3://{bucket}", options).write_stream_async("a", pieces(16))
    whole = b"".join([piece async for piece in pieces(16)])
    of_parts = b"".join(hashlib.sha256(whole[at : at + PART_SIZE]).digest() for at in (0, PART_SIZE))
    found = s3.client.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert found["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(of_parts).digest()).decode()


def test_a_credential_of_the_wrong_form_is_told() -> None:
    with pytest.raises(InvalidLocation, match="wrong form"):
        open_store("gs://bucket", GCSOptions(service_account_key="not json"))
