from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest

from adobe_privacy.archive import (
    Manifest,
    archive_job,
    clean_up,
    erase_expired,
    iter_manifests,
    verify_archive,
    verify_sample,
)
from adobe_privacy.archive.manifest import Erasure
from adobe_privacy.storage import (
    AccessDenied,
    FileOptions,
    ObjectInfo,
    ObjectNotFound,
    StorageUnavailable,
    Store,
    StoreUnfit,
    open_store,
)
from tests.archive.erasing import Erasing
from tests.archive.jobs import access_job, empty_manifest
from tests.archive.results_server import FromMemory
from tests.archive.zips import make_zip
from tests.storage.servers import S3Server, ignore_conditions

COMPLETED = datetime(2026, 1, 1, tzinfo=UTC)
BODY = make_zip()


def after(days: float) -> Callable[[], datetime]:
    return lambda: COMPLETED + timedelta(days=days)


def nothing_held(job_id: str, request_id: str | None) -> bool:
    return False


def not_archived(job_id: str, manifest: str) -> bool:
    return False


def held(*job_ids: str) -> Callable[[str, str | None], bool]:
    return lambda job_id, request_id: job_id in job_ids


async def archive(store: Store, job_id: str = "a-job", **changes: object) -> Manifest:
    job = access_job(job_id, **({"completed_at": COMPLETED} | changes))
    return await archive_job(store, job, FromMemory(BODY).open if job.action == "access" else None)


def manifests(store: Store) -> dict[str, Manifest]:
    return {manifest.job_id: manifest for _, manifest in iter_manifests(store)}


def day_of(manifest: Manifest) -> str:
    """The folder of its day: not today's, for the tests before this one may have run past midnight."""
    return manifest.folder.rpartition("/")[0]


def result_exists(store: Store, manifest: Manifest) -> bool:
    return manifest.object_key in {info.key for info in store.objects()}


async def test_an_expired_result_is_erased_and_its_tombstone_stays(store: Store) -> None:
    before = await archive(store)
    actions = list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(30)))
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
    list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(32))) == []
    again = await archive(store)
    assert again.erasure is not None
    assert not result_exists(store, again)


async def test_nothing_is_erased_early_or_unasked(store: Store) -> None:
    young = await archive(store, "young")
    other = await archive(store, "other", regulation="ccpa")
    proof = await archive(store, "proof", action="delete")
    assert list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(29.99))) == []
    assert list(erase_expired(store, {}, erasures=Erasing(), clock=after(9999))) == []
    list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(9999)))
    assert result_exists(store, other)
    assert not result_exists(store, young)
    assert manifests(store)["proof"] == proof


async def test_a_legal_hold_is_honoured(store: Store) -> None:
    kept, gone = await archive(store, "kept"), await archive(store, "gone")
    actions = list(erase_expired(store, {"gdpr": 30}, erasures=Erasing("kept"), clock=after(31)))
    assert sorted((action.action, action.key) for action in actions) == [
        ("erased", gone.object_key),
        ("held", kept.object_key),
    ]
    assert result_exists(store, kept)
    assert manifests(store)["kept"].erasure is None


async def test_a_hold_that_cannot_be_asked_erases_nothing(store: Store) -> None:
    manifest = await archive(store)

    class Away(Erasing):
        def begin(self, manifest: Manifest) -> bool:
            raise ConnectionError("the ledger is away")

    with pytest.raises(ConnectionError):
        list(erase_expired(store, {"gdpr": 30}, erasures=Away(), clock=after(31)))
    assert result_exists(store, manifest)


async def test_a_dry_run_names_and_touches_nothing(store: Store) -> None:
    manifest = await archive(store)
    store.write(f"jobs/gdpr/{datetime.now(UTC):%Y/%m/%d}/x/attempt.zip", b"half")
    (action,) = erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31), dry_run=True)
    assert action.action == "erased"
    late = lambda: datetime.now(UTC) + timedelta(days=8)  # noqa: E731
    (swept,) = clean_up(
        store,
        older_than=timedelta(days=7),
        on_hold=nothing_held,
        is_archived=not_archived,
        clock=late,
        dry_run=True,
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
        (failed,) = erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31))
        assert failed.action == "failed"
    assert [finding.problem for finding in verify_archive(store)] == ["erasure-unfinished"]
    list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(40)))
    assert list(verify_archive(store)) == []
    assert not result_exists(store, manifest)
    erasure = manifests(store)["a-job"].erasure
    assert erasure is not None
    assert (erasure.started_at, erasure.erased_at) == (after(31)(), after(40)())


@pytest.mark.parametrize("retention", [{"gdpr": 365}, {"lgpd_bra": 30}], ids=["longer", "taken out"])
async def test_what_is_not_due_any_more_stays_where_its_erasure_left_it_untouched(
    store: Store, monkeypatch: pytest.MonkeyPatch, retention: dict[str, int]
) -> None:
    """The store refused it, and before it was tried again the retention was changed."""
    manifest = await archive(store)
    erasures = Erasing()
    with monkeypatch.context() as patched:
        patched.setattr("adobe_privacy.archive.retention.check_replaces", lambda _: None)
        patched.setattr(Store, "replace", _refused)
        assert [each.action for each in erase_expired(store, {"gdpr": 3}, erasures=erasures)] == ["failed"]
    assert list(erasures.unfinished()) == [manifest.folder]
    for dry_run in (True, False):
        assert (
            list(erase_expired(store, retention, erasures=erasures, clock=after(31), dry_run=dry_run)) == []
        )
    assert result_exists(store, manifest)
    assert list(erasures.unfinished()) == []


async def test_nothing_is_erased_where_the_store_ignores_conditions(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = s3.store()
    manifest = await archive(store)
    erasures = Erasing()
    ignore_conditions(monkeypatch)
    with pytest.raises(StoreUnfit, match="If-Match"):
        list(erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(31)))
    assert result_exists(store, manifest)
    assert erasures.log == []
    actions = erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(31), dry_run=True)
    assert [each.action for each in actions] == ["erased"]


def _refused(*_: object) -> None:
    raise AccessDenied("the store refused", uri="")


async def test_a_result_that_came_back_after_its_erasure_is_an_error(store: Store) -> None:
    manifest = await archive(store)
    list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert manifest.object_key is not None
    store.write(manifest.object_key, BODY)
    assert [finding.problem for finding in verify_archive(store)] == ["erased-but-present"]


async def test_a_bad_manifest_is_named_and_stops_no_other(store: Store) -> None:
    manifest = await archive(store)
    store.write("jobs/gdpr/2025/12/31/bad/manifest.json", b"{}")
    store.write("jobs/gdpr/2025/12/31/bad/a.zip", b"")
    actions = list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert sorted(action.action for action in actions) == ["erased", "failed"]
    assert not result_exists(store, manifest)


async def test_a_bucket_with_versions_is_told_in_the_tombstone(s3: S3Server) -> None:
    bucket = s3.new_bucket()
    s3.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = s3.store(bucket)
    assert (await archive(store)).version_id
    list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    erasure = manifests(store)["a-job"].erasure
    assert erasure is not None
    assert erasure.versions_remain


async def test_versions_that_were_turned_on_later_remain_too(s3: S3Server) -> None:
    store = s3.store()
    await archive(store)
    s3.client.put_bucket_versioning(
        Bucket=store.location.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    await archive(store, "other")
    list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    erasures = [manifest.erasure for manifest in manifests(store).values()]
    assert [erasure and erasure.versions_remain for erasure in erasures] == [True, True]


def test_a_retention_of_no_days_is_refused(file_store: Store) -> None:
    with pytest.raises(ValueError, match="at least 1 day"):
        list(erase_expired(file_store, {"gdpr": 0}, erasures=Erasing()))


async def test_old_attempts_are_swept_and_what_a_manifest_names_is_kept(store: Store) -> None:
    manifest = await archive(store, completed_at=datetime.now(UTC))
    day = day_of(manifest)
    store.write(f"{manifest.folder}/attempt.zip", b"half")
    store.write(f"{day}/killed/attempt.zip", b"half")
    store.write("rejected/bad/attempt.zip", b"bad")
    store.write("rejected/disputed/attempt.zip", b"bad")
    store.write(f"{day}/unreadable/manifest.json", b"{}")
    for name in ("perhaps", "or-this"):
        store.write(f"{day}/unreadable/{name}.zip", b"good")
    week = timedelta(days=7)
    assert list(clean_up(store, older_than=week, on_hold=nothing_held, is_archived=not_archived)) == []
    late = lambda: datetime.now(UTC) + timedelta(days=8)  # noqa: E731
    actions = list(
        clean_up(store, older_than=week, on_hold=held("disputed"), is_archived=not_archived, clock=late)
    )
    assert sorted((action.action, action.key) for action in actions) == [
        ("failed", f"{day}/unreadable/manifest.json"),
        ("held", "rejected/disputed/attempt.zip"),
        ("swept", f"{manifest.folder}/attempt.zip"),
        ("swept", f"{day}/killed/attempt.zip"),
        ("swept", "rejected/bad/attempt.zip"),
    ]
    assert sorted(info.key for info in store.objects()) == sorted(
        [
            f"{manifest.folder}/manifest.json",
            str(manifest.object_key),
            f"{day}/unreadable/manifest.json",
            f"{day}/unreadable/perhaps.zip",
            f"{day}/unreadable/or-this.zip",
            "rejected/disputed/attempt.zip",
        ]
    )


@pytest.mark.parametrize("seen", [True, False], ids=["listed", "deleted"])
async def test_what_lies_beside_a_manifest_that_is_missing_is_never_deleted(
    store: Store, monkeypatch: pytest.MonkeyPatch, seen: bool
) -> None:
    """Somebody deleted it, or the store does not find at this moment what it lists."""
    manifest = await archive(store, completed_at=COMPLETED + timedelta(days=395))
    store.write(f"{manifest.folder}/killed.zip", b"half")
    key = f"{manifest.folder}/manifest.json"
    if seen:
        read = Store.read

        def not_found(self: Store, key: str) -> bytes:
            if key.endswith("/manifest.json"):
                raise ObjectNotFound("it does not exist", uri=key)
            return read(self, key)

        monkeypatch.setattr(Store, "read", not_found)
    else:
        store.delete(key)
    asked = []

    def is_archived(job_id: str, place: str) -> bool:
        asked.append((job_id, place))
        return not seen

    actions = list(
        clean_up(
            store,
            older_than=timedelta(days=7),
            on_hold=nothing_held,
            is_archived=is_archived,
            clock=lambda: COMPLETED + timedelta(days=400),
        )
    )
    assert {(action.action, action.key) for action in actions} == {("failed", key)}
    assert "Restore the manifest from a version or a backup" in actions[0].detail
    assert result_exists(store, manifest)
    assert set(asked) <= {("a-job", key)}


def test_a_sweep_that_could_meet_running_attempts_is_refused(file_store: Store) -> None:
    with pytest.raises(ValueError, match="older than an hour"):
        list(
            clean_up(
                file_store, older_than=timedelta(minutes=5), on_hold=nothing_held, is_archived=not_archived
            )
        )


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


async def test_a_hold_that_comes_while_others_are_erased_is_honoured(store: Store) -> None:
    for number in range(3):
        await archive(store, f"job-{number}")
    erasures = Erasing()
    actions = erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(31))
    assert next(actions).action == "erased"
    erasures.held.update(f"job-{number}" for number in range(3))
    assert [action.action for action in actions] == ["held", "held"]
    assert sum(key.endswith(".zip") for key in (info.key for info in store.objects())) == 2


async def test_one_result_that_cannot_be_erased_costs_itself_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await archive(store, f"job-{number}")
    delete = Store.delete

    def locked(self: Store, key: str) -> None:
        if "job-2" in key:
            raise AccessDenied("the store refused (409 BlobImmutableDueToPolicy)", uri=key)
        delete(self, key)

    monkeypatch.setattr(Store, "delete", locked)
    actions = list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert [action.action for action in actions] == ["erased", "erased", "failed", "erased", "erased"]


@pytest.mark.parametrize(
    "completed_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"], ids=["first", "last"]
)
async def test_a_date_at_the_end_of_time_costs_its_own_manifest_only(
    file_store: Store, completed_at: str
) -> None:
    for number in range(3):
        await archive(file_store, f"job-{number}")
    folder = "jobs/gdpr/2026/01/01/job-1"
    odd = json.loads(file_store.read(f"{folder}/manifest.json")) | {"completed_at": completed_at}
    file_store.write(f"{folder}/manifest.json", json.dumps(odd).encode())
    file_store.write(f"{folder}/killed.zip", b"half")
    swept = list(
        clean_up(
            file_store,
            older_than=timedelta(days=7),
            on_hold=nothing_held,
            is_archived=not_archived,
            clock=lambda: datetime.now(UTC) + timedelta(days=8),
        )
    )
    actions = list(erase_expired(file_store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert [action.action for action in actions] == ["erased", "failed", "erased"]
    assert "is not a manifest of this project: look at completed_at" in actions[1].detail
    assert [action.action for action in swept if action.key.startswith(folder)] in ([], ["failed"])


async def test_a_store_that_is_down_is_not_asked_for_each_result(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        await archive(file_store, f"job-{number}")
    asked = []

    def down(self: Store, key: str) -> tuple[bytes, ObjectInfo]:
        asked.append(key)
        raise StorageUnavailable("the store failed", uri="file:///")

    monkeypatch.setattr(Store, "read_with_info", down)
    with pytest.raises(StorageUnavailable):
        list(erase_expired(file_store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert len(asked) == 5


async def test_an_erasure_that_only_lacks_its_confirmation_is_finished(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing lies beside the manifest any more, so only the ledger knows of it."""
    await archive(store)
    erasures, replace = Erasing(), Store.replace

    def once(self: Store, key: str, data: bytes, seen: ObjectInfo) -> object:
        if b"erased_at" in data:
            raise StorageUnavailable("the store went away", uri="file:///")
        return replace(self, key, data, seen)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "replace", once)
        assert [
            action.action for action in erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(31))
        ] == ["failed"]
    assert erasures.open
    list(erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(32)))
    assert not erasures.open
    assert list(verify_archive(store)) == []


@pytest.mark.parametrize("year", ["0001", "9999", "soon"])
async def test_an_odd_folder_stops_no_other(file_store: Store, year: str) -> None:
    manifest = await archive(file_store)
    file_store.write(f"jobs/gdpr/{year}/12/31/odd/manifest.json", b"{}")
    file_store.write(f"jobs/gdpr/{year}/12/31/odd/a.zip", b"")
    actions = list(
        erase_expired(file_store, {"gdpr": 30, "ccpa": 10**9}, erasures=Erasing(), clock=after(31))
    )
    assert ("erased", manifest.object_key) in [(action.action, action.key) for action in actions]


def make_archive(store: Store, results: int, *, young: bool) -> None:
    """So many results without their bytes, four a day; ten days are due, or none but ten results."""
    for number in range(results):
        days = 100 + number // 4 if young else number // 4 - 20
        completed = COMPLETED + timedelta(days=days)
        folder = f"jobs/gdpr/{completed:%Y/%m/%d}/job-{number}"
        store.write(f"{folder}/manifest.json", empty_manifest(f"job-{number}", completed).to_json())
        store.write(f"{folder}/a.zip", b"")


@pytest.mark.parametrize("results", [400, 1600])
def test_what_retention_asks_of_the_store_grows_with_what_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: int
) -> None:
    """A million results of which 100 are due: 1,300 requests at most, since nothing but listings of a thousand
    objects grows with the archive, and those of young months are not made."""
    store = open_store(f"file://{tmp_path}", FileOptions(durable=False))
    make_archive(store, 10, young=False)
    make_archive(store, results, young=True)
    requests = counted_requests(monkeypatch)
    actions = list(erase_expired(store, {"gdpr": 30}, erasures=Erasing(), clock=after(31)))
    assert sum(action.action == "erased" for action in actions) == 10
    # Of each result: one read, two writes, one deletion. Years, months and days are looked up once each. On disk, a
    # write with a condition looks first.
    assert requests["get"] == 10 + 20
    assert requests["put"] == 20
    assert requests["delete"] == 10
    assert requests["list"] <= 3 + 13
    requests.clear()
    old = time.time() - 30 * 86400
    for path in tmp_path.rglob("a.zip"):
        os.utime(path, (old, old))
    assert (
        list(
            clean_up(
                store,
                older_than=timedelta(days=7),
                on_hold=nothing_held,
                is_archived=not_archived,
                clock=after(31),
            )
        )
        == []
    )
    assert requests["get"] == 0
    assert requests["list"] <= 3 + results // 1000 + 40


def counted_requests(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The requests that an object store would be sent; listings come by the thousand."""
    counts: Counter[str] = Counter()

    def count(name: str, kind: str) -> None:
        real = getattr(obstore, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counts[kind] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(obstore, name, call)

    for name, kind in {"get": "get", "head": "get", "put": "put", "delete": "delete"}.items():
        count(name, kind)
    for name in ("folders", "objects", "objects_directly_in"):
        real = getattr(Store, name)

        def listed(self: Store, prefix: str = "", *, real: Any = real) -> Any:
            found = list(real(self, prefix))
            counts["list"] += 1 + len(found) // 1000
            return found

        monkeypatch.setattr(Store, name, listed)
    return counts


async def test_an_unfinished_write_that_cannot_be_removed_stops_no_other(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(file_store.location.prefix)
    for name in ("a.zip#1", "b.zip#1"):
        (root / "jobs").mkdir(exist_ok=True)
        (root / "jobs" / name).write_bytes(b"half")
    unlink = Path.unlink

    def locked(self: Path, missing_ok: bool = False) -> None:
        if self.name == "a.zip#1":
            raise PermissionError(13, "Permission denied", str(self))
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", locked)
    actions = clean_up(
        file_store,
        older_than=timedelta(days=1),
        on_hold=nothing_held,
        is_archived=not_archived,
        clock=after(400),
    )
    assert {action.key: action.action for action in actions} == {
        "jobs/a.zip#1": "failed",
        "jobs/b.zip#1": "swept",
    }


async def test_a_folder_that_fails_costs_the_clean_up_itself_only(
    file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for regulation in ("gdpr", "lgpd_bra"):
        archived = await archive(file_store, "a-job", regulation=regulation, completed_at=datetime.now(UTC))
        file_store.write(f"{archived.folder}/killed.zip", b"half")
    objects = Store.objects

    def failing(self: Store, prefix: str = "") -> Iterator[ObjectInfo]:
        if prefix.startswith("jobs/gdpr"):
            raise StorageUnavailable(f"{prefix}: the store failed", uri=prefix)
        return objects(self, prefix)

    monkeypatch.setattr(Store, "objects", failing)
    clock = lambda: datetime.now(UTC) + timedelta(days=8)  # noqa: E731
    actions = clean_up(
        file_store, older_than=timedelta(days=7), on_hold=nothing_held, is_archived=not_archived, clock=clock
    )
    assert Counter(action.action for action in actions) == {"failed": 1, "swept": 1}


class TestAFolderThatMayNotBeListed:
    """A policy of the bucket may close one law's results, or a day's."""

    @pytest.fixture(params=["jobs/lgpd_bra", "jobs/lgpd_bra/2026/01", "jobs/lgpd_bra/2026/01/01"])
    def closed(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
        """Closes it, once it is filled."""
        listing: dict[str, Any] = {name: getattr(Store, name) for name in ("objects", "folders")}
        place: str = request.param

        def closing() -> str:
            for name, original in listing.items():

                def denied(store: Store, prefix: str = "", original: Any = original) -> Any:
                    if f"{prefix}/".startswith(f"{place}/") or f"{place}/".startswith(f"{prefix}/") * (
                        original is listing["objects"]
                    ):
                        raise AccessDenied("the store refused (403 AccessDenied)", uri=prefix)
                    return original(store, prefix)

                monkeypatch.setattr(Store, name, denied)
            return place

        return closing

    async def test_it_costs_the_erasure_itself_only(
        self, file_store: Store, closed: Callable[[], str]
    ) -> None:
        await archive(file_store, "closed", regulation="lgpd_bra")
        due = await archive(file_store, "due", regulation="ucpa_ut_usa")
        closed()
        found = Counter(
            action.action
            for action in erase_expired(
                file_store, {"lgpd_bra": 30, "ucpa_ut_usa": 30}, erasures=Erasing(), clock=after(91)
            )
        )
        assert found == {"failed": 1, "erased": 1}
        assert not (Path(file_store.location.prefix) / str(due.object_key)).exists()

    async def test_it_costs_the_clean_up_itself_only(
        self, file_store: Store, closed: Callable[[], str]
    ) -> None:
        for regulation in ("lgpd_bra", "ucpa_ut_usa"):
            key = f"jobs/{regulation}/2026/01/01/a-job/attempt.zip"
            file_store.write(key, b"left over")
            os.utime(Path(file_store.location.prefix, key), (COMPLETED.timestamp(),) * 2)
        closed()
        actions = clean_up(
            file_store,
            older_than=timedelta(days=7),
            on_hold=nothing_held,
            is_archived=not_archived,
            clock=after(40),
        )
        assert Counter(action.action for action in actions) == {"failed": 1, "swept": 1}

    async def test_it_is_named_by_the_verification_which_goes_on(
        self, file_store: Store, closed: Callable[[], str]
    ) -> None:
        await archive(file_store, "closed", regulation="lgpd_bra")
        await archive(file_store, "open", regulation="ucpa_ut_usa")
        closed()
        run = verify_archive(file_store)
        assert [finding.problem for finding in run] == ["cannot-check"]
        assert (run.summary.results, run.summary.ok) == (1, False)


@pytest.mark.parametrize("at", ["begin", "delete"])
async def test_a_confirmed_tombstone_is_never_written_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Two runs erase at the same moment: one has read the manifest, or written its tombstone, when the other erases."""
    manifest = await archive(store)
    erasures = Erasing()
    confirmed: list[bytes] = []

    def other_run() -> None:
        if not confirmed:
            confirmed.append(b"")
            actions = list(erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(31)))
            assert [action.action for action in actions] == ["erased"]
            confirmed[0] = store.read(f"{manifest.folder}/manifest.json")

    if at == "begin":
        begin = Erasing.begin

        def begin_after(self: Erasing, manifest: Manifest) -> bool:
            other_run()
            return begin(self, manifest)

        monkeypatch.setattr(Erasing, "begin", begin_after)
    else:
        delete = Store.delete

        def delete_after(self: Store, key: str) -> None:
            other_run()
            delete(self, key)

        monkeypatch.setattr(Store, "delete", delete_after)
    actions = list(erase_expired(store, {"gdpr": 30}, erasures=erasures, clock=after(32)))
    assert [action.action for action in actions if action.action == "failed"] == []
    assert store.read(f"{manifest.folder}/manifest.json") == confirmed[0]
    assert b"erased_at" in confirmed[0]
    assert erasures.open == {}
    assert not result_exists(store, manifest)
